/* porthole inject: an operating system put into a container's own files. */
#include "cmd/inject.h"
#include "cmd/spot.h"

#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "inject/origin.h"
#include "out/human.h"
#include "out/json_print.h"

enum { SHOWN = 20 };

struct inject_opts {
	bool list, explain, force, keep, json, quiet;
	const char *from;
};

/* One run of it. */
struct job {
	struct ctx *ctx;
	const struct inject_opts *o;
	const char *name; /* as typed, printable */
	struct subject s;
	struct place place;
	struct origin source;
	struct compare cmp;
	struct journal journal;
	bool writes; /* it has begun to */
};

static void job_done(struct job *j)
{
	struct err why = {};

	/* a journal in which nothing is written is none */
	if (j->journal.fd >= 0 && j->journal.phase == JOURNAL_NEW)
		journal_remove(&j->journal, &why);
	journal_done(&j->journal);
	compare_done(&j->cmp);
	origin_done(&j->source);
	place_done(&j->place);
	subject_done(&j->s);
}

/* --- progress --- */

static void packages_step(void *arg, const char *what, size_t done, size_t total)
{
	const struct job *j = arg;

	if (j->o->quiet || !isatty(STDERR_FILENO))
		return;
	if (total)
		fprintf(stderr, "\r\033[Kporthole: %s (%zu)", what, total);
	else
		fprintf(stderr, "\r\033[Kporthole: %s", what);
}

