#include "session/asked.h"

#include <limits.h>
#include <signal.h>

#include "base/clock.h"

enum {
	TWICE_MS = 500,	  /* timeout(1) signals its child and then its group: one request */
	GRACE_MS = 10000, /* as docker stop */
};

void asked_start(struct asked *a, uint64_t ttl)
{
	a->ttl_by = ttl ? clock_ms() + (int64_t)ttl * 1000 : 0;
}

bool asked_again(struct asked *a, unsigned signo)
{
	if (signo == SIGUSR1 || signo == SIGUSR2)
		return false;
	if (!a->first)
		a->first = clock_ms();
	return clock_ms() - a->first > TWICE_MS;
}

void asked_to_end(struct asked *a)
{
	a->end_by = clock_ms() + GRACE_MS;
	a->ttl_by = 0;
}

enum asked_what asked_now(struct asked *a, int *left)
{
	int64_t by = a->end_by ? a->end_by : a->ttl_by, ms = by - clock_ms();
	enum asked_what what = !by || ms > 0 ? ASKED_NOTHING : a->end_by ? ASKED_END : ASKED_TERM;

	if (what == ASKED_TERM) {
		asked_to_end(a);
		ms = GRACE_MS;
	}
	if (what == ASKED_END)
		a->end_by = by = 0;
	*left = !by ? -1 : ms > INT_MAX ? INT_MAX : (int)ms;
	return what;
}
