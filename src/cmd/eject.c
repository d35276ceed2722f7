/* porthole eject: what 'porthole inject' put in, taken out again. */
#include <unistd.h>

#include "cli/cli.h"
#include "cmd/inject.h"
#include "cmd/spot.h"
#include "out/json_print.h"

enum { SHOWN = 20, EXIT_SOME_STAYS = 1 };

struct eject_opts {
	bool force, all, explain, json, quiet;
};

struct job {
	struct ctx *ctx;
	const struct eject_opts *o;
	const char *name; /* as typed, printable */
	struct subject s;
	struct place place;
	struct journal journal;
	struct eject x;
};

static void job_done(struct job *j)
{
	eject_done(&j->x);
	journal_done(&j->journal);
	place_done(&j->place);
	subject_done(&j->s);
}

/* --- what is said --- */

static json_t *paths(const struct strv *l)
{
	json_t *a = json_array();

	for (size_t i = 0; i < l->n; i++)
		json_array_append_new(a, json_text(l->v[i]));
	return a;
}

static void show(const struct strv *l, const char *what)
{
	for (size_t i = 0; i < l->n && i < SHOWN; i++) {
		_cleanup_free_ char *path = str_printable_dup(l->v[i]);

		printf("%s /%s\n", what, path ? path : "?");
	}
	if (l->n > SHOWN)
		printf("%s %zu more\n", what, l->n - SHOWN);
}

static int report(const struct job *j, struct err *e)
{
	struct out_style style = out_style_of(STDOUT_FILENO, j->ctx->color);
	const struct eject *x = &j->x;
	bool stays = x->hidden.n || (!x->all && (x->busy.n || (x->changed.n && !x->force)));
	bool look = j->o->explain;

	if (j->ctx->json) {
		int r = out_json(stdout,
				 json_pack("{s:o,s:o,s:I,s:I,s:I,s:o,s:o,s:o,s:I}", "target",
					   json_text(j->journal.name), "source",
					   json_text(j->journal.source), "removed",
					   (json_int_t)x->removed, "missing",
					   (json_int_t)x->missing, "restored",
					   (json_int_t)x->restored, "changed", paths(&x->changed),
					   "held", paths(&x->busy), "hidden", paths(&x->hidden),
					   "later", (json_int_t)x->later),
				 &style, e);
		return r < 0 ? r : stays && !look ? EXIT_SOME_STAYS : 0;
	}
	if (!j->o->quiet || stays) {
		_cleanup_free_ char *source =
			str_printable_dup(j->journal.source ? j->journal.source : "?");
		char back[64] = "";

		if (x->restored)
			snprintf(back, sizeof(back), ", and %zu of the container's own are back",
				 x->restored);
		show(&x->changed,
		     x->force ? "changed since, and goes:" : "changed since, and stays:");
		show(&x->hidden, x->all ? "behind a link or a mount now, and given up:"
					: "behind a link or a mount now, and stays:");
		show(&x->busy, x->all ? "holds what came later, and goes:"
				      : "holds what came later, and stays:");
		if (look)
			printf("%s %s be taken out of '%s'.\n", source,
			       stays ? "but for that would" : "would", j->place.label);
		else if (stays)
			printf("The rest of %s is out of '%s'. %s.\n", source, j->place.label,
			       x->all	     ? "What was put in there is forgotten"
			       : x->hidden.n ? "Take the link or mount away and do it again; --all "
					       "gives it up"
					     : "--force takes what was changed, --all what came "
					       "later, too");
		else
			printf("%s is out of '%s': %zu files, links and directories removed%s.\n",
			       source, j->place.label, x->removed, back);
	}
	return stays && !look ? EXIT_SOME_STAYS : 0;
}

/* --- where it is --- */

/* The container is gone: so is what was in it. 1 when its journal was found. */
static int forget(const struct job *j, const char *name, struct err *e)
{
	_cleanup_strv_ struct strv files = {};
	int r = journal_list(&files, e);

	for (size_t i = 0; i < files.n && r == 0; i++) {
		_cleanup_journal_ struct journal was = JOURNAL_INIT;
		struct err why = {};

		if (journal_open_file(files.v[i], &was, &why) < 0 || was.phase == JOURNAL_NEW)
			continue;
		if (!str_eq(was.name, name) && !str_eq(was.id, name))
			continue;
		r = journal_remove(&was, e);
		if (r < 0)
			return r;
		if (!j->o->quiet)
			printf("'%s' is gone, and with it what was put into it.\n", j->name);
		return 1;
	}
	return r;
}

/* Nothing was put into this one; was it into another of its name? */
static int nothing(const struct job *j, const struct target_roots *roots, struct err *e)
{
	_cleanup_free_ char *file = journal_namesake(&j->s.t), *spec = NULL;
	_cleanup_journal_ struct journal was = JOURNAL_INIT;
	_cleanup_target_ struct target t = TARGET_INIT;
	struct err why = {};
	int r;

	if (!file || journal_open_file(file, &was, &why) < 0) {
		err_say(e, ENOENT, "nothing was put into '%s'", j->place.label);
		err_hint(e, "'porthole inject --list' shows where something was");
		return -ENOENT;
	}
	spec = str_fmt("%s://%s", was.engine, was.id ? was.id : was.name);
	if (spec && target_resolve(roots, spec, &t, &why) == -ENOENT) {
		r = journal_remove(&was, e);
		if (r == 0)
			err_say(e, ENOENT,
				"nothing was put into '%s': it was into a container of that name "
				"which is gone",
				j->place.label);
		return r < 0 ? r : -ENOENT;
	}
	return err_say(e, ENOENT,
		       "nothing was put into '%s': it was into another one of that name, %s",
		       j->place.label, was.id ? was.id : "which has no id");
}