static void copy_step(void *arg, uint64_t done, uint64_t total)
{
	static unsigned last;
	const struct job *j = arg;
	unsigned percent = total ? (unsigned)(done * 100 / total) : 100;

	if (percent != last && !j->o->quiet && isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[Kporthole: putting in, %u %%", percent);
	last = percent;
}

static void end_progress(const struct job *j)
{
	if (!j->o->quiet && isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

/* --- what is said --- */

static json_t *to_json(const struct job *j)
{
	const struct compare *c = &j->cmp;
	json_t *conflicts = json_array(), *elsewhere = json_array();

	for (size_t i = 0; i < c->n_conflicts; i++)
		json_array_append_new(conflicts, json_pack("{s:o,s:s}", "path",
							   json_text(c->conflicts[i].path), "there",
							   c->conflicts[i].why));
	for (size_t i = 0; i < c->elsewhere.n; i++)
		json_array_append_new(elsewhere, json_text(c->elsewhere.v[i]));
	return json_pack("{s:o,s:s,s:o,s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "target",
			 json_text(j->s.t.name), "engine", j->s.t.engine, "id",
			 json_text(j->s.t.id), "source", json_text(j->source.label), "files",
			 (json_int_t)c->items.n, "bytes", (json_int_t)c->bytes, "need",
			 (json_int_t)c->need, "same", (json_int_t)c->same, "kept",
			 (json_int_t)c->kept, "replaced", (json_int_t)c->replaced, "links",
			 (json_int_t)c->linked, "conflicts", conflicts, "left_out", elsewhere);
}

static void show_paths(const struct job *j)
{
	const struct compare *c = &j->cmp;

	for (size_t i = 0; i < c->elsewhere.n && i < SHOWN; i++) {
		_cleanup_free_ char *path = str_printable_dup(c->elsewhere.v[i]);

		printf("left out     /%s: the container has a mount there\n", path ? path : "?");
	}
	if (c->elsewhere.n > SHOWN)
		printf("left out     and %zu more\n", c->elsewhere.n - SHOWN);
}

static int explain(const struct job *j, size_t n, uint64_t bytes, struct err *e)
{
	struct out_style style = out_style_of(STDOUT_FILENO, j->ctx->color);
	char size[HUMAN_MAX], need[HUMAN_MAX];

	if (j->ctx->json)
		return out_json(stdout, to_json(j), &style, e);
	printf("target       %s %s, ", j->s.t.engine, j->place.label);
	if (j->s.runs)
		printf("pid %d\n", (int)j->s.t.pid);
	else
		puts("which does not run");
	printf("source       %s\n", j->source.label);
	printf("put in       %zu files, links and directories that are new; in all %s (%s on "
	       "disk)\n",
	       n - j->cmp.replaced, human_size(bytes, size), human_size(j->cmp.need, need));
	if (j->cmp.same)
		printf("the same     %zu are there already\n", j->cmp.same);
	if (j->cmp.kept)
		printf("kept         %zu of the container's own stay as they are\n", j->cmp.kept);
	if (j->cmp.replaced)
		printf("replaced     %zu of the container's own, which are kept to be restored\n",
		       j->cmp.replaced);
	if (j->cmp.linked)
		printf("links        %zu, where it has a directory and the source a link to one\n",
		       j->cmp.linked);
	show_paths(j);
	if (j->cmp.n_conflicts)
		printf("conflicts    %zu: nothing would be done\n", j->cmp.n_conflicts);
	printf("afterwards   'porthole eject %s' takes all of it out again\n", j->name);
	return 0;
}

static int conflicts(const struct job *j, struct err *e)
{
	const struct compare *c = &j->cmp;
	bool forced = j->o->force;

	for (size_t i = 0; i < c->n_conflicts && i < SHOWN; i++) {
		_cleanup_free_ char *path = str_printable_dup(c->conflicts[i].path);

		fprintf(stderr, "/%s: %s is there\n", path ? path : "?", c->conflicts[i].why);
	}
	if (c->n_conflicts > SHOWN)
		fprintf(stderr, "and %zu more (--explain --json lists all)\n",
			c->n_conflicts - SHOWN);
	err_say(e, EEXIST, "'%s' has something else in %zu place%s: nothing was put in",
		j->place.label, c->n_conflicts, c->n_conflicts == 1 ? "" : "s");
	err_hint(e,
		 forced ? "these cannot be replaced; --keep leaves them as they are"
			: "--keep leaves these as they are; --force replaces them, and 'porthole "
			  "eject' puts them back");
	return -EEXIST;
}

static int report(const struct job *j, size_t n, uint64_t bytes, struct err *e)
{
	struct out_style style = out_style_of(STDOUT_FILENO, j->ctx->color);
	char size[HUMAN_MAX];

	if (j->ctx->json) {
		_cleanup_json_ json_t *all = to_json(j);

		json_object_set_new(all, "files", json_integer((json_int_t)n));
		return out_json(stdout, all, &style, e);
	}
	if (j->o->quiet)
		return 0;
	printf("%s is in '%s' now: %zu files, links and directories that are new, in all %s.\n",
	       j->source.label, j->place.label, n - j->cmp.replaced, human_size(bytes, size));
	if (j->cmp.replaced)
		printf("%zu of the container's own files are replaced, and kept to be restored.\n",
		       j->cmp.replaced);
	if (j->cmp.kept)
		printf("%zu of the container's own files stayed as they are.\n", j->cmp.kept);
	show_paths(j);
	printf("'porthole eject %s' takes it out again%s.\n", j->name,
	       journal_is_fleeting(&j->journal)
		       ? ", from within this session only: its journal (" JOURNAL_STATE
			 ") is forgotten with it"
		       : "");
	return 0;
}

/* --- what is done --- */

static int already(const struct job *j, struct err *e)
{
	_cleanup_free_ char *source =
		str_printable_dup(j->journal.source ? j->journal.source : "?");

	if (j->journal.phase == JOURNAL_EJECT) {
		err_say(e, EEXIST, "'%s' still has some of the %s that was taken out",
			j->place.label, source);
		err_hint(e, "finish that with 'porthole eject --force %s'", j->name);
	} else {
		err_say(e, EEXIST, "'%s' has %s already", j->place.label, source);
		err_hint(e, "take that out first: porthole eject %s", j->name);
	}
	return -EEXIST;
}

static int open_journal(struct job *j, struct err *e)
{
	int r = journal_open(&j->s.t, !j->o->explain, &j->journal, e);

	return r == -ENOENT && j->o->explain ? 0 : r;
}

/* See to what a killed one left: the journal is open. */
static int begin(struct job *j, struct err *e)
{
	enum inject_repaired what = INJECT_WHOLE;
	int r = 0;

	if (!j->o->explain) {
		place_begin_writing(&j->place);
		r = inject_repair(j->place.root, &j->journal, &what, e);
		place_end_writing();
	}
	if (r < 0)
		return r;
	if (what == INJECT_UNDONE) {
		if (!j->o->quiet)
			fprintf(stderr, "porthole: an inject that did not end was undone\n");
		journal_done(&j->journal);
		r = open_journal(j, e);
	}
	if (r == 0 && (j->journal.phase == JOURNAL_CLEAN || j->journal.phase == JOURNAL_EJECT))
		return already(j, e);
	return r;
}

static int compare(struct job *j, struct err *e)
{
	j->cmp = (struct compare){
		.source = j->source.root,
		.root = j->place.root,
		.uids = &j->place.uids,
		.gids = &j->place.gids,
		.rule = j->o->force  ? COMPARE_REPLACE
			: j->o->keep ? COMPARE_KEEP
				     : COMPARE_REFUSE,
		.yields = j->source.yields,
	};
	return compare_run(&j->cmp, e);
}

static int put_in(struct job *j, struct err *e)
{
	struct inject_steps steps = {copy_step, j};
	uint64_t bytes = j->cmp.bytes;
	size_t n = j->cmp.items.n;
	int r = j->o->explain ? 0 : compare_fits(&j->cmp, j->place.label, e);

	if (j->o->explain)
		return explain(j, n, bytes, e);
	if (r < 0)
		return r;
	if (j->cmp.n_conflicts)
		return conflicts(j, e);
	if (!n)
		return err_say(e, EALREADY, "all of %s is in '%s' already", j->source.label,
			       j->place.label);
	j->journal.source = strdup(j->source.label);
	if (!j->journal.source)
		return err_set(e, ENOMEM, "putting files in");
	j->writes = true;
	place_begin_writing(&j->place);
	r = inject_apply(&j->cmp, &j->journal, &steps, e);
	place_end_writing();
	end_progress(j);
	return r < 0 ? r : report(j, n, bytes, e);
}

/* Then it may have failed for that. */
static bool started(const struct target_roots *roots, const char *spec, const struct job *j,
		    struct err *e)
{
	if (!spot_started(roots, spec, &j->place, e))
		return false;
	err_hint(e, "take out what is in with 'porthole eject %s', and put it in again", j->name);
	return true;
}

static int inject_one(struct job *j, int argc, char **argv, struct err *e)
{
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	_cleanup_strv_ struct strv packages = {};
	struct origin_ask ask = {.from = j->o->from, .packages = &packages};
	int r = inject_needs_root(e);

	ask.progress = (struct kit_progress){packages_step, j};
	for (int i = 1; i < argc && r == 0; i++)
		r = strv_add(&packages, argv[i]);
	if (r == 0)
		r = target_roots_open(&roots, e);
	if (r == 0)
		r = target_resolve(&roots, argv[0], &j->s.t, e);
	if (r == 0) /* first: a second mount of what does not run damages what is written */
		r = open_journal(j, e);
	if (r == 0)
		r = inject_place(&roots, &j->s, &j->place, e);
	if (r == 0)
		r = begin(j, e);
	if (r == 0) {
		r = origin_open(&roots, &ask, &j->source, e);
		end_progress(j);
	}
	if (r == 0)
		r = compare(j, e);
	if (r == 0)
		r = put_in(j, e);
	return j->writes && started(&roots, argv[0], j, e) ? -EBUSY : r;
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	const struct inject_opts *o = opts;
	_cleanup_(job_done) struct job j = {
		.ctx = ctx,
		.o = o,
		.s = SUBJECT_INIT,
		.place = PLACE_INIT,
		.source = ORIGIN_INIT,
		.journal = JOURNAL_INIT,
	};
	_cleanup_free_ char *name = str_printable_dup(argc ? argv[0] : "");

	if (o->list == !!argc) {
		err_say(e, EINVAL, "'porthole inject' takes a target, or --list");
		return err_exit(e, EXIT_USAGE);
	}
	if (o->force && o->keep) {
		err_say(e, EINVAL, "--force and --keep contradict each other");
		return err_exit(e, EXIT_USAGE);
	}
	j.name = name ? name : "";
	return o->list ? inject_list(ctx, e) : inject_one(&j, argc, argv, e);
}

static const struct opt options[] = {
	{OPT_STR, offsetof(struct inject_opts, from), 0, "from", "SOURCE",
	 "debian (the default), busybox, an archive, a directory or an image", NULL},
	{OPT_FLAG, offsetof(struct inject_opts, force), 'f', "force", NULL,
	 "replace files that are in the way, and keep them to be restored", NULL},
	{OPT_FLAG, offsetof(struct inject_opts, keep), 'k', "keep", NULL,
	 "leave files that are in the way as they are", NULL},
	{OPT_FLAG, offsetof(struct inject_opts, list), 'l', "list", NULL,
	 "list what was put in, and where", NULL},
	{OPT_FLAG, offsetof(struct inject_opts, explain), 0, "explain", NULL,
	 "print what would be done, and do nothing", NULL},
	{OPT_FLAG, offsetof(struct inject_opts, quiet), 'q', "quiet", NULL,
	 "say nothing on success", NULL},
	{OPT_FLAG, offsetof(struct inject_opts, json), 0, "json", NULL, "print JSON", NULL},
	{},
};

const struct verb verb_inject = {
	.name = "inject",
	.args = "TARGET [PACKAGE...]",
	.summary = "Put an operating system into a container, to be taken out again",
	.details =
		"Puts a shell, its tools and a package manager into the container's own files, "
		"whether it runs or not, so "
		"that plain\n"
		"'docker exec -it web sh' works, and 'apt install' in it. SOURCE is:\n\n"
		"  debian    the essential packages of this machine's Debian, apt, and PACKAGEs\n"
		"  busybox   one static program and its links\n"
		"  FILE      an archive of files, or of images (FILE:NAME one of several)\n"
		"  DIR       a directory of files\n"
		"  IMAGE     an image that an engine on this host has (alpine brings apk)\n\n"
		"No file of the container is overwritten: where it has another one, that is listed "
		"and "
		"nothing is\n"
		"done. Nothing is put into its volumes. What does not fit is refused, and what "
		"fails "
		"half-way is undone;\n"
		"a journal outside of the container says what was put in, for 'porthole eject'.",
	.examples = "  porthole inject web                        Debian with apt\n"
		    "  porthole inject web curl strace            and these packages\n"
		    "  porthole inject --from busybox web         1 MiB, no package manager\n"
		    "  porthole inject --from alpine:3.20 web     the files of an image\n"
		    "  docker exec -it web sh                     use it without Porthole\n"
		    "  porthole inject --explain web              what would be done\n"
		    "  porthole inject --list                     who has one?\n"
		    "  porthole eject web                         take it out\n",
	.opts = options,
	.opts_size = sizeof(struct inject_opts),
	.complete = COMPLETE_TARGET,
	.min_args = 0,
	.max_args = -1,
	.run = run,
};
