/* porthole doctor: where we are, and which verbs work here. */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/cli.h"
#include "facts/here.h"
#include "kit/contents.h"
#include "launch/broker.h"
#include "out/json_print.h"
#include "out/table.h"
#include "sys/caps.h"
#include "sys/lsm.h"

struct doctor_opts {
	bool json;
};

enum { LABEL = 14 };

/* What a verb can need of the place it is run in. */
enum need {
	NEED_PIDS = 1 << 0,    /* the host's processes in /proc */
	NEED_ADMIN = 1 << 1,   /* CAP_SYS_ADMIN */
	NEED_PTRACE = 1 << 2,  /* CAP_SYS_PTRACE */
	NEED_USERNS = 1 << 3,  /* the host's user namespace */
	NEED_STORAGE = 1 << 4, /* the engines' own directories */
	NEED_LSM = 1 << 5,     /* no profile of AppArmor's that forbids mounts */
	NEED_PIVOT = 1 << 6,   /* no seccomp filter that forbids pivot_root(2) */
	NEED_KIT = 1 << 7,     /* a kit that is whole */
	NEED_WAY = 1 << 8,     /* a way to a host, which only a container can have */
	NEED_CHROOT = 1 << 9,  /* CAP_SYS_CHROOT, to join a mount namespace */
	NEED_SETUID = 1 << 10, /* CAP_SETUID and CAP_SETGID, to become who the target is */
	NEED_SETGID = 1 << 11,
	NEED_MOUNTED = 1 << 12, /* as NEED_STORAGE, where the host's processes are seen */
	NEED_SIGHT = 1 << 13,	/* as NEED_STORAGE, where something is called as the host's / */
	NEED_ITSELF = 1 << 14,	/* a / that is the host's */
	NEED_ROOT = 1 << 15,	/* with any of NEED_CAPS, in a container: a user has none of them */
	NEED_FILES = NEED_STORAGE | NEED_MOUNTED | NEED_SIGHT,
	NEED_CAPS = NEED_ADMIN | NEED_PTRACE | NEED_CHROOT | NEED_SETUID | NEED_SETGID,
	NEED_ENTER = NEED_PIDS | NEED_ADMIN | NEED_PTRACE | NEED_USERNS | NEED_LSM | NEED_CHROOT |
		     NEED_SETUID | NEED_SETGID,
};

static const struct {
	const char *what;
	unsigned needs;
} verbs[] = {
	{"ps", NEED_PIDS | NEED_PTRACE},
	{"inspect", NEED_PIDS | NEED_PTRACE},
	{"busy", NEED_PIDS | NEED_PTRACE},
	{"ls, cat, find, cp, edit, of what runs", NEED_PIDS | NEED_PTRACE},
	{"diff, of what runs", NEED_PIDS | NEED_PTRACE | NEED_FILES},
	{"tap", NEED_PIDS | NEED_PTRACE},
	{"forward", NEED_PIDS | NEED_PTRACE | NEED_ADMIN | NEED_USERNS},
	{"inject, eject", NEED_PIDS | NEED_PTRACE | NEED_ADMIN | NEED_USERNS | NEED_LSM},
	{"exec, of what runs", NEED_ENTER},
	{"exec, of what is stopped; image://",
	 NEED_ADMIN | NEED_USERNS | NEED_FILES | NEED_LSM | NEED_PIVOT},
	{"exec, of FILE.tar and DIR/", NEED_ADMIN | NEED_USERNS | NEED_LSM | NEED_PIVOT},
	{"sidekick", NEED_ENTER | NEED_PIVOT | NEED_KIT},
	{"host run, of the host itself",
	 NEED_PIDS | NEED_ADMIN | NEED_USERNS | NEED_LSM | NEED_PIVOT | NEED_KIT | NEED_ITSELF},
	{"host exec, shim", NEED_WAY},
	{"catch", NEED_ENTER},
	{"mount, unmount", NEED_ENTER},
	{"entrypoint, of what runs", NEED_PIDS | NEED_PTRACE},
	{"entrypoint, of what is stopped", NEED_FILES | NEED_ADMIN},
	{"explain, profile, kit list", 0},
};

