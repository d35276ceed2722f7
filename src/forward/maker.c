#include "forward/maker.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/path.h"
#include "sys/cred.h"
#include "sys/ns.h"
#include "sys/power.h"
#include "sys/proc.h"
#include "sys/title.h"

enum op { OP_HELLO, OP_SOCKET, OP_CONNECT, OP_LISTEN };

enum { BACKLOG = 4096, MADE_MAX = 64 };

struct ask {
	enum op op;
	int family, type, count;
	mode_t mode;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

struct answer {
	int num;       /* 0 or -errno */
	char what[64]; /* OP_HELLO: what failed */
};

/* A unix socket that was made, to be removed. */
struct made {
	int dir;
	char name[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct stat st;
};

struct state {
	int sock, root;
	struct made made[MADE_MAX];
	size_t n_made;
};

/* --- both sides --- */

static int send_with(int sock, const void *data, size_t len, const int *fds, size_t n)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int) * MAKER_BATCH)];
	} c = {};
	struct iovec iov = {.iov_base = (void *)data, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n) {
		msg.msg_control = c.room;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		c.h.cmsg_level = SOL_SOCKET;
		c.h.cmsg_type = SCM_RIGHTS;
		c.h.cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(&c.h), fds, sizeof(int) * n);
	}
	while (sendmsg(sock, &msg, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* How many descriptors came; -EPIPE at the end. */
static int receive_with(int sock, void *data, size_t len, int fds[MAKER_BATCH])
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int) * MAKER_BATCH)];
	} c;
	struct iovec iov = {.iov_base = data, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = c.room,
			     .msg_controllen = sizeof(c.room)};
	struct cmsghdr *h;
	ssize_t r;
	int n = 0;

	do
		r = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	h = CMSG_FIRSTHDR(&msg);
	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS) {
		n = (int)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(h), sizeof(int) * (size_t)n);
	}
	if (r == (ssize_t)len)
		return n;
	while (n > 0)
		close(fds[--n]);
	return -EPIPE;
}

/* --- the process --- */

