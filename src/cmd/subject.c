#include "cmd/subject.h"

#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

enum { GAP_TRIES = 6, GAP_STEP_MS = 50 };

void subject_done(struct subject *s)
{
	target_done(&s->t);
	store_done(&s->store);
	*s = SUBJECT_INIT;
}

/* A container of which only the files are there. */
static int open_stopped(const struct target_roots *r, struct subject *s, struct err *e)
{
	struct err why = {}, state = {};
	int ret = store_rights(r, e);

	if (ret < 0)
		return ret;
	ret = store_of_target(r, &s->t, &s->store, &why);

	if (ret == 0)
		return 0;
	target_pin(r, &s->t, &state); /* says in which state it is */
	err_say(e, ret, "%s, and its files cannot be shown: %s", state.msg, why.msg);
	err_hint(e, "%s", why.hint);
	return ret;
}

/* Files that were never a container's. */
static int be_files(struct subject *s, const char *what, struct err *e)
{
	s->t.engine = what;
	s->image = true;
	s->t.name = strdup(s->store.label ? s->store.label : "?");
	return s->t.name ? 0 : err_set(e, ENOMEM, "opening %s", what);
}

static void progress(uint64_t done, uint64_t total, void *data)
{
	unsigned *last = data, percent = total ? (unsigned)(done * 100 / total) : 0;

	if (percent != *last && isatty(STDERR_FILENO))
		fprintf(stderr, "\rporthole: unpacking, %u %%", percent);
	*last = percent;
}

static int open_path(const struct target_roots *roots, const char *path, const char *name,
		     struct subject *s, struct err *e)
{
	unsigned percent = 0;
	struct stat st;
	int r = store_rights(roots, e);

	if (r == 0)
		r = store_of_path(path, name, 0, progress, &percent, &s->store, e);

	if (percent && isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	if (r < 0)
		return r;
	return be_files(s, stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? "directory" : "archive",
			e);
}

static bool is_file(const char *path, bool or_dir)
{
	struct stat st;

	return stat(path, &st) == 0 && (S_ISREG(st.st_mode) || (or_dir && S_ISDIR(st.st_mode)));
}

/* FILE or FILE:NAME, which no container is called. 1: there is no such file. */
static int open_named_path(const struct target_roots *r, const char *spec, struct subject *s,
			   struct err *e)
{
	_cleanup_free_ char *path = strdup(spec);

	if (!path)
		return err_set(e, ENOMEM, "opening %s", spec);
	if (is_file(spec, strchr(spec, '/')))
		return open_path(r, spec, NULL, s, e);
	for (char *colon = strchr(path, ':'); colon; colon = strchr(colon + 1, ':')) {
		*colon = '\0';
		if (is_file(path, strchr(path, '/')))
			return open_path(r, path, colon + 1, s, e);
		*colon = ':';
	}
	return 1;
}

/* Whoever types such a name has files in mind: NAME/, or an archive. */
static bool is_like_path(const char *spec)
{
	static const char *const parts[] = {".tar", ".tgz", ".txz", ".tzst"};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (strstr(spec, parts[i]))
			return true;
	return str_ends(spec, "/");
}

/* Neither those files are there nor `other`. */
static int no_files(const char *spec, const char *other, struct err *e)
{
	bool dir = str_ends(spec, "/");

	err_say(e, ENOENT, "there is no %s '%s' here, and no %s of that name",
		dir ? "directory" : "file", spec, other);
	err_hint(e, "'ls' shows what is here, 'porthole ps -a' containers; image://NAME is an "
		    "engine's image");
	return -ENOENT;
}

/* Find it, and hold it when it runs. Between two lives an engine's files tell of a process that is
 * gone: then they are looked at again, for a moment; what does not settle is taken for dead. */
static int find_target(const struct target_roots *r, const char *spec, struct subject *s,
		       struct err *e)
{
	for (int left = GAP_TRIES;; left--) {
		int ret = target_resolve(r, spec, &s->t, e);

		if (ret < 0)
			return ret;
		s->runs = s->t.state == TARGET_RUNNING || s->t.state == TARGET_PAUSED;
		ret = s->runs ? target_pin(r, &s->t, e) : 0;
		if (!s->t.state_file || (ret != -ESRCH && s->t.state != TARGET_DEAD))
			return ret;
		if (e)
			*e = (struct err){};
		if (!left) {
			s->runs = false;
			s->t.state = TARGET_DEAD;
			return 0;
		}
		target_done(&s->t);
		nanosleep(&(struct timespec){.tv_nsec = GAP_STEP_MS * 1000000L}, NULL);
	}
}

static int open_target(const struct target_roots *r, const char *spec, struct subject *s,
		       struct err *e)
{
	int ret = find_target(r, spec, s, e);

