#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "base/str.h"
#include "kit/kit.h"
#include "kit/rungs.h"
#include "sys/fsmount.h"

/* Go to the directory the kit lies in and return its name there, which is what mount tables and df
 * then show; NULL, without going anywhere, where another file has that name by now. *back: the
 * directory we come from. */
static const char *go_home(const struct kit *k, int *back)
{
	const char *slash = strrchr(k->path, '/');
	_cleanup_free_ char *dir = slash > k->path ? strndup(k->path, (size_t)(slash - k->path))
						   : strdup(slash ? "/" : ".");
	_cleanup_close_ int fd = dir ? open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : -EBADF;
	const char *name = slash ? slash + 1 : k->path;
	_cleanup_close_ int cwd = -EBADF;
	struct stat ours, there;

	if (fd < 0 || fstat(k->fd, &ours) < 0 || fstatat(fd, name, &there, 0) < 0 ||
	    ours.st_dev != there.st_dev || ours.st_ino != there.st_ino)
		return NULL;
	cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (cwd < 0 || fchdir(fd) < 0)
		return NULL;
	*back = TAKE_FD(cwd);
	return name;
}

int kit_rung_file(const struct kit *k, bool *opened, struct err *e)
{
	char source[sizeof("/proc/self/fd/-2147483648")], offset[24];
	_cleanup_close_ int back = -EBADF;
	const char *name = k->label ? NULL : go_home(k, &back);
	int m;

	/* else the path of our descriptor; fsoffset= is Linux 6.16 */
	snprintf(source, sizeof(source), "/proc/self/fd/%d", k->fd);
	snprintf(offset, sizeof(offset), "%llu", (unsigned long long)k->offset);
	m = kit_mount_from(k, name ?: source, false, k->offset ? offset : NULL, opened, e);
	if (back >= 0 && fchdir(back) < 0 && m >= 0) {
		close(m);
		return err_set(e, errno, "going back to the working directory");
	}
	if (m == -ENOTBLK)
		return err_say(e, ENOTBLK,
			       "this kernel wants a block device (Linux before 6.12, or the file "
			       "is on a file system such as tmpfs)");
	return m;
}

int kit_rung_loop(const struct kit *k, struct err *e)
{
	_cleanup_loop_ struct loop loop = LOOP_INIT;
	char source[sizeof("/dev/loop4294967295")];
	bool opened;
	int r = loop_attach(k->fd, k->offset, k->size, &loop, e);

	if (r < 0)
		return r;
	snprintf(source, sizeof(source), "/dev/loop%u", loop.nr);
	/* "ro", or the device would be opened for writing, which it refuses */
	return kit_mount_from(k, source, true, NULL, &opened, e);
}

static void note(struct kit_probe *p, enum kit_rung rung, const struct err *why)
{
	size_t i = p->n;

	if (i >= ARRAY_LEN(p->refused))
		return;
	p->n++;
	p->refused[i].rung = rung;
	p->refused[i].num = why->num;
	snprintf(p->refused[i].why, sizeof(p->refused[i].why), "%.*s",
		 (int)sizeof(p->refused[i].why) - 1, why->msg);
}

/* No other rung would do better. */
static bool is_final(int num)
{
	return num == ENOSYS || num == EMFILE || num == ENFILE || num == ENOMEM;
}

/* The rungs in which the kernel does the work. Returns a mount and sets p->rung, or -errno after
 * noting in `p` why each was refused; -ENODATA: only unpacking is left. */
static int mount_image(const struct kit *k, struct kit_probe *p, struct err *e)
{
	bool opened = false;
	int m;

	p->tried = true;
	p->rung = KIT_RUNG_FILE;
	m = kit_rung_file(k, &opened, e);
	if (m >= 0)
		return m;
	if (m == -EPERM && !opened) {
		p->tried = false;
		err_say(e, EPERM, "mounting the kit needs CAP_SYS_ADMIN");
		err_hint(e, "run with sudo");
		return -EPERM;
	}
	if (is_final(-m))
		return m;
	note(p, KIT_RUNG_FILE, e);
	if (m == -ENODEV && !opened) {
		err_say(e, ENODEV, "this kernel has no EROFS");
		note(p, KIT_RUNG_LOOP, e);
	} else {
		p->rung = KIT_RUNG_LOOP;
		m = kit_rung_loop(k, e);
		if (m >= 0 || is_final(-m))
			return m;
		note(p, KIT_RUNG_LOOP, e);
	}
	p->rung = KIT_RUNG_UNPACK;
	return -ENODATA;
}

static int unpack_last(const struct kit *k, const struct kit_probe *p, struct err *e)
{
	int m = kit_rung_unpack(k, e);

	if (m < 0 && !e->hint[0])
		err_hint(e,
			 "before that, the kernel refused it as a file (%s) and through a loop "
			 "device (%s)",
			 strerror(p->refused[0].num), strerror(p->refused[1].num));
	return m;
}

int kit_mount(const struct kit *k, int userns_fd, enum kit_rung *rung, struct err *e)
{
	_cleanup_close_ int m = -EBADF;
	struct kit_probe p = {};
	struct err own = {};

	if (!e)
		e = &own;
	if (k->kind == KIT_NONE)
		return err_say(e, EINVAL, "there is no kit to mount");
	if (k->kind == KIT_DIR) {
		p.rung = KIT_RUNG_DIR;
		m = kit_rung_dir(k, userns_fd, e);
	} else {
		m = mount_image(k, &p, e);
		if (m == -ENODATA)
			m = unpack_last(k, &p, e);
	}
	if (m < 0)
		return m;
	if (userns_fd >= 0 && k->kind == KIT_IMAGE)
		fs_idmap(m, userns_fd, NULL); /* see kit.h for what a refusal means */
	*rung = p.rung;
	return TAKE_FD(m);
}

/* Not root: what the kernel's version and the file's home let expect. */
static enum kit_rung expect(const struct kit *k)
{
	unsigned major = 0, minor = 0;
	struct utsname u;
	struct statfs fs;

	if (uname(&u) == 0)
		sscanf(u.release, "%u.%u", &major, &minor);
	if (major < 6 || (major == 6 && minor < (k->offset ? 16 : 12)))
		return KIT_RUNG_LOOP;
	if (fstatfs(k->fd, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC))
		return KIT_RUNG_LOOP;
	return KIT_RUNG_FILE;
}

void kit_probe(const struct kit *k, struct kit_probe *out)
{
	_cleanup_close_ int m = -EBADF;
	struct err e = {};

	*out = (struct kit_probe){.rung = KIT_RUNG_DIR};
	if (k->kind != KIT_IMAGE)
		return;
	m = mount_image(k, out, &e);
	if (m == -EPERM)
		out->rung = expect(k);
	else if (m == -ENOSYS) /* kit_mount_at() */
		out->rung = KIT_RUNG_LOOP;
}
