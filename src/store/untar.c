#include "store/untar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "store/below.h"

#define WHITEOUT     ".wh."
#define WHITEOUT_ALL ".wh..wh..opq"
#define META_PREFIX  ".wh..wh."
#define BLOCK	     ((size_t)4096)
enum { NOBODY = 65534 };

/* libarchive would turn names from UTF-8 into the locale's characters, for which a static glibc
 * loads modules of the host's. Without conversion it leaves bytes as they are, as file systems do.
 */
iconv_t iconv_open(const char *to, const char *from)
{
	errno = EINVAL;
	return (iconv_t)-1;
}

size_t iconv(iconv_t cd, char **in, size_t *n_in, char **out, size_t *n_out)
{
	errno = EINVAL;
	return (size_t)-1;
}

int iconv_close(iconv_t cd)
{
	return 0;
}

struct work {
	const struct untar *u;
	struct stream *s;
	struct archive *a;
	struct below tree;
	const char *name;    /* of the entry at hand, whole */
	struct err read_err; /* what the stream said */
};

static la_ssize_t on_read(struct archive *a, void *arg, const void **data)
{
	struct work *w = arg;
	ssize_t n = stream_read(w->s, data, &w->read_err);

	if (n < 0)
		archive_set_error(a, (int)-n, "the stream");
	return n < 0 ? -1 : n;
}

/* What libarchive refused. */
static int refused(struct work *w, struct err *e)
{
	const char *why = archive_error_string(w->a);

	if (w->read_err.num)
		return err_say(e, w->read_err.num, "%s", w->read_err.msg);
	return err_say(e, EBADMSG, "it is no tar, or damaged: %s", why ? why : "no reason given");
}

static int cannot(int r, const char *name, struct err *e)
{
	if (r == -ENOSPC || r == -EDQUOT)
		return err_say(e, ENOSPC, "there is not enough memory for it");
	return err_set(e, r, "cannot make '%.200s'", name);
}

static uint32_t id_of(int64_t id)
{
	return id < 0 || id >= UINT32_MAX ? NOBODY : (uint32_t)id;
}

static struct timespec mtime_of(struct archive_entry *en)
{
	long ns = archive_entry_mtime_nsec(en);

	return (struct timespec){.tv_sec = archive_entry_mtime(en),
				 .tv_nsec = ns < 0 || ns > 999999999 ? 0 : ns};
}

/* What is content: not how a kernel labels or stacks files. */
static bool xattr_wanted(const char *name)
{
	if (str_starts(name, "user.overlay.") || str_starts(name, "trusted.overlay."))
		return false;
	return str_starts(name, "user.") || str_starts(name, "trusted.") ||
	       str_starts(name, "system.posix_acl_") || str_eq(name, "security.capability");
}

/* Best effort: a tmpfs of an older kernel takes no user attributes. */
static int set_xattrs(struct work *w, const struct place *p, struct archive_entry *en)
{
	char path[NAME_MAX + 64];
	const char *name;
	const void *value;
	size_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", p->dir, p->name);
	archive_entry_xattr_reset(en);
	while (archive_entry_xattr_next(en, &name, &value, &n) == ARCHIVE_OK) {
		if (!xattr_wanted(name))
			continue;
		if (n + 256 > w->s->budget->xattrs)
			return -ENOSPC;
		w->s->budget->xattrs -= n + 256;
		if (lsetxattr(path, name, value, n, 0) < 0 && (errno == ENOSPC || errno == ENOMEM))
			return -errno;
	}
	return 0;
}

