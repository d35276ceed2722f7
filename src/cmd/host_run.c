/* porthole host run: a container of the host's, with as much of it as its profile says. */
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cmd/background.h"
#include "cmd/exec_parts.h"
#include "cmd/exec_warn.h"
#include "cmd/host_engine.h"
#include "cmd/host_rc.h"
#include "cmd/host_run.h"
#include "cmd/host_warn.h"
#include "cmd/subject.h"
#include "launch/client.h"
#include "launch/host.h"
#include "launch/lines.h"
#include "launch/name.h"
#include "launch/state.h"
#include "out/json_print.h"
#include "session/seal.h"
#include "session/session.h"
#include "sys/caps.h"
#include "sys/ns.h"

#define O(field) offsetof(struct host_run_opts, field)

static const struct opt options[] = {
	{OPT_STR, O(profile), 0, "profile", "PROFILE|FILE",
	 "how much of the host it gets: 'porthole profile list' (default: " HOST_DEFAULT_PROFILE
	 ")",
	 NULL},
	{OPT_STR, O(image), 0, "image", "IMAGE|FILE|DIR",
	 "its root is this image of an engine's, archive or directory (default: the kit)", NULL},
	{OPT_STR, O(name), 0, "name", "NAME", "what it is called (default: the profile)", NULL},
	{OPT_STR, O(engine), 0, "engine", "ENGINE",
	 "have docker, podman, nspawn, runc or crun make the container, so that it knows it "
	 "(docker "
	 "and podman keep an empty image, porthole/kit)",
	 OPT_WORDS("docker", "podman", "nspawn", "runc", "crun")},
	{OPT_FLAG, O(detach), 'd', "detach", NULL,
	 "in the background, until 'porthole kill'; prints its name", NULL},
	{OPT_STR, O(ttl), 0, "ttl", "TIME",
	 "it is asked to end after this time, such as 30m, and ended 10 seconds later", NULL},
	{OPT_CSV, O(ns), 0, "ns", "LIST",
	 "keep these namespaces of the host: pid,net,ipc,uts,cgroup, all or none; +net and -net "
	 "change the profile's",
	 NULL},
	{OPT_LIST, O(cap_add), 0, "cap-add", "CAP",
	 "add a capability, such as SYS_PTRACE, or ALL, to the profile's", NULL},
	{OPT_LIST, O(cap_drop), 0, "cap-drop", "CAP", "take a capability away, or ALL", NULL},
	{OPT_LIST, O(volumes), 'v', "volume", "HOST:PATH[:ro]",
	 "show a file or directory of the host at PATH", NULL},
	{OPT_FLAG, O(ro), 0, "ro", NULL,
	 "the host's paths are read-only (profile inspect: and nothing else of it can be changed)",
	 NULL},
	{OPT_LIST, O(masks), 0, "mask", "PATH", "PATH inside is empty", NULL},
	OPT_HOST_BACK(O(back)),
	{OPT_FLAG, O(interactive), 'i', "interactive", NULL, "pass our standard input on", NULL},
	{OPT_FLAG, O(tty), 't', "tty", NULL, "give the command a terminal of its own", NULL},
	{OPT_STR, O(user), 'u', "user", "USER[:GROUP]",
	 "run as this user (default: the profile's, else root)", NULL},
	{OPT_STR, O(cwd), 'w', "workdir", "DIR", "start in this directory", NULL},
	{OPT_LIST, O(env), 'e', "env", "NAME=VALUE", "set a variable; NAME alone passes ours on",
	 NULL},
	{OPT_LIST, O(env_files), 0, "env-file", "FILE", "set the variables of this file", NULL},
	{OPT_STR, O(entrypoint), 0, "entrypoint", "CMD", "run this instead of the image's own",
	 NULL},
	{OPT_FLAG, O(read_only), 0, "read-only", NULL, "its own root cannot be written to", NULL},
	{OPT_FLAG, O(rm), 0, "rm", NULL, "nothing of it stays, with -d not even what it has said",
	 NULL},
	{OPT_STR, O(cgroup), 0, "cgroup", "host|own",
	 "whose cgroup is charged (default: host, the caller's; with -d: own)",
	 OPT_WORDS("host", "own")},
	{OPT_SIZE, O(memory), 'm', "memory", "BYTES",
	 "memory limit, such as 256m; implies --cgroup own", NULL},
	{OPT_STR, O(cpus), 0, "cpus", "N", "processor limit, such as 0.5; implies --cgroup own",
	 NULL},
	{OPT_UINT, O(pids), 0, "pids", "N", "process limit; implies --cgroup own", NULL},
	{OPT_STR, O(kit), 0, "kit", "FILE|DIR|none",
	 "use this kit of tools; with --image: have a kit beside the image", NULL},
	{OPT_FLAG, O(explain), 0, "explain", NULL, "print what would be done, and do nothing",
	 NULL},
	{OPT_FLAG, O(quiet), 'q', "quiet", NULL, "nothing but errors: no greeting, no warnings",
	 NULL},
	{OPT_FLAG, O(json), 0, "json", NULL, "print --explain and errors as JSON", NULL},
	{},
};

