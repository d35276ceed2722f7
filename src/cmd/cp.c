/* porthole cp: files from and to targets, as docker cp does it. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cmd/progress.h"
#include "cmd/spot.h"
#include "files/ends.h"
#include "files/tar.h"
#include "out/human.h"
#include "out/json_print.h"

enum { FAILURES_SHOWN = 20 };

struct cp_opts {
	bool archive, follow, quiet, json;
};

struct job {
	struct spot from, to;
	struct transfer t;
};

static void job_done(struct job *j)
{
	transfer_done(&j->t);
	spot_done(&j->from);
	spot_done(&j->to);
}

static void on_failed(struct transfer *t, const char *doing, const char *path, int r)
{
	struct err e = {};

	progress_hide();
	if (t->n_failed > FAILURES_SHOWN)
		return;
	if (r == -ESTALE)
		err_say(&e, ESTALE, "%s changed while it was being read",
			*path	  ? path
			: t->name ? t->name
				  : "it");
	else if (r == -EXDEV)
		err_say(&e, EXDEV, "%s leads out of the archive's own files", path);
	else if (r == -EISDIR)
		err_say(&e, EISDIR, "%s is a directory there, which no file replaces", path);
	else if (r == -ENOTDIR)
		err_say(&e, ENOTDIR, "%s is no directory there, and so none replaces it", path);
	else
		err_set(&e, r, "%s %s", doing, *path ? path : t->name ? t->name : "it");
	fprintf(stderr, "porthole: %s\n", e.msg);
	if (t->n_failed == FAILURES_SHOWN)
		fputs("porthole: further ones are only counted\n", stderr);
}

/* What is kept on the way, as docker does it, and without a way to root on the host. */
static void set_keep(struct job *j, const struct cp_opts *o)
{
	struct attrs_keep *k = &j->t.keep;
	bool in = j->from.at.target || j->from.at.stream, out = j->to.at.target;

	k->owner = o->archive || (in && out) || j->to.at.stream;
	k->give = !k->owner && out; /* else whoever copies has it */
	k->power = out || j->to.at.stream || o->archive;
}

static int copy_stream_out(struct job *j, const struct source *s, struct err *e)
{
	if (isatty(STDOUT_FILENO)) {
		err_say(e, EINVAL, "an archive would be written to the terminal");
		err_hint(e, "porthole cp %s:%s - >FILE.tar", j->from.at.target, j->from.at.path);
		return -EINVAL;
	}
	return tar_write(&j->t, s->fd, s->contents ? "." : s->name, STDOUT_FILENO, e);
}

static int copy_stream_in(struct job *j, struct err *e)
{
	_cleanup_close_ int dir = place_open(&j->to.place, j->to.at.path, O_PATH | O_DIRECTORY);

	if (dir < 0) {
		place_err(&j->to.place, dir, "cannot unpack into", j->to.at.path, e);
		err_hint(e, "an archive is unpacked into a directory that is there");
		return dir;
	}
	return tar_read(&j->t, STDIN_FILENO, dir, e);
}

static int copy_tree_over(struct job *j, const struct source *s, struct err *e)
{
	_cleanup_dest_ struct dest d = DEST_INIT;
	int r = dest_open(&j->to.place, j->to.at.path, s, &d, e);

	return r < 0 ? r : transfer_tree(&j->t, s->fd, d.dir, d.name, e);
}

static int check_writable(const struct job *j, struct err *e)
{
	if (!j->to.place.ro)
		return 0;
	err_say(e, EROFS, "'%s' is %s %s, which is not changed", j->to.place.label,
		*j->to.s.t.engine == 'i' || *j->to.s.t.engine == 'a' ? "an" : "a",
		j->to.s.t.engine);
	err_hint(e, "make a container of it first");
	return -EROFS;
}

