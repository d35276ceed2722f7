#include "sys/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#define PROC_PATH_MAX 64
#define PF_KTHREAD    0x00200000

/* "PID/FILE". By hand: it is made a thousand times in one look at a system. */
static const char *pid_path(char *out, pid_t pid, const char *file)
{
	char digits[12], *d = digits + sizeof(digits);
	size_t n, len = strlen(file);

	if (pid < 0 || len > PROC_PATH_MAX - sizeof(digits) - 2)
		return "/nonexistent";
	do
		*--d = (char)('0' + pid % 10);
	while (pid /= 10);
	n = (size_t)(digits + sizeof(digits) - d);
	memcpy(out, d, n);
	out[n] = '/';
	memcpy(out + n + 1, file, len + 1);
	return out;
}

int proc_dir_open(int proc_fd, pid_t pid)
{
	char path[PROC_PATH_MAX];
	int fd;

	if (pid <= 0)
		return -EINVAL;
	fd = openat(proc_fd, pid_path(path, pid, ""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int proc_link_open(int proc_fd, pid_t pid, const char *link)
{
	char path[PROC_PATH_MAX];
	int fd = openat(proc_fd, pid_path(path, pid, link), O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* One read is all of a file of less than a page. */
static ssize_t read_once(int dirfd, const char *path, char *out, size_t size)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);

	if (n < 0)
		return -errno;
	out[n] = '\0';
	return n;
}

/* The next blank-separated number, minus signs left out; *p moves past it. */
static uint64_t next_number(const char **p)
{
	uint64_t v = 0;

	while (**p == ' ' || **p == '-')
		++*p;
	while (**p >= '0' && **p <= '9')
		v = v * 10 + (uint64_t)(*(*p)++ - '0');
	return v;
}

/* Fields from number 3 (state) on stand after the comm, which may contain anything. */
static int parse_stat(const char *text, struct proc_stat *out)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')'), *p = text;
	uint64_t field[23] = {};
	size_t n;

	if (!open || !close || close < open || close[1] != ' ' || !close[2])
		return -EBADMSG;
	n = (size_t)(close - open - 1);
	if (n >= sizeof(out->comm))
		n = sizeof(out->comm) - 1;
	memcpy(out->comm, open + 1, n);
	out->comm[n] = '\0';
	out->state = close[2];
	out->pid = (pid_t)next_number(&p);
	p = close + 3;
	for (int i = 4; i <= 22; i++) {
		if (*p != ' ')
			return -EBADMSG;
		field[i] = next_number(&p);
	}
	out->ppid = (pid_t)field[4];
	out->kthread = field[9] & PF_KTHREAD;
	out->start = field[22];
	out->ended = (out->state == 'Z' || out->state == 'X') && field[20] < 2;
	return 0;
}

static int stat_read(int dirfd, const char *path, struct proc_stat *out)
{
	char text[1024];
	ssize_t n = read_once(dirfd, path, text, sizeof(text));

	return n < 0 ? (int)n : parse_stat(text, out);
}

int proc_stat_read(int dir, struct proc_stat *out)
{
	return stat_read(dir, "stat", out);
}

int proc_stat_read_at(int proc_fd, pid_t pid, struct proc_stat *out)
{
	char path[PROC_PATH_MAX];

	return stat_read(proc_fd, pid_path(path, pid, "stat"), out);
}

int proc_thread_open(int dir)
{
	_cleanup_dir_ DIR *d = dir_open(dir, "task");
	struct dirent *ent;

	while (d && (ent = readdir(d))) {
		_cleanup_close_ int thread = -EBADF;
		struct proc_stat st;

		if (ent->d_name[0] == '.')
			continue;
		thread = openat(dirfd(d), ent->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (thread >= 0 && proc_stat_read(thread, &st) == 0 && st.state != 'Z' &&
		    st.state != 'X')
			return TAKE_FD(thread);
	}
	return -ESRCH;
}

int proc_wait_status(int dir, int *status)
{
	char text[1024], *last;
	struct proc_stat st;

	if (read_once(dir, "stat", text, sizeof(text)) < 0 || parse_stat(text, &st) < 0 ||
	    st.state != 'Z' || !(last = strrchr(text, ' ')))
		return -EAGAIN;
	*status = atoi(last + 1); /* field 52 */
	return 0;
}

static int parse_status(const char *text, struct proc_status *out)
{
	const char *p = strstr(text, "\nTgid:");

	*out = (struct proc_status){.ruid = (uid_t)-1, .euid = (uid_t)-1};
	if (!p)
		return -EBADMSG;
	out->tgid = (pid_t)strtol(p + 6, NULL, 10);
	p = strstr(p, "\nUid:");
	if (p && sscanf(p + 5, "%u %u", &out->ruid, &out->euid) != 2)
		return -EBADMSG;
	p = strstr(text, "\nNSpid:");
	if (!p) {
		out->nspid[out->nspids++] = out->tgid;
		return 0;
	}
	p += 7;
	while (out->nspids < PROC_NSPID_MAX) {
		p += strspn(p, " \t");
		if (*p < '0' || *p > '9')
			break;
		out->nspid[out->nspids++] = (pid_t)strtol(p, (char **)&p, 10);
	}
	return out->nspids ? 0 : -EBADMSG;
}

static int status_read(int dirfd, const char *path, struct proc_status *out)
{
	char text[4096]; /* what is wanted stands in the first kilobyte */
	ssize_t n = read_once(dirfd, path, text, sizeof(text));

	return n < 0 ? (int)n : parse_status(text, out);
}

int proc_status_read(int dir, struct proc_status *out)
{
	return status_read(dir, "status", out);
}

int proc_status_read_at(int proc_fd, pid_t pid, struct proc_status *out)
{
	char path[PROC_PATH_MAX];

	return status_read(proc_fd, pid_path(path, pid, "status"), out);
}

/* A /proc/PID directory is a pidfd to pidfd_send_signal(2) (Linux 5.1), which also spares us the
 * translation between pid namespaces. Before that: the number it has at our own depth. */
int proc_signal(int proc_fd, int dir, int sig)
{
	_cleanup_close_ int self = -EBADF;
	struct proc_status us, them;

	if (syscall(SYS_pidfd_send_signal, dir, sig, NULL, 0) == 0)
		return 0;
	if (errno != ENOSYS)
		return -errno;
	self = openat(proc_fd, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (self < 0 || proc_status_read(self, &us) < 0 || proc_status_read(dir, &them) < 0 ||
	    us.nspids < 1 || them.nspids < us.nspids)
		return -ESRCH;
	return kill(them.nspid[us.nspids - 1], sig) < 0 ? -errno : 0;
}

/* 0: errno tells. */
static uint64_t ns_inode(int dirfd, const char *path)
{
	char link[64];
	const char *p;
	ssize_t n = link_read_at(dirfd, path, link, sizeof(link));

	if (n < 0) {
		errno = (int)-n;
		return 0;
	}
	p = strchr(link, '[');
	return p ? strtoull(p + 1, NULL, 10) : 0;
}

uint64_t proc_ns_inode(int dir, const char *ns)
{
	char path[PROC_PATH_MAX];

	snprintf(path, sizeof(path), "ns/%s", ns);
	return ns_inode(dir, path);
}

uint64_t proc_ns_inode_at(int proc_fd, pid_t pid, const char *ns)
{
	char path[PROC_PATH_MAX], file[32] = "ns/";

	_cleanup_close_ int dir = -EBADF, thread = -EBADF;
	struct proc_stat st;
	uint64_t ino;

	strncat(file, ns, sizeof(file) - 4);
	ino = ns_inode(proc_fd, pid_path(path, pid, file));
	if (ino || errno != ENOENT || proc_stat_read_at(proc_fd, pid, &st) < 0 || st.state != 'Z' ||
	    st.ended)
		return ino;
	dir = proc_dir_open(proc_fd, pid);
	thread = dir < 0 ? -EBADF : proc_thread_open(dir);
	return thread < 0 ? 0 : ns_inode(thread, file);
}

ssize_t proc_cmdline_read(int proc_fd, pid_t pid, char *out, size_t size)
{
	char path[PROC_PATH_MAX];
	ssize_t n = file_read_small_at(proc_fd, pid_path(path, pid, "cmdline"), out, size - 1);

	if (n < 0)
		return n;
	out[n] = out[n + 1] = '\0';
	return n;
}

const char *proc_arg(const char *args, size_t len, const char *flag)
{
	size_t n = strlen(flag);

	for (const char *p = args; p < args + len; p += strlen(p) + 1) {
		if (strncmp(p, flag, n) != 0)
			continue;
		if (p[n] == '=')
			return p + n + 1;
		if (p[n] == '\0' && p + n + 1 < args + len)
			return p + n + 1;
	}
	return NULL;
}

int64_t proc_start_time(uint64_t start)
{
	struct timespec real, boot;
	int64_t hz = sysconf(_SC_CLK_TCK), ms;

	if (start == 0 || clock_gettime(CLOCK_REALTIME, &real) < 0 ||
	    clock_gettime(CLOCK_BOOTTIME, &boot) < 0)
		return 0;
	ms = (real.tv_sec - boot.tv_sec) * 1000 + (real.tv_nsec - boot.tv_nsec) / 1000000;
	return (ms + (int64_t)(start / (uint64_t)hz * 1000 +
			       start % (uint64_t)hz * 1000 / (uint64_t)hz)) /
	       1000;
}

int proc_uid_map_first(int dir, uint32_t *inside, uint32_t *outside, uint32_t *count)
{
	char text[256];
	ssize_t n = file_read_small_at(dir, "uid_map", text, sizeof(text));

	if (n < 0)
		return (int)n;
	return sscanf(text, "%u %u %u", inside, outside, count) == 3 ? 0 : -ENODATA;
}

pid_t proc_first_child(int proc_fd, pid_t pid)
{
	char path[64], list[64];
	uint64_t child;

	snprintf(path, sizeof(path), "%d/task/%d/children", (int)pid, (int)pid);
	if (file_read_small_at(proc_fd, path, list, sizeof(list)) <= 0)
		return 0;
	list[strcspn(list, " \n")] = '\0';
	return str_to_u64(list, 1, INT32_MAX, &child) < 0 ? 0 : (pid_t)child;
}
