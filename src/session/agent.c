#include "session/agent.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "session/fresh.h"
#include "session/leave.h"
#include "session/wire.h"
#include "sys/cred.h"
#include "sys/ns.h"
#include "sys/title.h"

enum { SUPERVISOR_GONE = -1 }; /* in place of the command's code, which may be any */

_Noreturn void agent_fail(struct agent *a, struct err *e)
{
	struct wire_msg m = {.type = WIRE_FAIL, .err = *e};

	if (!m.err.exit)
		m.err.exit = EXIT_PORTHOLE;
	wire_send(a->sock, &m, -EBADF);
	_exit(m.err.exit);
}

/* Signals that we, or a caller such as nohup, may have ignored. */
static const int ignorable[] = {SIGPIPE, SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGCHLD,
				SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2};

/* What an engine sends a container's first process, for the command. */
static const int stopping[] = {SIGHUP,	SIGINT,	 SIGQUIT,  SIGTERM,
			       SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT};

/* [child] As the container's first process: with a /proc of the pid namespace it is the first of.
 */
static int be_first(struct err *e)
{
	_cleanup_close_ int dev = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int at = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int proc = view_new_proc(-EBADF);
	int r = dev < 0 || at < 0 ? -errno : proc < 0 ? proc : view_attach(proc, at, "");

	return r < 0 ? err_set(e, r, "mounting a /proc for the rehearsal")
		     : fresh_proc(proc, dev, e);
}

/* [child] of vfork: only system calls until exec. */
static void command_child(struct agent *a, int slave, struct err *e)
{
	const struct plan *p = a->plan;
	sigset_t none;
	int r;

	for (size_t i = 0; i < a->cgroup->n; i++)
		if (write(a->cgroup->procs[i], "0", 1) < 0) {
			err_set(e, errno, "moving the command into its cgroup");
			return;
		}
	if (p->rehearsal && be_first(e) < 0)
		return;
	/* a session of its own: the terminal's signals reach the command and nobody else */
	if (setsid() < 0 || (p->tty && ioctl(slave, TIOCSCTTY, 0) < 0)) {
		err_set(e, errno, "making a terminal session");
		return;
	}
	for (int i = 0; i < 3; i++)
		if (dup2(a->stdio[i] >= 0 ? a->stdio[i] : slave, i) < 0) {
			err_set(e, errno, "handing over descriptor %d", i);
			return;
		}
	for (size_t i = 0; i < ARRAY_LEN(ignorable); i++)
		signal(ignorable[i], SIG_DFL); /* handlers end with exec, ignoring does not */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	r = *p->lsm.name ? lsm_on_exec(a->host_proc, p->lsm.name) : 0;
	if (r < 0)
		err_set(e, r, "confining the command by %s '%s'", lsm_kind(p->lsm.name),
			p->lsm.name);
	else
		command_exec(p, e);
}

static pid_t spawn(struct agent *a, int slave, struct err *e)
{
	pid_t pid;

	/* it ends, whatever it has started with it, as one process that we can wait for */
	if (a->plan->rehearsal && unshare(CLONE_NEWPID) < 0)
		return -1;
	pid = vfork();
	if (pid == 0) {
		command_child(a, slave, e);
		_exit(EXIT_PORTHOLE);
	}
	return pid;
}

static int exit_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Reap until nothing is left to reap now. True when the command itself is among them. */
static bool reap(pid_t command, int *code)
{
	bool ended = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == command) {
			*code = exit_code(status);
			ended = true;
		}
	return ended;
}

/* Wait for the command; pass signals on; the supervisor's end ends everything. */
static int attend(struct agent *a, pid_t command, int sigfd)
{
	struct pollfd fds[3] = {{.fd = a->sock, .events = POLLIN},
				{.fd = sigfd, .events = POLLIN},
				{.fd = a->devices.watch, .events = POLLIN}};
	int code = EXIT_PORTHOLE;

	while (!reap(command, &code)) {
		struct signalfd_siginfo si;
		struct wire_msg m;
		int fd;

		if (poll(fds, 3, -1) < 0 && errno != EINTR)
			break;
		if (fds[1].revents & POLLIN && read(sigfd, &si, sizeof(si)) < 0)
			break;
		if (fds[2].revents)
			devices_settle(&a->devices);
		if (fds[1].revents & POLLIN && si.ssi_signo != SIGCHLD)
			kill(command, (int)si.ssi_signo);
		if (!(fds[0].revents & (POLLIN | POLLHUP)))
			continue;
		if (wire_recv(a->sock, &m, &fd) <= 0) { /* killed, or told us to end */
			code = SUPERVISOR_GONE;
			break;
		}
		cleanup_close(&fd);
		if (m.type == WIRE_SIGNAL)
			kill(command, m.num);
	}
	return code;
}