struct host_run {
	const struct host_run_opts *o;
	const struct target_roots *roots;
	struct toolboxrc rc;
	struct subject image; /* empty: the kit */
	struct target self;   /* its name */
	struct strv argv, env;
	struct host_spec spec;
	struct beside_request beside;
	struct request req;
	struct host_back back;
	struct host_engine engine;
};

static void host_run_done(struct host_run *h)
{
	toolboxrc_done(&h->rc);
	subject_done(&h->image);
	target_done(&h->self);
	strv_done(&h->argv);
	strv_done(&h->env);
	host_spec_done(&h->spec);
	host_back_done(&h->back);
	free(h->engine.own_name);
}

static const char *image_name(const struct host_run *h)
{
	const char *name = h->o->image ? h->o->image : "kit";

	return name + (str_starts(name, "image://") ? strlen("image://") : 0);
}

/* The name of the profile's file, as a container's; that it can be one is seen when it is taken. */
static int choose_name(struct host_run *h, struct err *e)
{
	const char *own = h->o->name ? h->o->name : h->rc.name;
	const char *from = own ? own : h->o->profile ? h->o->profile : HOST_DEFAULT_PROFILE;
	const char *slash = strrchr(from, '/');
	char *dot;

	if (own && launch_name_check(own, e) < 0)
		return -EINVAL;
	h->self.engine = "none";
	h->self.name = strdup(slash ? slash + 1 : from);
	dot = !own && h->self.name ? strchr(h->self.name, '.') : NULL;
	if (dot && dot > h->self.name)
		*dot = '\0';
	return h->self.name ? 0 : err_set(e, ENOMEM, "naming the container");
}

static int fill_spec(struct host_run *h, struct err *e)
{
	const struct host_run_opts *o = h->o;
	const struct host_ask ask = {
		.profile = o->profile ? o->profile : HOST_DEFAULT_PROFILE,
		.ns = &o->ns,
		.volumes = &o->volumes,
		.masks = &o->masks,
		.cap_add = &o->cap_add,
		.cap_drop = &o->cap_drop,
		.user = o->user,
		.name = h->self.name,
		.image = image_name(h),
		.ro = o->ro,
	};
	int r = host_spec_make(&ask, &h->spec, e);

	if (r == 0 &&
	    (strv_add_all(&h->env, &h->spec.env) < 0 || strv_add_all(&h->env, &o->env) < 0))
		r = err_set(e, ENOMEM, "planning the container");
	if (r == 0)
		r = host_back_open(&h->back, &o->back, h->spec.profile.host_exec, o->detach,
				   h->self.name, e);
	if (r == 0 && h->back.on) {
		h->spec.req.extra = BROKER_DIR;
		h->spec.req.extra_fd = h->back.broker.mount;
	}
	return r;
}

