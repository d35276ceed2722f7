/* The supervisor: starts the agent, relays, and clears up when the agent cannot. */
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "session/agent.h"
#include "session/asked.h"
#include "session/channels.h"
#include "session/ending.h"
#include "session/follow.h"
#include "session/guard.h"
#include "session/leave.h"
#include "session/session.h"
#include "session/top.h"
#include "session/wire.h"
#include "session/lodge.h"
#include "sys/caps.h"
#include "sys/fsmount.h"
#include "sys/ns.h"
#include "sys/power.h"
#include "sys/proc.h"
#include "sys/processor.h"

enum {
	GUARD_AFTER_MS = 5, /* later than `bash -c true` takes */
	STOPPED_MS = 200,   /* a pid namespace's first process ends after all others in it */
};

struct supervisor {
	const struct plan *plan;
	struct agent agent; /* what the agent is born with */
	struct session_cgroup cgroup;
	struct guard guard;
	struct freeze freeze;
	struct view_entries nodes;
	struct kit_ready kit_ready; /* classic */
	struct overlay_scratch scratch;
	struct buf notes;
	pid_t agent_pid, inside; /* the same, but where an engine makes the container */
	int mnt_ns;  /* of the session, once it stands: a descriptor, so that its number is not used
			again */
	int late[2]; /* whose end takes long */
	bool loop; /* the kit is mounted from a loop device, which is seen until it is unmounted */
	int sock, sigfd;
	struct channels channels;
	struct asked asked;
	struct follow follow;
};

static void supervisor_done(struct supervisor *s)
{
	int late[] = {s->loop ? -EBADF : s->mnt_ns, s->scratch.dir, s->late[0], s->late[1]};

	channels_done(&s->channels);
	follow_done(&s->follow);
	freeze_thaw(&s->freeze, s->agent.host_proc);
	if (s->loop)
		cleanup_close(&s->mnt_ns);
	cleanup_close(&s->sock);
	cleanup_close(&s->agent.sock);
	cleanup_close(&s->agent.host_proc);
	cleanup_close(&s->sigfd);
	view_entries_done(&s->nodes);
	kit_ready_done(&s->kit_ready);
	session_cgroup_done(&s->cgroup);
	guard_stop(&s->guard, late, ARRAY_LEN(late));
	s->scratch.dir = -EBADF;
	overlay_scratch_done(&s->scratch);
	buf_done(&s->notes);
	freeze_end(&s->freeze);
}

static int block_signals(struct supervisor *s, struct err *e)
{
	static const int passed[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH};

	signal(SIGPIPE, SIG_IGN);
	s->sigfd = fd_signals(passed, ARRAY_LEN(passed), NULL, e);
	return s->sigfd < 0 ? s->sigfd : 0;
}

static int start_agent(struct supervisor *s, struct err *e)
{
	const struct plan *p = s->plan;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(e, errno, "making a socket pair");
	s->sock = pair[0];
	s->agent.sock = pair[1];
	if (p->ns_join & CLONE_NEWPID && !p->rootless) {
		/* only children are affected: the agent is born in the target's pid namespace */
		int r = ns_join(p->target->pidfd, p->target->proc_fd, CLONE_NEWPID);

		if (r == -ESRCH)
			return plan_exited(p, e);
		if (r < 0) {
			err_set(e, r, "joining the pid namespace of '%s'", p->label);
			if (r == -EPERM)
				power_hint(e, CAPS_BIT(CAP_SYS_ADMIN));
			return r;
		}
	}
	s->agent_pid = p->rootless		  ? fork_inside(p, e)
		       : p->ns_new & CLONE_NEWPID ? fork_apart(p, e)
						  : fork();
	if (s->agent_pid == 0) {
		channels_forget(&s->channels);
		close(s->sock);
		close(s->sigfd);
		if (!s->agent.parts.classic && p->kit.kind != KIT_NONE)
			close(p->kit.fd); /* the supervisor mounts it */
		if (p->lodging)
			lodge_steward(&s->agent);
		agent_main(&s->agent);
	}
	if (s->agent_pid < 0 && (p->rootless || p->ns_new & CLONE_NEWPID))
		return s->agent_pid;
	if (s->agent_pid < 0 && errno == ENOMEM && p->ns_join & CLONE_NEWPID)
		return plan_exited(p, e);
	if (s->agent_pid < 0)
		return err_set(e, errno, "starting a process");
	processor_part(s->agent_pid);
	s->inside = s->agent_pid;
	cleanup_close(&s->agent.sock);
	s->agent.sock = -EBADF;
	channels_handed(&s->channels);
	return 0;
}

