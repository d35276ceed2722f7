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

/* The descriptors of a message: one is kept, of more none. -EBADMSG for more, and for some that
 * were cut off. */
static int take_fds(const struct msghdr *mh, const struct cmsghdr *h, int *fd)
{
	size_t n = 0;

	if (mh->msg_controllen >= CMSG_LEN(sizeof(int)) && h->cmsg_level == SOL_SOCKET &&
	    h->cmsg_type == SCM_RIGHTS)
		n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	for (size_t i = 0; i < n; i++) {
		memcpy(fd, CMSG_DATA(h) + i * sizeof(int), sizeof(int));
		if (n > 1)
			cleanup_close(fd);
	}
	if (n > 1)
		*fd = -EBADF;
	return n > 1 || mh->msg_flags & MSG_CTRUNC ? -EBADMSG : 0;
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
	int reset = 0, r;
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
	r = take_fds(&mh, &c.h, fd);
	if (r < 0 || mh.msg_flags & MSG_TRUNC ||
	    ((size_t)n != sizeof(*m) && (size_t)n != HEAD_SIZE)) {
		cleanup_close(fd);
		*fd = -EBADF;
		return -EBADMSG;
	}
	m->err.msg[sizeof(m->err.msg) - 1] = m->err.hint[sizeof(m->err.hint) - 1] = '\0';
	return 1;
}
