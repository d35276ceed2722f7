#include "sys/pidfd.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int pidfd_get(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by itself */

	if (fd >= 0)
		return fd;
	return errno == EPERM ? -ENOSYS : -errno;
}

/* linux/pidfd.h of Linux 6.15: Debian 12's has none of it. */
struct info {
	uint64_t mask, cgroupid;
	uint32_t pid, tgid, ppid, ids[8];
	int32_t exit_code;
};

#define INFO_EXIT (1ULL << 3)
#define GET_INFO  _IOWR(0xff, 11, struct info)

int pidfd_wait_status(int pidfd, int *status)
{
	struct info info = {.mask = INFO_EXIT};

	if (ioctl(pidfd, GET_INFO, &info) < 0)
		return errno == ESRCH ? -EAGAIN : -errno;
	if (!(info.mask & INFO_EXIT))
		return -EAGAIN;
	*status = info.exit_code;
	return 0;
}

bool pidfd_has_ended(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}
