#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/path.h"
#include "files/put.h"
#include "files/tar.h"

enum { DIRS_MAX = 1 << 20, PIECE = 256 << 10 };

/* A directory's time is set when nothing more is made in it. */
struct late {
	char *path;
	struct timespec atime, mtime;
};

struct in {
	struct transfer *t;
	struct archive *a;
	int dir;
	int parent; /* of the last entry */
	char *parent_path;
	struct late *late;
	size_t n_late, size_late;
	struct err *e;
};

static void in_done(struct in *i)
{
	for (size_t k = 0; k < i->n_late; k++)
		free(i->late[k].path);
	free(i->late);
	free(i->parent_path);
	cleanup_close(&i->parent);
	archive_read_free(i->a);
}

static int bad(struct in *i)
{
	int num = archive_errno(i->a);

	if (num <= 0 || num == ENOMSG)
		num = EBADMSG;
	err_say(i->e, num, "what is read from standard input is no archive, or a broken one: %s",
		archive_error_string(i->a) ?: "it ends too early");
	return -num;
}

static bool is_final(int r)
{
	return r == -ENOSPC || r == -EDQUOT || r == -EROFS || r == -ENOMEM || r == -EMFILE;
}

/* An entry that is passed over, or the end. */
static int fail(struct in *i, const char *path, int r)
{
	if (is_final(r))
		return place_err(i->t->to, r, "writing", path, i->e);
	i->t->n_failed++;
	if (i->t->failed)
		i->t->failed(i->t, "writing", path, r);
	return 0;
}

/* "./a//b/" as "a/b"; "" is the directory itself. NULL: it leads out, or memory is out. */
static char *clean(const char *name)
{
	char *out = malloc(strlen(name) + 1), *o = out;

	for (const char *p = name; out && *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && strncmp(p, "..", 2) == 0) {
			free(out);
			return NULL;
		}
		if (n && !(n == 1 && *p == '.')) {
			if (o != out)
				*o++ = '/';
			memcpy(o, p, n);
			o += n;
		}
		p += n + (p[n] == '/');
	}
	if (out)
		*o = '\0';
	return out;
}

/* A directory of the archive, made where it is missing, one component after the other. */
static int open_parent(struct in *i, char *path)
{
	int fd = *path ? path_open_in_root(i->dir, path, O_PATH | O_DIRECTORY)
		       : fcntl(i->dir, F_DUPFD_CLOEXEC, 3);

	for (char *p = path; fd == -ENOENT && *p;) {
		char *slash = strchrnul(p, '/'), kept = *slash;
		_cleanup_close_ int dir = -EBADF;

		*slash = '\0';
		fd = path_open_in_root(i->dir, path, O_PATH | O_DIRECTORY);
		if (fd == -ENOENT) {
			bool made;
			char *last = strrchr(path, '/');

			if (last)
				*last = '\0';
			dir = last ? path_open_in_root(i->dir, path, O_PATH | O_DIRECTORY)
				   : fcntl(i->dir, F_DUPFD_CLOEXEC, 3);
			if (last)
				*last = '/';
			fd = dir < 0 ? dir : put_dir(dir, last ? last + 1 : path, &made);
			if (fd >= 0 && made)
				fchmod(fd, 0755);
		}
		*slash = kept;
		if (fd < 0 || !kept)
			break;
		close(fd);
		fd = -ENOENT;
		p = slash + 1;
	}
	return fd;
}

/* Where an entry goes: the directory's descriptor (borrowed), and *name in it. */
static int find_parent(struct in *i, char *path, const char **name)
{
	char *slash = strrchr(path, '/');
	const char *parent = slash ? path : "";

	if (slash)
		*slash = '\0';
	*name = slash ? slash + 1 : path;
	if (i->parent < 0 || !str_eq(parent, i->parent_path)) {
		free(i->parent_path);
		cleanup_close(&i->parent);
		i->parent_path = strdup(parent);
		i->parent = i->parent_path ? open_parent(i, slash ? path : (char[]){""}) : -ENOMEM;
	}
	return i->parent;
}