	if (ret == -ENOENT || ret == -EINVAL) {
		struct err why = {};
		int file = open_named_path(r, spec, s, &why);

		if (file < 0)
			*e = why;
		else if (e && is_file(spec, true))
			err_hint(e, "there is a directory '%s': that is named with a slash, %s/",
				 spec, spec);
		else if (is_like_path(spec))
			ret = no_files(spec, "container", e);
		return file > 0 ? ret : file;
	}
	if (ret < 0)
		return ret;
	return s->runs ? 0 : open_stopped(r, s, e);
}

/* A path at which there is no file or directory. */
static int no_file(const char *path, struct err *e)
{
	struct stat st;
	const char *what;

	if (stat(path, &st) < 0)
		return err_set(e, errno, "cannot open %s", path);
	what = S_ISCHR(st.st_mode)    ? "a character device"
	       : S_ISBLK(st.st_mode)  ? "a block device"
	       : S_ISFIFO(st.st_mode) ? "a FIFO"
				      : "a socket";
	err_say(e, EINVAL, "%s is %s", path, what);
	err_hint(e, "of files, an archive or a directory can be opened; or name a container or "
		    "image://NAME");
	return -EINVAL;
}

static int open_image(const struct target_roots *r, const char *spec, struct subject *s,
		      struct err *e)
{
	const char *ref = str_starts(spec, "image://") ? spec + strlen("image://") : spec;
	int ret = store_rights(r, e);

	if (ret == 0)
		ret = store_of_image(r, ref, &s->store, e);
	return ret < 0 ? ret : be_files(s, "image", e);
}

int subject_open(const struct target_roots *r, const char *spec, struct subject *s, struct err *e)
{
	int ret;

	if (str_starts(spec, "image://"))
		return open_image(r, spec, s, e);
	/* no container's name starts so */
	if (*spec == '/' || str_starts(spec, "./") || str_starts(spec, "../")) {
		ret = open_named_path(r, spec, s, e);
		return ret > 0 ? no_file(spec, e) : ret;
	}
	return open_target(r, spec, s, e);
}

void subject_image(const struct target_roots *r, const struct target *t, struct store *image)
{
	const char *id = t->image_id ? t->image_id : t->image;
	_cleanup_free_ char *ref = NULL;

	if (!id)
		return;
	ref = str_fmt("%s/%s", t->engine, str_starts(id, "sha256:") ? id + 7 : id);
	if (!ref || store_of_image(r, ref, image, NULL) < 0)
		store_of_image(r, t->image ? t->image : id, image, NULL);
}

int subject_open_image(const struct target_roots *r, const char *spec, struct subject *s,
		       struct err *e)
{
	bool path = *spec == '/' || str_starts(spec, "./") || str_starts(spec, "../");
	int ret = str_starts(spec, "image://") ? 1 : open_named_path(r, spec, s, e);

	if (ret <= 0)
		return ret;
	ret = path ? no_file(spec, e) : open_image(r, spec, s, e);
	return ret == -ENOENT && !path && is_like_path(spec) ? no_files(spec, "image", e) : ret;
}

int subject_argv(const struct store_config *config, const char *entrypoint, bool background,
		 int argc, char **argv, struct strv *out)
{
	int r = 0;

	if (entrypoint)
		r = strv_add(out, entrypoint);
	else if (config)
		r = strv_add_all(out, &config->entrypoint);
	for (int i = 0; i < argc && r == 0; i++)
		r = strv_add(out, argv[i]);
	if (r == 0 && argc == 0 && config && !entrypoint)
		r = strv_add_all(out, &config->cmd);
	/* a shell without input ends at once: something to come back to does not */
	if (r == 0 && background && !out->n)
		r = strv_add(out, "sleep") ?: strv_add(out, "infinity");
	return r;
}
