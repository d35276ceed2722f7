/* Where journals are, and their files. */
#include "inject/journal.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "kit/build.h"

#define SUFFIX	  ".journal"
#define ORIGINALS ".files"

void journal_done(struct journal *j)
{
	cleanup_close(&j->fd);
	cleanup_close(&j->dir);
	free(j->file);
	free(j->engine);
	free(j->id);
	free(j->name);
	free(j->source);
	free(j->stage);
	items_done(&j->items);
	buf_done(&j->pending);
	*j = JOURNAL_INIT;
}

static const char *state_dir(void)
{
	const char *dir = getenv("PORTHOLE_STATE");

	return dir && *dir == '/' ? dir : JOURNAL_STATE;
}

/* A minimal system, such as a kit's root, may not even have /var/lib. */
static int make_dirs(const char *path)
{
	_cleanup_free_ char *part = strdup(path);

	if (!part)
		return -ENOMEM;
	for (char *c = strchr(part + 1, '/');; c = strchr(c + 1, '/')) {
		if (c)
			*c = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return -errno;
		if (!c)
			return 0;
		*c = '/';
	}
}

/* The directory of journals. `make`: where there is none yet. A descriptor, or -errno with `e`. */
static int open_dir(bool make, struct err *e)
{
	_cleanup_close_ int top = -EBADF;
	int r = make ? make_dirs(state_dir()) : 0;

	if (r < 0)
		return err_set(e, r, "making %s", state_dir());
	top = open(state_dir(), O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (top >= 0 && make && mkdirat(top, "inject", 0700) < 0 && errno != EEXIST)
		return err_set(e, errno, "making %s/inject", state_dir());
	r = top < 0 ? -errno : openat(top, "inject", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return r >= 0 ? r : err_set(e, errno, "opening %s/inject", state_dir());
}

int journal_place(bool make, char **path, struct err *e)
{
	_cleanup_close_ int dir = open_dir(make, e);

	if (dir < 0)
		return dir;
	*path = str_fmt("%s/inject", state_dir());
	return *path ? 0 : err_set(e, ENOMEM, "opening %s/inject", state_dir());
}

bool journal_is_fleeting(const struct journal *j)
{
	struct stat root, here;

	return getenv("PORTHOLE_SESSION") && j->dir >= 0 && stat("/", &root) == 0 &&
	       fstat(j->dir, &here) == 0 && root.st_dev == here.st_dev;
}

/* ENGINE-ID.journal: an id may hold anything. */
static char *file_of(const struct target *t)
{
	_cleanup_buf_ struct buf b = {};
	_cleanup_free_ char *pid = str_fmt("%d.%llu", (int)t->pid, (unsigned long long)t->start);
	const char *id = t->id ? t->id : pid;

	buf_printf(&b, "%s-", t->engine);
	for (; id && *id && b.len < NAME_MAX - 32; id++)
		if ((*id >= '0' && *id <= '9') || (*id >= 'a' && *id <= 'z') ||
		    (*id >= 'A' && *id <= 'Z') || strchr("_.-", *id))
			buf_putc(&b, *id);
		else
			buf_printf(&b, "%%%02X", (unsigned char)*id);
	/* the same name in another user's or another pod's realm is another one */
	if (t->owner)
		buf_printf(&b, "@%u", (unsigned)t->owner_uid);
	buf_puts(&b, SUFFIX);
	return buf_take(&b);
}

static int read_it(struct journal *j, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0, good = 0;
	struct err why = {};
	int r = fd_read_all(j->fd, JOURNAL_FILE_MAX, &text, &len);

	if (r == 0)
		r = journal_parse(text, len, j, &good, &why);
	if (r == 0 && good < len && ftruncate(j->fd, (off_t)good) < 0)
		r = -errno;
	if (r == 0)
		return 0;
	err_say(e, r, "the journal %s/inject/%s cannot be used: %s", state_dir(), j->file,
		why.msg[0] ? why.msg : strerror(-r));
	err_hint(e,
		 "it tells what was put into the container; without it nothing can be taken out: "
		 "restore it from a backup, or remove it to give up");
	return r;
}

/* `dir` and `file` are set. */
static int open_locked(struct journal *j, bool make, struct err *e)
{
	struct stat st, now;

	for (;;) {
		cleanup_close(&j->fd);
		j->fd = openat(j->dir, j->file,
			       O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC | (make ? O_CREAT : 0),
			       0600);
		if (j->fd < 0)
			return errno == ENOENT ? -ENOENT
					       : err_set(e, errno, "opening %s/inject/%s",
							 state_dir(), j->file);
		if (flock(j->fd, LOCK_EX | LOCK_NB) < 0) {
			err_say(e, EBUSY, "another porthole is at work on this container");
			err_hint(e, "wait for it to end, and try again");
			return -EBUSY;
		}
		/* it may have been removed while we waited for nothing */
		if (fstat(j->fd, &st) == 0 && fstatat(j->dir, j->file, &now, 0) == 0 &&
		    st.st_ino == now.st_ino)
			return read_it(j, e);
	}
}

/* One that is another's, or damaged, is not held: nobody may take it for an empty one. */
static int open_file(struct journal *j, bool make, struct err *e)
{
	int r = open_locked(j, make, e);

	if (r < 0) {
		cleanup_close(&j->fd);
		j->fd = -EBADF;
	}
	return r;
}

int journal_open(const struct target *t, bool make, struct journal *j, struct err *e)
{
	int r;

	*j = JOURNAL_INIT;
	j->file = file_of(t);
	j->dir = j->file ? open_dir(make, e) : -ENOMEM;
	r = j->dir < 0 ? j->dir : open_file(j, make, e);
	if (r == 0 && j->phase == JOURNAL_NEW) {
		/* it was cut short before anything was done */
		if (ftruncate(j->fd, 0) < 0)
			return err_set(e, errno, "writing a journal");
		j->engine = strdup(t->engine);
		j->id = t->id ? strdup(t->id) : NULL;
		j->name = strdup(t->name);
		if (!j->engine || !j->name)
			return err_set(e, ENOMEM, "writing a journal");
	}
	return r;
}

int journal_open_file(const char *file, struct journal *j, struct err *e)
{
	*j = JOURNAL_INIT;
	j->file = strdup(file);
	j->dir = j->file ? open_dir(false, e) : -ENOMEM;
	return j->dir < 0 ? j->dir : open_file(j, false, e);
}

int journal_list(struct strv *out, struct err *e)
{
	_cleanup_dir_ DIR *d = NULL;
	struct err why = {};
	int fd = open_dir(false, &why), r = 0;
	struct dirent *de;

	if (fd == -ENOENT)
		return 0;
	d = dir_take(fd);
	if (!d) {
		*e = why;
		return -why.num;
	}
	while (r == 0 && (de = readdir(d)))
		if (str_ends(de->d_name, SUFFIX))
			r = strv_add(out, de->d_name);
	return r < 0 ? err_set(e, r, "listing journals") : 0;
}

char *journal_namesake(const struct target *t)
{
	_cleanup_strv_ struct strv files = {};
	_cleanup_free_ char *own = file_of(t);
	struct err why = {};

	journal_list(&files, &why);
	for (size_t i = 0; i < files.n; i++) {
		_cleanup_journal_ struct journal j = JOURNAL_INIT;

		if (!str_eq(files.v[i], own) && journal_open_file(files.v[i], &j, &why) == 0 &&
		    str_eq(j.name, t->name) && str_eq(j.engine, t->engine))
			return strdup(files.v[i]);
	}
	return NULL;
}

int journal_sync(struct journal *j, struct err *e)
{
	int r = j->pending.oom ? -ENOMEM : 0;

	if (r == 0 && j->pending.len)
		r = fd_write_all(j->fd, j->pending.data, j->pending.len);
	if (r == 0 && fsync(j->fd) < 0)
		r = -errno;
	if (r == 0 && fsync(j->dir) < 0)
		r = -errno;
	buf_done(&j->pending);
	j->pending = (struct buf){};
	return r < 0 ? err_set(e, r, "writing the journal %s/inject/%s", state_dir(), j->file) : 0;
}

static char *originals_name(const struct journal *j)
{
	return str_fmt("%.*s" ORIGINALS, (int)(strlen(j->file) - strlen(SUFFIX)), j->file);
}

int journal_originals(struct journal *j, struct err *e)
{
	_cleanup_free_ char *name = originals_name(j);
	int fd;

	if (!name)
		return err_set(e, ENOMEM, "keeping the container's own files");
	if (mkdirat(j->dir, name, 0700) < 0 && errno != EEXIST)
		return err_set(e, errno, "making %s/inject/%s", state_dir(), name);
	fd = openat(j->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_set(e, errno, "opening %s/inject/%s", state_dir(), name) : fd;
}

int journal_remove(struct journal *j, struct err *e)
{
	_cleanup_free_ char *name = originals_name(j);
	int r = name ? build_remove(j->dir, name) : -ENOMEM;

	if (r == 0 && unlinkat(j->dir, j->file, 0) < 0 && errno != ENOENT)
		r = -errno;
	if (r == 0 && fsync(j->dir) < 0)
		r = -errno;
	return r < 0 ? err_set(e, r, "removing the journal %s/inject/%s", state_dir(), j->file) : 0;
}
