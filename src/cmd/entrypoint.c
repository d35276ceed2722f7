/* porthole entrypoint: what a container would run, and why it cannot. */
#include "cmd/entrypoint.h"

#include <errno.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cmd/subject.h"
#include "entry/root.h"
#include "out/json_print.h"

struct entrypoint_opts {
	bool json, secrets, run, devices;
	const char *strace;
	uint64_t timeout;
};

const char *entrypoint_form(const struct entry *en)
{
	return en->shell_form ? "shell form: /bin/sh -c runs it"
			      : "exec form: no shell between engine and program";
}

const char *entrypoint_origin(enum entry_origin o)
{
	static const char *const words[] = {[ENTRY_UNKNOWN] = "",
					    [ENTRY_IMAGE] = "from the image",
					    [ENTRY_CONTAINER] = "given when the container was made",
					    [ENTRY_PROCESS] = "as it runs"};

	return words[o];
}

bool entrypoint_ended(const struct target *t)
{
	bool ended = t->state == TARGET_EXITED || t->state == TARGET_RESTARTING;

	return (ended || (t->state == TARGET_CREATED && t->exit_code > 0)) && t->exit_code >= 0;
}

/* A target that runs: what its engine was told, and the files as it has them now. */
static int open_running(const struct target_roots *roots, struct subject *s,
			const struct store *image, struct entrypoint *ep, struct err *e)
{
	_cleanup_facts_ struct facts f = {};
	bool stored = store_of_target(roots, &s->t, &s->store, NULL) == 0;
	int r = facts_read(roots, &s->t, &f, e);

	if (r < 0)
		return r;
	ep->age = f.init.age;
	if (entry_of_target(&s->t, &f, stored ? &s->store : NULL, image, &ep->entry) < 0)
		return err_set(e, ENOMEM, "reading the entry point of '%s'", s->t.name);
	return entry_root_of_target(&s->t, e);
}

/* `alone`: nothing else will be mounted of it. */
static int open_stopped(struct subject *s, const struct store *image, bool alone,
			struct entrypoint *ep, struct err *e)
{
	ep->kind = s->store.kind;
	if (!s->image) {
		ep->entry.engine = s->t.engine;
		ep->entry.refused = s->t.error;
		ep->entry.oom = s->t.oom_killed;
	}
	if (entry_of_store(&s->store, image, s->image ? NULL : s->t.engine, &ep->entry) < 0)
		return err_set(e, ENOMEM, "reading the entry point of '%s'", s->t.name);
	return entry_root_of_store(&s->store, &ep->entry, alone, e);
}

/* Fill ep, and look at its files. */
static int examine(const struct target_roots *roots, const char *spec, bool alone,
		   struct subject *s, struct entrypoint *ep, struct err *e)
{
	_cleanup_store_ struct store image = STORE_INIT;
	_cleanup_close_ int root = -EBADF;
	const struct store *of;
	struct entry_host host;
	struct utsname un;
	int r = subject_open(roots, spec, s, e);

	if (r < 0)
		return r;
	ep->t = s->image ? NULL : &s->t;
	ep->label = s->t.name;
	if (!s->image)
		subject_image(roots, &s->t, &image);
	of = image.n_layers ? &image : NULL;
	root = s->runs ? open_running(roots, s, of, ep, e) : open_stopped(s, of, alone, ep, e);
	if (root < 0)
		return root;
	uname(&un);
	host = (struct entry_host){.machine = un.machine, .proc_fd = roots->proc_fd};
	return entry_lint(root, &ep->entry, &host, &ep->report) < 0
		       ? err_set(e, ENOMEM, "looking at the entry point of '%s'", spec)
		       : 0;
}

static int show(const struct ctx *ctx, const struct entrypoint *ep, struct err *e)
{
	struct out_style style = out_style_of(STDOUT_FILENO, ctx->color);
	_cleanup_json_ json_t *j = NULL;

	if (!ctx->json)
		return entrypoint_text(stdout, ep, &style) < 0
			       ? err_set(e, ENOMEM, "printing what was found")
			       : 0;
	j = entrypoint_json(ep);
	return out_json(stdout, j, &style, e);
}

static void entrypoint_done(struct entrypoint *ep)
{
	entry_done(&ep->entry);
	entry_report_done(&ep->report);
}