#define CAP_ROW(NEED, NAME)                                                                        \
	{                                                                                          \
		NEED, "CAP_" NAME, "--cap-add " NAME, "--cap-add " NAME,                           \
			"capabilities: {add: [" NAME "]}", "--capability=CAP_" NAME, "sudo"        \
	}

/* How one asks for what is missing, in each engine's words. */
static const struct {
	enum need need;
	const char *missing, *docker, *porthole, *kubernetes, *nspawn, *host;
} remedies[] = {
	{NEED_PIDS, "the host's processes", "--pid host", "--ns +pid", "hostPID: true",
	 "SYSTEMD_NSPAWN_SHARE_SYSTEM=1", "run it outside of this pid namespace"},
	{NEED_ROOT, "root", "--user 0", "--user 0", "securityContext: {runAsUser: 0}",
	 "--user=root", "sudo"},
	CAP_ROW(NEED_ADMIN, "SYS_ADMIN"),
	CAP_ROW(NEED_PTRACE, "SYS_PTRACE"),
	CAP_ROW(NEED_CHROOT, "SYS_CHROOT"),
	CAP_ROW(NEED_SETUID, "SETUID"),
	CAP_ROW(NEED_SETGID, "SETGID"),
	{NEED_USERNS, "the host's user namespace", "--userns host, with a rootful engine", "",
	 "hostUsers: true", "--private-users=no", "run it as root of the host"},
	{NEED_STORAGE, "the engines' storage", "-v /var/lib:/var/lib -v /run:/run",
	 "-v /var/lib:/var/lib -v /run:/run", "hostPath volumes of /var/lib and /run",
	 "--bind=/var/lib --bind=/run", ""},
	{NEED_MOUNTED, "the engines' storage", "-v /:/host", "-v /:/host",
	 "a hostPath volume of / at /host", "--bind=/:/host", ""},
	{NEED_SIGHT, "a /host that is known to be the host's", "--pid host", "--ns +pid",
	 "hostPID: true", "SYSTEMD_NSPAWN_SHARE_SYSTEM=1", ""},
	{NEED_ITSELF, "to be run on the host: here, /host would be this container's own /", "", "",
	 "", "", ""},
	{NEED_LSM, "mounts, which AppArmor forbids", "--security-opt apparmor=unconfined", "",
	 "appArmorProfile: {type: Unconfined}", "", ""},
	{NEED_PIVOT, "pivot_root(2), which a seccomp filter forbids",
	 "--security-opt seccomp=unconfined", "", "seccompProfile: {type: Unconfined}",
	 "--system-call-filter=pivot_root", ""},
	{NEED_KIT, "a kit (without one: --image)", "", "", "", "", ""},
	{NEED_WAY, "a launcher: 'host run' on the host, profile admin", "", "", "", "", ""},
};

/* The capabilities of them. */
static const struct {
	enum need need;
	unsigned cap;
} caps_needed[] = {
	{NEED_ADMIN, CAP_SYS_ADMIN}, {NEED_PTRACE, CAP_SYS_PTRACE}, {NEED_CHROOT, CAP_SYS_CHROOT},
	{NEED_SETUID, CAP_SETUID},   {NEED_SETGID, CAP_SETGID},
};

/* The kit that is used when none is named. */
struct kit_state {
	struct kit kit;
	json_t *manifest;
	struct err why; /* that it is not usable, or none */
};

static void kit_state_done(struct kit_state *k)
{
	kit_done(&k->kit);
	json_decref(k->manifest);
}

static void kit_look(struct kit_state *k)
{
	int r = kit_find(NULL, &k->kit, &k->why)	     ?:
		kit_verify(&k->kit, false, &k->why) ?:
		kit_manifest(&k->kit, &k->manifest, &k->why);

	if (r == 0)
		k->why = (struct err){}; /* what was got over */
}

static const char *kit_version(const struct kit_state *k)
{
	return json_string_value(json_object_get(k->manifest, "porthole")) ?: "";
}

