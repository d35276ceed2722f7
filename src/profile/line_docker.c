/* docker run and podman run lines, as docker(1) 28 and podman-run(1) 5 spell their options. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profile/grants.h"
#include "sys/caps.h"

/* Before the verb. */
static const struct line_opts global_opts = {
	.valued = "config context host log-level tlscacert tlscert tlskey connection root runroot "
		  "runtime storage-driver cgroup-manager url module namespace address",
	.flags = "debug tls tlsverify version remote syslog",
	.letters = "H=host c=context l=log-level D=debug n=namespace a=address",
};

static const struct line_opts run_opts = {
	.valued =
		"add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop "
		"cgroup-parent cgroupns cidfile cpu-count cpu-percent cpu-period cpu-quota "
		"cpu-rt-period cpu-rt-runtime cpu-shares cpus cpuset-cpus cpuset-mems detach-keys "
		"device device-cgroup-rule device-read-bps device-read-iops device-write-bps "
		"device-write-iops dns dns-opt dns-option dns-search domainname entrypoint env "
		"env-file expose gpus group-add health-cmd health-interval health-retries "
		"health-start-interval health-start-period health-timeout hostname ip ip6 ipc "
		"isolation kernel-memory label label-file link link-local-ip log-driver log-opt "
		"mac-address memory memory-reservation memory-swap memory-swappiness mount name "
		"net "
		"net-alias network network-alias oom-score-adj pid pids-limit platform publish "
		"pull "
		"restart runtime security-opt shm-size stop-signal stop-timeout storage-opt sysctl "
		"tmpfs ulimit user userns uts volume volume-driver volumes-from workdir arch "
		"authfile cgroup-conf cgroups chrootdirs conmon-pidfile decryption-key env-merge "
		"gidmap group-entry hostuser image-volume init-ctr init-path os passwd-entry "
		"personality pidfile pod pod-id-file preserve-fds requires sdnotify seccomp-policy "
		"secret subgidname subuidname systemd timeout tz uidmap umask unsetenv variant "
		"health-on-failure",
	.flags = "detach disable-content-trust help init interactive no-healthcheck "
		 "oom-kill-disable privileged publish-all quiet read-only rm sig-proxy tty "
		 "env-host http-proxy no-hosts no-hostname passwd read-only-tmpfs replace rmi "
		 "rootfs tls-verify unsetenv-all",
	.letters = "a=attach c=cpu-shares d=detach e=env h=hostname i=interactive l=label "
		   "m=memory p=publish P=publish-all q=quiet t=tty u=user v=volume w=workdir",
};

static bool is_no(const char *value)
{
	return str_eq(value, "false") || str_eq(value, "0");
}

/* A part of "a:b:c", up to a colon that is not in ${...}; *p is moved behind it. NULL at the end.
 */
static char *part(const char **p)
{
	size_t n = 0, depth = 0;
	char *copy;

	if (!*p)
		return NULL;
	for (; (*p)[n] && ((*p)[n] != ':' || depth); n++) {
		depth += (*p)[n] == '{' || (*p)[n] == '(';
		depth -= depth && ((*p)[n] == '}' || (*p)[n] == ')');
	}
	copy = strndup(*p, n);
	*p = (*p)[n] ? *p + n + 1 : NULL;
	return copy;
}

/* An absolute path by its words alone, as docker(1) takes it: "/root/.." is "/". */
static char *cleaned(const char *path)
{
	_cleanup_strv_ struct strv parts = {};
	_cleanup_buf_ struct buf b = {};

	if (*path != '/')
		return strdup(path);
	if (strv_split(&parts, path, "/") < 0)
		return NULL;
	for (size_t i = 0; i < parts.n; i++) {
		char *last = b.len ? strrchr(b.data, '/') : NULL;

		if (str_eq(parts.v[i], "..") && last) {
			*last = '\0';
			b.len = (size_t)(last - b.data);
		} else if (!str_has_word(". ..", parts.v[i]) && *parts.v[i])
			buf_printf(&b, "/%s", parts.v[i]);
	}
	if (!b.len)
		buf_puts(&b, "/");
	return buf_take(&b);
}