static int check_opts(const struct entrypoint_opts *o, int argc, struct err *e)
{
	if (!o->run && (o->strace || o->timeout || o->devices))
		err_say(e, EINVAL,
			"--strace, --timeout and --devices are for a rehearsal: add --run");
	else if (!o->run && argc > 1)
		err_say(e, EINVAL, "arguments are for a rehearsal: add --run");
	else if (o->run && o->json)
		err_say(e, EINVAL, "--json does not go with --run: the output is the command's");
	return e->num ? err_exit(e, EXIT_PORTHOLE) : 0;
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	const struct entrypoint_opts *o = opts;
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	_cleanup_subject_ struct subject s = SUBJECT_INIT;
	_cleanup_(entrypoint_done) struct entrypoint ep = {.age = -1, .secrets = o->secrets};
	struct rehearsal h = {.strace = o->strace,
			      .timeout = o->timeout,
			      .devices = o->devices,
			      .argc = argc - 1,
			      .argv = argv + 1};
	int r = check_opts(o, argc, e);

	if (r == 0)
		r = target_roots_open(&roots, e);
	if (r == 0)
		r = examine(&roots, argv[0], !o->run, &s, &ep, e);
	if (r == 0 && o->run && !s.store.n_layers) {
		err_say(e, ENOTSUP, "'%s' cannot be rehearsed: its files are known as it runs only",
			s.t.name);
		err_hint(e, "porthole exec --view cow starts a command in it that changes nothing");
		return -ENOTSUP;
	}
	if (r == 0 && o->run)
		return entrypoint_run(&ep, &s.t, &s.store, &h, e);
	if (r == 0)
		r = show(ctx, &ep, e);
	return r < 0 ? r : ep.report.n > 0;
}

static const struct opt options[] = {
	{OPT_FLAG, offsetof(struct entrypoint_opts, run), 0, "run", NULL,
	 "rehearse it: start the command as the container would, on its files, forgetting all it "
	 "writes",
	 NULL},
	{OPT_MAYBE, offsetof(struct entrypoint_opts, strace), 0, "strace", "[=EXPR]",
	 "rehearse it under strace -f (and -e EXPR)", NULL},
	{OPT_UINT, offsetof(struct entrypoint_opts, timeout), 0, "timeout", "SECONDS",
	 "end the rehearsal after so long; it does start, then (exit code 124)", NULL},
	{OPT_FLAG, offsetof(struct entrypoint_opts, devices), 0, "devices", NULL,
	 "rehearse it with the host's devices that the container has: what is done to them stays "
	 "done",
	 NULL},
	{OPT_FLAG, offsetof(struct entrypoint_opts, secrets), 0, "show-secrets", NULL,
	 "passwords and tokens in the environment and on the command line as they are", NULL},
	{OPT_FLAG, offsetof(struct entrypoint_opts, json), 0, "json", NULL, "print JSON", NULL},
	{},
};

const struct verb verb_entrypoint = {
	.name = "entrypoint",
	.args = "TARGET [-- ARG...]",
	.summary = "Show what a container would run, why it cannot, and rehearse it",
	.details =
		"For crash loops. Prints the command that the container, running or not, would be "
		"started with,\n"
		"as whom and where, which files that takes (interpreters, loader, libraries), and "
		"what is wrong\n"
		"with it, each with the fix: a program, interpreter, library, user or directory "
		"that is not\n"
		"there or not allowed, Windows line ends, the wrong machine, the wrong libc. Of a "
		"container that\n"
		"ended it says what the exit code means.\n\n"
		"TARGET is a container that runs or does not, image://NAME, an archive or a "
		"directory.\n"
		"Everything is read from outside; nothing is started or written. With --run the "
		"command is started\n"
		"as the engine would, as process 1 of new namespaces (under --strace strace is "
		"that) and "
		"on files that\n"
		"forget what is written and are read-only where the container's are, and at the "
		"end "
		"a sentence\n"
		"says how it ended; ARG... replace the container's own arguments.\n\n"
		"The exit code is 0 when nothing is wrong, 1 when something is, 125 when Porthole "
		"itself failed;\n"
		"with --run the command's own.",
	.examples =
		"  porthole entrypoint web                          why does it not start?\n"
		"  porthole entrypoint --run --timeout 10 web       does it, with its own limits?\n"
		"  porthole entrypoint --run --strace=openat web    which files does it look for?\n"
		"  porthole entrypoint --run web -- --verbose       with other arguments\n"
		"  porthole entrypoint --json web | jq -r '.findings[].fix'\n",
	.opts = options,
	.opts_size = sizeof(struct entrypoint_opts),
	.flags = VERB_RUNS_CMD,
	.complete = COMPLETE_TARGET,
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
