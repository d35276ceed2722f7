#include "session/confined.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "session/plan.h"
#include "sys/caps.h"
#include "sys/cred.h"
#include "sys/userns.h"

void confined_done(struct confined *c)
{
	for (size_t i = 0; i < c->n_devices; i++)
		cleanup_close(&c->devices[i].fd);
	free(c->devices);
	seccomp_filter_done(&c->filter);
	strv_done(&c->left);
	*c = (struct confined){};
}

static bool may_exceed(void)
{
	_cleanup_close_ int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct cred c;

	return self >= 0 && cred_read(self, &c) == 0 && c.cap_eff & CAPS_BIT(CAP_SYS_RESOURCE) &&
	       userns_is_first();
}

/* ---- resource limits ---- */

static const char *rlimit_name(int resource)
{
	static const char *const names[RLIM_NLIMITS] = {
		"cpu",	   "fsize", "data",  "stack",	   "core",     "rss",  "nproc",	 "nofile",
		"memlock", "as",    "locks", "sigpending", "msgqueue", "nice", "rtprio", "rttime"};

	return names[resource];
}

/* The most that nofile can be, whoever asks: fs.nr_open. */
static uint64_t nr_open(void)
{
	char text[32];
	uint64_t n;

	if (file_read_small_at(AT_FDCWD, "/proc/sys/fs/nr_open", text, sizeof(text)) <= 0)
		return UINT64_MAX;
	text[strcspn(text, "\n")] = '\0';
	return str_to_u64(text, 0, UINT64_MAX, &n) == 0 ? n : UINT64_MAX;
}