/* Docker's filter forbids it with every capability. Where there is the right to, the empty path
 * alone is refused; elsewhere what these engines do by themselves is taken. */
static bool pivot_denied(const struct here *h)
{
	if (h->cred.seccomp != 2)
		return false;
	if (h->cred.cap_eff & CAPS_BIT(CAP_SYS_ADMIN))
		return syscall(SYS_pivot_root, "", "") < 0 && errno == EPERM;
	return str_eq(h->engine, "docker") || str_eq(h->engine, "kubernetes");
}

static unsigned missing_here(const struct here *h, const struct kit_state *k)
{
	bool confined = h->label[0] && !str_starts(h->label, "unconfined") &&
			str_ends(h->label, "(enforce)");

	/* once it is root, it has what the container is started with */
	bool user = h->engine && h->cred.euid && !h->cred.cap_eff;
	uint64_t has = user ? h->cred.cap_bnd : h->cred.cap_eff;
	unsigned caps = user ? NEED_ROOT : 0;

	for (size_t i = 0; i < ARRAY_LEN(caps_needed); i++)
		if (!(has & CAPS_BIT(caps_needed[i].cap)))
			caps |= caps_needed[i].need;
	return caps | (h->proc_is_hosts ? 0 : NEED_PIDS) |
	       (here_ns(h, CLONE_NEWUSER) == NS_HOST ? 0 : NEED_USERNS) |
	       (h->storage	   ? 0
		: h->proc_is_hosts ? NEED_MOUNTED
		: h->host_root	   ? NEED_SIGHT
				   : NEED_STORAGE) |
	       (here_has_own_root(h) ? NEED_ITSELF : 0) | (confined ? NEED_LSM : 0) |
	       (pivot_denied(h) ? NEED_PIVOT : 0) | (k->why.num ? NEED_KIT : 0) |
	       (access(BROKER_SOCKET, F_OK) < 0 ? NEED_WAY : 0);
}

/* Of these, what the verb lacks. */
static unsigned missing_of(size_t verb, unsigned here)
{
	unsigned needs = verbs[verb].needs;

	return here & (needs | (needs & NEED_CAPS ? NEED_ROOT : 0));
}

static const char *remedy(const struct here *h, size_t i)
{
	if (!h->engine)
		return remedies[i].host;
	if (str_eq(h->engine, "kubernetes"))
		return remedies[i].kubernetes;
	if (str_eq(h->engine, "porthole"))
		return remedies[i].porthole;
	return str_eq(h->engine, "systemd-nspawn") ? remedies[i].nspawn : remedies[i].docker;
}

/* "the host's processes, CAP_SYS_ADMIN" and "--pid host --cap-add SYS_ADMIN" of what is missing. */
static void words_of(const struct here *h, unsigned missing, struct buf *what, struct buf *add)
{
	if (missing && !h->engine && h->cred.euid) {
		buf_puts(what, "root; your own rootless containers need none");
		buf_puts(add, "sudo");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(remedies); i++) {
		const char *text = remedy(h, i);

		if (!(missing & remedies[i].need))
			continue;
		buf_printf(what, "%s%s", what->len ? ", " : "", remedies[i].missing);
		if (*text && !(add->data && strstr(add->data, text)))
			buf_printf(add, "%s%s", add->len ? " " : "", text);
	}
}

/* On the host itself nobody asks for a way to it. */
static bool is_asked(const struct here *h, size_t i)
{
	return h->engine || !(verbs[i].needs & NEED_WAY);
}

/* --- for a person --- */

static void list_ns(const struct here *h, enum ns_kind kind, struct buf *b)
{
	for (size_t i = 0; i < NS_COUNT; i++)
		if (h->ns[i] == kind)
			buf_printf(b, "%s%s", b->len ? ", " : "", ns_types[i].name);
}

static int line(const struct out_style *style, const char *label, const char *text)
{
	return out_labelled(stdout, style, LABEL, 0, label, text);
}

static int print_unread(const struct out_style *style, const char *names)
{
	_cleanup_free_ char *text =
		str_fmt("%s (before Linux 6.18 only the host's processes would tell)", names ?: "");

	return text ? line(style, "not known", names ? text : "") : -ENOMEM;
}

