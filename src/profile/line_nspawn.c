/* systemd-nspawn lines, as systemd-nspawn(1) 257 spells them, and 44's --share-system. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "profile/grants.h"
#include "sys/caps.h"

static const struct line_opts opts = {
	.valued = "directory template image image-policy oci-bundle root-hash root-hash-sig "
		  "verity-data pivot-root chdir machine hostname uuid slice property register "
		  "private-users network-namespace-path network-interface network-macvlan "
		  "network-ipvlan network-veth-extra network-bridge network-zone port capability "
		  "drop-capability ambient-capability no-new-privileges system-call-filter rlimit "
		  "oom-score-adjust cpu-affinity personality selinux-context "
		  "selinux-apifs-context resolv-conf timezone link-journal bind bind-ro "
		  "inaccessible tmpfs overlay overlay-ro setenv user kill-signal notify-ready "
		  "private-users-ownership background console load-credential set-credential "
		  "bind-user bind-user-shell bind-user-group suppress-sync volatile settings",
	.flags = "quiet ephemeral read-only as-pid2 boot keep-unit private-users-chown "
		 "private-network network-veth pipe share-system help version no-pager "
		 "private-users-pick link-journal-try",
	.letters =
		"D=directory i=image x=ephemeral a=as-pid2 b=boot M=machine S=slice "
		"U=private-users-pick "
		"n=network-veth p=port Z=selinux-context L=selinux-apifs-context E=setenv u=user "
		"q=quiet P=pipe j=link-journal-try",
};

/* What it gives without being asked: systemd-nspawn(1), --capability=. */
static const char given[] = "audit_control audit_write chown dac_override dac_read_search fowner "
			    "fsetid ipc_owner kill lease linux_immutable mknod net_bind_service "
			    "net_broadcast net_raw setfcap setgid setpcap setuid sys_admin "
			    "sys_boot sys_chroot sys_nice sys_ptrace sys_resource sys_tty_config";

static int add_bind(struct grants *g, const char *value, bool ro)
{
	size_t n = strcspn(value, ":");
	const char *rest = value[n] ? value + n + 1 : NULL;
	_cleanup_free_ char *host = strndup(value + (*value == '+'), n - (*value == '+'));
	_cleanup_free_ char *inside = NULL;

	if (!host)
		return -ENOMEM;
	inside = rest && *rest ? strndup(rest, strcspn(rest, ":")) : strdup(host);
	/* it binds with everything below, and --bind-ro= covers that too */
	return inside ? grants_mount(g, *host ? host : "/", inside, ro, ro, "rslave") : -ENOMEM;
}

static int take(struct grants *g, const struct line_opt *o, struct err *e)
{
	if (str_eq(o->name, "bind") || str_eq(o->name, "bind-ro"))
		return add_bind(g, o->value, str_eq(o->name, "bind-ro"));
	if (str_eq(o->name, "capability") || str_eq(o->name, "drop-capability"))
		return grants_caps(g, o->value, *o->name == 'd', e);
	if (str_has_word("directory image", o->name))
		return grants_text(&g->image, o->value);
	if (str_eq(o->name, "user"))
		return grants_text(&g->user, o->value);
	if (str_eq(o->name, "setenv"))
		return strv_add(&g->env, o->value);
	if (str_eq(o->name, "port"))
		return strv_add(&g->ports, o->value);
	if (str_eq(o->name, "share-system"))
		g->host_ns |= CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
	else if (str_eq(o->name, "private-users-pick"))
		g->userns = true; /* -U */
	else if (str_eq(o->name, "private-users"))
		g->userns = !str_has_word("no false 0", o->value ? o->value : "");
	else if (str_eq(o->name, "no-new-privileges"))
		g->no_new_privs = str_has_word("yes true 1", o->value);
	else if (str_eq(o->name, "read-only"))
		g->read_only = true;
	else if (str_starts(o->name, "private-network") || str_starts(o->name, "network-"))
		g->host_ns &= ~(unsigned)CLONE_NEWNET;
	return 0;
}

int grants_nspawn(const struct strv *words, size_t at, struct grants *g, struct err *e)
{
	size_t letter = 0;
	struct line_opt o;
	bool known;
	int r = caps_parse(given, &g->caps, e);

	g->host_ns |= CLONE_NEWNET;
	while (r == 0 && (r = line_next(words, &opts, &at, &letter, &o, &known, e)) == 1)
		r = known ? take(g, &o, e) : strv_add(&g->unknown, o.name);
	for (; at < words->n && r == 0; at++)
		r = strv_add(&g->cmd, words->v[at]);
	g->privileged =
		r == 0 && g->caps == caps_all() && (g->host_ns & CLONE_NEWPID) != 0 && !g->userns;
	return r;
}