static int take_rlimits(const struct confine *c, bool mighty, struct confined *out)
{
	for (size_t i = 0; i < c->n_rlimits && out->n_rlimits < ARRAY_LEN(out->rlimits); i++) {
		struct confine_rlimit want = c->rlimits[i], *l = &out->rlimits[out->n_rlimits];
		struct rlimit ours;
		uint64_t most = UINT64_MAX;

		if (getrlimit((__rlimit_resource_t)want.resource, &ours) < 0)
			continue;
		if (!mighty)
			most = ours.rlim_max;
		if (want.resource == RLIMIT_NOFILE && nr_open() < most)
			most = nr_open();
		*l = want;
		l->hard = want.hard > most ? most : want.hard;
		l->soft = want.soft > l->hard ? l->hard : want.soft;
		out->n_rlimits++;
		if (l->hard < want.hard &&
		    strv_push(&out->left,
			      str_fmt("its ulimit %s (%llu is the most that we may give)",
				      rlimit_name(want.resource), (unsigned long long)most)) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* ---- OOM score ---- */

static int our_oom_score(void)
{
	char text[16];

	if (file_read_small_at(AT_FDCWD, "/proc/self/oom_score_adj", text, sizeof(text)) <= 0)
		return 0;
	return atoi(text);
}

static int take_oom(const struct confine *c, bool mighty, struct confined *out)
{
	int ours = our_oom_score();

	if (!c->oom_known || c->oom_score_adj == ours)
		return 0;
	out->oom = mighty || c->oom_score_adj > ours;
	out->oom_score_adj = c->oom_score_adj;
	return out->oom
		       ? 0
		       : strv_push(&out->left,
				   str_fmt("its OOM score %d (ours of %d cannot be lowered without "
					   "CAP_SYS_RESOURCE)",
					   c->oom_score_adj, ours));
}

/* ---- devices ---- */

/* Those that start with nothing whenever they are opened, so that nothing stays of what is done. */
static bool is_harmless(dev_t d, bool block)
{
	static const struct {
		unsigned major, minor;
	} all[] = {
		{10, 200}, /* net/tun: in the opener's own network */
		{10, 229}, /* fuse */
		{10, 232}, /* kvm */
		{1, 3},	   {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(all) && !block; i++)
		if (all[i].major == major(d) && all[i].minor == minor(d))
			return true;
	return false;
}

static bool is_device(const struct stat *st)
{
	return S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);
}

/* The host's node: by the path that was given, or, where it was told by its numbers, at the same
 * path or where udev(7) has them all. O_PATH, or -errno. */
static int find_node(const struct confine_device *d, struct stat *st)
{
	_cleanup_free_ char *numbers =
		str_fmt("/dev/%s/%u:%u", d->block ? "block" : "char", d->major, d->minor);
	const char *const at[] = {d->source ? d->source : d->dest, d->source ? NULL : numbers};

	for (size_t i = 0; i < ARRAY_LEN(at) && at[i]; i++) {
		_cleanup_close_ int fd = open(at[i], O_PATH | O_CLOEXEC);

		if (fd < 0 || fstat(fd, st) < 0 || !is_device(st))
			continue;
		if (d->source || (st->st_rdev == makedev(d->major, d->minor) &&
				  S_ISBLK(st->st_mode) == d->block))
			return TAKE_FD(fd);
	}
	return -ENOENT;
}

static int leave_device(struct confined *out, const struct confine_device *d, const char *why)
{
	_cleanup_free_ char *name = str_printable_dup(d->dest);

	return strv_push(&out->left, str_fmt("its device %s (%s)", name ? name : "?", why));
}

static int take_device(const struct confine_device *d, bool all, struct confined *out)
{
	_cleanup_close_ int fd = -EBADF, mnt = -EBADF;
	struct stat st;

	fd = find_node(d, &st);
	if (fd < 0)
		return leave_device(out, d, "the host has none");
	if (!all && !is_harmless(st.st_rdev, S_ISBLK(st.st_mode)))
		return leave_device(out, d,
				    "what is done to it stays done: --devices hands it over");
	mnt = open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (mnt < 0)
		return leave_device(out, d, strerror(errno));
	out->devices[out->n_devices++] =
		(struct confined_device){.dest = d->dest, .fd = TAKE_FD(mnt)};
	return 0;
}

static int take_devices(const struct confine *c, bool all, struct confined *out)
{
	int r = 0;

	out->devices = calloc(c->n_devices + 1, sizeof(*out->devices));
	if (!out->devices)
		return -ENOMEM;
	if (c->all_devices)
		return strv_add(&out->left, "the host's devices, which it has all of");
	for (size_t i = 0; i < c->n_devices && r == 0; i++)
		r = take_device(&c->devices[i], all, out);
	return r;
}

/* ---- the rest ---- */

static int take_groups(struct plan *p, const struct confine *c)
{
	_cleanup_strv_ struct strv unknown = {};
	int r = plan_groups_add(p, &c->groups, &unknown);

	for (size_t i = 0; i < unknown.n && r == 0; i++)
		r = strv_push(&p->confined.left,
			      str_fmt("its added group '%s' (its /etc/group has none of that name)",
				      unknown.v[i]));
	return r;
}

static int take_seccomp(const struct plan *p, const struct confine *c, struct confined *out)
{
	struct err why = {};

	if (c->seccomp_how == CONFINE_SECCOMP_NONE)
		return 0;
	if (c->seccomp_how == CONFINE_SECCOMP_UNTOLD)
		return strv_push(&out->left,
				 str_fmt("its seccomp profile (%s's own, which no file tells)",
					 p->target->engine));
	if (seccomp_filter_compile(c->seccomp, &out->filter, &why) == 0)
		return 0;
	return strv_push(&out->left, str_fmt("its seccomp profile (%s)", why.msg));
}

/* Security modules change who may do what only where the kernel runs them. */
static int take_lsm(struct plan *p, const struct lsm *lsm, struct confined *out)
{
	if (!*lsm->name || !lsm_on(lsm->name))
		return 0;
	if (!lsm_has(lsm->name))
		return strv_push(&out->left, str_fmt("its %s", lsm_kind(lsm->name)));
	if (!lsm_may_start(lsm->name) || !lsm_may_talk(lsm->name))
		return strv_add(&out->left, "its SELinux label (the policy lets only engines start "
					    "it: chcon -t container_runtime_exec_t porthole)");
	p->lsm = *lsm;
	return 0;
}

int confined_make(struct plan *p, bool devices, struct err *e)
{
	const struct confine *c = &p->store->config.confine;
	struct confined *out = &p->confined;
	bool mighty = may_exceed();
	int r = 0;

	if (!c->known)
		r = strv_add(&out->left,
			     "its network, devices, ulimits, added groups, sysctls, OOM score, "
			     "seccomp profile, sizes of tmpfs and /dev/shm");
	else if (!c->lonely)
		r = strv_add(&out->left, "its network");
	if (r < 0 || !c->known)
		return r < 0 ? err_set(e, r, "planning the rehearsal") : 0;
	out->sysctls = &c->sysctls;
	if (c->shm_size)
		snprintf(out->shm_size, sizeof(out->shm_size), "%llu",
			 (unsigned long long)c->shm_size);
	else
		r = strv_add(&out->left, "the size of its /dev/shm");
	if (r == 0)
		r = take_rlimits(c, mighty, out) ?: take_groups(p, c) ?: take_oom(c, mighty, out);
	if (r == 0)
		r = take_seccomp(p, c, out) ?: take_devices(c, devices, out);
	if (r == 0)
		r = take_lsm(p, &c->apparmor, out) ?: take_lsm(p, &c->selinux, out);
	return r < 0 ? err_set(e, r, "planning the rehearsal") : 0;
}

void confined_self(const struct plan *p)
{
	const struct confined *c = &p->confined;
	_cleanup_close_ int fd =
		c->oom ? open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC) : -EBADF;
	char text[16];

	if (fd >= 0) {
		int n = snprintf(text, sizeof(text), "%d", c->oom_score_adj);

		fd_write_all(fd, text, (size_t)n);
	}
	for (size_t i = 0; i < c->n_rlimits; i++) {
		const struct confine_rlimit *l = &c->rlimits[i];
		const struct rlimit rl = {.rlim_cur = l->soft, .rlim_max = l->hard};

		setrlimit((__rlimit_resource_t)l->resource, &rl);
	}
}
