/* What may be changed for good, and the list of what was. */
#include <sys/stat.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cmd/inject.h"
#include "cmd/spot.h"
#include "out/human.h"
#include "out/json_print.h"
#include "out/table.h"

int inject_needs_root(struct err *e)
{
	if (geteuid() == 0)
		return 0;
	err_say(e, EPERM, "a container's files can be changed for good by root only");
	err_hint(e, "run with sudo; 'porthole exec' brings its tools to one's own containers "
		    "without it");
	return -EPERM;
}

static int not_hosts(const struct place *p, struct err *e)
{
	struct stat host, theirs;

	if (stat("/", &host) < 0 || fstat(p->root, &theirs) < 0)
		return err_set(e, errno, "looking at the root of '%s'", p->label);
	if (host.st_dev != theirs.st_dev || host.st_ino != theirs.st_ino)
		return 0;
	if (!getenv("PORTHOLE_SESSION"))
		return err_say(e, EPERM,
			       "the files of '%s' are the host's own: nothing is put in there",
			       p->label);
	err_say(e, EPERM, "'%s' is here, in the sidekick: nothing is put in there", p->label);
	err_hint(e, "where a sidekick shares pid, as it does without --share, its target is pid:1");
	return -EPERM;
}

static int open_stopped(const struct target_roots *roots, struct subject *s, struct place *out,
			struct err *e)
{
	_cleanup_free_ char *name = str_printable_dup(s->t.name);
	struct err why = {};
	int r = store_of_target(roots, &s->t, &s->store, &why);

	if (r == 0)
		return spot_stopped(roots, s, out, e);
	err_say(e, r, "'%s' does not run, and its files cannot be changed: %s", name ? name : "?",
		why.msg);
	err_hint(e, "start it, and try again");
	return r;
}

int inject_place(const struct target_roots *roots, struct subject *s, struct place *out,
		 struct err *e)
{
	int r;

	s->runs = s->t.state == TARGET_RUNNING || s->t.state == TARGET_PAUSED;
	if (!s->runs)
		return open_stopped(roots, s, out, e);
	r = target_pin(roots, &s->t, e);
	if (r == 0)
		r = place_of_target(&s->t, out, e);
	return r < 0 ? r : not_hosts(out, e);
}

static const struct column columns[] = {
	{.name = "TARGET", .flags = COL_SHRINK},
	{.name = "ENGINE"},
	{.name = "SOURCE", .flags = COL_SHRINK},
	{.name = "FILES", .flags = COL_RIGHT},
	{.name = "SIZE", .flags = COL_RIGHT},
	{.name = "SINCE", .flags = COL_RIGHT},
	{.name = "STATE"},
};

static const char *state_of(const struct target_roots *roots, const struct journal *j)
{
	_cleanup_free_ char *spec = str_fmt("%s://%s", j->engine, j->id ? j->id : j->name);
	_cleanup_target_ struct target t = TARGET_INIT;
	struct err why = {};

	if (spec && target_resolve(roots, spec, &t, &why) == -ENOENT)
		return "gone with its container";
	return j->phase == JOURNAL_CLEAN || j->phase == JOURNAL_DONE ? "complete"
	       : j->phase == JOURNAL_EJECT			     ? "partly taken out"
								     : "not complete";
}

static int add_row(struct table *t, json_t *all, const struct target_roots *roots,
		   const struct journal *j)
{
	const char *state = state_of(roots, j);
	char text[HUMAN_MAX];
	uint64_t bytes = 0;

	for (size_t i = 0; i < j->items.n; i++)
		bytes += j->items.v[i].size;
	table_add(t, OUT_PLAIN, j->name);
	table_add(t, OUT_PLAIN, j->engine);
	table_add(t, OUT_PLAIN, j->source);
	table_addf(t, OUT_PLAIN, "%zu", j->items.n);
	table_add(t, OUT_PLAIN, human_size(bytes, text));
	table_add(t, OUT_PLAIN, human_age(time(NULL) - j->time, text));
	table_add(t, OUT_PLAIN, state);
	return json_array_append_new(
		       all, json_pack("{s:o,s:o,s:o,s:o,s:I,s:I,s:I,s:s}", "target",
				      json_text(j->name), "engine", json_text(j->engine), "id",
				      json_text(j->id), "source", json_text(j->source), "files",
				      (json_int_t)j->items.n, "bytes", (json_int_t)bytes, "time",
				      (json_int_t)j->time, "state", state)) < 0
		       ? -ENOMEM
		       : 0;
}

int inject_list(struct ctx *ctx, struct err *e)
{
	struct out_style style = out_style_of(STDOUT_FILENO, ctx->color);
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	_cleanup_table_ struct table table = TABLE_INIT(columns);
	_cleanup_json_ json_t *all = json_array();
	_cleanup_strv_ struct strv files = {};
	int r = target_roots_open(&roots, e);

	if (r == 0)
		r = journal_list(&files, e);
	for (size_t i = 0; i < files.n && r == 0; i++) {
		_cleanup_journal_ struct journal j = JOURNAL_INIT;
		struct err why = {};
		int k = journal_open_file(files.v[i], &j, &why);

		if (k == -EBADMSG || k == -EBUSY)
			fprintf(stderr, "porthole: %s\n", why.msg);
		if (k == 0 && j.phase != JOURNAL_NEW && add_row(&table, all, &roots, &j) < 0)
			r = err_set(e, ENOMEM, "listing what was put in");
	}
	if (r < 0)
		return r;
	return ctx->json ? out_json(stdout, all, &style, e)
			 : table_print(stdout, &table, &style, e);
}
