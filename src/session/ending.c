#include "session/ending.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

enum { LOOK_MS = 500 };

static bool tell(char *line, bool raw)
{
	bool said = line;

	if (line)
		dprintf(STDERR_FILENO, "%sporthole: %s%s", raw ? "\r\n" : "", line,
			raw ? "\r\n" : "\n");
	free(line);
	return said;
}

void ending_say_ttl(const struct plan *p, bool raw)
{
	bool one = p->ttl == 1;

	tell(str_fmt("'%s' has had the %" PRIu64
		     " second%s of --ttl: it is asked to end, and ended "
		     "10 seconds later",
		     p->label, p->ttl, one ? "" : "s"),
	     raw);
}

int ending_wait(const struct ending *x, int ms)
{
	int64_t left = x->next - clock_ms();

	if (!x->next || (ms >= 0 && ms <= left))
		return ms;
	return left > 0 ? (int)left : 0;
}

void ending_look(struct ending *x, bool now, const struct session_talk *talk, bool raw)
{
	if (now) {
		x->target = -EBADF;
		tell(talk->ended ? talk->ended(talk->data) : NULL, raw);
		x->next = talk->removed ? clock_ms() : 0;
	}
	if (x->next && clock_ms() >= x->next)
		x->next = tell(talk->removed(talk->data), raw) ? 0 : clock_ms() + LOOK_MS;
}
