/* Is an image whole? Every inode, name and (if asked) byte, by our own reader. */
#include <sys/stat.h>

#include "kit/contents.h"
#include "kit/erofs.h"

enum { DEPTH_MAX = 64 };

struct walk {
	struct erofs *fs;
	bool data;
	int depth;
	uint64_t left; /* inodes: a damaged tree may have circles */
};

static int nothing(void *arg, const void *data, uint64_t n, struct err *e)
{
	(void)arg, (void)data, (void)n, (void)e;
	return 0;
}

static int look_at(struct walk *w, uint64_t nid, struct err *e);

static int entry(void *arg, const struct erofs_dirent *d, struct err *e)
{
	return look_at(arg, d->nid, e);
}

static int look_at(struct walk *w, uint64_t nid, struct err *e)
{
	struct erofs_inode in;
	int r = erofs_inode_read(w->fs, nid, &in, e);

	if (r < 0)
		return r;
	if (w->left-- == 0 || w->depth >= DEPTH_MAX)
		return err_say(e, EBADMSG, "its directories go round in a circle");
	if (S_ISREG(in.mode) && w->data)
		return erofs_read_each(w->fs, &in, 0, in.size, nothing, NULL, e);
	if (!S_ISDIR(in.mode))
		return 0;
	w->depth++;
	r = erofs_dir_each(w->fs, &in, entry, w, e);
	w->depth--;
	return r;
}

int kit_verify(const struct kit *k, bool data, struct err *e)
{
	_cleanup_erofs_ struct erofs *fs = NULL;
	struct walk w = {.data = data};
	struct err why = {};
	int r;

	if (k->kind != KIT_IMAGE)
		return 0;
	r = erofs_open(k->fd, k->offset, k->size, k->path, &fs, &why);
	if (r == 0) {
		w.fs = fs;
		w.left = 2 * erofs_super(fs)->inodes + 1024; /* hard links count again */
		r = look_at(&w, erofs_super(fs)->root, &why);
	}
	if (r == 0 || (r == -ENOTSUP && !fs)) /* what its superblock names is known, or no damage */
		return 0;
	if (r == -ENOMEM)
		return err_set(e, r, "reading the kit %s", k->path);
	err_say(e, EBADMSG, "the kit cannot be used: %s", why.msg);
	err_hint(e, "build it again ('porthole kit build -o FILE'), copy it again, or take another "
		    "with --kit");
	return -EBADMSG;
}
