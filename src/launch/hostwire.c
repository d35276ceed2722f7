#include "launch/hostwire.h"

#include <sys/socket.h>

struct head {
	char magic[4];
	uint32_t flags, argc, envc, fds; /* fds: bit N: descriptor N is given */
	uint16_t rows, cols;
};

static const char magic[4] = {'P', 'H', 'x', '1'};

void hostwire_done(struct hostwire *h)
{
	strv_done(&h->argv);
	strv_done(&h->env);
	*h = (struct hostwire){};
}

static void add_string(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s) + 1);
}

int hostwire_send(int sock, const struct hostwire *h, const int fds[3])
{
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(3 * sizeof(int))];
	} c = {};
	struct head head = {.flags = h->flags,
			    .argc = (uint32_t)h->argv.n,
			    .envc = (uint32_t)h->env.n,
			    .rows = h->rows,
			    .cols = h->cols};
	_cleanup_buf_ struct buf b = {};
	struct iovec iov;
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	size_t n = 0;

	memcpy(head.magic, magic, sizeof(magic));
	for (int i = 0; i < 3; i++)
		if (fds[i] >= 0) {
			head.fds |= 1U << i;
			memcpy(CMSG_DATA(&c.h) + n++ * sizeof(int), &fds[i], sizeof(int));
		}
	buf_add(&b, &head, sizeof(head));
	add_string(&b, h->user ?: "");
	add_string(&b, h->cwd ?: "");
	for (size_t i = 0; i < h->argv.n; i++)
		add_string(&b, h->argv.v[i]);
	for (size_t i = 0; i < h->env.n; i++)
		add_string(&b, h->env.v[i]);
	if (b.oom)
		return -ENOMEM;
	if (b.len > HOSTWIRE_MAX)
		return -E2BIG;
	iov = (struct iovec){.iov_base = b.data, .iov_len = b.len};
	if (n) {
		c.h.cmsg_level = SOL_SOCKET;
		c.h.cmsg_type = SCM_RIGHTS;
		c.h.cmsg_len = CMSG_LEN(n * sizeof(int));
		mh.msg_control = c.space;
		mh.msg_controllen = CMSG_SPACE(n * sizeof(int));
	}
	while (sendmsg(sock, &mh, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* The descriptors of a message. */
static size_t take(struct msghdr *mh, int got[3])
{
	size_t n = 0;

	for (struct cmsghdr *h = CMSG_FIRSTHDR(mh); h; h = CMSG_NXTHDR(mh, h)) {
		size_t k = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < k && n < 3; i++, n++)
			memcpy(&got[n], CMSG_DATA(h) + i * sizeof(int), sizeof(int));
	}
	return n;
}

static int place(const char *buf, size_t len, int got[3], size_t n, int fds[3])
{
	struct head head;
	size_t at = 0;

	if (len < sizeof(head))
		return -EBADMSG;
	memcpy(&head, buf, sizeof(head));
	if (memcmp(head.magic, magic, sizeof(magic)) != 0 || head.fds > 7 ||
	    (size_t)__builtin_popcount(head.fds) != n)
		return -EBADMSG;
	for (int i = 0; i < 3; i++)
		if (head.fds & 1U << i)
			fds[i] = TAKE_FD(got[at++]);
	return (int)len;
}

int hostwire_recv(int sock, char *buf, int fds[3])
{
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(3 * sizeof(int))];
	} c = {};
	struct iovec iov = {.iov_base = buf, .iov_len = HOSTWIRE_MAX};
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = c.space,
			    .msg_controllen = sizeof(c.space)};
	int got[3] = {-EBADF, -EBADF, -EBADF}, r;
	size_t n;
	ssize_t len;

	fds[0] = fds[1] = fds[2] = -EBADF;
	do {
		len = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (len < 0 && errno == EINTR);
	if (len <= 0)
		return len < 0 ? -errno : 0;
	n = take(&mh, got);
	r = mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? -EBADMSG
						    : place(buf, (size_t)len, got, n, fds);
	for (int i = 0; i < 3; i++)
		cleanup_close(&got[i]);
	return r;
}

/* The string at *at, which is moved behind it; NULL: there is none. */
static const char *next(const char *buf, size_t len, size_t *at)
{
	const char *s = buf + *at, *end = *at < len ? memchr(s, '\0', len - *at) : NULL;

	if (!end)
		return NULL;
	*at += (size_t)(end - s) + 1;
	return s;
}

static int take_list(const char *buf, size_t len, size_t *at, uint32_t n, struct strv *out)
{
	for (uint32_t i = 0; i < n; i++) {
		const char *s = next(buf, len, at);

		if (!s)
			return -EBADMSG;
		if (strv_add(out, s) < 0)
			return -ENOMEM;
	}
	return 0;
}

int hostwire_parse(const char *buf, size_t len, struct hostwire *h)
{
	struct head head;
	size_t at = sizeof(head);
	int r;

	if (len < sizeof(head))
		return -EBADMSG;
	memcpy(&head, buf, sizeof(head));
	h->flags = head.flags;
	h->rows = head.rows;
	h->cols = head.cols;
	h->user = next(buf, len, &at);
	h->cwd = h->user ? next(buf, len, &at) : NULL;
	if (!h->cwd)
		return -EBADMSG;
	r = take_list(buf, len, &at, head.argc, &h->argv);
	if (r == 0)
		r = take_list(buf, len, &at, head.envc, &h->env);
	return r < 0 ? r : at != len ? -EBADMSG : 0;
}
