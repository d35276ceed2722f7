/* What of a rehearsal's limits is in its namespaces and its files. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "session/confined.h"
#include "session/view.h"
#include "sys/fsmount.h"

/* Is this one of a namespace that we have made? All else would be the host's. */
static bool is_ours(const struct plan *p, const char *name)
{
	static const struct {
		const char *start;
		bool whole;
		unsigned ns;
	} all[] = {
		{"net.", false, CLONE_NEWNET},	     {"fs.mqueue.", false, CLONE_NEWIPC},
		{"kernel.msg", false, CLONE_NEWIPC}, {"kernel.sem", true, CLONE_NEWIPC},
		{"kernel.shm", false, CLONE_NEWIPC}, {"kernel.domainname", true, CLONE_NEWUTS},
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (p->ns_new & all[i].ns &&
		    (all[i].whole ? str_eq(name, all[i].start) : str_starts(name, all[i].start)))
			return true;
	return false;
}

/* sysctl(8): dots are slashes, and slashes are dots. */
static void to_path(char *name)
{
	for (; *name; name++)
		*name = *name == '.' ? '/' : *name == '/' ? '.' : *name;
}

static int set_sysctl(int host_proc, char *name, const char *value)
{
	const struct open_how how = {.flags = O_WRONLY | O_CLOEXEC,
				     .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
						RESOLVE_NO_MAGICLINKS};
	_cleanup_close_ int sys = openat(host_proc, "sys", ROOT_DIR_FLAGS), fd = -EBADF;

	if (sys < 0)
		return -errno;
	to_path(name);
	if (strstr(name, "..")) /* of "//": as a name it has none of these */
		return -EINVAL;
	fd = (int)syscall(SYS_openat2, sys, name, &how, sizeof(how));
	return fd < 0 ? -errno : fd_write_all(fd, value, strlen(value));
}

void confined_sysctls(const struct plan *p, const struct view_parts *parts)
{
	const struct strv *all = p->confined.sysctls;

	for (size_t i = 0; all && i < all->n; i++) {
		_cleanup_free_ char *name = strdup(all->v[i]), *shown = NULL;
		char *value = name ? strchr(name, '=') : NULL;
		int r = -EPERM;

		if (!value)
			continue;
		*value++ = '\0';
		shown = str_printable_dup(name);
		if (is_ours(p, name))
			r = set_sysctl(parts->host_proc, name, value);
		if (r < 0 && shown)
			strv_push(parts->notes,
				  str_fmt("its sysctl %s is not set here: %s", shown,
					  r == -EPERM ? "it is the host's, not the container's"
						      : strerror(-r)));
	}
}

/* ---- tmpfs ---- */

/* Words that a mount has, of those engines pass on; 0: another. */
static uint64_t attr_of(const char *word, bool *clear)
{
	static const struct {
		const char *word;
		uint64_t attr;
	} all[] = {{"nosuid", MOUNT_ATTR_NOSUID}, {"suid", MOUNT_ATTR_NOSUID},
		   {"nodev", MOUNT_ATTR_NODEV},	  {"noexec", MOUNT_ATTR_NOEXEC},
		   {"exec", MOUNT_ATTR_NOEXEC},	  {"ro", MOUNT_ATTR_RDONLY},
		   {"rw", MOUNT_ATTR_RDONLY}};

	*clear = str_eq(word, "suid") || str_eq(word, "exec") || str_eq(word, "rw");
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (str_eq(all[i].word, word))
			return all[i].attr;
	return 0;
}

/* Its mode where none is told: that of the directory it lies over (runc, crun). */
static void mode_below(const struct plan *p, const char *dest, char *mode, size_t size)
{
	_cleanup_close_ int fd = path_open_in_root(p->root_fd, dest, O_PATH | O_DIRECTORY);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0)
		snprintf(mode, size, "%o", st.st_mode & 07777);
}

int confined_tmpfs(const struct plan *p, const struct cow_mount *m)
{
	static const char *const keys[] = {"size", "mode", "nr_inodes", "nr_blocks", "uid", "gid"};
	_cleanup_strv_ struct strv words = {};
	struct fs_opt opts[ARRAY_LEN(keys) + 1] = {};
	char mode[8] = "1777";
	uint64_t attrs = 0;
	size_t n = 0;

	if (!m->options || strv_split(&words, m->options, ",") < 0)
		return m->options ? -ENOMEM : -EBADF;
	mode_below(p, m->dest, mode, sizeof(mode));
	for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
		const char *value = str_eq(keys[k], "mode") ? mode : NULL;

		for (size_t i = 0; i < words.n; i++)
			if (str_starts(words.v[i], keys[k]) && words.v[i][strlen(keys[k])] == '=')
				value = words.v[i] + strlen(keys[k]) + 1;
		if (value)
			opts[n++] = (struct fs_opt){.key = keys[k], .value = value};
	}
	for (size_t i = 0; i < words.n; i++) {
		bool clear;
		uint64_t attr = attr_of(words.v[i], &clear);

		attrs = clear ? attrs & ~attr : attrs | attr;
	}
	/* nothing on it counts as a device, whatever was asked for */
	return fs_mount_detached("tmpfs", opts, attrs | MOUNT_ATTR_NODEV, NULL, NULL);
}

/* ---- devices ---- */

/* Its directory below `dev`, made where it is missing; the name in it in *name. */
static int make_parents(int dev, char *path, char **name)
{
	_cleanup_close_ int at = fcntl(dev, F_DUPFD_CLOEXEC, 3);
	char *slash;

	for (*name = path; (slash = strchr(*name, '/')) && at >= 0; *name = slash + 1) {
		int next;

		*slash = '\0';
		if (!path_is_component(*name) || (mkdirat(at, *name, 0755) < 0 && errno != EEXIST))
			return -EINVAL;
		next = openat(at, *name, ROOT_DIR_FLAGS);
		if (next < 0)
			return -errno;
		close(at);
		at = next;
	}
	return at < 0 || !path_is_component(*name) ? -EINVAL : TAKE_FD(at);
}

static int attach_device(const struct confined_device *d, int dev)
{
	_cleanup_free_ char *path = strdup(d->dest + strlen("/dev/"));
	_cleanup_close_ int dir = -EBADF, file = -EBADF;
	char *name;

	dir = path ? make_parents(dev, path, &name) : -ENOMEM;
	if (dir < 0)
		return dir;
	file = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return file < 0 ? (errno == EEXIST ? 0 : -errno) : view_attach(d->fd, dir, name);
}

void confined_devices(const struct plan *p, const struct view_parts *parts, int dev)
{
	for (size_t i = 0; i < p->confined.n_devices; i++)
		if (attach_device(&p->confined.devices[i], dev) < 0)
			strv_push(parts->notes,
				  str_fmt("%s is not in this view", p->confined.devices[i].dest));
}
