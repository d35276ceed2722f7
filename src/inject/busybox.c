/* Busybox: one static program, and a link for each of its names. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "elf/head.h"
#include "inject/origin.h"
#include "kit/spawn.h"
#include "session/copy.h"

static const char *const places[] = {"/bin/busybox", "/usr/bin/busybox", "/sbin/busybox",
				     "/usr/local/bin/busybox"};

/* The file, when it is a program that needs nothing else; else -errno. */
static int open_static(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_elf_head_ struct elf_head h = {};

	if (fd < 0)
		return -errno;
	if (elf_head_read(fd, &h) < 0 || h.interp)
		return -ENOEXEC;
	return TAKE_FD(fd);
}

/* Of Debian's package. */
static int from_package(const struct kit_progress *progress, struct err *e)
{
	static const char dir[] = ORIGIN_WORK "/busybox";
	_cleanup_origin_work_ struct origin_work w = ORIGIN_WORK_INIT;
	_cleanup_packages_ struct kit_packages debs = {};
	_cleanup_strv_ struct strv ask = {}, argv = {};
	int r = strv_add(&ask, "busybox-static") ?: origin_work_open(&w, e);

	if (r == 0)
		r = origin_debs(&ask, progress, &debs, e);
	for (size_t i = 0; i < debs.n && r == 0; i++) {
		if (!str_eq(debs.v[i].name, "busybox-static"))
			continue;
		if (strv_add(&argv, "dpkg-deb") < 0 || strv_add(&argv, "-x") < 0 ||
		    strv_add(&argv, debs.v[i].path) < 0 || strv_add(&argv, dir) < 0)
			return err_set(e, ENOMEM, "unpacking busybox-static");
		if (spawn_run(argv.v, NULL, NULL, NULL) != 0)
			return err_say(e, EIO, "unpacking %s failed", debs.v[i].path);
	}
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		_cleanup_free_ char *path = str_fmt("%s%s", dir, places[i]);

		r = path ? open_static(path) : -ENOMEM;
		if (r >= 0)
			return r;
	}
	return err_set(e, r, "Debian's busybox-static has no busybox that could be used");
}

/* A link for each name that it prints. */
static int add_links(int dir, struct err *e)
{
	_cleanup_free_ char *self = str_fmt("/proc/%d/fd/%d/busybox", (int)getpid(), dir);
	char *const argv[] = {self, (char *)"--list", NULL};
	_cleanup_strv_ struct strv names = {};
	_cleanup_buf_ struct buf text = {};
	int r = self ? spawn_run(argv, NULL, &text, NULL) : -ENOMEM;

	if (r != 0 || !text.data || strv_split(&names, text.data, "\n") < 0 || names.n < 20)
		return err_say(e, EIO, "busybox does not say what programs it has");
	for (size_t i = 0; i < names.n; i++)
		if (path_is_component(names.v[i]) && !str_eq(names.v[i], "busybox") &&
		    symlinkat("busybox", dir, names.v[i]) < 0 && errno != EEXIST)
			return err_set(e, errno, "making a link for %s", names.v[i]);
	return 0;
}

int origin_busybox(int dir, struct origin *out, const struct kit_progress *progress, struct err *e)
{
	_cleanup_close_ int in = -ENOENT, bin = -EBADF, file = -EBADF;
	int r;

	for (size_t i = 0; i < ARRAY_LEN(places) && in < 0; i++)
		in = open_static(places[i]);
	if (in < 0)
		in = from_package(progress, e);
	if (in < 0)
		return in;
	if (mkdirat(dir, "bin", 0755) < 0 || mkdirat(dir, "tmp", 01777) < 0 ||
	    fchmodat(dir, "tmp", 01777, 0) < 0)
		return err_set(e, errno, "making busybox's directories");
	bin = openat(dir, "bin", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (bin >= 0)
		file = openat(bin, "busybox", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	r = file < 0 ? -errno : copy_bytes(in, file);
	if (r == 0 && fchmod(file, 0755) < 0)
		r = -errno;
	if (r < 0)
		return err_set(e, r, "copying busybox");
	cleanup_close(&file); /* what is open for writing cannot be run */
	file = -EBADF;
	out->label = strdup("busybox");
	return out->label ? add_links(bin, e) : err_set(e, ENOMEM, "copying busybox");
}
