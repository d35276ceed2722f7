#include "sys/ns.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "sys/caps.h"
#include "sys/power.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

const struct ns_type ns_types[NS_COUNT] = {
	{"user", "ns/user", CLONE_NEWUSER},	  {"mnt", "ns/mnt", CLONE_NEWNS},
	{"pid", "ns/pid", CLONE_NEWPID},	  {"net", "ns/net", CLONE_NEWNET},
	{"ipc", "ns/ipc", CLONE_NEWIPC},	  {"uts", "ns/uts", CLONE_NEWUTS},
	{"cgroup", "ns/cgroup", CLONE_NEWCGROUP}, {"time", "ns/time", CLONE_NEWTIME},
};

/* What else people call them. */
static const struct {
	const char *alias, *name;
} aliases[] = {{"mount", "mnt"}, {"network", "net"}, {"process", "pid"}, {"hostname", "uts"}};

static unsigned ns_flag(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
		if (str_eq(aliases[i].alias, name))
			name = aliases[i].name;
	for (size_t i = 0; i < NS_COUNT; i++)
		if (str_eq(ns_types[i].name, name))
			return ns_types[i].flag;
	return 0;
}

int ns_parse(const struct strv *list, unsigned *flags, struct err *e)
{
	unsigned all = 0;

	for (size_t i = 0; i < list->n; i++) {
		unsigned f = ns_flag(list->v[i]);

		if (str_eq(list->v[i], "all"))
			for (size_t k = 0; k < NS_COUNT; k++)
				f |= ns_types[k].flag;
		if (!f)
			return err_say(
				e, EINVAL,
				"there is no namespace '%s': --ns takes a list of mnt, net, pid, "
				"ipc, uts, cgroup, user, time, or all",
				list->v[i]);
		all |= f;
	}
	if (!all)
		return err_say(e, EINVAL, "--ns needs at least one namespace, such as net");
	*flags = all;
	return 0;
}

char *ns_names(unsigned flags, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < NS_COUNT; i++) {
		if (!(flags & ns_types[i].flag) || n + 8 > size)
			continue;
		n += (size_t)snprintf(out + n, size - n, "%s%s", n ? "," : "", ns_types[i].name);
	}
	return out;
}

uint64_t ns_inode(int proc_fd, const struct ns_type *t)
{
	char link[64], *p;
	ssize_t n = link_read_at(proc_fd, t->file, link, sizeof(link));

	if (n < 0) {
		errno = (int)-n;
		return 0;
	}
	p = strchr(link, '[');
	return p ? strtoull(p + 1, NULL, 10) : 0;
}

int ns_different(int proc_fd, int self_fd, unsigned want, unsigned *different, struct err *e)
{
	unsigned diff = 0;

	for (size_t i = 0; i < NS_COUNT; i++) {
		uint64_t theirs, ours;

		if (!(want & ns_types[i].flag))
			continue;
		theirs = ns_inode(proc_fd, &ns_types[i]);
		if (!theirs && errno != ENOENT) {
			err_set(e, errno, "reading the %s namespace of the target",
				ns_types[i].name);
			if (errno == EACCES || errno == EPERM)
				power_hint(e, CAPS_BIT(CAP_SYS_PTRACE));
			return -e->num;
		}
		ours = theirs ? ns_inode(self_fd, &ns_types[i]) : 0;
		if (theirs != ours)
			diff |= ns_types[i].flag;
	}
	*different = diff;
	return 0;
}

int ns_join_held(const int fds[NS_COUNT], unsigned flags)
{
	for (size_t i = 0; i < NS_COUNT; i++)
		if (flags & ns_types[i].flag && setns(fds[i], (int)ns_types[i].flag) < 0)
			return -errno;
	return 0;
}

int ns_join(int pidfd, int proc_fd, unsigned flags)
{
	bool gone = false;

	if (!flags)
		return 0;
	if (pidfd >= 0) {
		if (setns(pidfd, (int)flags) == 0)
			return 0;
		if (errno != EINVAL && errno != EBADF && errno != ESRCH)
			return -errno;
		gone = errno == ESRCH; /* or only its first thread, and `proc_fd` is another's */
	}
	for (size_t i = 0; i < NS_COUNT; i++) {
		_cleanup_close_ int fd = -EBADF;

		if (!(flags & ns_types[i].flag))
			continue;
		fd = openat(proc_fd, ns_types[i].file, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || setns(fd, (int)ns_types[i].flag) < 0)
			return gone && fd < 0 ? -ESRCH : -errno;
	}
	return 0;
}