/* A terminal the kit knows nothing of is most often a better xterm. */
static void settle_term(const struct plan *p)
{
	static const char *const dirs[] = {"/s/terminfo", "/l/terminfo", "/e/t"};
	static char fallback[] = "TERM=xterm-256color";
	char path[PATH_MAX];

	for (size_t i = 0; p->tty && p->kit.kind != KIT_NONE && i < p->env.n; i++) {
		const char *term = p->env.v[i] + strlen("TERM=");
		bool known = false;

		if (!str_starts(p->env.v[i], "TERM="))
			continue;
		for (size_t d = 0; d < ARRAY_LEN(dirs) && !strchr(term, '/') && *term; d++) {
			snprintf(path, sizeof(path), KIT_PREFIX "%s/%c/%s", dirs[d], *term, term);
			known = known || access(path, R_OK) == 0;
		}
		if (!known)
			p->env.v[i] = fallback; /* in this process only: the plan is a copy here */
	}
}

/* Nothing of the supervisor's stays open in a process the target can see, but what is needed. */
static void let_go(struct agent *a, int *sigfd, struct session_cgroup *cgroup,
		   struct freeze *freeze)
{
	int *const keep[] = {
		&a->sock,	    &a->host_proc,	&a->guard,	    sigfd,
		&cgroup->parent[0], &cgroup->parent[1], &cgroup->parent[2], &freeze->freezer.ctl,
		&a->devices.watch,  &a->devices.from,	&a->devices.to};

	fd_keep_only(keep, ARRAY_LEN(keep));
}

/* What takes the kernel long to end is not to end with us. */
static void leave_late(const struct agent *a)
{
	const struct wire_msg m = {.type = WIRE_LATE};

	if (a->devices.watch >= 0)
		wire_send(a->sock, &m, a->devices.watch);
	if (a->devices.from >= 0)
		wire_send(a->sock, &m, a->devices.from);
}

/* Where those who clear up find what we leave; held by them, so that its number is not used again.
 */
static void say_where(const struct agent *a)
{
	const struct wire_msg m = {.type = WIRE_NS};
	_cleanup_close_ int ns = -EBADF;

	if (a->plan->view != VIEW_NONE)
		ns = openat(a->host_proc, "self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (ns < 0)
		return;
	wire_send(a->sock, &m, ns);
	wire_send(a->guard, &m, ns);
}

/* The supervisor says when the command may start: with a cgroup of its own, or a target that is to
 * be frozen, a guard comes before that. */
static void await_guard(struct agent *a, struct session_cgroup *cgroup)
{
	struct wire_msg m = {};

	while (m.type != WIRE_GUARDED) {
		_cleanup_close_ int fd = -EBADF;

		if (wire_recv(a->sock, &m, &fd) <= 0) { /* the supervisor is gone */
			freeze_thaw(a->freeze, a->host_proc);
			session_cgroup_remove(cgroup);
			_exit(EXIT_PORTHOLE);
		}
		if (m.type == WIRE_CGROUP && cgroup->n < ARRAY_LEN(a->own_procs))
			a->own_procs[cgroup->n++] = TAKE_FD(fd);
	}
}

_Noreturn void agent_main(struct agent *a)
{
	const struct plan *p = a->plan;
	struct session_cgroup cgroup = *a->cgroup;
	struct freeze freeze = *a->freeze;
	int master = -EBADF, slave = -EBADF, sigfd, code;
	const struct wire_msg ready = {.type = WIRE_READY}, done = {.type = WIRE_DONE},
			      started = {.type = WIRE_STARTED};
	struct err e = {};
	sigset_t set;
	pid_t command;

	if (p->cgroup == CGROUP_OWN)
		cgroup.procs = a->own_procs;
	a->cgroup = &cgroup;
	if (!a->placed) /* it has nothing of the host's there else */
		title_set("porthole: session");
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* while we build we die with the supervisor; later its end wakes us to clear up */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if ((!a->placed && agent_enter(a, &e) < 0) ||
	    (p->tty && session_pty(p, &master, &slave, &e) < 0))
		agent_fail(a, &e);

	settle_term(p);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (size_t i = 0; a->placed && i < ARRAY_LEN(stopping); i++)
		sigaddset(&set, stopping[i]);
	sigfd = signalfd(-1, &set, SFD_CLOEXEC);
	prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	say_where(a);
	if (sigfd < 0 || wire_send(a->sock, &ready, master) < 0)
		_exit(EXIT_PORTHOLE); /* the supervisor is gone */
	cleanup_close(&master);

	await_guard(a, &cgroup);
	command = spawn(a, slave, &e);
	if (command < 0)
		err_set(&e, errno, "starting a process in '%s'", p->label);
	if (e.num) {
		if (command > 0)
			waitpid(command, NULL, 0);
		agent_fail(a, &e);
	}
	if (a->says_started)
		wire_send(a->sock, &started, -EBADF);
	setsid(); /* away from the host's terminal; no sooner, since it takes the kernel a while */
	leave_late(a);
	let_go(a, &sigfd, &cgroup, &freeze);
	code = attend(a, command, sigfd);
	if (code == SUPERVISOR_GONE) /* nobody else may be left to do it */
		freeze_thaw(&freeze, a->host_proc);
	leave_children(a->host_proc, p->cookie);
	if (code == SUPERVISOR_GONE)
		session_cgroup_remove(&cgroup);
	if (p->cgroup != CGROUP_OWN && !freeze.table)
		wire_send(a->guard, &done, -EBADF); /* it ends while we do */
	close(a->sock);				    /* and the supervisor wakes while we do */
	_exit(code == SUPERVISOR_GONE ? 128 + SIGKILL : code);
}
