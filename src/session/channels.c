#include "session/channels.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"

static struct relay *add_relay(struct channels *c, int from, int to, bool own_from, bool own_to)
{
	static char bufs[RELAY_MAX][RELAY_BUF]; /* untouched, and so free, until there are bytes */

	c->relay[c->n] = (struct relay){
		.from = from,
		.to = to,
		.own_from = own_from,
		.own_to = own_to,
		.buf = bufs[c->n],
	};
	return &c->relay[c->n++];
}

/* A pipe to relay through, since a terminal of the host is never handed in: the target could type
 * into it. Nor can be a file of the host's to whom SELinux confines: the kernel would put /dev/null
 * in its place, without a word. */
static int piped(struct channels *c, int i, struct err *e)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(e, errno, "making a pipe");
	if (i == 0) {
		c->stdio[0] = p[0];
		add_relay(c, 0, p[1], false, true);
	} else {
		c->stdio[i] = p[1];
		add_relay(c, p[0], i, true, false);
	}
	return 0;
}

static int say_mute(const struct plan *p, struct err *e)
{
	err_say(e, EACCES,
		"SELinux's policy keeps porthole's pipes from what has the label '%s' of '%s': all "
		"that it says would be lost",
		p->lsm.name, p->label);
	err_hint(e, "the engines' pipes it may use: 'chcon -t container_runtime_exec_t' on "
		    "porthole's own file; or leave out --caps target");
	return err_exit(e, EXIT_CANNOT_RUN);
}

int channels_open(struct channels *c, const struct plan *p, struct err *e)
{
	int r = 0;

	if (!p->tty && !lsm_may_talk(p->lsm.name))
		return say_mute(p, e);
	for (int i = 0; i < 3 && r == 0; i++) {
		if (p->tty)
			continue;
		if (i == 0 && !p->stdin_open) {
			c->stdio[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
			if (c->stdio[0] < 0)
				r = err_set(e, errno, "opening /dev/null");
		} else if (isatty(i) || lsm_is_label(p->lsm.name)) {
			r = piped(c, i, e);
		} else {
			c->stdio[i] = i;
		}
	}
	return r;
}

void channels_handed(struct channels *c)
{
	for (int i = 0; i < 3; i++)
		if (c->stdio[i] > 2) {
			cleanup_close(&c->stdio[i]);
			c->stdio[i] = -EBADF;
		}
}

void channels_forget(struct channels *c)
{
	for (size_t i = 0; i < c->n; i++)
		relay_done(&c->relay[i]);
}

void channels_start(struct channels *c, const struct plan *p)
{
	if (!p->tty || c->master < 0)
		return;
	channels_resize(c);
	c->raw = isatty(STDIN_FILENO) && tty_raw(STDIN_FILENO, &c->saved) == 0;
	fd_nonblock(c->master, true);
	add_relay(c, c->master, STDOUT_FILENO, false, false);
	if (p->stdin_open)
		add_relay(c, STDIN_FILENO, c->master, false, false)->tty_eof =
			!isatty(STDIN_FILENO);
}

void channels_resize(const struct channels *c)
{
	if (c->master >= 0)
		tty_copy_size(isatty(STDIN_FILENO) ? STDIN_FILENO : STDOUT_FILENO, c->master);
}

size_t channels_poll(const struct channels *c, struct pollfd *fds)
{
	for (size_t i = 0; i < c->n; i++)
		relay_poll(&c->relay[i], &fds[2 * i]);
	return 2 * c->n;
}

void channels_move(struct channels *c, const struct pollfd *fds)
{
	for (size_t i = 0; i < c->n; i++)
		relay_move(&c->relay[i], &fds[2 * i]);
}

void channels_drain(struct channels *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->relay[i].from != STDIN_FILENO)
			relay_drain(&c->relay[i]);
}

void channels_done(struct channels *c)
{
	if (c->raw)
		tty_restore(STDIN_FILENO, &c->saved);
	channels_forget(c);
	channels_handed(c);
	cleanup_close(&c->master);
	*c = CHANNELS_INIT;
}
