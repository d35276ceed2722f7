#include "kit/build.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "kit/debs.h"
#include "kit/output.h"

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
	stopped = sig;
}

void kit_built_done(struct kit_built *b)
{
	strv_done(&b->missing);
}

int build_remove(int dirfd, const char *name)
{
	_cleanup_dir_ DIR *d = NULL;
	struct dirent *de;
	int fd, r;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	d = dir_take(fd);
	if (!d)
		return -ENOMEM;
	while ((de = dir_next(d))) {
		r = build_remove(fd, de->d_name);
		if (r < 0)
			return r;
	}
	return unlinkat(dirfd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

/* Where the work is done: a locked directory beside the output. */
struct place {
	char *parent, *base; /* of the output */
	char *name, *path;   /* of the work directory */
	int parent_fd, fd;
};

static void place_done(struct place *p)
{
	if (p->parent_fd >= 0 && p->name)
		build_remove(p->parent_fd, p->name);
	cleanup_close(&p->fd);
	cleanup_close(&p->parent_fd);
	free(p->parent);
	free(p->base);
	free(p->name);
	free(p->path);
}

/* Remove what killed builds of this output left: their locks are free. */
static void clear_old(struct place *p, const char *prefix)
{
	_cleanup_dir_ DIR *d = dir_open(p->parent_fd, ".");
	struct dirent *de;

	if (!d)
		return;
	while ((de = readdir(d))) {
		_cleanup_close_ int old = -EBADF;

		if (!str_starts(de->d_name, prefix))
			continue;
		old = openat(p->parent_fd, de->d_name,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (old >= 0 && flock(old, LOCK_EX | LOCK_NB) == 0)
			build_remove(p->parent_fd, de->d_name);
	}
}

static int place_open(struct place *p, const char *out, struct err *e)
{
	_cleanup_free_ char *plain = strdup(out), *prefix = NULL;
	char *slash;
	size_t n = plain ? strlen(plain) : 0;

	*p = (struct place){.parent_fd = -EBADF, .fd = -EBADF};
	while (n > 1 && plain[n - 1] == '/')
		plain[--n] = '\0';
	slash = plain ? strrchr(plain, '/') : NULL;
	p->base = strdup(slash ? slash + 1 : plain ? plain : "");
	p->parent =
		!slash ? strdup(".") : strndup(plain, slash == plain ? 1 : (size_t)(slash - plain));
	prefix = str_fmt(".%s.porthole-", p->base ? p->base : "");
	if (!plain || !p->base || !p->parent || !prefix)
		return err_set(e, ENOMEM, "%s", out);
	if (!*p->base || str_eq(p->base, ".") || str_eq(p->base, ".."))
		return err_say(e, EINVAL, "'%s' cannot be the name of a kit", out);
	p->parent_fd = open(p->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->parent_fd < 0)
		return err_set(e, errno, "cannot open directory %s", p->parent);
	flock(p->parent_fd, LOCK_EX); /* so that nobody takes our new directory for an old one */
	clear_old(p, prefix);
	p->path = str_fmt("%s/%sXXXXXX", p->parent, prefix);
	if (!p->path || !mkdtemp(p->path))
		return err_set(e, p->path ? errno : ENOMEM, "cannot work in directory %s",
			       p->parent);
	p->name = strdup(strrchr(p->path, '/') + 1);
	p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!p->name || p->fd < 0 || flock(p->fd, LOCK_EX) < 0)
		return err_set(e, errno, "cannot work in directory %s", p->path);
	flock(p->parent_fd, LOCK_UN);
	return 0;
}

/* A directory that is there may be replaced when it is empty or a kit. */
static int may_replace(const struct place *p, const struct kit_build *b, struct err *e)
{
	_cleanup_free_ char *manifest = str_fmt("%s/manifest.json", p->base);
	struct stat st;
	int r;

	if (!b->dir) {
		r = output_may_replace(p->parent_fd, p->base, b->out, e);
		if (r == -EISDIR)
			err_hint(e, "end the name with a slash to leave the kit unpacked in it");
		return r;
	}
	if (!manifest)
		return err_set(e, ENOMEM, "%s", b->out);
	if (fstatat(p->parent_fd, p->base, &st, 0) < 0)
		return errno == ENOENT ? 0 : err_set(e, errno, "cannot look at %s", b->out);
	if (!S_ISDIR(st.st_mode))
		return err_say(e, ENOTDIR, "%s is no directory", b->out);
	if (faccessat(p->parent_fd, manifest, F_OK, 0) == 0 ||
	    unlinkat(p->parent_fd, p->base, AT_REMOVEDIR) == 0)
		return 0;
	return err_say(e, ENOTEMPTY, "%s holds other files and is not replaced", b->out);
}

static int step(const struct kit_build *b, const char *what, struct err *e)
{
	if (stopped)
		return err_say(e, EINTR, "the build was stopped");
	b->progress.step(b->progress.arg, what, 0, 0);
	return 0;
}

/* Everything between packages unpacked and files final. */
static int shape(const struct kit_build *b, int rootfd, const struct kit_packages *p,
		 struct kit_built *out, struct err *e)
{
	_cleanup_names_ struct names names = {}, after = {};
	_cleanup_ldcache_ struct ldcache libs = {};
	_cleanup_strv_ struct strv needed = {};
	int r = step(b, "relocating", e);

	if (r == 0)
		r = finish_tree(rootfd, b->rules, e);
	if (r == 0)
		r = names_collect(&names, rootfd, e);
	if (r == 0)
		r = relocate_tree(rootfd, &names, b->rules, &out->stats, &libs, &needed, e);
	if (r == 0)
		r = relocate_ldcache(rootfd, &names, &libs, &needed, &out->missing, e);
	if (r == 0)
		r = names_collect(&after, rootfd, e);
	if (r == 0)
		r = finish_same(rootfd, &after, e);
	if (r == 0)
		r = finish_manifest(rootfd, &after, p, &out->count, e);
	if (r == 0)
		r = finish_hot(rootfd, e);
	return r;
}

static int publish(const struct kit_build *b, struct place *p, struct kit_built *out, struct err *e)
{
	const char *made = b->dir ? "root" : "image";
	struct stat st;

	if (fstatat(p->fd, made, &st, 0) < 0)
		return err_set(e, errno, "cannot find the finished kit");
	out->size = b->dir ? out->count.bytes : (uint64_t)st.st_size;
	if (b->dir && fchmodat(p->fd, "root", 0755, 0) < 0)
		return err_set(e, errno, "cannot finish %s", b->out);
	/* RENAME_EXCHANGE: the old directory goes away with the work directory */
	if (b->dir && syscall(SYS_renameat2, p->fd, made, p->parent_fd, p->base, 2) == 0)
		return 0;
	if (renameat(p->fd, made, p->parent_fd, p->base) < 0)
		return err_set(e, errno, "cannot write %s", b->out);
	return 0;
}

static int build_in(const struct kit_build *b, struct place *p, struct kit_built *out,
		    struct err *e)
{
	_cleanup_packages_ struct kit_packages packages = {};
	_cleanup_free_ char *root = str_fmt("%s/root", p->path);
	_cleanup_free_ char *image = str_fmt("%s/image", p->path);
	_cleanup_close_ int rootfd = -EBADF;
	int r;

	if (!root || !image)
		return err_set(e, ENOMEM, "%s", b->out);
	r = step(b, "asking apt", e);
	if (r == 0)
		r = apt_resolve(b->rules, p->path, &packages, e);
	if (r == 0)
		r = apt_fetch(&packages, p->path, &b->progress, e);
	if (r == 0)
		r = step(b, "unpacking packages", e);
	if (r < 0)
		return r;
	out->packages = packages.n;
	out->asked = b->rules->packages.n - packages.absent.n;
	if (mkdirat(p->fd, "root", 0755) < 0)
		return err_set(e, errno, "cannot make %s", root);
	rootfd = openat(p->fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (rootfd < 0)
		return err_set(e, errno, "cannot open %s", root);
	r = debs_unpack(&packages, b->rules, rootfd, &b->progress, e);
	if (r == 0)
		r = shape(b, rootfd, &packages, out, e);
	if (r == 0 && !b->dir) {
		r = step(b, "packing", e);
		if (r == 0)
			r = pack_image(root, image, p->path, b->rules, e);
	}
	if (r < 0)
		return stopped ? err_say(e, EINTR, "the build was stopped") : r;
	return stopped ? err_say(e, EINTR, "the build was stopped") : publish(b, p, out, e);
}

int kit_build(const struct kit_build *b, struct kit_built *out, struct err *e)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction on = {.sa_handler = on_signal}, old[ARRAY_LEN(signals)];
	struct place p;
	mode_t mask = umask(022);
	int r;

	stopped = 0;
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		sigaction(signals[i], &on, &old[i]);
	r = place_open(&p, b->out, e);
	if (r == 0)
		r = may_replace(&p, b, e);
	if (r == 0)
		r = build_in(b, &p, out, e);
	place_done(&p);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		sigaction(signals[i], &old[i], NULL);
	umask(mask);
	return r;
}