static int fill(struct host_run *h, struct ctx *ctx, int argc, char **argv, struct err *e)
{
	const struct host_run_opts *o = h->o;

	if (subject_argv(o->image ? &h->image.store.config : NULL, o->entrypoint,
			 o->detach && !o->interactive && !o->tty, argc, argv, &h->argv) < 0)
		return err_set(e, ENOMEM, "planning the container");
	h->beside = (struct beside_request){
		.host = &h->spec.req,
		.cap_add = o->cap_add,
		.name = o->name,
		.read_only = o->read_only,
	};
	h->req = (struct request){
		.user = o->user ? o->user : h->spec.profile.g.user,
		.cwd = o->cwd,
		.kit = o->kit	  ? o->kit
		       : o->image ? "none"
				  : NULL,
		.cgroup = o->cgroup					   ? o->cgroup
			  : o->detach && !h->spec.req.guests && !o->engine ? "own"
									   : NULL,
		.env = h->env,
		.env_files = o->env_files,
		/* whoever attaches may type */
		.interactive = o->interactive || (o->detach && o->tty),
		.tty = o->tty,
		.tty_in = !o->detach && isatty(STDIN_FILENO),
		.tty_out = !o->detach && ctx->tty_out,
		.limits = {.memory = o->engine ? 0 : o->memory, .pids = o->engine ? 0 : o->pids},
		.beside = &h->beside,
		.argc = (int)h->argv.n,
		.argv = h->argv.v,
	};
	if (o->ttl && str_to_seconds(o->ttl, &h->req.ttl) < 0)
		return err_say(e, EINVAL, "--ttl takes a time such as 90s, 30m or 1h30m, not '%s'",
			       o->ttl);
	return exec_cpus(o->engine ? NULL : o->cpus, &h->req.limits.cpus, e);
}

static void greet(const struct host_run *h, const struct plan *p, bool color, struct buf *b)
{
	const char *on = color ? "\033[1m" : "", *off = color ? "\033[0m" : "";
	const struct grants *g = &h->spec.profile.g;
	char names[64];

	ns_names(p->ns_same, names, sizeof(names));
	buf_printf(b, "%sporthole:%s a container of the host's, profile %s%s%s: %s.\n", on, off, on,
		   h->spec.profile.name, off, h->spec.profile.summary);
	buf_printf(b,
		   "          Kept of the host: %s. Its paths:", *names ? names : "no namespace");
	for (size_t i = 0; i < g->n_mounts && i < 6; i++)
		buf_printf(b, " %s%s", g->mounts[i].inside, g->mounts[i].ro ? " (ro)" : "");
	buf_puts(b, g->n_mounts > 6 ? " and more" : g->n_mounts ? "" : " none");
	buf_puts(b,
		 ".\n          What you write elsewhere is forgotten. It ends when you leave.\n");
	if (h->o->engine)
		buf_printf(b, "          It is made by %s, which knows it as %s.\n", h->o->engine,
			   h->engine.line.name);
}

static void warn(const struct host_run *h, const struct plan *p)
{
	exec_warn(p);
	if (p->quiet)
		return;
	if (h->o->ro)
		host_warn_ro(p, h->spec.profile.host_exec);
	if (h->spec.profile.g.n_mounts)
		host_warn_place();
}

static int run_plan(struct host_run *h, struct plan *p, struct ctx *ctx, struct err *e)
{
	_cleanup_buf_ struct buf hello = {};
	_cleanup_close_ int held = -EBADF;
	struct session_talk talk = {.prepare = host_back_prepare,
				    .watch = host_back_watch,
				    .attend = host_back_attend,
				    .data = &h->back};

	if (p->shell && !h->o->quiet)
		greet(h, p, ctx->color_err, &hello);
	if (h->o->name && launch_name_front(h->o->name, &held, e) < 0)
		return -e->num;
	warn(h, p);
	talk.greeting = hello.data;
	return session_blame_kit(
		p,
		h->o->engine ? host_engine_run(p, h->engine.line.name, &talk, &h->engine, e)
			     : session_run(p, &talk, e),
		e);
}

static int detach(struct host_run *h, struct plan *p, struct err *e)
{
	_cleanup_free_ char *by = h->o->engine ? str_fmt("%s, by %s", image_name(h), h->o->engine)
					       : strdup(image_name(h));
	const struct launch l = {.name = h->self.name,
				 .image = by ? by : "?",
				 .rm = h->o->rm,
				 .input = h->o->interactive,
				 .run = h->o->engine ? host_engine_run : NULL,
				 .run_data = &h->engine,
				 .prepare = host_back_prepare,
				 .watch = host_back_watch,
				 .attend = host_back_attend,
				 .over = host_back_over,
				 .data = &h->back};

	warn(h, p);
	return background_start(p, &l, h->o->name, e);
}

