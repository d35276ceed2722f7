/* The last rung: the kit's files in a tmpfs of the session's own. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "kit/erofs.h"
#include "kit/kit.h"
#include "kit/rungs.h"
#include "sys/fsmount.h"

enum {
	DEPTH_MAX = 64,
	ENTRIES_MAX = 1000000,
	PAGE = 4096,
	NAME_BUCKETS = 1024,
	NAME_BYTES_MAX = 16 << 20,
};
#define BYTES_MAX (8ull << 30)

/* A file that has more than one name, and where the first was unpacked. */
struct first_name {
	struct first_name *next;
	uint64_t nid;
	char path[];
};

struct names {
	struct first_name *bucket[NAME_BUCKETS];
	size_t bytes; /* beyond NAME_BYTES_MAX, further names become copies */
};

struct walk {
	struct erofs *fs;
	const struct kit *k;
	int dir;	  /* where this directory goes; -EBADF: only count */
	int root;	  /* the top of what is unpacked */
	const char *path; /* of this directory below root, "" or ending in '/' */
	unsigned depth;
	struct walk *up; /* the counters are in the topmost */
	uint64_t entries, bytes, room;
	struct names *names; /* of all directories */
	const struct kit_steps *progress;
	uint64_t total; /* for it */
};

static struct walk *top(struct walk *w)
{
	while (w->up)
		w = w->up;
	return w;
}

static int walk_dir(struct walk *w, const struct erofs_inode *in, struct err *e);

/* Where the first name of this file went, or NULL. */
static const char *first_name(const struct names *names, uint64_t nid)
{
	for (struct first_name *n = names->bucket[nid % NAME_BUCKETS]; n; n = n->next)
		if (n->nid == nid)
			return n->path;
	return NULL;
}

static int remember(struct names *names, uint64_t nid, const char *dir, const char *name)
{
	size_t len = strlen(dir) + strlen(name) + 1;
	struct first_name *n;

	if (names->bytes + len > NAME_BYTES_MAX)
		return 0;
	n = malloc(sizeof(*n) + len);
	if (!n)
		return -ENOMEM;
	names->bytes += len;
	snprintf(n->path, len, "%s%s", dir, name);
	n->nid = nid;
	n->next = names->bucket[nid % NAME_BUCKETS];
	names->bucket[nid % NAME_BUCKETS] = n;
	return 0;
}

static void names_done(struct names *names)
{
	for (size_t i = 0; i < NAME_BUCKETS; i++) {
		struct first_name *next;

		for (struct first_name *n = names->bucket[i]; n; n = next) {
			next = n->next;
			free(n);
		}
	}
}
#define _cleanup_names_ _cleanup_(names_done)

static int cannot(const struct walk *w, const char *name, struct err *e)
{
	return err_set(e, errno, "cannot unpack %s%s of the kit %s", w->path, name, w->k->path);
}

static int set_times(int fd, const struct erofs_inode *in)
{
	struct timespec t[2] = {{.tv_sec = in->mtime, .tv_nsec = in->mtime_nsec % 1000000000}};

	t[1] = t[0];
	return futimens(fd, t);
}

