/* bwrap lines, as bwrap(1) 0.11 spells them: each option has a fixed number of words. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "profile/grants.h"
#include "sys/caps.h"

static const struct {
	const char *name;
	int words;
	unsigned unshare; /* namespaces of its own from here on */
} options[] = {
	{"unshare-all", 0,
	 CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
		 CLONE_NEWCGROUP},
	{"unshare-user", 0, CLONE_NEWUSER},
	{"unshare-user-try", 0, CLONE_NEWUSER},
	{"unshare-pid", 0, CLONE_NEWPID},
	{"unshare-net", 0, CLONE_NEWNET},
	{"unshare-ipc", 0, CLONE_NEWIPC},
	{"unshare-uts", 0, CLONE_NEWUTS},
	{"unshare-cgroup", 0, CLONE_NEWCGROUP},
	{"unshare-cgroup-try", 0, CLONE_NEWCGROUP},
	{"share-net", 0, 0},
	{"as-pid-1", 0, 0},
	{"die-with-parent", 0, 0},
	{"new-session", 0, 0},
	{"clearenv", 0, 0},
	{"disable-userns", 0, 0},
	{"assert-userns-disabled", 0, 0},
	{"bind", 2, 0},
	{"bind-try", 2, 0},
	{"bind-fd", 2, 0},
	{"dev-bind", 2, 0},
	{"dev-bind-try", 2, 0},
	{"ro-bind", 2, 0},
	{"ro-bind-try", 2, 0},
	{"ro-bind-fd", 2, 0},
	{"symlink", 2, 0},
	{"file", 2, 0},
	{"bind-data", 2, 0},
	{"ro-bind-data", 2, 0},
	{"setenv", 2, 0},
	{"chmod", 2, 0},
	{"overlay", 3, 0},
};

struct option {
	const char *name;
	char **arg;
};

static int take_bind(struct grants *g, const struct option *o)
{
	bool ro = str_starts(o->name, "ro-");

	/* always with everything below, private, and --ro-bind covers that too */
	return grants_mount(g, o->arg[0], o->arg[1], ro, ro, NULL);
}

static int take(struct grants *g, const struct option *o, struct err *e)
{
	_cleanup_free_ char *env = NULL;

	if (str_eq(o->name, "share-net"))
		g->host_ns |= CLONE_NEWNET;
	if (strstr(o->name, "bind") && !strstr(o->name, "fd") && !strstr(o->name, "data"))
		return take_bind(g, o);
	if (str_eq(o->name, "cap-add") || str_eq(o->name, "cap-drop"))
		return grants_caps(g, o->arg[0], o->name[4] == 'd', e);
	if (str_eq(o->name, "setenv")) {
		env = str_fmt("%s=%s", o->arg[0], o->arg[1]);
		return env ? strv_add(&g->env, env) : -ENOMEM;
	}
	if (str_eq(o->name, "seccomp"))
		g->seccomp_off = false;
	return 0;
}

static int words_of(const char *name, unsigned *unshare)
{
	*unshare = 0;
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (str_eq(name, options[i].name)) {
			*unshare = options[i].unshare;
			return options[i].words;
		}
	return 1; /* all others have one value */
}

int grants_bwrap(const struct strv *words, size_t at, struct grants *g, struct err *e)
{
	int r = 0;

	g->host_ns = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
	g->caps = caps_all(); /* started by root; others have none outside */
	g->seccomp_off = g->masks_off = true;
	g->no_new_privs = true;
	while (r == 0 && at < words->n && str_starts(words->v[at], "--") && words->v[at][2]) {
		struct option o = {.name = words->v[at] + 2, .arg = &words->v[at + 1]};
		unsigned unshare;
		int n = words_of(o.name, &unshare);

		if (at + (size_t)n >= words->n)
			return err_say(e, EINVAL, "the line ends where --%s should have %d word%s",
				       o.name, n, n == 1 ? "" : "s");
		at += 1 + (size_t)n;
		g->host_ns &= ~unshare;
		g->userns |= (unshare & CLONE_NEWUSER) != 0;
		r = take(g, &o, e);
	}
	at += r == 0 && at < words->n && str_eq(words->v[at], "--");
	for (; at < words->n && r == 0; at++)
		r = strv_add(&g->cmd, words->v[at]);
	return r;
}
