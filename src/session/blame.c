/* Whose fault it is that a command could not be run. */
#include <poll.h>

#include "kit/contents.h"
#include "session/session.h"

enum { ENDING_MS = 100 };

int session_blame_kit(const struct plan *p, int code, struct err *e)
{
	bool io = code < 0 && (e->num == EIO || e->num == EOPNOTSUPP || e->num == EUCLEAN);
	struct err why = {};

	if (!io && code != EXIT_CANNOT_RUN && code != EXIT_NOT_FOUND)
		return code;
	if (kit_verify(&p->kit, io, &why) == 0)
		return code;
	err_exit(&why, code < 0 ? e->exit : code);
	*e = why;
	return -e->num;
}

int plan_exited(const struct plan *p, struct err *e)
{
	err_say(e, ESRCH, "'%s' exited while it was being entered", p->label);
	err_hint(e, "the same again opens what it left, or its next start; in a crash loop "
		    "'porthole catch' holds its end");
	return -ESRCH;
}

int plan_denied(const struct plan *p, int r, struct err *e)
{
	struct pollfd pfd = {.fd = p->target->pidfd, .events = POLLIN};

	if ((r == -EACCES || r == -EPERM || r == -ESRCH) && poll(&pfd, 1, ENDING_MS) > 0)
		return plan_exited(p, e);
	return r;
}