static int print_files(const struct out_style *style, const struct here *h)
{
	_cleanup_free_ char *text =
		h->host_root && h->host_known ? strdup(h->host_root)
		: h->host_root ? str_fmt("%s, by its name alone: the host's processes, which are "
					 "not seen, could tell",
					 h->host_root)
		: h->host_reached
			? strdup("by way of the host's processes; -v /:/host would show them all")
			: strdup("not seen (-v /:/host would show them)");

	return text ? line(style, "host's files", text) : -ENOMEM;
}

static int print_place(const struct out_style *style, const struct here *h)
{
	_cleanup_buf_ struct buf own = {}, hosts = {}, unread = {}, rights = {};
	_cleanup_free_ char *place = NULL, *caps = caps_words(h->cred.cap_eff, caps_all());

	if (!h->engine)
		place = strdup("on the host itself");
	else if (str_eq(h->engine, "a container"))
		place = str_fmt("in a container of an engine that left no mark");
	else
		place = str_fmt("in a container of %s (%s)", h->engine, h->mark);
	list_ns(h, NS_OWN, &own);
	list_ns(h, NS_HOST, &hosts);
	list_ns(h, NS_UNREAD, &unread);
	buf_printf(&rights, "%s, capabilities: %s%s%s%s", h->cred.euid ? "not root" : "root",
		   caps ? caps : "?", h->cred.no_new_privs ? ", no new privileges" : "",
		   h->cred.seccomp == 2 ? ", a seccomp filter" : "",
		   h->label[0] && !str_starts(h->label, "unconfined") ? ", confined as " : "");
	if (h->label[0] && !str_starts(h->label, "unconfined"))
		buf_puts(&rights, h->label);
	if (!place || rights.oom)
		return -ENOMEM;
	if (line(style, "where", place) < 0 || line(style, "own", own.data ? own.data : "") < 0 ||
	    line(style, "the host's", hosts.data ? hosts.data : "nothing") < 0 ||
	    print_unread(style, unread.data) < 0 || line(style, "rights", rights.data) < 0 ||
	    line(style, "kernel", h->kernel) < 0 || line(style, "confinement", lsm_active()) < 0)
		return -ENOMEM;
	if (h->root_is_hosts)
		return 0;
	return print_files(style, h);
}

static int print_kit(const struct out_style *style, const struct kit_state *k)
{
	const char *version = kit_version(k);
	_cleanup_free_ char *text = NULL;

	if (k->why.num)
		text = str_fmt("%s%s%s", k->why.msg, k->why.hint[0] ? "; " : "", k->why.hint);
	else if (str_eq(version, PORTHOLE_VERSION))
		text = str_fmt("%s, whole, of this version", k->kit.path);
	else
		text = str_fmt("%s, whole, of Porthole %s; this is " PORTHOLE_VERSION, k->kit.path,
			       *version ? version : "of no version");
	return text ? line(style, "kit", text) : -ENOMEM;
}

static const struct column columns[] = {
	{.name = "VERB"},
	{.name = "WORKS"},
	{.name = "WHAT IS MISSING", .flags = COL_HIDE | COL_SHRINK, .min = 20},
};

static int print_verbs(const struct out_style *style, const struct here *h, unsigned here,
		       struct err *e)
{
	_cleanup_table_ struct table t = TABLE_INIT(columns);
	_cleanup_buf_ struct buf all_what = {}, all_add = {};
	unsigned any = 0;

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		_cleanup_buf_ struct buf what = {}, add = {};
		unsigned missing = missing_of(i, here);

		if (!is_asked(h, i))
			continue;
		words_of(h, missing, &what, &add);
		table_add(&t, OUT_PLAIN, verbs[i].what);
		table_add(&t, missing ? OUT_RED : OUT_GREEN, missing ? "no" : "yes");
		table_add(&t, OUT_PLAIN, what.data);
		any |= missing;
	}
	putchar('\n');
	if (table_print(stdout, &t, style, e) < 0)
		return -ENOMEM;
	words_of(h, any, &all_what, &all_add);
	if (any && all_add.len)
		printf("\nFor all of them%s, add: %s\n",
		       h->engine ? ", when this container is started" : "", all_add.data);
	return 0;
}