static int send_kit(struct supervisor *s, struct err *e)
{
	const struct plan *p = s->plan;
	_cleanup_close_ int userns = -EBADF, kit = -EBADF;
	struct wire_msg m = {.type = WIRE_KIT};
	enum kit_rung rung = s->agent.parts.classic ? KIT_RUNG_LOOP : KIT_RUNG_DIR; /* perhaps */

	if (p->kit.kind == KIT_NONE)
		return 0;
	if (!s->agent.parts.classic) {
		if (p->ns_join & CLONE_NEWUSER)
			userns = plan_userns(p);
		kit = kit_mount(&p->kit, userns, &rung, e);
		if (kit < 0)
			return kit;
	}
	s->loop = rung == KIT_RUNG_LOOP;
	wire_send(s->sock, &m, kit); /* a dead agent is seen when its message is awaited */
	if (kit >= 0 && rung == KIT_RUNG_FILE)
		kit_prefetch(kit, p->argv.v[0], p->view == VIEW_KIT);
	return 0;
}

/* The agent's end without a word: by signal, most often because the target's pid namespace died. */
static int agent_died(struct supervisor *s, int status, struct err *e)
{
	const struct plan *p = s->plan;
	struct pollfd pfd = {.fd = p->target->pidfd, .events = POLLIN};
	int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);

	leave_sweep(s->agent.host_proc, s->mnt_ns, p->cookie);
	if (!WIFSIGNALED(status))
		return code;
	if (!p->outlive && p->target->pidfd >= 0 && poll(&pfd, 1, STOPPED_MS) > 0)
		err_say(e, ESRCH, "'%s' stopped, which ended the session with it", p->label);
	else
		err_say(e, EIO,
			"the session's process inside '%s' was killed by signal %d; "
			"what it had started is killed too",
			p->label, WTERMSIG(status));
	return err_exit(e, code);
}

