/* porthole diff: what changed in a container, and how two of them differ. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "cmd/diff_report.h"
#include "cmd/spot.h"

enum { DIFF_DIFFERENT = 1, DIFF_TROUBLE = 2 };

struct diff_opts {
	bool stat, json;
};

/* What engines make in every container of theirs, and do not tell of. */
static const char *const podmans[] = {
	"/dev",
	"/etc/hostname",
	"/etc/hosts",
	"/etc/resolv.conf",
	"/proc",
	"/run",
	"/run/.containerenv",
	"/run/secrets",
	"/run/lock",
	"/run/notify",
	"/sys",
	"/catatonit",
	"/etc/mtab",
	NULL,
};
static const char *const dockers[] = {
	"/.dockerenv", "/etc/hostname", "/etc/hosts",	"/etc/resolv.conf",
	"/etc/mtab",   "/dev",		"/dev/console", "/dev/pts",
	"/dev/shm",    "/proc",		"/sys",		NULL,
};

static bool is_among(const char *path, const char *const *list)
{
	for (; list && *list; list++)
		if (str_eq(path, *list))
			return true;
	return false;
}

/* Leave what is in `dir` and not among those. */
static void narrow(struct differences *d, const char *dir, const char *const *without)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++)
		if (path_below(d->v[i].path, dir) && !is_among(d->v[i].path, without))
			d->v[n++] = d->v[i];
		else
			free(d->v[i].path);
	d->n = n;
}

/* "" for the root, else with a slash before and none behind. A new string. */
static char *normal(const char *path)
{
	size_t n = strlen(path);

	while (n && path[n - 1] == '/')
		n--;
	return str_fmt("%s%.*s", n && *path != '/' ? "/" : "", (int)n, path);
}

/* --- one: against its image --- */

static int no_image(const struct subject *s, struct err *e)
{
	if (s->image)
		err_say(e, ENOTSUP, "'%s' is no container: there is nothing it was made of",
			s->t.name);
	else
		err_say(e, ENOTSUP,
			"what '%s' was made of is not known: its files are a plain directory",
			s->t.name);
	err_hint(e, "name what to compare it with: porthole diff A B (image://NAME, DIR/, ...)");
	return -ENOTSUP;
}

/* The layers of `s` but the topmost, which is the container's own; borrowed. */
static struct store below(const struct store *s)
{
	struct store out = *s;

	out.layers++;
	out.n_layers--;
	return out;
}

static int against(const struct store *now, const struct store *image, struct differences *d,
		   struct err *e)
{
	const struct store base = image ? *image : below(now);
	_cleanup_close_ int a = store_mount_ro(&base, NULL, e), b = -EBADF;
	struct compare c = {.a = a, .upper = image ? -EBADF : now->layers[0].fd, .times = true};

	if (a < 0)
		return a;
	c.b = b = store_mount_ro(now, NULL, e);
	return b < 0 ? b : compare_trees(&c, d, e);
}

static int diff_store(const struct target_roots *roots, const struct subject *s,
		      const struct store *now, struct differences *d, const char *dir,
		      struct err *e)
{
	_cleanup_store_ struct store image = STORE_INIT;
	bool own_layer = now->n_layers > 1;
	int r;

	if (!own_layer)
		subject_image(roots, &s->t, &image);
	if (s->image || (!own_layer && !image.n_layers))
		return no_image(s, e);
	r = against(now, own_layer ? NULL : &image, d, e);
	if (r == 0)
		narrow(d, dir,
		       str_eq(s->t.engine, "podman") ? podmans
		       : image.n_layers		     ? dockers
						     : NULL);
	return r;
}

static int diff_one(const struct target_roots *roots, const char *arg, const struct diff_opts *o,
		    const struct ctx *ctx, struct err *e)
{
	_cleanup_differences_ struct differences d = {};
	_cleanup_location_ struct location l = {};
	_cleanup_subject_ struct subject s = SUBJECT_INIT;
	_cleanup_free_ char *dir = NULL;
	int r = location_parse_target(arg, &l, e);

	if (r == 0)
		r = subject_open(roots, l.target, &s, e);
	if (r == 0 && s.runs) /* of what does not run they are there already */
		r = store_rights(roots, e);
	if (r == 0 && s.runs)
		r = store_of_target(roots, &s.t, &s.store, e);
	if (r < 0)
		return r;
	dir = normal(l.path);
	if (!dir)
		return err_set(e, ENOMEM, "comparing '%s'", arg);
	r = diff_store(roots, &s, &s.store, &d, dir, e);
	if (r < 0)
		return r;
	return diff_report(
		&(struct diff_report){.a = l.target, .below_a = "", .d = &d, .stat = o->stat}, ctx,
		e);
}