static int add_path(struct grants *g, const char *host, const char *inside, bool ro, bool deep_ro,
		    const char *way)
{
	_cleanup_free_ char *path = cleaned(host);

	return path ? grants_mount(g, path, inside, ro, deep_ro, way) : -ENOMEM;
}

/* -v HOST:INSIDE[:OPTIONS]; one path alone is a volume of the engine's. */
static int add_volume(struct grants *g, const char *value)
{
	static const char *const ways[] = {"rslave", "rshared", "rprivate", "slave",
					   "shared", "private", NULL};
	const char *p = value, *way = NULL;
	_cleanup_free_ char *host = part(&p), *inside = part(&p), *opts = part(&p);
	_cleanup_strv_ struct strv o = {};

	if (!host || !*host || !inside)
		return 0;
	if (strv_split(&o, opts ? opts : "", ",") < 0)
		return -ENOMEM;
	for (size_t i = 0; ways[i]; i++)
		if (strv_has(&o, ways[i]))
			way = ways[i];
	return add_path(g, host, inside, strv_has(&o, "ro") || strv_has(&o, "readonly"),
			strv_has(&o, "rro"), way);
}

/* --mount type=bind,source=/,target=/host,readonly,bind-propagation=rslave */
static int add_mount(struct grants *g, const char *value)
{
	const char *host = NULL, *inside = NULL, *way = NULL, *type = "volume";
	_cleanup_strv_ struct strv o = {};
	bool ro = false, deep = false;

	if (strv_split(&o, value, ",") < 0)
		return -ENOMEM;
	for (size_t i = 0; i < o.n; i++) {
		char *eq = strchr(o.v[i], '='), *v = eq ? eq + 1 : NULL;

		if (eq)
			*eq = '\0';
		if (str_has_word("source src", o.v[i]))
			host = v;
		else if (str_has_word("target destination dst", o.v[i]))
			inside = v;
		else if (str_eq(o.v[i], "type") && v)
			type = v;
		else if (str_eq(o.v[i], "bind-propagation"))
			way = v;
		else if (str_has_word("readonly ro", o.v[i]))
			ro = !is_no(v);
		else if (str_eq(o.v[i], "bind-recursive"))
			deep = str_eq(v, "readonly");
	}
	if (!str_eq(type, "bind") || !host || !inside)
		return 0;
	return add_path(g, host, inside, ro, deep, way);
}

/* --volumes-from NAME[:ro]: whatever that one has. */
static int add_volumes_of(struct grants *g, const char *value)
{
	char *text = str_fmt("the volumes and host paths of %.*s", (int)strcspn(value, ":"), value);

	return strv_push(&g->joined, text);
}

static int add_namespace(struct grants *g, unsigned flag, const char *name, const char *value)
{
	_cleanup_free_ char *text = NULL;

	if (str_eq(value, "host")) {
		g->host_ns |= flag;
		return 0;
	}
	if (!str_starts(value, "container:") && !str_starts(value, "ns:"))
		return 0;
	text = str_fmt("%s of %s", name, value);
	return text ? strv_add(&g->joined, text) : -ENOMEM;
}

static void add_security(struct grants *g, const char *value)
{
	static const char *const seccomp[] = {"seccomp=unconfined", "seccomp:unconfined"};
	static const char *const lsm[] = {"apparmor=unconfined", "apparmor:unconfined",
					  "label=disable", "label:disable"};
	static const char *const masks[] = {"systempaths=unconfined", "unmask=ALL", "unmask=all"};

	for (size_t i = 0; i < ARRAY_LEN(seccomp); i++)
		g->seccomp_off |= str_eq(value, seccomp[i]);
	for (size_t i = 0; i < ARRAY_LEN(lsm); i++)
		g->lsm_off |= str_eq(value, lsm[i]);
	for (size_t i = 0; i < ARRAY_LEN(masks); i++)
		g->masks_off |= str_eq(value, masks[i]);
	if (str_starts(value, "no-new-privileges"))
		g->no_new_privs = !str_ends(value, "false");
}

