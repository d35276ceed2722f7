#include "launch/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "sys/caps.h"
#include "sys/seccomp_filter.h"

static int addf(struct strv *out, const char *option, const char *value)
{
	return strv_push(out, str_fmt("%s=%s", option, value));
}

static bool is_privileged(const struct grants *g)
{
	return g->privileged && g->caps == caps_all() && caps_bounding() == caps_all();
}

enum { CAP_WORD_MAX = CAPS_NAME_MAX + 4 };

/* CAP_SYS_ADMIN: as all of them take it; Kubernetes, without the first four. */
static void cap_word(unsigned c, char word[CAP_WORD_MAX])
{
	memcpy(word, "CAP_", 4);
	caps_name(c, word + 4);
	for (char *s = word; *s; s++)
		*s = *s >= 'a' && *s <= 'z' ? (char)(*s - 'a' + 'A') : *s;
}

/* Each of the mask. */
static int add_caps(struct strv *out, const char *option, uint64_t mask)
{
	int r = 0;

	for (unsigned c = 0; c < 64 && r == 0; c++) {
		char word[CAP_WORD_MAX];

		if (!(mask & CAPS_BIT(c)))
			continue;
		cap_word(c, word);
		r = addf(out, option, word);
	}
	return r;
}

/* `skip`: as many characters of each name are left out. */
static json_t *caps_json(uint64_t mask, size_t skip)
{
	json_t *list = json_array();

	for (unsigned c = 0; c < 64; c++) {
		char word[CAP_WORD_MAX];

		if (!(mask & CAPS_BIT(c)))
			continue;
		cap_word(c, word);
		json_array_append_new(list, json_string(word + skip));
	}
	return list;
}

static int add_command(const struct line_of *l, struct strv *out)
{
	int r = 0;

	for (int i = 0; i < l->argc && r == 0; i++)
		r = strv_add(out, l->argv[i]);
	return r;
}

/* --- docker and podman --- */

static int add_spaces(const struct grants *g, struct strv *out)
{
	static const struct {
		unsigned flag;
		const char *option;
	} spaces[] = {{CLONE_NEWPID, "--pid"},
		      {CLONE_NEWNET, "--network"},
		      {CLONE_NEWIPC, "--ipc"},
		      {CLONE_NEWUTS, "--uts"},
		      {CLONE_NEWCGROUP, "--cgroupns"}};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(spaces) && r == 0; i++)
		if (g->host_ns & spaces[i].flag)
			r = addf(out, spaces[i].option, "host");
	if (r == 0 && !(g->host_ns & CLONE_NEWNET))
		r = addf(out, "--network", "none");
	if (r == 0 && !(g->host_ns & CLONE_NEWCGROUP)) /* it is the host's else, with version 1 */
		r = addf(out, "--cgroupns", "private");
	return r;
}

/* As far as we have them. Who becomes another user needs some for that,
 * and to end what that one leaves. */
static uint64_t caps_given(const struct line_of *l)
{
	const uint64_t change = CAPS_BIT(CAP_SETUID) | CAPS_BIT(CAP_SETGID) |
				CAPS_BIT(CAP_SETPCAP) | CAPS_BIT(CAP_KILL);

	if (!l->run)
		return l->g->caps & caps_bounding();
	return (l->g->caps | (l->run->drops ? change : 0)) & caps_bounding() &
	       ~l->run->caps_unknown;
}

static int add_rights(const struct line_of *l, bool podman, struct strv *out)
{
	const struct grants *g = l->g;
	int r = 0;

	if (is_privileged(g))
		return strv_add(out, "--privileged");
	r = addf(out, "--cap-drop", "ALL");
	r = r ?: add_caps(out, "--cap-add", caps_given(l));
	if (g->seccomp_off)
		r = r ?: addf(out, "--security-opt", "seccomp=unconfined");
	if (g->masks_off)
		r = r
			    ?: addf(out, "--security-opt",
				    podman ? "unmask=ALL" : "systempaths=unconfined");
	return r;
}

/* What comes nearest to it with engines, where the kernel is all there is. NULL: none is said. */
static const char *way_of(const struct grant_mount *m)
{
	return str_eq(m->propagation, "follow") ? "rslave" : m->propagation;
}

static int add_volumes(const struct grants *g, struct strv *out)
{
	int r = 0;

	for (size_t i = 0; i < g->n_mounts && r == 0; i++) {
		const struct grant_mount *m = &g->mounts[i];
		const char *way = way_of(m);

		r = strv_push(out, str_fmt("--volume=%s:%s%s%s%s", m->host, m->inside,
					   m->ro || way ? ":" : "", m->ro ? way ? "ro," : "ro" : "",
					   way ? way : ""));
	}
	for (size_t i = 0; i < g->masks.n && r == 0; i++)
		r = addf(out, "--tmpfs", g->masks.v[i]);
	return r;
}