static void explain_mounts(const struct host_run *h)
{
	const struct grants *g = &h->spec.profile.g;

	printf("%-12s %s: %s\n", "profile", h->spec.profile.name, h->spec.profile.summary);
	for (size_t i = 0; i < g->n_mounts; i++) {
		const struct grant_mount *m = &g->mounts[i];
		_cleanup_free_ char *host = str_printable_dup(m->host);
		_cleanup_free_ char *inside = str_printable_dup(m->inside);

		printf("%-12s %s at %s: %s, %s%s\n", i ? "" : "host paths", host ? host : "?",
		       inside ? inside : "?", m->ro ? "read-only" : "can be written to",
		       m->propagation ? m->propagation : "rslave",
		       m->optional ? ", where it is there" : "");
	}
	for (size_t i = 0; i < g->masks.n; i++) {
		_cleanup_free_ char *path = str_printable_dup(g->masks.v[i]);

		printf("%-12s %s\n", i ? "" : "empty", path ? path : "?");
	}
}

/* nspawn takes a directory: where it looks for machines, if the image is none. */
static char *nspawn_root(const struct line_of *l)
{
	struct stat st;

	if (strchr(l->image, '/') && stat(l->image, &st) == 0 && S_ISDIR(st.st_mode))
		return strdup(l->image);
	return str_fmt("/var/lib/machines/%s", l->name);
}

/* The line of one tool, printed or not, into `lines`. 0 or -ENOMEM. */
static int explain_line(const struct line_of *l, enum grant_tool tool, bool print, json_t *lines)
{
	static const char *const names[] = {
		[TOOL_DOCKER] = "docker", [TOOL_PODMAN] = "podman", [TOOL_NSPAWN] = "nspawn"};
	_cleanup_free_ char *root = tool == TOOL_NSPAWN ? nspawn_root(l) : strdup(l->image);
	_cleanup_strv_ struct strv words = {};
	_cleanup_buf_ struct buf text = {};
	struct line_of by = *l;

	by.image = root;
	if (!root || line_words(&by, tool, &words) < 0)
		return -ENOMEM;
	line_text(&words, &text);
	json_object_set_new(lines, names[tool], json_text(text.data));
	if (print && str_eq(root, l->image))
		printf("\nby %s:\n%s\n", names[tool], text.data ? text.data : "?");
	else if (print)
		printf("\nby %s, with the image's files in %s:\n%s\n", names[tool], root,
		       text.data ? text.data : "?");
	return 0;
}

/* The same container by other tools; an image that is a file or the kit stands for one they have.
 */
static int explain(const struct host_run *h, const struct plan *p, struct ctx *ctx, struct err *e)
{
	const struct line_of l = {.g = &h->spec.profile.g,
				  .env = &h->env,
				  .image = h->o->image ? h->o->image : CLIENT_IMAGE,
				  .name = h->self.name,
				  .argc = (int)p->argv.n,
				  .argv = p->argv.v};
	const struct out_style style = {.color = ctx->color};
	json_t *lines = json_object(), *pod = line_pod(&l);
	_cleanup_json_ json_t *all = json_pack("{s:o,s:o}", "lines", lines, "kubernetes", pod);
	_cleanup_json_ json_t *j = ctx->json ? plan_json(p) : NULL;
	int r = 0;

	if (!ctx->json)
		explain_mounts(h);
	if (!ctx->json)
		r = exec_explain(p, ctx, e);
	for (enum grant_tool i = TOOL_DOCKER; i <= TOOL_NSPAWN && r == 0; i++)
		if (explain_line(&l, i, !ctx->json, lines) < 0)
			r = err_set(e, ENOMEM, "explaining the plan");
	if (r < 0)
		return r;
	if (!ctx->json) {
		puts("\nby kubernetes (kubectl apply -f):");
		return out_json(stdout, pod, &style, e);
	}
	if (!j || json_object_set_new(j, "profile", json_text(h->spec.profile.name)) < 0 ||
	    json_object_update(j, all) < 0)
		return err_set(e, ENOMEM, "explaining the plan");
	return out_json(stdout, j, &style, e);
}