static void remove_made(const struct state *s)
{
	struct stat st;

	for (size_t i = 0; i < s->n_made; i++) {
		const struct made *m = &s->made[i];

		if (fstatat(m->dir, m->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_ino == m->st.st_ino && st.st_dev == m->st.st_dev)
			unlinkat(m->dir, m->name, 0);
	}
}

static int abstract(const char *path, struct sockaddr_un *un, socklen_t *len)
{
	size_t n = strnlen(path, sizeof(un->sun_path));

	*un = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(un->sun_path + 1, path + 1, n - 1);
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static int do_connect(const struct state *s, const struct ask *q)
{
	_cleanup_close_ int at = -EBADF, fd = -EBADF;
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(un);
	struct stat st;

	if (*q->path == '@') {
		fd = abstract(q->path, &un, &len);
	} else {
		at = path_open_in_root(s->root, q->path, O_PATH | O_CLOEXEC);
		if (at < 0)
			return at;
		if (fstat(at, &st) < 0 || !S_ISSOCK(st.st_mode))
			return -ENOTSOCK;
		snprintf(un.sun_path, sizeof(un.sun_path), "/proc/self/fd/%d", at);
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	}
	if (fd < 0 || connect(fd, (struct sockaddr *)&un, len) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* bind(2) follows no link at the end of a path, and makes no file where one is. */
static int bind_file(struct state *s, const struct ask *q, int fd)
{
	struct made *m = &s->made[s->n_made];
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	_cleanup_close_ int dir = -EBADF;
	char parent[sizeof(q->path)];
	char *slash;
	mode_t mask;
	int r;

	memcpy(parent, q->path, sizeof(parent));
	slash = strrchr(parent, '/');
	if (s->n_made == MADE_MAX || !path_is_component(slash + 1))
		return -EINVAL;
	snprintf(m->name, sizeof(m->name), "%s", slash + 1);
	slash[slash == parent] = '\0';
	dir = path_open_in_root(s->root, parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return dir;
	r = snprintf(un.sun_path, sizeof(un.sun_path), "/proc/self/fd/%d/%s", dir, m->name);
	if (r >= (int)sizeof(un.sun_path))
		return -ENAMETOOLONG;
	mask = umask(0777 & ~q->mode);
	r = bind(fd, (struct sockaddr *)&un, sizeof(un)) < 0 ? -errno : 0;
	umask(mask);
	if (r == 0 && fstatat(dir, m->name, &m->st, AT_SYMLINK_NOFOLLOW) == 0) {
		m->dir = TAKE_FD(dir);
		s->n_made++;
	}
	return r;
}

static int do_listen(struct state *s, const struct ask *q)
{
	_cleanup_close_ int fd = -EBADF;
	struct sockaddr_un un;
	socklen_t len;
	int r = 0;

	if (*q->path == '@') {
		fd = abstract(q->path, &un, &len);
		if (fd < 0 || bind(fd, (struct sockaddr *)&un, len) < 0)
			return -errno;
	} else {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		r = fd < 0 ? -errno : bind_file(s, q, fd);
	}
	if (r < 0)
		return r;
	return listen(fd, BACKLOG) < 0 ? -errno : TAKE_FD(fd);
}

static void answer(struct state *s, const struct ask *q)
{
	struct answer a = {};
	int fds[MAKER_BATCH];
	size_t n = 0;

	while (q->op == OP_SOCKET && n < (size_t)q->count && n < MAKER_BATCH) {
		fds[n] = socket(q->family, q->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fds[n] < 0) {
			a.num = n ? 0 : -errno;
			break;
		}
		n++;
	}
	if (q->op != OP_SOCKET) {
		fds[0] = q->op == OP_CONNECT ? do_connect(s, q) : do_listen(s, q);
		a.num = fds[0] < 0 ? fds[0] : 0;
		n = fds[0] >= 0;
	}
	send_with(s->sock, &a, sizeof(a), fds, n);
	while (n)
		close(fds[--n]);
}

/* A new user namespace makes us nobody until we take an id that exists there. */
static int take_inside_id(int proc_fd)
{
	_cleanup_free_ struct idmap *m = malloc(sizeof(*m));
	uint32_t uid = UINT32_MAX, gid = UINT32_MAX;

	/* ids as they are inside: the map is read from within */
	if (m && idmap_read(proc_fd, "uid_map", m) == 0)
		uid = idmap_first_inside(m);
	if (m && idmap_read(proc_fd, "gid_map", m) == 0)
		gid = idmap_first_inside(m);
	syscall(SYS_setgroups, 0, NULL); /* denied in some: then there is nothing to give up */
	return syscall(SYS_setresgid, gid, gid, gid) < 0 ||
			       syscall(SYS_setresuid, uid, uid, uid) < 0
		       ? -errno
		       : 0;
}

static bool differs(const struct target *t, const char *ns)
{
	_cleanup_close_ int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return self < 0 || proc_ns_inode(t->proc_fd, ns) != proc_ns_inode(self, ns);
}

/* The network namespace may be the host's own, or of another user namespace than the target is in:
 * with our own rights first, then with those of the target's. */
static int join(const struct target *t, struct answer *a)
{
	bool net = differs(t, "net"), user = differs(t, "user");
	int r = 0;

	snprintf(a->what, sizeof(a->what), "joining the network namespace");
	if (net)
		r = ns_join(t->pidfd, t->proc_fd, CLONE_NEWNET);
	if (r == 0 || r == -EPERM)
		net = r == -EPERM;
	else
		return r;
	if (user) {
		r = ns_join(t->pidfd, t->proc_fd, CLONE_NEWUSER);
		if (r == 0)
			r = take_inside_id(t->proc_fd);
		if (r < 0)
			snprintf(a->what, sizeof(a->what), "joining the user namespace");
	}
	if (r == 0 && net)
		r = ns_join(t->pidfd, t->proc_fd, CLONE_NEWNET);
	return r;
}

_Noreturn static void serve(struct state s, const struct target *t)
{
	struct answer hello = {};
	struct ask q;
	int none[MAKER_BATCH];

	setsid(); /* Ctrl-C is not for us: we go when they have */
	prctl(PR_SET_DUMPABLE, 0);
	if (t) {
		hello.num = join(t, &hello);
		prctl(PR_SET_DUMPABLE, 0);
		if (s.root < 0)
			s.root = openat(t->proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	} else {
		s.root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if (hello.num == 0 && s.root < 0) {
		hello.num = -errno;
		snprintf(hello.what, sizeof(hello.what), "opening the root directory");
	}
	int *const keep[] = {&s.sock, &s.root};

	fd_keep_only(keep, ARRAY_LEN(keep));
	title_set("ph-sockets");
	send_with(s.sock, &hello, sizeof(hello), &s.root, hello.num == 0);
	while (hello.num == 0 && receive_with(s.sock, &q, sizeof(q), none) == 0) {
		q.path[sizeof(q.path) - 1] = '\0';
		answer(&s, &q);
	}
	remove_made(&s);
	_exit(0);
}

/* --- this side --- */

static int failed(const struct maker *m, const struct answer *a, struct err *e)
{
	if (a->num == -ESRCH)
		return err_say(e, ESRCH, "'%s' exited meanwhile", m->label);
	err_set(e, a->num, "%s of '%s'", a->what, m->label);
	if (a->num == -EPERM)
		power_hint(e, 1ull << CAP_SYS_ADMIN | 1ull << CAP_SYS_PTRACE);
	return a->num;
}

int maker_start(struct maker *m, const struct target *t, struct err *e)
{
	int pair[2], fds[MAKER_BATCH], n;
	struct answer hello;

	m->label = t ? str_printable_dup(t->name) : strdup("the host");
	if (!m->label || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(e, errno, "making a socket pair");
	m->pid = fork();
	if (m->pid == 0)
		serve((struct state){.sock = pair[1], .root = -EBADF}, t);
	close(pair[1]);
	m->sock = pair[0];
	if (m->pid < 0)
		return err_set(e, errno, "starting a process");
	n = receive_with(m->sock, &hello, sizeof(hello), fds);
	if (n < 0)
		return err_say(e, EIO, "the process that makes sockets in '%s' was killed",
			       m->label);
	if (n)
		m->root = fds[0];
	return hello.num < 0 ? failed(m, &hello, e) : 0;
}

void maker_stop(struct maker *m)
{
	cleanup_close(&m->sock);
	cleanup_close(&m->root);
	for (size_t i = 0; i < ARRAY_LEN(m->pool); i++)
		while (m->pool[i].n)
			close(m->pool[i].fd[--m->pool[i].n]);
	if (m->pid > 0)
		while (waitpid(m->pid, NULL, 0) < 0 && errno == EINTR)
			;
	free(m->label);
	*m = MAKER_INIT;
}

/* How many descriptors came, or -errno. */
static int request(struct maker *m, const struct ask *q, int fds[MAKER_BATCH])
{
	struct answer a;
	int n = send_with(m->sock, q, sizeof(*q), NULL, 0);

	if (n == 0)
		n = receive_with(m->sock, &a, sizeof(a), fds);
	if (n < 0)
		return -EPIPE;
	if (a.num < 0)
		return a.num;
	return n ? n : -EMFILE; /* made, and there was no room for it in our table */
}

int maker_socket(struct maker *m, int family, int type)
{
	struct ask q = {.op = OP_SOCKET, .family = family, .type = type, .count = MAKER_BATCH};
	size_t i = (type == SOCK_DGRAM) + 2 * (family == AF_INET6);
	int n;

	if (!m->pool[i].n) {
		n = request(m, &q, m->pool[i].fd);
		if (n < 0)
			return n;
		m->pool[i].n = (size_t)n;
	}
	return m->pool[i].fd[--m->pool[i].n];
}

static int ask_path(struct maker *m, enum op op, const char *path, mode_t mode)
{
	struct ask q = {.op = op, .mode = mode};
	int fds[MAKER_BATCH], n;

	snprintf(q.path, sizeof(q.path), "%s", path);
	n = request(m, &q, fds);
	return n < 0 ? n : fds[0];
}

int maker_connect_unix(struct maker *m, const char *path)
{
	return ask_path(m, OP_CONNECT, path, 0);
}

int maker_listen_unix(struct maker *m, const char *path, mode_t mode)
{
	return ask_path(m, OP_LISTEN, path, mode);
}
