/* compare_fits(): before anything is done. */
#include <stdio.h>
#include <sys/statvfs.h>

#include "inject/compare.h"

enum { MARGIN_BYTES = 1 << 20, MARGIN_FILES = 64 };

static unsigned mib(uint64_t bytes)
{
	return (unsigned)((bytes + (1 << 20) - 1) >> 20);
}

int compare_fits(const struct compare *c, const char *label, struct err *e)
{
	uint64_t need = c->need + c->need / 50 + MARGIN_BYTES, room;
	struct statvfs v;

	if (fstatvfs(c->root, &v) < 0)
		return err_set(e, errno, "looking at the root file system of '%s'", label);
	if (v.f_flag & ST_RDONLY) {
		err_say(e, EROFS,
			"the root file system of '%s' is read-only: nothing can be put in", label);
		err_hint(e, "'porthole exec %s' brings its tools without writing anything", label);
		return -EROFS;
	}
	if (v.f_flag & ST_NOEXEC) {
		err_say(e, EACCES,
			"the root file system of '%s' is mounted noexec: no program put in could "
			"run",
			label);
		err_hint(e, "'porthole exec %s' brings tools that run from elsewhere", label);
		return -EACCES;
	}
	room = (uint64_t)v.f_bavail * v.f_frsize;
	if (need > room) {
		err_say(e, ENOSPC, "'%s' has room for %u MiB, and %u MiB are needed", label,
			(unsigned)(room >> 20), mib(need));
		err_hint(e, "--from busybox needs 2 MiB; 'porthole exec %s' needs none", label);
		return -ENOSPC;
	}
	if (v.f_files && c->items.n + MARGIN_FILES > v.f_favail)
		return err_say(e, ENOSPC,
			       "the file system of '%s' has room for %llu more files, and %zu are "
			       "needed",
			       label, (unsigned long long)v.f_favail, c->items.n + MARGIN_FILES);
	return 0;
}
