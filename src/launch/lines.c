#include "launch/lines.h"

#include <errno.h>
#include <sched.h>

#include "sys/caps.h"

static int addf(struct strv *out, const char *option, const char *value)
{
	return strv_push(out, str_fmt("%s=%s", option, value));
}

static bool is_privileged(const struct grants *g)
{
	return g->privileged && g->caps == caps_all() && caps_bounding() == caps_all();
}

/* SYS_ADMIN: as all of them take it. */
static void cap_word(unsigned c, char name[CAPS_NAME_MAX])
{
	caps_name(c, name);
	for (char *s = name; *s; s++)
		*s = *s >= 'a' && *s <= 'z' ? (char)(*s - 'a' + 'A') : *s;
}

/* Each of the mask by the name that all tools take. */
static int add_caps(struct strv *out, const char *option, uint64_t mask)
{
	int r = 0;

	for (unsigned c = 0; c < 64 && r == 0; c++) {
		char name[CAPS_NAME_MAX];

		if (!(mask & CAPS_BIT(c)))
			continue;
		cap_word(c, name);
		r = addf(out, option, name);
	}
	return r;
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
	return r;
}

static int add_rights(const struct grants *g, bool podman, struct strv *out)
{
	int r = 0;

	if (is_privileged(g))
		return strv_add(out, "--privileged");
	r = addf(out, "--cap-drop", "ALL");
	r = r ?: add_caps(out, "--cap-add", g->caps & caps_bounding());
	if (g->seccomp_off)
		r = r ?: addf(out, "--security-opt", "seccomp=unconfined");
	if (g->masks_off)
		r = r
			    ?: addf(out, "--security-opt",
				    podman ? "unmask=ALL" : "systempaths=unconfined");
	return r;
}

static int add_volumes(const struct grants *g, struct strv *out)
{
	int r = 0;

	for (size_t i = 0; i < g->n_mounts && r == 0; i++) {
		const struct grant_mount *m = &g->mounts[i];

		r = strv_push(out, str_fmt("--volume=%s:%s%s%s%s", m->host, m->inside,
					   m->ro || m->propagation ? ":" : "",
					   m->ro ? m->propagation ? "ro," : "ro" : "",
					   m->propagation ? m->propagation : ""));
	}
	for (size_t i = 0; i < g->masks.n && r == 0; i++)
		r = addf(out, "--tmpfs", g->masks.v[i]);
	return r;
}

static int engine_words(const struct line_of *l, bool podman, struct strv *out)
{
	const struct grants *g = l->g;
	int r = strv_add(out, podman ? "podman" : "docker");

	r = r ?: strv_add(out, "run") ?: strv_add(out, "--rm") ?: addf(out, "--name", l->name);
	r = r ?: add_spaces(g, out) ?: add_rights(g, podman, out);
	if (g->no_new_privs)
		r = r ?: addf(out, "--security-opt", "no-new-privileges");
	if (g->user)
		r = r ?: addf(out, "--user", g->user);
	r = r ?: add_volumes(g, out);
	for (size_t i = 0; i < l->env->n && r == 0; i++)
		r = addf(out, "--env", l->env->v[i]);
	return r ?: strv_add(out, l->image) ?: add_command(l, out);
}

/* --- systemd-nspawn --- */

static int nspawn_words(const struct line_of *l, struct strv *out)
{
	const unsigned system = CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
	const struct grants *g = l->g;
	_cleanup_free_ char *caps = caps_list(g->caps & caps_bounding());
	int r = 0;

	if ((g->host_ns & system) == system) /* all three, or none */
		r = strv_add(out, "SYSTEMD_NSPAWN_SHARE_SYSTEM=1");
	r = r ?: strv_add(out, "systemd-nspawn") ?: addf(out, "--directory", l->image);
	r = r ?: addf(out, "--machine", l->name);
	if (!(g->host_ns & CLONE_NEWNET))
		r = r ?: strv_add(out, "--private-network");
	if (g->caps == caps_all())
		r = r ?: addf(out, "--capability", "all");
	else
		r = r	       ?: addf(out, "--drop-capability", "all")
			?: *caps ? add_caps(out, "--capability", g->caps & caps_bounding())
				 : 0;
	for (size_t i = 0; i < g->n_mounts && r == 0; i++)
		r = strv_push(out, str_fmt("--bind%s=%s:%s", g->mounts[i].ro ? "-ro" : "",
					   g->mounts[i].host, g->mounts[i].inside));
	for (size_t i = 0; i < l->env->n && r == 0; i++)
		r = addf(out, "--setenv", l->env->v[i]);
	return r ?: add_command(l, out);
}

int line_words(const struct line_of *l, enum grant_tool tool, struct strv *out)
{
	return tool == TOOL_NSPAWN ? nspawn_words(l, out)
				   : engine_words(l, tool == TOOL_PODMAN, out);
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
	json_t *add = json_array(), *context;

	if (is_privileged(g)) {
		json_decref(add);
		context = json_pack("{s:b}", "privileged", 1);
		pod_user(g, context);
		return context;
	}
	for (unsigned c = 0; c < 64; c++) {
		char name[CAPS_NAME_MAX];

		if (!(g->caps & caps_bounding() & CAPS_BIT(c)))
			continue;
		cap_word(c, name);
		json_array_append_new(add, json_string(name));
	}
	context = json_pack("{s:b,s:{s:[s],s:o},s:{s:s}}", "allowPrivilegeEscalation",
			    !g->no_new_privs, "capabilities", "drop", "ALL", "add", add,
			    "seccompProfile", "type",
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
