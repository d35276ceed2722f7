#include "session/wire.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"

/* Without an error text a message is its head only: the text is over 1 KiB. */
#define HEAD_SIZE offsetof(struct wire_msg, err)

int wire_send(int sock, const struct wire_msg *m, int fd)
{
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(sizeof(int))];
	} c = {};
	struct iovec iov = {.iov_base = (void *)m, .iov_len = m->err.num ? sizeof(*m) : HEAD_SIZE};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		mh.msg_control = c.space;
		mh.msg_controllen = sizeof(c.space);
		c.h.cmsg_level = SOL_SOCKET;
		c.h.cmsg_type = SCM_RIGHTS;
		c.h.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&c.h), &fd, sizeof(int));
	}
	while (sendmsg(sock, &mh, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int wire_recv(int sock, struct wire_msg *m, int *fd)
{
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(sizeof(int))];
	} c = {};
	struct iovec iov = {.iov_base = m, .iov_len = sizeof(*m)};
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = c.space,
			    .msg_controllen = sizeof(c.space)};
	int reset = 0;
	ssize_t n;

	*fd = -EBADF;
	m->err.num = 0;
	/* ECONNRESET comes once, when the other left without reading all that we sent, and before
	 * what it had to say itself */
	do {
		n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
	} while (n < 0 && (errno == EINTR || (errno == ECONNRESET && !reset++)));
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	if (n == 0)
		return 0;
	if (mh.msg_controllen >= sizeof(struct cmsghdr) && c.h.cmsg_level == SOL_SOCKET &&
	    c.h.cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(&c.h), sizeof(int));
	if ((size_t)n != sizeof(*m) && (size_t)n != HEAD_SIZE) {
		cleanup_close(fd);
		*fd = -EBADF;
		return -EBADMSG;
	}
	return 1;
}
