#include "launch/broker.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "session/leave.h"
#include "session/plan.h"
#include "session/wire.h"
#include "sys/fsmount.h"

enum { BACKLOG = 4096 };

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define LIVE_SIZE    (BROKER_CALLS_MAX * sizeof(uint32_t))

/* In a tmpfs that nothing of the host shows. */
static int listen_in(int dir, struct err *e)
{
	_cleanup_close_ int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/" BROKER_NAME, dir);
	if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    fchmodat(dir, BROKER_NAME, 0666, 0) < 0 || listen(s, BACKLOG) < 0)
		return err_set(e, errno, "making the socket of host exec");
	return TAKE_FD(s);
}

int broker_open(struct broker *b, const struct broker_options *o, struct err *e)
{
	static const struct fs_opt opts[] = {
		{.key = "size", .value = "64k"}, {.key = "mode", .value = "0755"}, {}};
	const char *path = getenv("PATH");

	b->o = *o;
	b->path = strdup(path && *path ? path : DEFAULT_PATH);
	if (!b->path)
		return err_set(e, ENOMEM, "preparing host exec");
	b->mount = fs_mount_detached(
		"tmpfs", opts, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, NULL, e);
	return b->mount < 0 ? b->mount : 0;
}

int broker_listen(struct broker *b, struct err *e)
{
	void *live;

	b->listener = listen_in(b->mount, e);
	if (b->listener < 0)
		return b->listener;
	live = mmap(NULL, LIVE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (live == MAP_FAILED || plan_cookie(b->cookie) < 0)
		return err_set(e, errno, "preparing host exec");
	b->live = live;
	return 0;
}

int broker_watch(const struct broker *b)
{
	return b->pid > 0 ? b->link : b->listener;
}

/* In the namespaces that the launcher is in: it has joined and left none. */
static void start(struct broker *b, pid_t inside)
{
	int pair[2], hold;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return;
	hold = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	b->pid = fork();
	if (b->pid == 0) {
		cleanup_close(&pair[0]);
		broker_serve(b, pair[1], hold, inside);
	}
	cleanup_close(&pair[1]);
	cleanup_close(&hold);
	b->link = pair[0];
	if (b->pid < 0) { /* who asked waits, and is served when there is a process to be had */
		cleanup_close(&b->link);
		b->link = -EBADF;
		b->pid = 0;
	}
}

/* --- what is left of commands --- */

struct marks {
	char start[40];
	const uint32_t *live;
};

static bool is_marked(int pid_dir, const void *arg)
{
	const struct marks *m = arg;
	_cleanup_free_ char *var = leave_env(pid_dir, m->start);
	uint64_t id;

	if (!var || str_to_u64(var + strlen(m->start), 1, UINT32_MAX, &id) < 0)
		return false;
	for (size_t i = 0; i < BROKER_CALLS_MAX; i++)
		if (m->live[i] == id)
			return true;
	return false;
}

void broker_sweep(const char *cookie, const uint32_t *live)
{
	_cleanup_close_ int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct marks m = {.live = live};
	bool any = false;

	for (size_t i = 0; i < BROKER_CALLS_MAX; i++)
		any = any || live[i];
	snprintf(m.start, sizeof(m.start), BROKER_MARK "=%s.", cookie);
	if (any && proc >= 0)
		leave_sweep_of(proc, is_marked, &m);
}

/* The process has ended: by itself after its link was closed, or killed. */
static void ended(struct broker *b)
{
	cleanup_close(&b->link);
	b->link = -EBADF;
	while (waitpid(b->pid, NULL, 0) < 0 && errno == EINTR)
		;
	b->pid = 0;
	broker_sweep(b->cookie, b->live);
	memset(b->live, 0, LIVE_SIZE);
}

void broker_attend(struct broker *b, pid_t inside)
{
	_cleanup_close_ int answer = -EBADF;
	struct wire_msg m;
	char c;

	if (b->pid <= 0) {
		start(b, inside);
		return;
	}
	if (wire_recv(b->link, &m, &answer) <= 0) {
		ended(b); /* who asks next starts another */
		return;
	}
	if ((m.type != WIRE_ASK && m.type != WIRE_SETTLE) || answer < 0)
		return;
	/* mounts have been looked at before us (session/run.c) */
	c = m.type == WIRE_ASK ? broker_ask_terminal(m.err.msg) : 'y';
	(void)!write(answer, &c, 1);
}

void broker_done(struct broker *b)
{
	if (b->pid > 0)
		ended(b);
	cleanup_close(&b->listener);
	cleanup_close(&b->mount);
	free(b->path);
	if (b->live)
		munmap(b->live, LIVE_SIZE);
	*b = BROKER_INIT;
}