/* Podman would raise them, which not everybody may; and lowers its own processes to pid_max. */
static int add_limits(struct strv *out)
{
	struct rlimit files, procs;
	char text[32];
	rlim_t most;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || getrlimit(RLIMIT_NPROC, &procs) < 0 ||
	    file_read_small_at(AT_FDCWD, "/proc/sys/kernel/pid_max", text, sizeof(text)) <= 0)
		return 0;
	most = strtoul(text, NULL, 10);
	most = procs.rlim_max < most ? procs.rlim_max : most;
	return strv_push(out, str_fmt("--ulimit=nofile=%lld:%lld", (long long)files.rlim_cur,
				      (long long)files.rlim_max))
		       ?: strv_push(out, str_fmt("--ulimit=nproc=%lld:%lld", (long long)most,
						 (long long)most));
}

/* What only a line that we run has: nothing is pulled, no ids are mapped, no label keeps it from
 * the host's files, and limits are those of whoever starts it. */
static int add_run(const struct line_of *l, bool podman, struct strv *out)
{
	const struct line_run *run = l->run;
	int r = addf(out, "--pull", "never") ?: addf(out, "--userns", "host");

	r = r ?: addf(out, "--security-opt", "label=disable");
	if (l->g->seccomp_off)
		r = r ?: addf(out, "--security-opt", "apparmor=unconfined");
	if (!(l->g->host_ns & CLONE_NEWUTS))
		r = r ?: addf(out, "--hostname", run->host_name);
	if (run->input)
		r = r ?: strv_add(out, "--interactive");
	if (r == 0 && run->memory)
		r = strv_push(out, str_fmt("--memory=%llu", (unsigned long long)run->memory));
	if (r == 0 && run->pids)
		r = strv_push(out, str_fmt("--pids-limit=%llu", (unsigned long long)run->pids));
	if (r == 0 && run->cpus)
		r = addf(out, "--cpus", run->cpus);
	if (podman)
		r = r ?: add_limits(out);
	r = r
		    ?: strv_push(out, str_fmt("--mount=type=bind,src=%s,dst=" LINE_SELF ",%s",
					      run->self, podman ? "ro=true" : "readonly"));
	r = r ?: strv_push(out, str_fmt("--mount=type=bind,src=%s,dst=" LINE_DIR, run->dir));
	return r ?: addf(out, "--entrypoint", LINE_SELF);
}

static int docker_words(const struct line_of *l, bool podman, struct strv *out)
{
	const struct grants *g = l->g;
	int r = strv_add(out, podman ? "podman" : "docker");

	r = r ?: strv_add(out, "run") ?: strv_add(out, "--rm") ?: addf(out, "--name", l->name);
	r = r ?: add_spaces(g, out) ?: add_rights(l, podman, out);
	if (g->no_new_privs)
		r = r ?: addf(out, "--security-opt", "no-new-privileges");
	if (g->user && !l->run)
		r = r ?: addf(out, "--user", g->user);
	r = r ?: l->run ? add_run(l, podman, out) : add_volumes(g, out);
	for (size_t i = 0; i < l->env->n && r == 0; i++)
		r = addf(out, "--env", l->env->v[i]);
	return r ?: strv_add(out, l->image) ?: add_command(l, out);
}

/* --- systemd-nspawn --- */

/* Each of them alone since systemd 233; it has no options for that. */
static int nspawn_settings(const struct grants *g, struct strv *out)
{
	static const struct {
		unsigned flag;
		const char *name;
	} shared[] = {{CLONE_NEWPID, "PID"}, {CLONE_NEWIPC, "IPC"}, {CLONE_NEWUTS, "UTS"}};
	const unsigned system = CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
	int r = 0;

	if ((g->host_ns & system) == system)
		r = strv_add(out, "SYSTEMD_NSPAWN_SHARE_SYSTEM=1");
	for (size_t i = 0; i < ARRAY_LEN(shared) && (g->host_ns & system) != system && r == 0; i++)
		if (g->host_ns & shared[i].flag)
			r = strv_push(out, str_fmt("SYSTEMD_NSPAWN_SHARE_NS_%s=1", shared[i].name));
	if (r == 0 && g->seccomp_off)
		r = strv_add(out, "SYSTEMD_SECCOMP=0");
	return r;
}

/* What is dropped is dropped, whatever else says that it is kept: so all but what it is to have. */
static int nspawn_caps(const struct line_of *l, struct strv *out)
{
	uint64_t given = caps_given(l);

	if (given == caps_all())
		return addf(out, "--capability", "all");
	return add_caps(out, "--capability", given)
		       ?: add_caps(out, "--drop-capability", caps_all() & ~given);
}

