#include "session/plan.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "session/host.h"
#include "session/leave.h"
#include "session/plan_store.h"
#include "session/view.h"
#include "sys/caps.h"
#include "sys/cred.h"
#include "sys/ns.h"
#include "sys/power.h"

enum { MEMORY_MIN = 512 << 10 };

void plan_done(struct plan *p)
{
	free(p->label);
	free(p->where);
	kit_done(&p->kit);
	freeze_done(&p->freeze);
	hold_done(&p->hold);
	cleanup_close(&p->root_fd);
	cleanup_close(&p->mnt_owner);
	cleanup_close(&p->changes_ns);
	cow_done(&p->cow);
	beside_done(&p->beside);
	confined_done(&p->confined);
	free(p->who.groups);
	free(p->who.name);
	free(p->who.home);
	free(p->who.shell);
	strv_done(&p->argv);
	strv_done(&p->env);
	strv_done(&p->env_dropped);
	free(p->path);
	free(p->cwd);
	*p = PLAN_INIT;
}

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

/* Which of the wanted ones are to be joined. Looking costs two links each, ours made anew by the
 * kernel for every process, and joining one that we are in already changes nothing: so with a mount
 * namespace of its own only those are compared on which something depends. */
static int plan_join(struct plan *p, const struct request *req, int self, unsigned want,
		     struct err *e)
{
	const unsigned matter = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWTIME;
	int r;

	if (req->quick && !req->ns.n) {
		r = ns_different(p->target->proc_fd, self, matter, &p->ns_join, e);
		if (r == 0 && p->ns_join & CLONE_NEWNS)
			p->ns_join |= want & ~matter;
		if (r < 0 || p->ns_join & CLONE_NEWNS)
			return r;
	}
	return ns_different(p->target->proc_fd, self, want, &p->ns_join, e);
}

/* The host's first process: its namespaces are the host's, even where they may not be read. */
static int refuse_host_init(const struct plan *p, struct err *e)
{
	err_say(e, EPERM,
		"process 1 (%s) is the host's first process: there is nothing to enter but the "
		"host's own namespaces",
		p->label);
	err_hint(e, "on the host, run it without porthole; from a container of it, --force enters "
		    "the host");
	return -EPERM;
}

/* The end of a pid namespace ends all that is in it: what is to outlive it has one of its own. */
static int plan_outlive(struct plan *p, const struct request *req, struct err *e)
{
	if (!req->outlive)
		return 0;
	if (p->target->pidfd < 0)
		return err_say(e, ENOSYS, "--outlive needs Linux 5.3 (pidfd_open)");
	if (req->ns.n && p->ns_join & CLONE_NEWPID) {
		err_say(e, EINVAL, "what joins the pid namespace of '%s' ends with it", p->label);
		err_hint(e, "leave pid out of --ns, or leave out --outlive");
		return -EINVAL;
	}
	p->outlive = true;
	p->ns_new = p->ns_join & CLONE_NEWPID;
	p->ns_join &= ~(unsigned)CLONE_NEWPID;
	return 0;
}

static int plan_ns(struct plan *p, const struct request *req, struct err *e)
{
	_cleanup_close_ int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	unsigned want = 0;
	int r;

	if (self < 0)
		return err_set(e, errno, "opening /proc/self (is /proc mounted?)");
	if (p->target->pid == 1 && !req->force && power_is_host_pidns(self))
		return refuse_host_init(p, e);
	if (req->ns.n) {
		r = ns_parse(&req->ns, &want, e);
		if (r < 0)
			return err_exit(e, EXIT_PORTHOLE);
	} else {
		for (size_t i = 0; i < NS_COUNT; i++)
			want |= ns_types[i].flag;
	}
	r = plan_join(p, req, self, want, e);
	if (r < 0)
		return r;
	r = plan_outlive(p, req, e);
	if (r == 0)
		r = plan_rights(p, self, e);
	if (r < 0)
		return r;
	p->ns_same = want & ~p->ns_join;
	p->view = want & CLONE_NEWNS ? VIEW_LIVE : VIEW_NONE;
	if (p->ns_join || p->ns_new || req->force)
		return 0;
	err_say(e, EPERM, "process %d (%s) is in %s own namespaces, so there is nothing to enter",
		p->target->pid, p->label, power_is_host_pidns(self) ? "the host's" : "our");
	err_hint(e,
		 req->ns.n
			 ? "it shares what --ns asks for with us; --force runs the command anyway"
			 : "it is in no container but ours, if any; --force opens a session there");
	return -EPERM;
}

