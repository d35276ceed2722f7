/* The way in: namespaces joined or made, the view built. */
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "session/agent.h"
#include "session/fresh.h"
#include "session/wire.h"
#include "sys/caps.h"
#include "sys/cred.h"
#include "sys/ns.h"
#include "sys/power.h"

enum { NOTES_MAX = 10 };

/* The agent was born there. */
static unsigned later(const struct plan *p)
{
	return CLONE_NEWPID | (p->rootless ? CLONE_NEWUSER : 0);
}

/* A new user namespace makes us nobody until we take an id that exists there. */
static int take_inside_id(const struct agent *a, struct err *e)
{
	_cleanup_close_ int self = openat(a->host_proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct idmap *m = malloc(sizeof(*m));
	uint32_t uid = UINT32_MAX, gid = UINT32_MAX;

	if (m && idmap_read(self, "uid_map", m) == 0)
		uid = idmap_first_inside(m);
	if (m && idmap_read(self, "gid_map", m) == 0)
		gid = idmap_first_inside(m);
	free(m);
	if (syscall(SYS_setresgid, gid, gid, gid) < 0 || syscall(SYS_setresuid, uid, uid, uid) < 0)
		return err_set(e, errno, "taking an id in the user namespace of '%s'",
			       a->plan->label);
	return 0;
}

/* setns(2) refused: say it in words. */
static int join_failed(const struct plan *p, int num, struct err *e)
{
	char names[64];

	if (num == -ESRCH)
		return plan_exited(p, e);
	err_set(e, num, "joining the namespaces (%s) of '%s'",
		ns_names(p->ns_join, names, sizeof(names)), p->label);
	if (num == -EPERM)
		power_hint(e, CAPS_BIT(CAP_SYS_ADMIN) | CAPS_BIT(CAP_SYS_CHROOT) |
				      CAPS_BIT(CAP_SYS_PTRACE));
	return num;
}

/* The matching procfs is made while we still have the host's rights over it. */
static void make_proc(struct agent *a)
{
	if (!a->plan->shape.proc_good)
		a->parts.proc_fd = view_new_proc(-EBADF);
}

static int join(struct agent *a, unsigned flags, struct err *e)
{
	const struct plan *p = a->plan;
	unsigned differ = 0;
	int r = p->hold.on ? ns_join_held(p->hold.ns, flags & p->ns_join)
			   : ns_join(p->target->pidfd, p->target->proc_fd, flags & p->ns_join);

	if (r == -EPERM && !p->hold.on) { /* one that is ours already may be another's to join */
		_cleanup_close_ int self =
			openat(a->host_proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (ns_different(p->target->proc_fd, self, flags & p->ns_join, &differ, NULL) ==
			    0 &&
		    differ != (flags & p->ns_join))
			r = ns_join(p->target->pidfd, p->target->proc_fd, differ);
	}
	if (r < 0)
		return join_failed(p, r, e);
	return flags & p->ns_join & CLONE_NEWUSER ? take_inside_id(a, e) : 0;
}

/* The supervisor mounts the kit while we join and build: wait for it here. */
static int add_kit(struct agent *a, int dev, struct err *e)
{
	_cleanup_close_ int kit = -EBADF;
	struct wire_msg m;
	int r;

	if (a->plan->kit.kind == KIT_NONE)
		return 0;
	r = wire_recv(a->sock, &m, &kit);
	if (r == 1 && m.type == WIRE_KIT && !m.err.num)
		return view_add_kit(dev, kit, e);
	if (r == 1 && m.err.num) {
		*e = m.err;
		return -e->num;
	}
	_exit(EXIT_PORTHOLE); /* the supervisor is gone: there is nobody to tell */
}

/* What the view could not have as planned: to the supervisor, who tells the user. */
static void send_notes(const struct agent *a, const struct strv *notes)
{
	for (size_t i = 0; i < notes->n && i <= NOTES_MAX; i++) {
		struct wire_msg m = {.type = WIRE_NOTE};

		if (i == NOTES_MAX)
			err_say(&m.err, EROFS, "and %zu more", notes->n - i);
		else
			err_say(&m.err, EROFS, "%s", notes->v[i]);
		wire_send(a->sock, &m, -EBADF); /* if he is gone it is seen later */
	}
}

/* In a view that stands: what tools that look names up would wait for. The host's own are its own.
 */
static void cover_names(const struct agent *a, int dev)
{
	const struct plan *p = a->plan;

	if (p->kit.kind != KIT_NONE && dev >= 0 && !(p->beside.host && p->view == VIEW_KIT))
		view_cover_names(&a->parts, dev);
}

/* Without root the room for changes can only be had in the target's user namespace. */
static int make_scratch(const struct agent *a, struct err *e)
{
	const struct wire_msg m = {.type = WIRE_SCRATCH};
	int r = overlay_scratch_open(a->parts.scratch, 0, a->host_proc, e);

	if (r == 0)
		wire_send(a->sock, &m, a->parts.scratch->dir); /* a dead supervisor is seen later */
	return r;
}

/* What is mounted in the target can be cloned only from within its mount namespace. A sidekick
 * makes its own from there, and lets go of all that is in it. */
static int look_into(const struct plan *p, struct err *e)
{
	int r = ns_join(p->target->pidfd, p->target->proc_fd, CLONE_NEWNS);

	return r < 0 ? join_failed(p, r, e) : 0;
}

/* Overlays are made with the host's rights, before the target's user namespace is joined; without
 * root, with those of that namespace. */
static int enter_cow(struct agent *a, struct err *e)
{
	_cleanup_close_ int dev = -EBADF;
	_cleanup_strv_ struct strv notes = {};
	const struct plan *p = a->plan;
	const unsigned now = ~(later(p) | CLONE_NEWUSER);
	int r = p->ns_new & now ? fresh_namespaces(p, e) : 0;

	if (!p->rootless)
		make_proc(a);
	if (r == 0 && p->ns_join & now)
		r = join(a, now, e);
	if (r == 0 && p->beside.on && !p->beside.host)
		r = look_into(p, e);
	if (p->rootless) {
		make_proc(a);
		r = r < 0 ? r : make_scratch(a, e);
	}
	a->parts.notes = &notes;
	if (r == 0)
		confined_sysctls(p, &a->parts);
	if (r == 0)
		r = view_build_cow(p, &a->parts, &dev, e);
	if (r == 0)
		cover_names(a, dev);
	send_notes(a, &notes);
	if (r == 0)
		r = add_kit(a, dev, e);
	if (r == 0 && p->rootless && p->mnt_owner >= 0)
		return join(a, CLONE_NEWUSER, e);
	return r == 0 && p->ns_join & CLONE_NEWUSER & ~later(p) ? join(a, CLONE_NEWUSER, e) : r;
}

/* Join what the view is built in, and the user namespace whose rights it is built with, if that is
 * another than the target's own. */
static int join_to_build(struct agent *a, struct err *e)
{
	const struct plan *p = a->plan;
	int r;

	if (p->mnt_owner < 0)
		return join(a, ~later(p), e);
	r = join(a, ~(later(p) | CLONE_NEWUSER), e);
	if (r == 0 && !p->rootless && setns(p->mnt_owner, CLONE_NEWUSER) < 0)
		return join_failed(p, -errno, e);
	return r < 0 ? r : take_inside_id(a, e);
}

static int enter_classic(struct agent *a, struct err *e)
{
	_cleanup_close_ int dev = -EBADF;
	_cleanup_strv_ struct strv notes = {};
	const struct plan *p = a->plan;
	int r = join(a, ~(later(p) | CLONE_NEWUSER), e);

	a->parts.notes = &notes;
	if (r == 0)
		r = view_build_classic(p, &a->parts, e);
	if (r == 0) {
		dev = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
		cover_names(a, dev);
		send_notes(a, &notes);
	}
	return r < 0 ? r : join(a, CLONE_NEWUSER & ~later(p), e);
}

static int enter_live(struct agent *a, struct err *e)
{
	const struct plan *p = a->plan;
	_cleanup_close_ int dev = -EBADF;
	_cleanup_strv_ struct strv notes = {};
	bool proc = p->kit.kind != KIT_NONE || p->ns_new;
	int r;

	if (proc && !p->rootless)
		make_proc(a);
	r = join_to_build(a, e);
	if (proc && p->rootless)
		make_proc(a); /* allowed where the target has a whole one somewhere */
	a->parts.notes = &notes;
	if (r == 0)
		r = view_build(p, &a->parts, &dev, e);
	if (r == 0) {
		cover_names(a, dev);
		send_notes(a, &notes);
	}
	if (r == 0)
		r = add_kit(a, dev, e);
	return r < 0 || p->mnt_owner < 0 ? r : join(a, CLONE_NEWUSER, e);
}

/* Stand where the plan wants us: namespaces joined, view built. */
int agent_enter(struct agent *a, struct err *e)
{
	const struct plan *p = a->plan;
	int r = p->rootless ? take_inside_id(a, e) : 0;

	a->parts.host_proc = a->host_proc;
	a->parts.talk = a->sock;
	a->parts.devices = &a->devices;
	if (r < 0)
		return r;
	if (p->cow.on && a->parts.classic)
		return err_say(e, ENOSYS,
			       "a view that can be written to and forgets needs Linux 5.12 "
			       "(mount_setattr(2))");
	if (p->cow.on)
		return enter_cow(a, e);
	if (p->view == VIEW_NONE)
		return join(a, ~later(p), e);
	return a->parts.classic ? enter_classic(a, e) : enter_live(a, e);
}