static int nspawn_run(const struct line_of *l, struct strv *out)
{
	const struct line_run *run = l->run;
	int r = strv_add(out, "--quiet") ?: strv_add(out, "--console=pipe");

	if (access("/run/systemd/system", F_OK) < 0) /* nobody it could be registered with */
		r = r ?: strv_add(out, "--register=no") ?: strv_add(out, "--keep-unit");
	if (!(l->g->host_ns & CLONE_NEWUTS))
		r = r ?: addf(out, "--hostname", run->host_name);
	if (l->g->no_new_privs)
		r = r ?: strv_add(out, "--no-new-privileges=yes");
	r = r ?: strv_add(out, "--resolv-conf=off") ?: strv_add(out, "--timezone=off");
	r = r ?: strv_add(out, "--link-journal=no");
	r = r ?: strv_push(out, str_fmt("--bind-ro=%s:" LINE_SELF, run->self));
	return r ?: strv_push(out, str_fmt("--bind=%s:" LINE_DIR, run->dir));
}

static int nspawn_words(const struct line_of *l, struct strv *out)
{
	const struct grants *g = l->g;
	int r = nspawn_settings(g, out);

	r = r ?: strv_add(out, "systemd-nspawn");
	r = r ?: addf(out, "--directory", l->run ? l->run->root : l->image);
	r = r ?: addf(out, "--machine", l->name);
	if (!(g->host_ns & CLONE_NEWNET))
		r = r ?: strv_add(out, "--private-network");
	r = r ?: nspawn_caps(l, out);
	if (l->run)
		r = r ?: nspawn_run(l, out);
	for (size_t i = 0; i < g->n_mounts && !l->run && r == 0; i++)
		r = strv_push(out, str_fmt("--bind%s=%s:%s", g->mounts[i].ro ? "-ro" : "",
					   g->mounts[i].host, g->mounts[i].inside));
	for (size_t i = 0; i < l->env->n && r == 0; i++)
		r = addf(out, "--setenv", l->env->v[i]);
	if (l->run)
		r = r ?: strv_add(out, LINE_SELF);
	return r ?: add_command(l, out);
}

/* --- runc and crun --- */

static int oci_words(const struct line_of *l, bool crun, struct strv *out)
{
	int r = strv_add(out, crun ? "crun" : "runc");

	if (crun) /* its manager is systemd else; it stays in the caller's, as without an engine */
		r = r ?: strv_add(out, "--cgroup-manager=disabled");
	r = r ?: strv_add(out, "run") ?: addf(out, "--bundle", l->run->root);
	return r ?: strv_add(out, l->name);
}

static json_t *oci_namespaces(const struct grants *g)
{
	static const struct {
		unsigned flag;
		const char *type;
	} all[] = {{CLONE_NEWPID, "pid"}, {CLONE_NEWNET, "network"},   {CLONE_NEWIPC, "ipc"},
		   {CLONE_NEWUTS, "uts"}, {CLONE_NEWCGROUP, "cgroup"}, {CLONE_NEWNS, "mount"}};
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (!(g->host_ns & all[i].flag))
			json_array_append_new(list, json_pack("{s:s}", "type", all[i].type));
	return list;
}

static json_t *oci_mount(const char *from, const char *to, const char *type, const char *mode)
{
	return json_pack("{s:o,s:s,s:s,s:[s,s]}", "source", json_text(from), "destination", to,
			 "type", type, "options", mode, str_eq(type, "bind") ? "bind" : "nosuid");
}

json_t *line_bundle(const struct line_of *l)
{
	const struct line_run *run = l->run;
	uint64_t caps = caps_given(l);
	json_t *args = json_array(), *env = json_array(), *config;

	json_array_append_new(args, json_string(LINE_SELF));
	for (int i = 0; i < l->argc; i++)
		json_array_append_new(args, json_text(l->argv[i]));
	for (size_t i = 0; i < l->env->n; i++)
		json_array_append_new(env, json_text(l->env->v[i]));
	config = json_pack(
		"{s:s,s:{s:b,s:{s:i,s:i},s:o,s:o,s:s,s:{s:o,s:o,s:o},s:b},s:{s:s},s:[o,o,o,o],"
		"s:{s:o}}",
		"ociVersion", "1.0.2", "process", "terminal", 0, "user", "uid", 0, "gid", 0, "args",
		args, "env", env, "cwd", "/", "capabilities", "bounding", caps_json(caps, 0),
		"effective", caps_json(caps, 0), "permitted", caps_json(caps, 0), "noNewPrivileges",
		l->g->no_new_privs, "root", "path", "root", "mounts",
		oci_mount("proc", "/proc", "proc", "rw"), oci_mount("tmpfs", "/dev", "tmpfs", "rw"),
		oci_mount(run->self, LINE_SELF, "bind", "ro"),
		oci_mount(run->dir, LINE_DIR, "bind", "rw"), "linux", "namespaces",
		oci_namespaces(l->g));
	if (config && !(l->g->host_ns & CLONE_NEWUTS))
		json_object_set_new(config, "hostname", json_text(run->host_name));
	if (config && !l->g->seccomp_off)
		json_object_set_new(
			json_object_get(config, "linux"), "seccomp",
			seccomp_default_oci(l->g->caps & caps_bounding(), l->g->ipc_ro));
	return config;
}