/* What was kept of its own files has the owners that were seen while it ran. */
static int check_owners(const struct job *j, struct err *e)
{
	const struct store *s = &j->s.store;

	for (size_t i = 0; i < j->journal.items.n; i++)
		if (j->journal.items.v[i].replaces && s->uid_map && s->layers[0].ids_inside) {
			err_say(e, ENOTSUP,
				"'%s' does not run, and files of its own are to be restored whose "
				"owners are known only while it does",
				j->place.label);
			err_hint(e, "start it, and try again");
			return -ENOTSUP;
		}
	return 0;
}

static int open_root(struct job *j, const struct target_roots *roots, struct err *e)
{
	int r = inject_place(roots, &j->s, &j->place, e);

	return r < 0 || j->s.runs ? r : check_owners(j, e);
}

static int take_out(struct job *j, struct err *e)
{
	enum inject_repaired what = INJECT_WHOLE;
	int r = 0;

	if (!j->o->explain)
		r = inject_repair(j->place.root, &j->journal, &what, e);
	if (r < 0)
		return r;
	if (what == INJECT_UNDONE || j->journal.phase == JOURNAL_STAGED ||
	    j->journal.phase == JOURNAL_BUILT) {
		if (!j->o->quiet)
			printf("'%s': an inject that did not end %s undone.\n", j->place.label,
			       j->o->explain ? "would be" : "was");
		return 0;
	}
	j->x = (struct eject){.force = j->o->force, .all = j->o->all, .look = j->o->explain};
	r = inject_eject(j->place.root, &j->journal, &j->x, e);
	return r < 0 ? r : report(j, e);
}

static int eject_one(struct job *j, const char *spec, struct err *e)
{
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	int r = inject_needs_root(e);

	if (r == 0)
		r = target_roots_open(&roots, e);
	if (r == 0)
		r = target_resolve(&roots, spec, &j->s.t, e);
	if (r == -ENOENT) {
		struct err why = {};
		int k = forget(j, spec, &why);

		return k > 0 ? 0 : r;
	}
	if (r < 0)
		return r;
	r = journal_open(&j->s.t, false, &j->journal, e);
	if (r == -ENOENT || (r == 0 && j->journal.phase == JOURNAL_NEW)) {
		j->place.label = str_printable_dup(j->s.t.name);
		if (r == 0) /* one that ended before it did anything */
			r = journal_remove(&j->journal, e);
		return r < 0 && r != -ENOENT ? r : nothing(j, &roots, e);
	}
	if (r == 0)
		r = open_root(j, &roots, e);
	if (r == 0) {
		place_begin_writing(&j->place);
		r = take_out(j, e);
		place_end_writing();
	}
	return r >= 0 && !j->o->explain && spot_started(&roots, spec, &j->place, e) ? -EBUSY : r;
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	_cleanup_(job_done) struct job j = {
		.ctx = ctx,
		.o = opts,
		.s = SUBJECT_INIT,
		.place = PLACE_INIT,
		.journal = JOURNAL_INIT,
	};
	_cleanup_free_ char *name = str_printable_dup(argv[0]);

	j.name = name ? name : "";
	return eject_one(&j, argv[0], e);
}

static const struct opt options[] = {
	{OPT_FLAG, offsetof(struct eject_opts, force), 'f', "force", NULL,
	 "take out files that were changed since, too", NULL},
	{OPT_FLAG, offsetof(struct eject_opts, all), 'a', "all", NULL,
	 "and all that came later in directories that were put in", NULL},
	{OPT_FLAG, offsetof(struct eject_opts, explain), 0, "explain", NULL,
	 "print what would stay, and do nothing", NULL},
	{OPT_FLAG, offsetof(struct eject_opts, quiet), 'q', "quiet", NULL,
	 "say nothing when all of it is out", NULL},
	{OPT_FLAG, offsetof(struct eject_opts, json), 0, "json", NULL, "print JSON", NULL},
	{},
};

const struct verb verb_eject = {
	.name = "eject",
	.args = "TARGET",
	.summary = "Take what 'porthole inject' put into a container out again",
	.details =
		"Removes exactly what was put in, by the journal that inject kept outside of the "
		"container, and puts\n"
		"files of the container's own back that --force replaced. With nothing changed in "
		"between, the\n"
		"container's files are what they were: bytes, modes, owners, extended attributes "
		"and times.\n\n"
		"Files that were changed since stay and are named, as do directories that hold "
		"something that came\n"
		"later, such as what 'apt install' brought: --all takes these, too. It works after "
		"a restart of the\n"
		"container and while it is stopped, and goes on where a killed one ended.",
	.examples = "  porthole eject web              take it out\n"
		    "  porthole eject --explain web    what would stay?\n"
		    "  porthole eject --all web        with all that was installed since\n",
	.opts = options,
	.opts_size = sizeof(struct eject_opts),
	.complete = COMPLETE_TARGET,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