/* Owner, mode, attributes, time: in this order, since each clears what is set after it. */
static int set_meta(struct work *w, const struct place *p, struct archive_entry *en, mode_t type)
{
	mode_t mode = archive_entry_mode(en) & 07777;
	struct timespec times[2] = {mtime_of(en), mtime_of(en)};
	int r;

	if (fchownat(p->dir, p->name, id_of(archive_entry_uid(en)), id_of(archive_entry_gid(en)),
		     AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (type != S_IFLNK && fchmodat(p->dir, p->name, mode, 0) < 0)
		return -errno;
	r = set_xattrs(w, p, en);
	if (r < 0)
		return r;
	return utimensat(p->dir, p->name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static bool is_zero(const char *p, size_t n)
{
	return n > 0 && p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

/* Blocks of zeros become holes. */
static int write_sparse(int fd, const char *p, size_t n, int64_t at)
{
	while (n) {
		size_t piece = BLOCK - (size_t)at % BLOCK;
		ssize_t k;

		if (piece > n)
			piece = n;
		if (is_zero(p, piece)) {
			k = (ssize_t)piece;
		} else {
			/* as much as is no hole, at once */
			while (piece < n &&
			       !is_zero(p + piece, n - piece < BLOCK ? n - piece : BLOCK))
				piece += n - piece < BLOCK ? n - piece : BLOCK;
			k = pwrite(fd, p, piece, at);
		}
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -errno;
		p += k;
		n -= (size_t)k;
		at += k;
	}
	return 0;
}

static int make_file(struct work *w, const struct place *p, struct archive_entry *en, struct err *e)
{
	_cleanup_close_ int fd =
		openat(p->dir, p->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	const void *data;
	la_int64_t at, end = 0;
	size_t n;
	int r, k;

	if (fd < 0)
		return cannot(-errno, w->name, e);
	while ((r = archive_read_data_block(w->a, &data, &n, &at)) >= ARCHIVE_WARN &&
	       r != ARCHIVE_EOF) {
		k = at < 0 ? -EBADMSG : write_sparse(fd, data, n, at);
		if (k < 0)
			return cannot(k, w->name, e);
		end = at + (la_int64_t)n;
	}
	if (r < ARCHIVE_WARN)
		return refused(w, e);
	if (archive_entry_size_is_set(en) && archive_entry_size(en) > end)
		end = archive_entry_size(en);
	return ftruncate(fd, end) < 0 ? cannot(-errno, w->name, e) : 0;
}

/* A hard link to what is there already, in this archive. */
static int make_link(struct work *w, struct place *p, const char *to, struct err *e)
{
	_cleanup_free_ char *target = NULL;
	_cleanup_close_ int fd = -EBADF;
	struct stat st;
	int r = below_clean(to, &target);

	if (r == -EXDEV)
		return err_say(e, EXDEV, "'%.200s' is a hard link to '%.200s', which leads outside",
			       w->name, to);
	fd = r < 0 ? r : below_find(&w->tree, target);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_say(e, EBADMSG,
			       "'%.200s' is a hard link to '%.200s', which is not there", w->name,
			       to);
	if (p->there && p->st.st_dev == st.st_dev && p->st.st_ino == st.st_ino)
		return 0;
	r = S_ISDIR(st.st_mode) ? -EISDIR : below_clear(&w->tree, p);
	if (r == 0 && linkat(fd, "", p->dir, p->name, AT_EMPTY_PATH) < 0)
		r = -errno;
	return r < 0 ? cannot(r, w->name, e) : 0;
}

static int make_special(const struct place *p, struct archive_entry *en, mode_t type)
{
	dev_t dev = makedev(archive_entry_rdevmajor(en), archive_entry_rdevminor(en));

	if (type == S_IFLNK)
		return symlinkat(archive_entry_symlink(en) ?: "", p->dir, p->name) < 0 ? -errno : 0;
	return mknodat(p->dir, p->name, type | 0600, type == S_IFIFO ? 0 : dev) < 0 ? -errno : 0;
}

static int make_dir(struct work *w, struct place *p, const char *path, struct archive_entry *en)
{
	struct timespec mtime = mtime_of(en);
	_cleanup_free_ char *real = NULL;
	bool hidden = p->there && w->u->layer && below_is_whiteout(&p->st);
	int r = 0;

	if (!p->there || !S_ISDIR(p->st.st_mode)) {
		r = below_clear(&w->tree, p);
		if (r == 0 && mkdirat(p->dir, p->name, 0700) < 0)
			r = -errno;
		if (r == 0 && hidden)
			r = below_opaque(p->dir, p->name);
	}
	if (r == 0)
		r = set_meta(w, p, en, S_IFDIR);
	if (r < 0)
		return r;
	if (!*path)
		return below_time_later(&w->tree, "", &mtime);
	real = w->tree.real.len ? str_fmt("%s/%s", w->tree.real.data, p->name) : strdup(p->name);
	return real ? below_time_later(&w->tree, real, &mtime) : -ENOMEM;
}

/* .wh.NAME hides NAME of the layers below; what this layer itself has by that name stays. */
static int whiteout(struct work *w, struct place *p)
{
	const char *name = p->name + sizeof(WHITEOUT) - 1;

	if (str_eq(p->name, WHITEOUT_ALL))
		return below_opaque(p->dir, ".");
	if (str_starts(p->name, META_PREFIX) || !path_is_component(name))
		return 0; /* AUFS's own, and nonsense */
	p->there = fstatat(p->dir, name, &p->st, AT_SYMLINK_NOFOLLOW) == 0;
	if (p->there)
		return S_ISDIR(p->st.st_mode) ? below_opaque(p->dir, name) : 0;
	return mknodat(p->dir, name, S_IFCHR, makedev(0, 0)) < 0 ? -errno : 0;
}

static int make_other(struct work *w, struct place *p, struct archive_entry *en, struct err *e)
{
	mode_t type = archive_entry_filetype(en);
	int r = below_clear(&w->tree, p);

	if (r == 0 && (type == S_IFREG || type == 0)) {
		r = make_file(w, p, en, e);
		if (r < 0)
			return r;
	} else if (r == 0 && type == S_IFSOCK) {
		return 0; /* nobody listens any more */
	} else if (r == 0) {
		r = make_special(p, en, type);
	}
	if (r == 0)
		r = set_meta(w, p, en, type);
	return r < 0 ? cannot(r, w->name, e) : 0;
}

/* One entry of the archive. */
static int make(struct work *w, struct archive_entry *en, struct err *e)
{
	const char *name = archive_entry_pathname(en), *link = archive_entry_hardlink(en);
	_cleanup_free_ char *path = NULL;
	struct place p;
	int r;

	if (!name)
		return err_say(e, EBADMSG, "it is damaged: an entry has no name");
	w->name = name;
	r = below_clean(name, &path);
	if (r == -EXDEV)
		return err_say(e, EXDEV, "its entry '%.200s' leads outside", name);
	if (r == 0)
		r = below_place(&w->tree, path, &p);
	if (r < 0)
		return cannot(r, name, e);
	if (w->u->layer && str_starts(p.name, WHITEOUT)) {
		r = whiteout(w, &p);
		return r < 0 ? cannot(r, name, e) : 0;
	}
	if (link)
		return make_link(w, &p, link, e);
	if (archive_entry_filetype(en) == S_IFDIR) {
		r = make_dir(w, &p, path, en);
		return r < 0 ? cannot(r, name, e) : 0;
	}
	if (!*path)
		return err_say(e, EBADMSG, "its root is no directory");
	return make_other(w, &p, en, e);
}

static int each_entry(struct work *w, struct err *e)
{
	struct archive_entry *en;
	int r;

	while ((r = archive_read_next_header(w->a, &en)) >= ARCHIVE_WARN && r != ARCHIVE_EOF) {
		r = budget_entry(w->s->budget, e);
		if (r == 0)
			r = make(w, en, e);
		if (r < 0)
			return r;
	}
	if (r < ARCHIVE_WARN)
		return refused(w, e);
	below_times_now(&w->tree);
	return 0;
}

int untar(const struct untar *u, struct stream *s, struct err *e)
{
	struct work w = {.u = u, .s = s, .a = archive_read_new(), .tree = BELOW_INIT(u->root)};
	int r;

	if (!w.a)
		return err_set(e, ENOMEM, "cannot unpack it");
	w.tree.lower = u->lower;
	w.tree.n_lower = u->n_lower;
	archive_read_support_format_tar(w.a);
	archive_read_support_format_empty(w.a);
	if (archive_read_open2(w.a, &w, NULL, on_read, NULL, NULL) < ARCHIVE_WARN)
		r = refused(&w, e);
	else
		r = each_entry(&w, e);
	below_done(&w.tree);
	archive_read_free(w.a);
	return r;
}