int line_words(const struct line_of *l, enum grant_tool tool, struct strv *out)
{
	if (tool == TOOL_RUNC || tool == TOOL_CRUN)
		return oci_words(l, tool == TOOL_CRUN, out);
	return tool == TOOL_NSPAWN ? nspawn_words(l, out)
				   : docker_words(l, tool == TOOL_PODMAN, out);
}

/* --- Kubernetes --- */

/* Kubernetes takes numbers only; a name is the image's affair. */
static void pod_user(const struct grants *g, json_t *context)
{
	unsigned uid, gid;
	int n = g->user ? sscanf(g->user, "%u:%u", &uid, &gid) : 0;

	if (n >= 1)
		json_object_set_new(context, "runAsUser", json_integer(uid));
	if (n == 2)
		json_object_set_new(context, "runAsGroup", json_integer(gid));
}

static json_t *pod_context(const struct grants *g)
{
	json_t *context;

	if (is_privileged(g)) {
		context = json_pack("{s:b}", "privileged", 1);
		pod_user(g, context);
		return context;
	}
	context = json_pack("{s:b,s:{s:[s],s:o},s:{s:s}}", "allowPrivilegeEscalation",
			    !g->no_new_privs, "capabilities", "drop", "ALL", "add",
			    caps_json(g->caps & caps_bounding(), 4), "seccompProfile", "type",
			    g->seccomp_off ? "Unconfined" : "RuntimeDefault");
	pod_user(g, context);
	return context;
}

json_t *line_pod(const struct line_of *l)
{
	const struct grants *g = l->g;
	json_t *volumes = json_array(), *mounts = json_array(), *env = json_array(),
	       *cmd = json_array();

	for (size_t i = 0; i < g->n_mounts; i++) {
		const struct grant_mount *m = &g->mounts[i];
		_cleanup_free_ char *name = str_fmt("host-%zu", i);

		json_array_append_new(volumes, json_pack("{s:s,s:{s:o}}", "name", name ? name : "?",
							 "hostPath", "path", json_text(m->host)));
		json_array_append_new(mounts,
				      json_pack("{s:s,s:o,s:b,s:s}", "name", name ? name : "?",
						"mountPath", json_text(m->inside), "readOnly",
						m->ro, "mountPropagation",
						str_eq(m->propagation, "rshared") ? "Bidirectional"
						: m->propagation ? "HostToContainer"
								 : "None"));
	}
	for (size_t i = 0; i < l->env->n; i++) {
		size_t n = strcspn(l->env->v[i], "=");
		_cleanup_free_ char *name = strndup(l->env->v[i], n);

		json_array_append_new(env, json_pack("{s:o,s:o}", "name", json_text(name), "value",
						     json_text(l->env->v[i] + n + 1)));
	}
	for (int i = 0; i < l->argc; i++)
		json_array_append_new(cmd, json_text(l->argv[i]));
	return json_pack("{s:s,s:s,s:{s:o},s:{s:b,s:b,s:b,s:s,s:[{s:s,s:o,s:o,s:o,s:o,s:o}],s:o}}",
			 "apiVersion", "v1", "kind", "Pod", "metadata", "name", json_text(l->name),
			 "spec", "hostPID", (g->host_ns & CLONE_NEWPID) != 0, "hostNetwork",
			 (g->host_ns & CLONE_NEWNET) != 0, "hostIPC",
			 (g->host_ns & CLONE_NEWIPC) != 0, "restartPolicy", "Never", "containers",
			 "name", "host", "image", json_text(l->image), "command", cmd, "env", env,
			 "securityContext", pod_context(g), "volumeMounts", mounts, "volumes",
			 volumes);
}

/* --- */

void line_text(const struct strv *words, struct buf *out)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_./:=,@%+-";

	for (size_t i = 0; i < words->n; i++) {
		const char *word = words->v[i];

		buf_puts(out, i ? " " : "");
		if (*word && !word[strspn(word, plain)]) {
			buf_puts(out, word);
			continue;
		}
		buf_putc(out, '\'');
		for (; *word; word++)
			buf_add(out, *word == '\'' ? "'\\''" : word, *word == '\'' ? 4 : 1);
		buf_putc(out, '\'');
	}
}