/* --- for programs --- */

static json_t *verbs_json(const struct here *h, unsigned here)
{
	json_t *all = json_array();

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		_cleanup_buf_ struct buf what = {}, add = {};
		unsigned missing = missing_of(i, here);

		if (!is_asked(h, i))
			continue;
		words_of(h, missing, &what, &add);
		json_array_append_new(all,
				      json_pack("{s:s,s:b,s:o,s:o}", "verb", verbs[i].what, "works",
						!missing, "missing", json_text(what.data), "add",
						json_text(add.data)));
	}
	return all;
}

static json_t *kit_json(const struct kit_state *k)
{
	return json_pack("{s:o,s:o,s:o}", "path", json_text(k->kit.path), "version",
			 json_text(k->manifest ? kit_version(k) : NULL), "problem",
			 json_text(k->why.num ? k->why.msg : NULL));
}

static int print_json(const struct out_style *style, const struct here *h,
		      const struct kit_state *k, struct err *e)
{
	static const char *const kinds[] = {[NS_ABSENT] = "absent",
					    [NS_UNREAD] = "unknown",
					    [NS_HOST] = "host",
					    [NS_OWN] = "own"};
	_cleanup_free_ char *caps = caps_list(h->cred.cap_eff);
	_cleanup_json_ json_t *j = NULL;
	json_t *ns = json_object();

	for (size_t i = 0; i < NS_COUNT; i++)
		json_object_set_new(ns, ns_types[i].name, json_string(kinds[h->ns[i]]));
	j = json_pack("{s:o,s:o,s:o,s:i,s:o,s:o,s:s,s:s,s:o,s:b,s:b,s:o,s:o}", "engine",
		      json_text(h->engine), "mark", json_text(h->mark), "namespaces", ns, "uid",
		      (int)h->cred.euid, "capabilities", json_text(caps), "label",
		      json_text(h->label), "kernel", h->kernel, "confinement", lsm_active(),
		      "host_root", json_text(h->root_is_hosts ? "/" : h->host_root),
		      "cgroups_writable", h->cgroups_writable, "btf", h->btf, "kit", kit_json(k),
		      "verbs", verbs_json(h, missing_here(h, k)));
	return out_json(stdout, j, style, e);
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	struct out_style style = out_style_of(STDOUT_FILENO, ctx->color);
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	_cleanup_here_ struct here h = {};
	_cleanup_(kit_state_done) struct kit_state kit = {.kit = KIT_INIT};
	int r = target_roots_open(&roots, e);

	(void)opts;
	(void)argc;
	(void)argv;
	if (r == 0)
		r = here_read(&roots, &h, e);
	if (r < 0)
		return r;
	kit_look(&kit);
	if (ctx->json)
		return print_json(&style, &h, &kit, e);
	if (print_place(&style, &h) < 0 || print_kit(&style, &kit) < 0)
		return err_set(e, ENOMEM, "printing where we are");
	return print_verbs(&style, &h, missing_here(&h, &kit), e);
}

static const struct opt options[] = {
	{OPT_FLAG, offsetof(struct doctor_opts, json), 0, "json", NULL, "print JSON", NULL},
	{},
};

const struct verb verb_doctor = {
	.name = "doctor",
	.args = "",
	.summary = "Say where this runs and which verbs work here",
	.details =
		"On a host or inside a container: which engine's container it is, which namespaces "
		"are the real\n"
		"host's and which are its own, what rights there are, and for each verb whether it "
		"will work, what\n"
		"is missing, and what to add when the container is started. Nothing is changed or "
		"tried out.",
	.examples = "  porthole doctor\n"
		    "  docker run --rm -v $(which porthole):/p:ro debian /p doctor\n"
		    "  porthole doctor --json | jq '.verbs[] | select(.works | not)'\n",
	.opts = options,
	.opts_size = sizeof(struct doctor_opts),
	.max_args = 0,
	.run = run,
};