static int open_image(struct host_run *h, struct target_roots *roots, struct err *e)
{
	int r;

	if (!h->o->image)
		return 0;
	r = target_roots_open(roots, e);
	if (r == 0)
		r = subject_open_image(roots, h->o->image, &h->image, e);
	if (r < 0)
		host_rc_blame(h->o, &h->rc, e);
	return r;
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	_cleanup_(host_run_done) struct host_run h = {
		.o = opts,
		.roots = &roots,
		.image = SUBJECT_INIT,
		.self = TARGET_INIT,
		.back = HOST_BACK_INIT,
	};
	_cleanup_plan_ struct plan p = PLAN_INIT;
	int r;

	r = host_rc(opts, &h.rc, e);
	if (r == 0)
		r = choose_name(&h, e);
	if (r == 0)
		r = fill_spec(&h, e);
	if (r == 0)
		r = open_image(&h, &roots, e);
	if (r == 0)
		r = fill(&h, ctx, argc, argv, e);
	if (r == 0)
		r = plan_make_host(&p, &h.self, h.o->image ? &h.image.store : NULL, &h.req, e);
	if (r < 0)
		return r;
	if (h.o->engine)
		r = host_engine_plan(&h.engine, h.o, &h.spec.profile, &h.env, &p, h.self.name, e);
	if (r < 0)
		return r;
	if (h.o->explain && h.o->engine)
		return host_engine_explain(&h.engine, &p, ctx, e);
	if (h.o->explain)
		return explain(&h, &p, ctx, e);
	p.quiet = h.o->quiet;
	p.traceable = session_traceable(&p);
	/* an engine's container has a read-only mount of our file, which has to have a path */
	r = h.o->engine ? engine_ready(h.engine.tool, h.engine.line.g->caps, &h.engine.limits, e)
			: session_seal(&p, e);
	if (r < 0)
		return r;
	return h.o->detach ? detach(&h, &p, e) : run_plan(&h, &p, ctx, e);
}

#define NS_HINT "--ns says whose those are: --ns +net keeps the host's, --ns -net gives it its own"

static const struct elsewhere elsewhere[] = {
	{"privileged", "leave it out: without --profile it has all that the host's root can do"},
	{"pid", NS_HINT},
	{"net", NS_HINT},
	{"network", NS_HINT},
	{"ipc", NS_HINT},
	{"uts", NS_HINT},
	{"cgroupns", NS_HINT},
	{"mount", "-v HOST:PATH[:ro] shows a file or directory of the host"},
	{"restart", "'porthole host install' has systemd start it, and start it again"},
	{},
};

const struct verb verb_host_run = {
	.name = "host run",
	.args = "[--] [CMD [ARG...]]",
	.summary = "Start a container that has as much of the host as its profile says",
	.details =
		"Tools for a host that has none, and exactly as much of the host as the job needs: "
		"a profile says which\n"
		"of its namespaces the container keeps, which of its paths it sees, where and how, "
		"and its capabilities.\n"
		"Its own files are those of the kit of tools, or of any image (--image); what is "
		"written there is\n"
		"forgotten. Nothing is needed of the host, and nothing is written to it: no "
		"engine, no systemd, no D-Bus.\n\n"
		"'porthole host' alone is a shell with profile " HOST_DEFAULT_PROFILE
		": all that the host's root can do, with its / at /host.\n"
		"'porthole profile list' tells the others, 'porthole profile show' what is in one; "
		"single options change it.\n\n"
		"What the host mounts later appears inside too, read-only where the path is, and "
		"what it\n"
		"unmounts goes. The variables HOST and sysimage, HOST_ROOT, HOST_PROC and their "
		"like tell programs\n"
		"where the host's files are.\n\n"
		"The exit code is the command's; 128+N when signal N killed it; 127, 126 and 125 "
		"as with exec.",
	.examples = "  porthole host                                  a shell, the host at /host\n"
		    "  porthole host run --profile net tcpdump -ni any\n"
		    "  porthole host run --profile inspect            look, and change nothing\n"
		    "  porthole host run --profile trace --cap-drop SYS_ADMIN strace -p 812\n"
		    "  porthole host run --image debian:12 chroot /host id\n"
		    "  porthole host run -d --name agent --profile monitor --image agent:7\n"
		    "  porthole host run --engine docker -d --name spc sleep 1h   as docker ps "
		    "shows it\n"
		    "  porthole host run --profile inspect --mask /host/home --explain\n",
	.opts = options,
	.elsewhere = elsewhere,
	.opts_size = sizeof(struct host_run_opts),
	.flags = VERB_STOP_AT_ARG | VERB_RUNS_CMD | VERB_GROUP,
	.max_args = -1,
	.run = run,
};
