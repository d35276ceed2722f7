/* A question on the launcher's terminal, while nothing of the container reaches it. */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "launch/broker.h"

enum { WAIT_MS = 60000, LINE = 16 };

/* One line, shown as it is typed; anything but y and yes is no. */
static char read_answer(int tty)
{
	char line[LINE] = "", c;
	int64_t until = clock_ms() + WAIT_MS, left;
	size_t n = 0;

	while ((left = until - clock_ms()) > 0) {
		struct pollfd p = {.fd = tty, .events = POLLIN};

		if (poll(&p, 1, (int)left) <= 0 || read(tty, &c, 1) != 1)
			return 'n';
		if (c == '\r' || c == '\n')
			return strcmp(line, "y") == 0 || strcmp(line, "yes") == 0 ? 'y' : 'n';
		if (c == 3 || c == 4 || c == 27)
			return 'n';
		if ((c == 8 || c == 127) && n) {
			line[--n] = '\0';
			fd_write_all(tty, "\b \b", 3);
		} else if (c >= ' ' && c < 127 && n < LINE - 1) {
			line[n++] = c;
			line[n] = '\0';
			fd_write_all(tty, &c, 1);
		}
	}
	return 'n';
}

char broker_ask_terminal(const char *question)
{
	_cleanup_close_ int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios was, raw;
	char c;

	/* in the background it would stop us, and nobody would know why */
	if (tty < 0 || tcgetpgrp(tty) != getpgrp() || tcgetattr(tty, &was) < 0)
		return 't';
	raw = was;
	cfmakeraw(&raw);
	tcsetattr(tty, TCSAFLUSH, &raw); /* what was typed before it was asked is no answer */
	fd_write_all(tty, "\r\n", 2);
	fd_write_all(tty, question, strlen(question));
	fd_write_all(tty, " [y/N] ", 7);
	c = read_answer(tty);
	fd_write_all(tty, c == 'y' ? "\r\n" : "\r\nno\r\n", c == 'y' ? 2 : 6);
	tcsetattr(tty, TCSAFLUSH, &was);
	return c;
}