static const struct {
	const char *name;
	unsigned flag;
} namespaces[] = {
	{"pid", CLONE_NEWPID}, {"net", CLONE_NEWNET},	      {"network", CLONE_NEWNET},
	{"ipc", CLONE_NEWIPC}, {"cgroupns", CLONE_NEWCGROUP}, {"uts", CLONE_NEWUTS},
};

static int take(struct grants *g, const struct line_opt *o, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(namespaces); i++)
		if (str_eq(o->name, namespaces[i].name))
			return add_namespace(g, namespaces[i].flag, o->name, o->value);
	if (str_eq(o->name, "volume"))
		return add_volume(g, o->value);
	if (str_eq(o->name, "mount"))
		return add_mount(g, o->value);
	if (str_eq(o->name, "cap-add") || str_eq(o->name, "cap-drop"))
		return grants_caps(g, o->value, o->name[4] == 'd', e);
	if (str_eq(o->name, "device"))
		return strv_add(&g->devices, o->value);
	if (str_eq(o->name, "publish"))
		return strv_add(&g->ports, o->value);
	if (str_eq(o->name, "env"))
		return strv_add(&g->env, o->value);
	if (str_eq(o->name, "privileged"))
		g->privileged = !is_no(o->value);
	else if (str_eq(o->name, "read-only"))
		g->read_only = !is_no(o->value);
	else if (str_eq(o->name, "security-opt"))
		add_security(g, o->value);
	else if (str_eq(o->name, "userns") || str_eq(o->name, "uidmap"))
		g->userns = !str_eq(o->value, "host");
	else if (str_eq(o->name, "device-cgroup-rule") || str_eq(o->name, "cgroup-parent"))
		g->whole_cgroup = true;
	else if (str_eq(o->name, "volumes-from"))
		return add_volumes_of(g, o->value);
	else if (str_eq(o->name, "user"))
		return grants_text(&g->user, o->value);
	else if (str_eq(o->name, "gpus"))
		return grants_text(&g->gpus, o->value);
	return 0;
}

/* Options up to the first word that is none. */
static int take_all(const struct strv *words, const struct line_opts *opts, size_t *at,
		    struct grants *g, struct err *e)
{
	size_t letter = 0;
	struct line_opt o;
	bool known;
	int r;

	while ((r = line_next(words, opts, at, &letter, &o, &known, e)) == 1) {
		if (opts == &global_opts)
			continue;
		g->unsure = !known && !o.value;
		r = known ? take(g, &o, e) : strv_add(&g->unknown, o.name);
		if (r < 0)
			return r;
	}
	return r;
}

static int refuse(const char *verb, struct err *e)
{
	err_say(e, EINVAL, "only run and create lines give a container something: this is '%s'",
		verb);
	if (str_has_word("compose kube play pod", verb))
		err_hint(e, "what it gives is written in its file: start it, and 'porthole inspect "
			    "NAME' says what a container has");
	return -EINVAL;
}

int grants_docker(const struct strv *words, size_t at, struct grants *g, struct err *e)
{
	int r = take_all(words, &global_opts, &at, g, e);

	if (r == 0 && at < words->n && str_eq(words->v[at], "container"))
		at++;
	if (r == 0 && (at >= words->n || !str_has_word("run create", words->v[at])))
		return refuse(at < words->n ? words->v[at] : words->v[at - 1], e);
	g->caps = g->tool == TOOL_PODMAN ? CAPS_PODMAN : CAPS_DOCKER;
	at++;
	if (r == 0)
		r = take_all(words, &run_opts, &at, g, e);
	if (r < 0)
		return r;
	if (at < words->n)
		g->image = strdup(words->v[at++]);
	for (; at < words->n && r == 0; at++)
		r = strv_add(&g->cmd, words->v[at]);
	if (g->privileged) {
		g->caps = caps_all();
		g->seccomp_off = g->lsm_off = g->masks_off = true;
	}
	return r;
}