/* Look at the target's root from outside. Everything here may be a lie by the time we enter; the
 * view's builder copes with each call failing. */
static int plan_shape(struct plan *p, struct err *e)
{
	struct shape *s = &p->shape;
	char link[256];
	struct stat st;
	struct statvfs fs;
	bool theirs;

	if (p->view == VIEW_NONE)
		return 0;
	p->root_fd = openat(p->target->proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->root_fd < 0) {
		if (errno == ENOENT || errno == ESRCH)
			return plan_exited(p, e);
		err_set(e, errno, "opening the root directory of '%s'", p->label);
		if (errno == EACCES || errno == EPERM)
			power_hint(e, CAPS_BIT(CAP_SYS_PTRACE));
		return -e->num;
	}
	if (link_read_at(p->target->proc_fd, "root", link, sizeof(link)) != 1)
		s->chrooted = true;
	s->dev_dir =
		fstatat(p->root_fd, "dev", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
	if (fstatvfs(p->root_fd, &fs) == 0)
		s->root_ro = fs.f_flag & ST_RDONLY;
	s->proc_dir =
		fstatat(p->root_fd, "proc", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
	/* a procfs has inode 1 as its root; whose it is shows in whether "self" knows us */
	if (s->proc_dir && st.st_ino == 1) {
		theirs = readlinkat(p->root_fd, "proc/self", link, sizeof(link)) < 0;
		s->proc_good = !p->ns_new && theirs == !!(p->ns_join & CLONE_NEWPID);
		s->proc_theirs = p->ns_new && theirs;
	}
	return 0;
}

static int plan_kit(struct plan *p, const struct request *req, struct err *e)
{
	if (str_eq(req->view, "cow") && p->view == VIEW_NONE)
		return err_say(e, EINVAL, "--view cow needs mnt in the list of --ns");
	if (str_eq(req->view, "kit")) {
		if (p->view == VIEW_NONE)
			return err_say(e, EINVAL, "--view kit needs mnt in the list of --ns");
		p->view = VIEW_KIT;
	}
	if (p->view == VIEW_NONE) {
		if (req->kit && !str_eq(req->kit, "none"))
			return err_say(e, EINVAL, "--kit needs mnt in the list of --ns");
		return 0;
	}
	if (str_eq(req->kit, "none") && p->view == VIEW_KIT && req->beside && req->beside->host)
		return err_say(e, EINVAL, "--kit none needs --image: one of them is its root");
	if (str_eq(req->kit, "none") && p->view == VIEW_KIT)
		return err_say(e, EINVAL, "--view kit cannot be without a kit");
	return kit_find(req->kit, &p->kit, e);
}

/* Whether the command can write to the target's /tmp. Ids of another user namespace are not worth
 * translating: only what everybody may write counts there. */
static bool can_write_tmp(const struct plan *p)
{
	_cleanup_close_ int fd = path_open_in_root(p->root_fd, "/tmp", O_PATH | O_DIRECTORY);
	struct statvfs fs;
	struct stat st;

	if (fd < 0 || fstatvfs(fd, &fs) < 0 || (fs.f_flag & ST_RDONLY && !p->cow.on) ||
	    fstat(fd, &st) < 0)
		return false;
	if ((st.st_mode & 0003) == 0003)
		return true;
	return !(p->ns_join & CLONE_NEWUSER) && (p->who.uid == 0 || p->who.uid == st.st_uid);
}

static void plan_scratch(struct plan *p)
{
	p->scratch = p->root_fd >= 0 && p->kit.kind != KIT_NONE && p->view == VIEW_LIVE &&
		     !can_write_tmp(p);
}

/* user_namespaces(7): "deny" holds for as long as the namespace lives. */
static void plan_groups(struct plan *p)
{
	char text[16];

	p->groups_denied =
		p->ns_join & CLONE_NEWUSER &&
		file_read_small_at(p->target->proc_fd, "setgroups", text, sizeof(text)) > 0 &&
		str_starts(text, "deny");
}

uint64_t plan_caps_of(const struct plan *p)
{
	return p->caps_all ? caps_bounding() : p->caps;
}

/* What caps_parse() cannot know of: the one word that is ours. */
static int caps_unknown(int r, struct err *e)
{
	if (e && str_starts(e->hint, "names are"))
		snprintf(e->hint + strlen(e->hint), sizeof(e->hint) - strlen(e->hint),
			 ", 'target'");
	return r;
}

static int plan_caps(struct plan *p, const struct request *req, struct err *e)
{
	uint64_t ours;
	struct cred c;
	int r;

	if (p->beside.on)
		return beside_plan_caps(p, req, e);
	if (p->store && (!req->caps || str_eq(req->caps, "target"))) {
		store_plan_caps(p, req);
		return 0;
	}
	p->caps_all = !req->caps || (str_eq(req->caps, "all") && p->who.uid == 0);
	if (p->caps_all)
		return 0;
	if (str_eq(req->caps, "target")) {
		r = cred_read(p->target->proc_fd, &c);
		if (r < 0)
			return err_set(e, r, "reading the capabilities of '%s'", p->label);
		p->caps = c.cap_prm;
		p->no_new_privs = c.no_new_privs;
		lsm_read(p->target->proc_fd, &p->lsm);
	} else {
		r = caps_parse(req->caps, &p->caps, e);
		if (r < 0)
			return caps_unknown(r, e);
	}
	ours = caps_bounding();
	p->caps_lost = str_eq(req->caps, "all") ? 0 : p->caps & ~ours;
	p->caps &= ours;
	p->caps_ambient = p->who.uid != 0;
	return 0;
}

static int plan_cgroup(struct plan *p, const struct request *req, struct err *e)
{
	bool limited = req->limits.memory || req->limits.pids || req->limits.cpus > 0;

	p->limits = req->limits;
	if (p->limits.memory && p->limits.memory < MEMORY_MIN)
		return err_say(e, EINVAL,
			       "--memory takes 512k or more: with less no command can even start");
	if (str_eq(req->cgroup, "target"))
		p->cgroup = CGROUP_TARGET;
	else if (str_eq(req->cgroup, "own") || (!req->cgroup && limited))
		p->cgroup = CGROUP_OWN;
	if (p->cgroup == CGROUP_TARGET && p->target->state == TARGET_PAUSED) {
		err_say(e, EBUSY, "'%s' is paused, and so would be whatever joins its cgroup",
			p->label);
		err_hint(e, "without --cgroup target the session works while it stays paused");
		return -EBUSY;
	}
	if (p->guests && p->cgroup == CGROUP_OWN)
		return err_say(
			e, EINVAL,
			"a cgroup of its own, and limits, would end with it, and so would the "
			"virtual machines that are to go on");
	if (limited && p->cgroup != CGROUP_OWN)
		return err_say(e, EINVAL, "--memory, --cpus and --pids need --cgroup own");
	return 0;
}

static int plan_freeze(struct plan *p, const struct request *req, struct err *e)
{
	if (!req->freeze)
		return 0;
	if (p->cgroup == CGROUP_TARGET) {
		err_say(e, EINVAL, "--cgroup target would freeze the session with the target");
		err_hint(e, "use --freeze with --cgroup host or own");
		return -EINVAL;
	}
	return freeze_plan(&p->freeze, p->target, p->label, e);
}

/* The target's working directory as it is named inside. */
static int plan_cwd(struct plan *p, const struct request *req)
{
	_cleanup_close_ int app = p->store || p->beside.on ? -EBADF : target_app_open(p->target);
	char link[PATH_MAX];

	p->cwd_asked = req->cwd != NULL;
	if (req->cwd)
		p->cwd = strdup(req->cwd);
	else if (p->view == VIEW_NONE)
		p->cwd = NULL;
	else if (p->store)
		p->cwd = strdup(p->view == VIEW_LIVE && p->store->config.cwd ? p->store->config.cwd
									     : "/");
	else if (p->view == VIEW_LIVE && !p->shape.chrooted &&
		 link_read_at(app >= 0 ? app : p->target->proc_fd, "cwd", link, sizeof(link)) > 0 &&
		 link[0] == '/')
		p->cwd = strdup(link);
	else
		p->cwd = strdup("/");
	return p->cwd || p->view == VIEW_NONE ? 0 : -ENOMEM;
}

static void plan_terminal(struct plan *p, const struct request *req)
{
	if (req->interactive || req->tty) { /* docker's meaning */
		p->tty = req->tty;
		p->stdin_open = req->interactive;
	} else { /* what the terminal suggests; from the background nobody may read or change it */
		pid_t front = req->argc && req->tty_in ? tcgetpgrp(STDIN_FILENO) : 0;

		p->tty = req->tty_in && req->tty_out && (front <= 0 || front == getpgrp());
		p->stdin_open = p->tty || !req->tty_in;
	}
}

static int plan_argv(struct plan *p, const struct request *req)
{
	const char *shell = getenv("SHELL"); /* services and cron jobs have none */
	int r = 0;

	for (int i = 0; i < req->argc && r == 0; i++)
		r = strv_add(&p->argv, req->argv[i]);
	if (req->argc)
		return r;
	p->shell = p->tty;
	if (p->view == VIEW_NONE)
		return strv_add(&p->argv, shell && *shell ? shell : p->who.shell ?: "sh");
	if (p->kit.kind == KIT_NONE)
		return strv_add(&p->argv, "sh");
	r = strv_add(&p->argv, "bash");
	if (r == 0 && p->tty)
		r = strv_add(&p->argv, "--rcfile") ?: strv_add(&p->argv, KIT_BASHRC);
	return r;
}

int plan_cookie(char out[17])
{
	unsigned char raw[8];

	if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
		return -errno;
	for (size_t i = 0; i < sizeof(raw); i++)
		snprintf(out + 2 * i, 3, "%02x", raw[i]);
	return 0;
}

static bool in_userns(void)
{
	_cleanup_close_ int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return power_of(proc, 0) == POWER_USERNS;
}

/* Namespaces, kit and files. */
static int plan_place(struct plan *p, const struct request *req, struct err *e)
{
	int r = p->beside.on ? beside_plan_ns(p, req, e)
		: p->store   ? store_plan_ns(p, req, e)
			     : plan_ns(p, req, e);

	if (r == 0) {
		p->user_xattr = p->rootless || in_userns();
		r = plan_kit(p, req, e);
	}
	if (r < 0)
		return r;
	r = p->beside.on ? beside_plan_root(p, req, e)
	    : p->store	 ? store_plan_root(p, e)
			 : plan_shape(p, e);
	if (r == 0 && (p->beside.on || p->store || str_eq(req->view, "cow")))
		r = cow_plan(p, e);
	return r;
}

static int make(struct plan *p, const struct request *req, struct err *e)
{
	int r;

	if (plan_cookie(p->cookie) < 0)
		return err_set(e, EIO, "planning the session");
	if (p->guests)
		p->cookie[0] = LEAVE_GUESTS;
	plan_terminal(p, req);
	r = plan_place(p, req, e);
	if (r == 0)
		r = plan_user(p, req->user, e);
	if (r == 0) {
		plan_scratch(p);
		plan_groups(p);
	}
	if (r == 0)
		r = plan_caps(p, req, e);
	if (r == 0)
		r = plan_cgroup(p, req, e);
	if (r == 0)
		r = plan_freeze(p, req, e);
	if (r == 0 && (plan_cwd(p, req) < 0 || plan_argv(p, req) < 0))
		r = err_set(e, ENOMEM, "planning the session");
	if (r == 0)
		r = plan_env(p, req, e);
	return r;
}

/* `label` and `where` are raw bytes; NULL: as the label. */
static int make_named(struct plan *p, const char *label, const char *where,
		      const struct request *req, struct err *e)
{
	p->label = str_printable_dup(label);
	p->where = str_printable_dup(where ? where : label);
	return p->label && p->where ? make(p, req, e) : err_set(e, ENOMEM, "planning the session");
}

static const char *name_of(const struct target *t)
{
	return t->name ? t->name : t->id ? t->id : "?";
}

int plan_make(struct plan *p, const struct target *t, const struct request *req, struct err *e)
{
	*p = PLAN_INIT;
	p->target = t;
	return plan_denied(p, make_named(p, name_of(t), NULL, req, e), e);
}

int plan_make_store(struct plan *p, const struct target *t, const struct store *store,
		    const struct request *req, struct err *e)
{
	*p = PLAN_INIT;
	p->target = t;
	p->store = store;
	return make_named(p, store->label, NULL, req, e);
}

int plan_make_beside(struct plan *p, const struct target *t, const struct store *store,
		     const struct request *req, struct err *e)
{
	*p = PLAN_INIT;
	p->target = t;
	p->store = store;
	p->beside.on = true;
	return plan_denied(p, make_named(p, name_of(t), store ? store->label : "the kit", req, e),
			   e);
}

int plan_make_host(struct plan *p, const struct target *t, const struct store *store,
		   const struct request *req, struct err *e)
{
	*p = PLAN_INIT;
	p->target = t;
	p->store = store;
	p->beside.on = p->beside.host = true;
	p->guests = req->beside->host->guests;
	p->ttl = req->ttl;
	return make_named(p, name_of(t), store ? store->label : "the kit", req, e);
}