static struct timespec time_of(int64_t sec, long ns)
{
	return (struct timespec){.tv_sec = sec, .tv_nsec = ns < 0 || ns > 999999999 ? 0 : ns};
}

static uint32_t id_of(int64_t id)
{
	return id < 0 || id >= UINT32_MAX ? 65534 : (uint32_t)id;
}

static void attrs_of(const struct in *i, struct archive_entry *en, struct attrs *a)
{
	const struct attrs_keep *keep = &i->t->keep;
	const char *name;
	const void *value;
	size_t n;

	*a = (struct attrs){
		.mode = archive_entry_mode(en),
		.owner = keep->owner || keep->give,
		.uid = keep->owner ? id_of(archive_entry_uid(en)) : keep->uid,
		.gid = keep->owner ? id_of(archive_entry_gid(en)) : keep->gid,
		.times = true,
		.mtime = time_of(archive_entry_mtime(en), archive_entry_mtime_nsec(en)),
		.rdev = makedev(archive_entry_rdevmajor(en), archive_entry_rdevminor(en)),
	};
	a->atime = a->mtime;
	archive_entry_xattr_reset(en);
	while (archive_entry_xattr_next(en, &name, &value, &n) == ARCHIVE_OK)
		if (n <= ATTRS_VALUE_MAX && attrs_is_kept(name, keep))
			attrs_add(a, name, value, n);
}

static int note_late(struct in *i, const char *path, const struct attrs *a)
{
	if (i->n_late >= DIRS_MAX)
		return 0;
	if (i->n_late == i->size_late) {
		size_t size = i->size_late ? i->size_late * 2 : 64;
		void *v = reallocarray(i->late, size, sizeof(*i->late));

		if (!v)
			return -ENOMEM;
		i->late = v;
		i->size_late = size;
	}
	i->late[i->n_late] =
		(struct late){.path = strdup(path), .atime = a->atime, .mtime = a->mtime};
	return i->late[i->n_late].path ? (i->n_late++, 0) : -ENOMEM;
}

static int make_dir(struct in *i, char *path, struct attrs *a)
{
	_cleanup_free_ char *whole = strdup(path);
	_cleanup_close_ int fd = -EBADF;
	const char *name;
	bool made;
	int dir;

	if (!whole)
		return -ENOMEM;
	if (!*path) /* the directory that it is unpacked into stays as it is */
		return 0;
	dir = find_parent(i, path, &name);
	fd = dir < 0 ? dir : put_dir(dir, name, &made);
	a->times = false;
	if (fd < 0)
		return fd;
	dir = attrs_apply(i->t->to, fd, a, &i->t->n_lost);
	return dir < 0 ? dir : note_late(i, whole, a);
}

static bool is_zeros(const char *p, size_t n)
{
	return n == 0 || (*p == 0 && memcmp(p, p + 1, n - 1) == 0);
}

static int write_block(int fd, const char *p, size_t n, int64_t at)
{
	while (n) {
		size_t part = n < 4096 ? n : 4096;
		ssize_t w;

		if (part == 4096 && is_zeros(p, part)) {
			w = (ssize_t)part;
		} else {
			if (part == 4096) { /* as much as there is up to the next zeros */
				while (part + 4096 <= n && !is_zeros(p + part, 4096))
					part += 4096;
			}
			w = pwrite(fd, p, part, at);
		}
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return w < 0 ? -errno : -ENOSPC;
		p += w;
		at += w;
		n -= (size_t)w;
	}
	return 0;
}

/* -EBADMSG: the stream. */
static int fill(struct in *i, int fd, struct archive_entry *en)
{
	la_int64_t at = 0, end = 0;
	const void *data;
	size_t n = 0;
	int r, k = 0;

	while (k == 0 && (r = archive_read_data_block(i->a, &data, &n, &at)) >= ARCHIVE_WARN &&
	       r != ARCHIVE_EOF) {
		k = at < 0 ? -EBADMSG : write_block(fd, data, n, at);
		end = at + (la_int64_t)n;
		if (k == 0)
			k = meter_tick(&i->t->meter, n);
	}
	if (k < 0)
		return k;
	if (r < ARCHIVE_WARN)
		return -EBADMSG;
	if (archive_entry_size_is_set(en) && archive_entry_size(en) > end)
		end = archive_entry_size(en);
	return ftruncate(fd, end) < 0 ? -errno : 0;
}