static int agent_status(struct supervisor *s)
{
	int status = 0;

	while (waitpid(s->agent_pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* The descriptor that came with `m`, if it is for us to hold. */
static bool hold(struct supervisor *s, const struct wire_msg *m, int fd)
{
	int *to = m->type == WIRE_NS	    ? &s->mnt_ns
		  : m->type == WIRE_SCRATCH ? &s->scratch.dir
		  : m->type != WIRE_LATE    ? NULL
		  : s->late[0] < 0	    ? &s->late[0]
					    : &s->late[1];

	if (!to)
		return false;
	cleanup_close(to);
	*to = fd;
	return true;
}

/* The agent's first words: where it is; then that the view stands, or why it does not. */
static int await_ready(struct supervisor *s, struct err *e)
{
	struct wire_msg m;
	int fd, r;

	while ((r = wire_recv(s->sock, &m, &fd)) == 1) {
		if (m.type == WIRE_NOTE && m.err.num) {
			buf_printf(&s->notes, "porthole: %s\n", m.err.msg);
			continue;
		}
		if (m.type == WIRE_AGENT)
			s->inside = m.num;
		else if (!hold(s, &m, fd))
			break;
	}
	s->channels.master = fd;
	if (r <= 0) {
		int code = agent_died(s, agent_status(s), e);

		if (code >= 0)
			return err_say(e, EIO,
				       "the session's process inside '%s' ended before it began",
				       s->plan->label);
		return code;
	}
	if (m.type == WIRE_FAIL) {
		agent_status(s);
		*e = m.err;
		return -e->num;
	}
	return 0;
}

static void handle_signal(struct supervisor *s)
{
	struct wire_msg m = {.type = WIRE_SIGNAL};
	struct signalfd_siginfo si;

	if (read(s->sigfd, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return;
	if (si.ssi_signo == SIGWINCH) {
		channels_resize(&s->channels);
		return;
	}
	/* a second one, or a terminal that went away: end the session */
	if (asked_again(&s->asked, si.ssi_signo) || (si.ssi_signo == SIGHUP && s->plan->tty)) {
		shutdown(s->sock, SHUT_RDWR);
		return;
	}
	if (si.ssi_signo == SIGTERM || si.ssi_signo == SIGHUP)
		asked_to_end(&s->asked);
	m.num = (int32_t)si.ssi_signo;
	wire_send(s->sock, &m, -EBADF);
}

/* How long to wait for something to do; the session of a command that was asked to end, and did
 * not, is ended. */
static int next_ms(struct supervisor *s)
{
	const struct wire_msg m = {.type = WIRE_SIGNAL, .num = SIGTERM};
	int left;
	enum asked_what what = asked_now(&s->asked, &left);

	if (what == ASKED_TERM) {
		ending_say_ttl(s->plan, s->channels.raw);
		wire_send(s->sock, &m, -EBADF);
	} else if (what == ASKED_END) {
		shutdown(s->sock, SHUT_RDWR);
	}
	return s->guard.pid ? left : GUARD_AFTER_MS;
}

static int start_guard(struct supervisor *s, struct err *e)
{
	beside_let_go(&s->plan->beside);
	return guard_start(&s->guard, s->agent.host_proc, s->plan->cookie, &s->cgroup, &s->freeze,
			   e);
}

/* The agent starts the command when it hears this. */
static void say_guarded(struct supervisor *s)
{
	const struct wire_msg m = {.type = WIRE_GUARDED};

	wire_send(s->sock, &m, -EBADF); /* a dead agent is seen when it is listened to */
}

/* From the agent's start until the command may start. */
static int see_in(struct supervisor *s, struct err *e)
{
	/* what somebody must undo is done when there are three to do so */
	bool last = s->plan->cgroup == CGROUP_OWN || s->freeze.table;
	int r;

	if (!last)
		say_guarded(s);
	r = await_ready(s, e);
	if (r < 0 || !last)
		return r;
	r = start_guard(s, e);
	if (r == 0 && s->plan->cgroup == CGROUP_OWN)
		r = session_cgroup_give(&s->cgroup, s->plan, s->sock, e);
	if (r == 0)
		r = freeze_now(&s->freeze, s->plan->target, s->plan->label, s->agent.host_proc,
			       s->agent_pid, e);
	if (r == 0)
		say_guarded(s);
	return r;
}

/* Relay until the agent's end of the socket closes. 0, or -errno when the agent reported that the
 * command could not be run. */
static int attend(struct supervisor *s, const struct session_talk *talk, struct err *e)
{
	struct pollfd fds[5 + 2 * RELAY_MAX];
	struct ending ending = {.target = s->plan->outlive ? s->plan->target->pidfd : -EBADF};

	for (;;) {
		struct wire_msg m;
		int fd, r;

		fds[0] = (struct pollfd){.fd = s->sock, .events = POLLIN};
		fds[1] = (struct pollfd){.fd = s->sigfd, .events = POLLIN};
		fds[2] = (struct pollfd){.fd = ending.target, .events = POLLIN};
		fds[3] = (struct pollfd){.fd = talk->watch ? talk->watch(talk->data) : -EBADF,
					 .events = POLLIN};
		/* after `watch`: who asks there for what has been mounted is told of it no earlier
		 */
		fds[4] = (struct pollfd){.fd = s->follow.table, .events = POLLPRI};
		r = poll(fds, 5 + channels_poll(&s->channels, &fds[5]),
			 follow_wait(&s->follow, ending_wait(&ending, next_ms(s))));
		if (r < 0 && errno != EINTR)
			return err_set(e, errno, "waiting for the session");
		if (r == 0 && !s->guard.pid) /* it lasts; it is a session without one, too */
			start_guard(s, NULL);
		if (r >= 0)
			follow_attend(&s->follow, fds[4].revents, s->agent.host_proc, s->mnt_ns,
				      s->inside);
		if (r == 0)
			ending_look(&ending, false, talk, s->channels.raw);
		if (r <= 0)
			continue;
		if (fds[1].revents)
			handle_signal(s);
		channels_move(&s->channels, &fds[5]);
		if (fds[3].revents)
			talk->attend(talk->data, s->inside);
		ending_look(&ending, fds[2].revents, talk, s->channels.raw);
		if (!fds[0].revents)
			continue;
		r = wire_recv(s->sock, &m, &fd);
		if (r <= 0)
			return 0;
		if (!hold(s, &m, fd))
			cleanup_close(&fd);
		if (m.type == WIRE_STARTED && talk->started)
			talk->started(talk->data, s->inside,
				      proc_first_child(s->agent.host_proc, s->inside));
		if (m.type == WIRE_FAIL && m.err.num) {
			*e = m.err;
			return -e->num;
		}
	}
}

/* All that is made before the agent is. */
static int prepare(struct supervisor *s, struct err *e)
{
	const struct plan *p = s->plan;
	int r = 0;

	s->agent.host_proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->agent.host_proc < 0)
		return err_set(e, errno, "opening /proc");
	/* what we were given stays the caller's and ours: the agent lets go of it, and at once
	 * where somebody could look into it before that */
	if (p->traceable || syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		r = fd_close_inherited(s->agent.host_proc);
	if (r < 0)
		return err_set(e, r, "closing what we have inherited");
	fs_label(p->lsm.files);
	s->agent.parts.classic = fsopen(NULL, 0) < 0 && errno == ENOSYS;
	r = block_signals(s, e);
	if (r == 0)
		r = channels_open(&s->channels, p, e);
	if (r == 0)
		r = guard_open(&s->guard, e);
	if (r == 0)
		r = freeze_begin(&s->freeze, &p->freeze, e);
	if (r == 0)
		r = session_cgroup_open(&s->cgroup, p, e);
	if (r == 0 && p->cow.on && !p->rootless &&
	    (!p->beside.on || p->view != VIEW_KIT || p->beside.devices))
		r = overlay_scratch_open(&s->scratch, 0, s->agent.host_proc, e);
	if (r == 0 && p->view != VIEW_NONE && !p->shape.dev_dir && !s->agent.parts.classic)
		view_basic_nodes(&s->nodes);
	if (r == 0 && s->agent.parts.classic && p->kit.kind != KIT_NONE)
		r = kit_prepare(&p->kit, &s->kit_ready, e);
	follow_start(&s->follow, p);
	s->agent.parts.nodes = &s->nodes;
	s->agent.parts.kit_ready = &s->kit_ready;
	s->agent.parts.scratch = &s->scratch;
	s->agent.cgroup = &s->cgroup;
	s->agent.freeze = &s->freeze;
	s->agent.guard = s->guard.sock[1];
	s->agent.stdio = s->channels.stdio;
	return r;
}

/* For a person, before the command says anything. */
static void greet(const struct supervisor *s, const struct session_talk *talk)
{
	if (s->notes.data)
		fd_write_all(STDERR_FILENO, s->notes.data, s->notes.len);
	if (talk->greeting)
		fd_write_all(STDERR_FILENO, talk->greeting, strlen(talk->greeting));
}

static int run(struct supervisor *s, struct session_talk *talk, struct err *e)
{
	const struct plan *p = s->plan;
	int r = prepare(s, e), status;

	if (r < 0)
		return r;
	if (!s->agent.parts.classic)
		s->agent.parts.target_proc = view_target_proc(p);
	r = start_agent(s, e);
	cleanup_close(&s->agent.parts.target_proc);
	if (r < 0)
		return r;
	if (top_is_sent(p, &s->agent.parts))
		top_send(p, s->sock);
	r = send_kit(s, e);
	if (r == 0 && talk->prepare)
		r = talk->prepare(talk->data, e);
	if (r < 0) {
		cleanup_close(&s->sock);
		s->sock = -EBADF;
		agent_status(s);
		return r;
	}
	r = see_in(s, e);
	if (r < 0)
		return r;
	greet(s, talk);
	channels_start(&s->channels, p);
	asked_start(&s->asked, p->ttl);
	r = attend(s, talk, e);
	status = agent_status(s);
	talk->oom_kills = session_cgroup_oom(&s->cgroup);
	talk->thawed = !freeze_holds(&s->freeze, s->agent.host_proc);
	freeze_thaw(&s->freeze, s->agent.host_proc);
	channels_drain(&s->channels);
	if (r < 0)
		return r;
	return WIFSIGNALED(status) ? agent_died(s, status, e) : WEXITSTATUS(status);
}

int session_run(const struct plan *p, struct session_talk *talk, struct err *e)
{
	struct supervisor s = {
		.plan = p,
		.agent = {.plan = p,
			  .parts = {.proc_fd = -EBADF, .target_proc = -EBADF},
			  .says_started = talk->started,
			  .devices = DEVICES_INIT,
			  .sock = -EBADF,
			  .host_proc = -EBADF},
		.cgroup = SESSION_CGROUP_INIT,
		.guard = GUARD_INIT,
		.freeze = FREEZE_INIT,
		.kit_ready = KIT_READY_INIT,
		.scratch = OVERLAY_SCRATCH_INIT,
		.mnt_ns = -EBADF,
		.late = {-EBADF, -EBADF},
		.sock = -EBADF,
		.sigfd = -EBADF,
		.channels = CHANNELS_INIT,
		.follow = FOLLOW_INIT,
	};
	int r = run(&s, talk, e);

	if (talk->changes) {
		*talk->changes = s.scratch;
		s.scratch = OVERLAY_SCRATCH_INIT;
	}
	supervisor_done(&s);
	return r;
}
