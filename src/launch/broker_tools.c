/* A command of the kit that works on the host's own files: a session of ours in the broker itself,
 * which is in all of the host's namespaces. */
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "launch/broker.h"
#include "session/plan.h"

/* What was asked for with -e goes on; the rest is as sessions have it. */
static int add_env(struct strv *to, const struct plan *p)
{
	static const char *const own[] = {
		"PATH=", "HOME=", "USER=", "LOGNAME=", "SHELL=", BROKER_MARK "="};
	int r = 0;

	for (size_t i = 0; i < p->env.n && r == 0; i++) {
		bool ours = false;

		for (size_t k = 0; k < ARRAY_LEN(own); k++)
			ours = ours || str_starts(p->env.v[i], own[k]);
		if (!ours)
			r = strv_add(to, "-e") ?: strv_add(to, p->env.v[i]);
	}
	return r;
}

static int words(struct strv *to, const struct plan *p, const char *self)
{
	char pid[16], user[32];
	int r;

	snprintf(pid, sizeof(pid), "%d", getppid());
	snprintf(user, sizeof(user), "%u:%u", p->who.uid, p->who.gid);
	r = strv_add(to, self) ?: strv_add(to, "exec") ?: strv_add(to, p->tty ? "-it" : "-i");
	if (r == 0 && p->who.uid)
		r = strv_add(to, "-u") ?: strv_add(to, user);
	if (r == 0)
		r = strv_add(to, "-w") ?: strv_add(to, p->cwd);
	if (r == 0)
		r = add_env(to, p);
	if (r == 0)
		r = strv_add(to, "--force") ?: strv_add(to, pid) ?: strv_add_all(to, &p->argv);
	return r;
}

int broker_tools(struct plan *p, bool owner, struct err *e)
{
	_cleanup_strv_ struct strv argv = {};
	char self[PATH_MAX];
	ssize_t n = link_read_at(-EBADF, "/proc/self/exe", self, sizeof(self));

	if (!owner)
		return err_say(e, EPERM, "--with-tools needs root in the container");
	/* ours by another name where its file is gone */
	if (words(&argv, p, n > 0 && access(self, X_OK) == 0 ? self : "/proc/self/exe") < 0)
		return err_set(e, ENOMEM, "starting the command");
	strv_done(&p->argv);
	p->argv = argv;
	argv = (struct strv){};
	p->who.uid = geteuid();
	p->who.gid = getegid();
	p->who.ngroups = 0;
	return 0;
}