static int copy(struct job *j, const struct cp_opts *o, struct err *e)
{
	_cleanup_source_ struct source s = SOURCE_INIT;
	int r;

	j->t.from = &j->from.place;
	j->t.to = &j->to.place;
	j->t.meter.tick = progress_tick;
	j->t.failed = on_failed;
	set_keep(j, o);
	if (j->from.at.stream)
		return copy_stream_in(j, e);
	r = source_open(&j->from.place, j->from.at.path, o->follow, &s, e);
	if (r < 0)
		return r;
	return j->to.at.stream ? copy_stream_out(j, &s, e) : copy_tree_over(j, &s, e);
}

/* What does not run is mounted to be read, or to be written to, and not both at a time. */
static int check_apart(const struct job *j, struct err *e)
{
	if (j->from.place.kind != PLACE_STORE || !j->to.at.target || j->from.s.image ||
	    !str_eq(j->from.at.target, j->to.at.target))
		return 0;
	err_say(e, EINVAL, "'%s' does not run, and nothing can be copied within it then",
		j->from.place.label);
	err_hint(e, "start it, or copy to the host first");
	return -EINVAL;
}

static int prepare(const struct target_roots *roots, char **argv, struct job *j, struct err *e)
{
	int r = location_parse(argv[0], &j->from.at, e);

	if (r == 0)
		r = location_parse(argv[1], &j->to.at, e);
	if (r == 0 && !j->from.at.target && !j->to.at.target) {
		err_say(e, EINVAL, "neither %s nor %s is in a container", argv[0], argv[1]);
		err_hint(e, "write one of them as TARGET:PATH, such as web:/etc/hosts");
		return err_exit(e, EXIT_USAGE);
	}
	if (r < 0)
		return err_exit(e, EXIT_USAGE);
	j->to.write = true;
	r = spot_open(roots, &j->from, e);
	if (r == 0)
		r = check_apart(j, e);
	if (r == 0)
		r = spot_open(roots, &j->to, e);
	return r < 0 ? r : check_writable(j, e);
}

/* The disk is full: which one, and what is there now. */
static void hint_full(const struct job *j, struct err *e)
{
	const char *path = j->to.at.path, *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) + (slash == path) : 1;
	_cleanup_free_ char *dir = slash ? strndup(path, n) : strdup(".");
	struct stat st;

	if (j->to.at.target)
		err_hint(e,
			 "this file is not there, what was copied before it is; 'porthole exec %s "
			 "df -h' shows which file system is full",
			 j->to.place.label);
	else
		err_hint(e,
			 "this file is not there, what was copied before it is; 'df -h %s' shows "
			 "the file system that is full",
			 stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? path
			 : dir					     ? dir
								     : ".");
}

/* One of the two is gone: what was read by then may be no more than a part. */
static int check_there(const struct job *j, struct err *e)
{
	const struct spot *gone = place_is_gone(&j->from.place) ? &j->from
				  : place_is_gone(&j->to.place) ? &j->to
								: NULL;

	if (!gone)
		return 0;
	err_say(e, ESRCH, "'%s' ended during the copy, which may not be whole", gone->place.label);
	err_hint(e, "its files are still there if it was not removed: try again");
	return -ESRCH;
}

static int report(struct ctx *ctx, const struct cp_opts *o, const struct job *j, const char *to,
		  struct err *e)
{
	const struct transfer *t = &j->t;
	char size[HUMAN_MAX], safe[256];

	if (ctx->json && !j->to.at.stream) {
		struct out_style style = out_style_of(STDOUT_FILENO, ctx->color);
		_cleanup_json_ json_t *v =
			json_pack("{s:I,s:I,s:I,s:I,s:I}", "entries", (json_int_t)t->meter.entries,
				  "bytes", (json_int_t)t->meter.bytes, "failed",
				  (json_int_t)t->n_failed, "sockets_left_out",
				  (json_int_t)t->n_left_out, "xattrs_lost", (json_int_t)t->n_lost);
		int r = out_json(stdout, v, &style, e);

		return r < 0 ? r : t->n_failed ? 1 : 0;
	}
	if (t->n_lost && !o->quiet)
		fprintf(stderr, "porthole: %zu extended attributes could not be kept there\n",
			t->n_lost);
	if (t->n_failed) {
		fprintf(stderr, "porthole: %llu of %llu entries were not copied\n",
			(unsigned long long)t->n_failed, (unsigned long long)t->meter.entries);
		return 1;
	}
	str_printable(to, strlen(to), safe, sizeof(safe));
	if (!o->quiet && isatty(STDERR_FILENO))
		fprintf(stderr, "Copied %s to %s\n", human_size(t->meter.bytes, size), safe);
	return 0;
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	_cleanup_(job_done) struct job j = {.from = SPOT_INIT, .to = SPOT_INIT, .t = TRANSFER_INIT};
	const struct cp_opts *o = opts;
	int r = target_roots_open(&roots, e), sig;

