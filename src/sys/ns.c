#include "sys/ns.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"
#include "sys/caps.h"
#include "sys/mountinfo.h"
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

/* --- those the machine booted with --- */

static bool sees_kthreadd(int proc_fd)
{
	char comm[32];

	return file_read_small_at(proc_fd, "2/comm", comm, sizeof(comm)) > 0 &&
	       str_eq(comm, "kthreadd\n");
}

/* kthreadd, where it is seen and may be looked at, is in all of them. 0: it is not. */
static uint64_t of_kthreadd(int proc_fd, const struct ns_type *t)
{
	_cleanup_close_ int fd = -EBADF;

	if (!sees_kthreadd(proc_fd))
		return 0;
	fd = openat(proc_fd, "2", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? 0 : ns_inode(fd, t);
}

/* Linux 6.18 or later: all numbers are constants. */
static bool all_are_fixed(void)
{
	unsigned major = 0, minor = 0;
	struct utsname u;

	return uname(&u) == 0 && sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	       (major > 6 || (major == 6 && minor >= 18));
}

/* Whether we are in it, before 6.18: these settings are the first network's alone, and the first
 * mount of all is the parent of / in the first mount namespace alone. 1, 0, -1. */
static int are_in_booted(int proc_fd, unsigned flag)
{
	_cleanup_close_ int self = openat(proc_fd, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_mountinfo_ struct mountinfo m = {};
	const struct mount_row *root;

	if (flag == CLONE_NEWNET) {
		if (faccessat(proc_fd, "sys/net/core/netdev_budget", F_OK, 0) == 0)
			return 1;
		return faccessat(proc_fd, "sys/net/core/somaxconn", F_OK, 0) == 0 ? 0 : -1;
	}
	root = self >= 0 && mountinfo_read(self, &m) == 0 ? mountinfo_root(&m) : NULL;
	if (root && root->parent == 1)
		return 1;
	/* the host's own / can be deeper, over an image's */
	return root && !sees_kthreadd(proc_fd) ? 0 : -1;
}

int ns_is_booted(int proc_fd, const struct ns_type *t, uint64_t inode)
{
	/* include/linux/proc_ns.h, include/uapi/linux/nsfs.h: never another namespace's */
	static const struct {
		unsigned flag;
		uint64_t inode;
	} fixed[] = {
		{CLONE_NEWPID, NS_BOOTED_PID}, {CLONE_NEWUSER, NS_BOOTED_USER},
		{CLONE_NEWUTS, 0xEFFFFFFE},    {CLONE_NEWIPC, 0xEFFFFFFF},
		{CLONE_NEWCGROUP, 0xEFFFFFFB}, {CLONE_NEWTIME, 0xEFFFFFFA},
		{CLONE_NEWNET, 0xEFFFFFF9},    {CLONE_NEWNS, 0xEFFFFFF8},
	};
	_cleanup_close_ int self = -EBADF;
	uint64_t theirs = of_kthreadd(proc_fd, t);
	bool late = t->flag == CLONE_NEWNET || t->flag == CLONE_NEWNS;
	int are;

	if (theirs)
		return theirs == inode;
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		if (fixed[i].flag == t->flag && (!late || all_are_fixed()))
			return fixed[i].inode == inode;
	self = openat(proc_fd, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	are = self >= 0 ? are_in_booted(proc_fd, t->flag) : -1;
	if (self >= 0 && inode == ns_inode(self, t))
		return are;
	return are == 1 ? 0 : -1;
}
