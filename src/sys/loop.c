#include "sys/loop.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

enum { LOOP_TRIES = 64 };

void loop_done(struct loop *l)
{
	cleanup_close(&l->fd);
	*l = LOOP_INIT;
}

/* Linux before 5.8. The flags come second, so this is the one way that is not safe to be killed in.
 */
static int configure_in_two_steps(int dev_fd, const struct loop_config *c)
{
	if (ioctl(dev_fd, LOOP_SET_FD, c->fd) < 0)
		return -errno;
	for (int tries = 0; tries < LOOP_TRIES; tries++) {
		if (ioctl(dev_fd, LOOP_SET_STATUS64, &c->info) == 0)
			return 0;
		if (errno != EAGAIN) /* EAGAIN: pages of the device are still in use */
			break;
		sched_yield();
	}
	int num = errno;

	ioctl(dev_fd, LOOP_CLR_FD, 0);
	return -num;
}

static int configure(int dev_fd, int file_fd, uint64_t offset, uint64_t size)
{
	struct loop_config c = {
		.fd = (uint32_t)file_fd,
		.info = {.lo_offset = offset,
			 .lo_sizelimit = size,
			 .lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_READ_ONLY},
	};

	strcpy((char *)c.info.lo_file_name, "porthole-kit");
	if (ioctl(dev_fd, LOOP_CONFIGURE, &c) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOTTY && errno != ENOSYS)
		return -errno;
	return configure_in_two_steps(dev_fd, &c);
}

/* One attempt on the device that is free just now. -EBUSY: someone else was faster. */
static int attach_once(int ctl_fd, int file_fd, uint64_t offset, uint64_t size, struct loop *out,
		       struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	char path[32];
	struct stat st;
	int nr, r;

	nr = ioctl(ctl_fd, LOOP_CTL_GET_FREE);
	if (nr < 0)
		return err_set(e, errno, "cannot get a free loop device");
	snprintf(path, sizeof(path), "/dev/loop%d", nr);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && (errno == ENXIO || errno == EBUSY)) /* it is just being removed */
		return -EBUSY;
	if (fd < 0)
		return err_set(e, errno, "cannot open %s", path);
	if (fstat(fd, &st) < 0 || !S_ISBLK(st.st_mode))
		return err_say(e, ENODEV, "%s is not a block device", path);
	r = configure(fd, file_fd, offset, size);
	if (r == -EBUSY)
		return r;
	if (r < 0)
		return err_set(e, r, "cannot set up %s", path);
	*out = (struct loop){.fd = TAKE_FD(fd), .nr = (unsigned)nr, .dev = st.st_rdev};
	return 0;
}

int loop_attach(int file_fd, uint64_t offset, uint64_t size, struct loop *out, struct err *e)
{
	_cleanup_close_ int ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int r;

	if (ctl < 0)
		return err_set(e, errno, "cannot open /dev/loop-control");
	for (int tries = 0; tries < LOOP_TRIES; tries++) {
		r = attach_once(ctl, file_fd, offset, size, out, e);
		if (r != -EBUSY)
			return r;
		sched_yield();
	}
	return err_say(e, EBUSY, "others took every loop device that was free");
}