static int make_file(struct in *i, int dir, const char *name, struct archive_entry *en,
		     const struct attrs *a)
{
	_cleanup_put_ struct put p = PUT_INIT;
	int r = put_begin(&p, i->t->to, dir, name, false, (uint64_t)archive_entry_size(en));

	if (r == 0)
		r = fill(i, p.fd, en);
	return r < 0 ? r : put_end(&p, a, &i->t->n_lost);
}

static int make_link(struct in *i, int dir, const char *name, const char *to)
{
	_cleanup_free_ char *target = clean(to);
	_cleanup_close_ int fd = -EBADF;
	struct stat st;

	if (!target || !*target)
		return -EXDEV;
	fd = path_open_in_root(i->dir, target, O_PATH | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fd < 0 ? fd : -errno;
	return S_ISDIR(st.st_mode) ? -EISDIR : put_link(dir, name, fd);
}

static int make(struct in *i, struct archive_entry *en)
{
	_cleanup_attrs_ struct attrs a = {};
	const char *raw = archive_entry_pathname(en), *link = archive_entry_hardlink(en), *name;
	_cleanup_free_ char *path = raw ? clean(raw) : NULL;
	mode_t kind = archive_entry_filetype(en);
	int dir, r;

	if (!path)
		return fail(i, raw ? raw : "?", raw ? -EXDEV : -EBADMSG);
	attrs_of(i, en, &a);
	if (kind == S_IFDIR && !link) {
		r = make_dir(i, path, &a);
		return r < 0 ? fail(i, raw, r) : 0;
	}
	dir = *path ? find_parent(i, path, &name) : -EISDIR;
	if (dir < 0)
		r = dir;
	else if (link)
		r = make_link(i, dir, name, link);
	else if (kind == S_IFREG)
		r = make_file(i, dir, name, en, &a);
	else
		r = put_node(i->t->to, dir, name, &a, archive_entry_symlink(en));
	if (r == -EBADMSG)
		return bad(i);
	return r == -ECANCELED ? r : r < 0 ? fail(i, raw, r) : 0;
}

static void set_times(struct in *i)
{
	for (size_t k = i->n_late; k-- > 0;) {
		_cleanup_close_ int fd = path_open_in_root(
			i->dir, i->late[k].path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK);

		if (fd >= 0)
			futimens(fd, (struct timespec[2]){i->late[k].atime, i->late[k].mtime});
	}
}

static int open_archive(struct in *i, int fd)
{
	if (!i->a)
		return err_set(i->e, ENOMEM, "reading an archive");
	archive_read_support_filter_gzip(i->a);
	archive_read_support_filter_bzip2(i->a);
	archive_read_support_filter_xz(i->a);
	archive_read_support_filter_zstd(i->a);
	archive_read_support_format_tar(i->a);
	archive_read_set_options(i->a, "hdrcharset=BINARY");
	return archive_read_open_fd(i->a, fd, PIECE) < ARCHIVE_WARN ? bad(i) : 0;
}

int tar_read(struct transfer *t, int in, int dir, struct err *e)
{
	_cleanup_(in_done) struct in i = {
		.t = t, .a = archive_read_new(), .dir = dir, .parent = -EBADF, .e = e};
	struct archive_entry *en;
	int r = open_archive(&i, in), k = ARCHIVE_OK;

	while (r == 0 && (k = archive_read_next_header(i.a, &en)) >= ARCHIVE_WARN &&
	       k != ARCHIVE_EOF) {
		t->meter.entries++;
		r = meter_tick(&t->meter, 0);
		if (r == 0)
			r = make(&i, en);
	}
	if (r == 0 && k < ARCHIVE_WARN)
		r = bad(&i);
	if (r == 0)
		set_times(&i);
	return r;
}
