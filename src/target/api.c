#include "target/api.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/path.h"
#include "base/str.h"

#define ANSWER_MAX ((size_t)32 << 20)

static int wait_for(int fd, short events, int64_t until)
{
	struct pollfd p = {.fd = fd, .events = events};

	for (;;) {
		int64_t left = until - clock_ms();
		int r = left > 0 ? poll(&p, 1, (int)left) : 0;

		if (r > 0)
			return 0;
		if (r == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

/* Connect through a descriptor of the socket's file, so that its path can be anywhere and any
 * length. */
static int connect_below(int root, const char *sock, int64_t until)
{
	_cleanup_close_ int file = path_open_in_root(root, sock, O_PATH);
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	if (file < 0)
		return file;
	if (fd < 0)
		return -errno;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d", file);
	while (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		struct timespec pause = {.tv_nsec = 10000000};

		/* EAGAIN: its queue is full, and no poll tells when it has room */
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (clock_ms() > until)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
	return TAKE_FD(fd);
}

static int send_all(int fd, const char *p, size_t n, int64_t until)
{
	while (n) {
		ssize_t w = send(fd, p, n, MSG_NOSIGNAL);
		int r;

		if (w > 0) {
			p += w;
			n -= (size_t)w;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		r = wait_for(fd, POLLOUT, until);
		if (r < 0)
			return r;
	}
	return 0;
}

static int receive_all(int fd, struct buf *b, int64_t until)
{
	char chunk[16384];

	for (;;) {
		ssize_t n = recv(fd, chunk, sizeof(chunk), 0);
		int r;

		if (n == 0)
			return b->oom ? -ENOMEM : 0;
		if (n > 0) {
			buf_add(b, chunk, (size_t)n);
			if (b->len > ANSWER_MAX)
				return -EFBIG;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		r = wait_for(fd, POLLIN, until);
		if (r < 0)
			return r;
	}
}

int api_get(struct look *l, const char *sock, const char *path, char **body, size_t *len)
{
	int64_t until = clock_ms() + API_TIMEOUT_MS;
	_cleanup_close_ int fd = -EBADF;
	_cleanup_free_ char *ask = str_fmt("GET %s HTTP/1.0\r\nHost: porthole\r\n\r\n", path);
	_cleanup_buf_ struct buf b = {};
	int r, status;
	char *text;

	if (l->roots->no_sockets)
		return -ENOENT;
	if (l->mute)
		return -ETIMEDOUT;
	if (!ask)
		return -ENOMEM;
	fd = connect_below(l->root_fd, sock, until);
	l->mute = fd == -ETIMEDOUT;
	if (fd < 0)
		return fd;
	r = send_all(fd, ask, strlen(ask), until);
	if (r == 0)
		r = receive_all(fd, &b, until);
	l->mute = r == -ETIMEDOUT;
	if (r < 0)
		return r;
	/* HTTP/1.0: no chunks, the body ends with the connection */
	if (!b.data || sscanf(b.data, "HTTP/1.%*1d %3d", &status) != 1)
		return -EBADMSG;
	text = memmem(b.data, b.len, "\r\n\r\n", 4);
	if (status != 200 || !text)
		return status == 404 ? -ENOENT : -EBADMSG;
	text += 4;
	return str_copy_bytes(text, b.len - (size_t)(text - b.data), body, len);
}