	(void)argc;
	if (r == 0)
		r = prepare(&roots, argv, &j, e);
	if (r < 0)
		return r;
	umask(0);
	progress_begin(o->quiet);
	place_begin_writing(&j.to.place);
	r = copy(&j, o, e);
	place_end_writing();
	sig = progress_end();
	if (sig && r < 0) {
		err_say(e, EINTR, "stopped: %llu entries are copied",
			(unsigned long long)(j.t.meter.entries ? j.t.meter.entries - 1 : 0));
		return err_exit(e, 128 + sig);
	}
	if ((r == -ENOSPC || r == -EDQUOT) && !j.to.at.stream)
		hint_full(&j, e);
	if (r == 0)
		r = check_there(&j, e);
	if (spot_check(&roots, &j.to, e) < 0) /* and so, maybe, it failed */
		r = -EBUSY;
	return r < 0 ? r : report(ctx, o, &j, argv[1], e);
}

static const struct opt options[] = {
	{OPT_FLAG, offsetof(struct cp_opts, archive), 'a', "archive", NULL,
	 "keep owners, by the numbers they have inside; into the host, set-id bits too", NULL},
	{OPT_FLAG, offsetof(struct cp_opts, follow), 'L', "follow-link", NULL,
	 "when SRC is a link, copy what it leads to", NULL},
	{OPT_FLAG, offsetof(struct cp_opts, quiet), 'q', "quiet", NULL,
	 "show no progress and no result", NULL},
	{OPT_FLAG, offsetof(struct cp_opts, json), 0, "json", NULL, "print the result as JSON",
	 NULL},
	{},
};

const struct verb verb_cp = {
	.name = "cp",
	.args = "SRC DEST",
	.summary = "Copy files between a container and the host, or two containers",
	.details =
		"SRC and DEST are TARGET:PATH, a path of the host, or - for an archive (tar) on "
		"standard input or output.\n"
		"The target may be running, stopped (its files are written to as its engine would, "
		"if nobody has them mounted),\n"
		"or to read from an image (image://NAME:/PATH) or an archive (FILE.tar:/PATH); it "
		"needs no tool. Links are resolved inside the target and never lead out of it; "
		"volumes "
		"and tmpfs are included.\n\n"
		"As with docker cp: a directory that DEST names and that exists is copied into, "
		"under the name of SRC;\n"
		"SRC/. copies what is in SRC; a DEST that does not exist becomes the copy. What is "
		"copied in belongs to the\n"
		"target's root, what is copied out to whoever copies, unless -a is given; between "
		"containers owners are kept.\n"
		"Modes, times, holes, extended attributes, ACLs, hard links and devices are kept. "
		"Without -a nothing copied\n"
		"to the host has set-id bits or capabilities.\n\n"
		"A file gets its name when it is whole, but for small ones in directories that the "
		"copy itself makes. What\n"
		"cannot be read is named and passed over, with exit code 1.",
	.examples = "  porthole cp web:/etc/nginx ./nginx     a directory out of 'web'\n"
		    "  porthole cp fix.conf web:/etc/app/      a file into it\n"
		    "  porthole cp web:/srv/. db:/srv          from one container to another\n"
		    "  porthole cp web:/var/log - | tar t      as an archive\n"
		    "  porthole cp image://busybox:/bin/busybox .\n",
	.opts = options,
	.opts_size = sizeof(struct cp_opts),
	.complete = COMPLETE_COPY,
	.min_args = 2,
	.max_args = 2,
	.run = run,
};