static int unpack_file(struct walk *w, const char *name, const struct erofs_inode *in,
		       struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	const char *first = in->nlink > 1 ? first_name(w->names, in->nid) : NULL;
	int r;

	if (first)
		return linkat(w->root, first, w->dir, name, 0) < 0 ? cannot(w, name, e) : 0;
	fd = openat(w->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return cannot(w, name, e);
	r = erofs_copy_out(w->fs, in, fd, e);
	if (r < 0)
		return r;
	if (fchmod(fd, in->mode & 01777) < 0 || set_times(fd, in) < 0)
		return cannot(w, name, e);
	if (in->nlink > 1 && remember(w->names, in->nid, w->path, name) < 0)
		return err_set(e, ENOMEM, "cannot unpack the kit %s", w->k->path);
	return 0;
}

static int unpack_link(struct walk *w, const char *name, const struct erofs_inode *in,
		       struct err *e)
{
	_cleanup_free_ char *target = NULL;
	int r = erofs_read_all(w->fs, in, PATH_MAX - 1, &target, NULL, e);

	if (r < 0)
		return r;
	return symlinkat(target, w->dir, name) < 0 ? cannot(w, name, e) : 0;
}

/* A directory gets its mode and times when all is in it. */
static int enter_dir(struct walk *w, const char *name, const struct erofs_inode *in, struct err *e)
{
	_cleanup_close_ int dir = -EBADF;
	_cleanup_free_ char *path = str_fmt("%s%s/", w->path, name);
	struct walk sub = {.fs = w->fs,
			   .k = w->k,
			   .root = w->root,
			   .path = path,
			   .depth = w->depth + 1,
			   .up = w,
			   .names = w->names};
	int r;

	if (!path)
		return err_set(e, ENOMEM, "cannot unpack the kit %s", w->k->path);
	if (sub.depth > DEPTH_MAX)
		return err_say(e, EBADMSG, "the kit %s is damaged: its directories are too deep",
			       w->k->path);
	if (w->dir >= 0) {
		if (mkdirat(w->dir, name, 0700) < 0)
			return cannot(w, name, e);
		dir = openat(w->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir < 0)
			return cannot(w, name, e);
	}
	sub.dir = dir;
	r = walk_dir(&sub, in, e);
	if (r == 0 && dir >= 0 && (fchmod(dir, in->mode & 01777) < 0 || set_times(dir, in) < 0))
		return cannot(w, name, e);
	return r;
}

static int visit(void *arg, const struct erofs_dirent *d, struct err *e)
{
	struct walk *w = arg, *t = top(w);
	struct erofs_inode in;
	int r = erofs_inode_read(w->fs, d->nid, &in, e);

	if (r < 0)
		return r;
	/* a second name of one file counts again: no harm, the room is only a limit */
	if (!S_ISDIR(in.mode))
		t->room += (in.size + PAGE - 1) / PAGE * PAGE;
	t->bytes += in.size;
	if (t->progress)
		t->progress->step(t->progress->arg, t->bytes, t->total);
	if (++t->entries > ENTRIES_MAX || t->bytes > BYTES_MAX)
		return err_say(e, EFBIG, "the kit %s is too large to be unpacked", w->k->path);
	if (S_ISDIR(in.mode))
		return enter_dir(w, d->name, &in, e);
	if (w->dir < 0)
		return 0;
	if (S_ISREG(in.mode))
		return unpack_file(w, d->name, &in, e);
	if (S_ISLNK(in.mode))
		return unpack_link(w, d->name, &in, e);
	return 0;
}

static int walk_dir(struct walk *w, const struct erofs_inode *in, struct err *e)
{
	return erofs_dir_each(w->fs, in, visit, w, e);
}

/* Walk the whole kit; `dir_fd` -EBADF: only count, into *counted. `progress`: bytes of `total`. */
static int walk_kit(const struct kit *k, int dir_fd, const struct kit_steps *progress,
		    uint64_t total, struct walk *counted, struct err *e)
{
	_cleanup_erofs_ struct erofs *fs = NULL;
	_cleanup_names_ struct names names = {};
	struct walk w = {.k = k,
			 .dir = dir_fd,
			 .root = dir_fd,
			 .path = "",
			 .names = &names,
			 .progress = progress,
			 .total = total};
	struct erofs_inode root;
	int r;

	if (k->kind != KIT_IMAGE)
		return err_say(e, EINVAL, "only a kit's image can be unpacked");
	r = erofs_open(k->fd, k->offset, k->size, k->path, &fs, e);
	if (r == 0)
		r = erofs_inode_read(fs, erofs_super(fs)->root, &root, e);
	if (r < 0)
		return r;
	w.fs = fs;
	r = walk_dir(&w, &root, e);
	if (counted)
		*counted = w;
	return r;
}

int kit_unpack(const struct kit *k, int dir_fd, struct err *e)
{
	return walk_kit(k, dir_fd, NULL, 0, NULL, e);
}

int kit_unpack_shown(const struct kit *k, int dir_fd, const struct kit_steps *progress,
		     struct err *e)
{
	struct walk w = {};
	int r = progress ? walk_kit(k, -EBADF, NULL, 0, &w, e) : 0;

	return r < 0 ? r : walk_kit(k, dir_fd, progress, w.bytes, NULL, e);
}

/* Bytes of memory that programs can still have; 0: unknown. */
static uint64_t memory_available(void)
{
	unsigned long long kib = 0;
	char text[4096];
	const char *p;

	if (file_read_small_at(AT_FDCWD, "/proc/meminfo", text, sizeof(text)) <= 0)
		return 0;
	p = str_field(text, "MemAvailable:");
	if (!p || sscanf(p, "%llu", &kib) != 1)
		return 0;
	return kib << 10;
}

int kit_room(const struct kit *k, struct kit_room *out, struct err *e)
{
	struct walk w = {};
	uint64_t have;
	int r = walk_kit(k, -EBADF, NULL, 0, &w, e);

	if (r < 0)
		return r;
	w.room += PAGE;
	have = memory_available();
	if (have && w.room > have) {
		err_say(e, ENOMEM,
			"unpacking the kit %s needs %llu MiB of memory, and %llu are free", k->path,
			(unsigned long long)(w.room >> 20), (unsigned long long)(have >> 20));
		err_hint(e,
			 "make a smaller kit with 'porthole kit build -o FILE PACKAGE...', or use "
			 "--kit none");
		return -ENOMEM;
	}
	snprintf(out->size, sizeof(out->size), "%llu", (unsigned long long)w.room);
	snprintf(out->inodes, sizeof(out->inodes), "%llu", (unsigned long long)w.entries + 16);
	return 0;
}

int kit_rung_unpack(const struct kit *k, struct err *e)
{
	_cleanup_close_ int m = -EBADF;
	struct kit_room room;
	struct fs_opt opts[] = {
		{"size", room.size},
		{"nr_inodes", room.inodes},
		{"mode", "755"},
		{"source", k->label ?: "kit"},
		{},
	};
	int r = kit_room(k, &room, e);

	if (r < 0)
		return r;
	m = fs_mount_detached("tmpfs", opts, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, NULL, e);
	if (m < 0)
		return m;
	r = kit_unpack(k, m, e);
	if (r == 0)
		r = fs_make_readonly(m, e);
	return r < 0 ? r : TAKE_FD(m);
}
