#include "sys/power.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "sys/caps.h"
#include "sys/ns.h"

static uint64_t effective(void)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {};

	if (syscall(SYS_capget, &h, d) < 0)
		return 0;
	return d[0].effective | (uint64_t)d[1].effective << 32;
}

static bool has_inode(int proc_fd, const char *file, unsigned inode)
{
	struct stat st;

	return fstatat(proc_fd, file, &st, 0) == 0 && st.st_ino == inode;
}

enum power power_of(int proc_fd, uint64_t need)
{
	struct stat st;

	if (geteuid() != 0)
		return POWER_USER;
	if (fstatat(proc_fd, "self/ns/user", &st, 0) == 0 && st.st_ino != NS_BOOTED_USER)
		return POWER_USERNS;
	return need & ~effective() ? POWER_CAPS : POWER_FULL;
}

/* Add each of `missing` to what is in `out`, behind `mark`; the words between two of them, and
 * before the last. [child] */
static char *add_caps(uint64_t missing, const char *mark, const char *between, const char *last,
		      char *out, size_t size)
{
	size_t n = strlen(out);

	for (unsigned c = 0; missing; c++, missing >>= 1) {
		char name[CAPS_NAME_MAX];

		if (!(missing & 1) || n >= size)
			continue;
		caps_name(c, name);
		for (char *p = name; *p; p++)
			*p = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
		n += (size_t)snprintf(out + n, size - n, "%s%s%s",
				      n == 0	     ? ""
				      : missing >> 1 ? between
						     : last,
				      mark, name);
	}
	return out;
}

char *power_missing(uint64_t need, char *out, size_t size)
{
	out[0] = '\0';
	return add_caps(need & ~effective(), "CAP_", ", ", " and ", out, size);
}

static bool is_booted(int proc_fd, unsigned flag)
{
	for (size_t i = 0; i < NS_COUNT; i++) {
		_cleanup_close_ int self = -EBADF;
		uint64_t inode;

		if (ns_types[i].flag != flag)
			continue;
		self = openat(proc_fd, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
		inode = self >= 0 ? ns_inode(self, &ns_types[i]) : 0;
		return !inode || ns_is_booted(proc_fd, &ns_types[i], inode) != 0;
	}
	return true;
}

/* Root of a container has what its bounding set allows: a user lacks sudo. */
static uint64_t lacking(uint64_t need)
{
	return need & ~(geteuid() ? caps_bounding() : effective());
}

char *power_flags(int proc_fd, uint64_t need, char *out, size_t size)
{
	out[0] = '\0';
	if (is_booted(proc_fd, CLONE_NEWNS))
		return out;
	if (!is_booted(proc_fd, CLONE_NEWPID))
		snprintf(out, size, "%s",
			 str_eq(getenv("container"), "porthole") ? "--ns +pid" : "--pid host");
	return add_caps(lacking(need), "--cap-add ", " ", " ", out, size);
}

/* False when no container is what is in the way. */
static bool hint_container(struct err *e, int proc_fd, uint64_t need)
{
	char names[160] = "", flags[160] = "";

	if (!lacking(need) || is_booted(proc_fd, CLONE_NEWNS))
		return false;
	err_hint(e, "%s without %s: run it as root of the host, or start this container with %s",
		 geteuid() ? "you are" : "you are root",
		 add_caps(lacking(need), "CAP_", ", ", " and ", names, sizeof(names)),
		 add_caps(lacking(need), "--cap-add ", " ", " ", flags, sizeof(flags)));
	return true;
}

void power_retell(struct err *e)
{
	_cleanup_close_ int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint64_t need = CAPS_BIT(CAP_SYS_ADMIN) | CAPS_BIT(CAP_SYS_PTRACE) |
			CAPS_BIT(CAP_SYS_CHROOT) | CAPS_BIT(CAP_SETUID) | CAPS_BIT(CAP_SETGID);

	if (geteuid() == 0 && strstr(e->hint, "run with sudo"))
		hint_container(e, proc, need);
}

static void hint(struct err *e, int proc_fd, enum power power, uint64_t need)
{
	char names[256];

	if ((power == POWER_CAPS || power == POWER_USER) && hint_container(e, proc_fd, need))
		return;
	switch (power) {
	case POWER_USER:
		err_hint(e, "this needs root: run with sudo");
		break;
	case POWER_USERNS:
		err_hint(e, "you are root in a user namespace only: run it outside of it, with "
			    "sudo");
		break;
	case POWER_CAPS:
		err_hint(e,
			 "you are root without %s (capsh, setpriv, a container?): run it as root "
			 "of the host, or start the container with --cap-add",
			 power_missing(need, names, sizeof(names)));
		break;
	case POWER_FULL:
		err_hint(e,
			 "no capability is missing: the kernel or a security module protects it");
		break;
	}
}

void power_hint(struct err *e, uint64_t need)
{
	_cleanup_close_ int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	hint(e, proc, power_of(proc, need), need);
}

void power_hint_inside(struct err *e, uint64_t need)
{
	hint(e, -EBADF, power_of(-EBADF, need), need);
}

bool power_is_host_pidns(int proc_fd)
{
	return has_inode(proc_fd, "ns/pid", NS_BOOTED_PID);
}

bool power_in_container(void)
{
	_cleanup_close_ int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return !is_booted(proc, CLONE_NEWNS);
}
