#include "sys/power.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/caps.h"

/* Inodes of the namespaces a machine boots with: fixed by the kernel (include/linux/proc_ns.h). */
enum { HOST_USER_INO = 0xEFFFFFFDU, HOST_PID_INO = 0xEFFFFFFCU };

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
	if (fstatat(proc_fd, "self/ns/user", &st, 0) == 0 && st.st_ino != HOST_USER_INO)
		return POWER_USERNS;
	return need & ~effective() ? POWER_CAPS : POWER_FULL;
}

char *power_missing(uint64_t need, char *out, size_t size)
{
	uint64_t missing = need & ~effective();
	size_t n = 0;

	out[0] = '\0';
	for (unsigned c = 0; missing; c++, missing >>= 1) {
		char name[CAPS_NAME_MAX];

		if (!(missing & 1) || n >= size)
			continue;
		caps_name(c, name);
		for (char *p = name; *p; p++)
			*p = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
		n += (size_t)snprintf(out + n, size - n, "%sCAP_%s",
				      n == 0	     ? ""
				      : missing >> 1 ? ", "
						     : " and ",
				      name);
	}
	return out;
}

static void hint(struct err *e, enum power power, uint64_t need)
{
	char names[256];

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

	hint(e, power_of(proc, need), need);
}

void power_hint_inside(struct err *e, uint64_t need)
{
	hint(e, power_of(-EBADF, need), need);
}

bool power_is_host_pidns(int proc_fd)
{
	return has_inode(proc_fd, "ns/pid", HOST_PID_INO);
}