/* --- two --- */

struct side {
	struct spot spot;
	char *below;
	int fd;
};

#define SIDE_INIT ((struct side){.spot = SPOT_INIT, .fd = -EBADF})

static void side_done(struct side *s)
{
	cleanup_close(&s->fd);
	spot_done(&s->spot);
	free(s->below);
}

static int side_open(const struct target_roots *roots, const char *arg, struct side *s,
		     struct err *e)
{
	int r = spot_of_target(roots, arg, &s->spot, e);

	if (r < 0)
		return r;
	s->below = normal(s->spot.at.path);
	if (!s->below)
		return err_set(e, ENOMEM, "comparing '%s'", arg);
	s->fd = place_open(&s->spot.place, s->spot.at.path, O_PATH);
	return s->fd < 0 ? place_err(&s->spot.place, s->fd, "opening", s->spot.at.path, e) : 0;
}

static int diff_two(const struct target_roots *roots, char **argv, const struct diff_opts *o,
		    const struct ctx *ctx, struct err *e)
{
	_cleanup_(side_done) struct side a = SIDE_INIT, b = SIDE_INIT;
	_cleanup_differences_ struct differences d = {};
	struct compare c = {.upper = -EBADF, .in_a = &a.spot.place, .in_b = &b.spot.place};
	int r = side_open(roots, argv[0], &a, e);

	if (r == 0)
		r = side_open(roots, argv[1], &b, e);
	if (r < 0)
		return r;
	c.a = a.fd;
	c.b = b.fd;
	c.whole = !*a.below && !*b.below;
	r = compare_trees(&c, &d, e);
	if (r == 0)
		r = diff_report(&(struct diff_report){.a = argv[0],
						      .b = argv[1],
						      .below_a = a.below,
						      .below_b = b.below,
						      .d = &d,
						      .stat = o->stat},
				ctx, e);
	return r < 0 ? r : d.n || d.cut ? DIFF_DIFFERENT : 0;
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	const struct diff_opts *o = opts;
	int r = target_roots_open(&roots, e);

	if (r == 0)
		r = argc == 1 ? diff_one(&roots, argv[0], o, ctx, e)
			      : diff_two(&roots, argv, o, ctx, e);
	return r < 0 ? err_exit(e, DIFF_TROUBLE) : r;
}

static const struct opt options[] = {
	{OPT_FLAG, offsetof(struct diff_opts, stat), 0, "stat", NULL,
	 "sizes of files, and how many there are in all", NULL},
	{OPT_FLAG, offsetof(struct diff_opts, json), 0, "json", NULL, "print JSON", NULL},
	{},
};

const struct verb verb_diff = {
	.name = "diff",
	.args = "TARGET[:PATH] [TARGET[:PATH]]",
	.summary = "Show what changed in a container, or how two of them differ",
	.details =
		"With one TARGET: what its container, running or not, has changed of its image, "
		"as docker diff\n"
		"tells it: A was added, C changed, D deleted. Read from the engine's layers, so "
		"that it takes no\n"
		"longer for a large image; volumes and tmpfs are not the image's and are left "
		"out.\n\n"
		"With two: how the second differs from the first, volumes included; A is only in "
		"the second, D\n"
		"only in the first, C on both sides with another kind, mode, owner, size or "
		"content, which is\n"
		"said. Of a directory that is only on one side the contents are not listed. "
		"Times do not count.\n"
		"TARGET is a container that runs or does not, image://NAME, an archive or a "
		"directory (DIR/).\n\n"
		"The exit code is 0, for two TARGETs 1 when they differ; 2 when they could not be "
		"compared.",
	.examples =
		"  porthole diff web                     what was written in it since it was made\n"
		"  porthole diff --stat web:/var         below /var only, with sizes\n"
		"  porthole diff web image://nginx:1.27  against another image than its own\n"
		"  porthole diff web-1:/etc web-2:/etc   why does one of them behave?\n",
	.opts = options,
	.opts_size = sizeof(struct diff_opts),
	.complete = COMPLETE_PATH,
	.min_args = 1,
	.max_args = 2,
	.run = run,
};
