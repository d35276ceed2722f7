#include "target/ended.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

#include "sys/pidfd.h"
#include "sys/proc.h"
#include "target/spec.h"

enum { STEP_MS = 10 };

static bool from_kernel(const struct target *t, struct ended *out)
{
	if (pidfd_wait_status(t->pidfd, &out->status) < 0 &&
	    proc_wait_status(t->proc_fd, &out->status) < 0)
		return false;
	out->how = ENDED_STATUS;
	out->code =
		WIFSIGNALED(out->status) ? 128 + WTERMSIG(out->status) : WEXITSTATUS(out->status);
	return true;
}

static bool from_engine(const struct target_roots *r, const struct target *t, struct ended *out)
{
	_cleanup_free_ char *spec = t->id ? str_fmt("%s://%s", t->engine, t->id) : NULL;
	_cleanup_target_ struct target now = TARGET_INIT;

	if (!spec || target_resolve(r, spec, &now, NULL) < 0 || now.exit_code < 0 ||
	    (now.state != TARGET_EXITED && now.state != TARGET_RESTARTING) ||
	    (now.finished && t->started && now.finished < t->started))
		return false;
	out->how = ENDED_CODE;
	out->code = now.exit_code;
	return true;
}

void ended_read(const struct target_roots *r, const struct target *t, int wait_ms,
		struct ended *out)
{
	*out = (struct ended){.code = -1};
	for (int ms = 0; ms <= wait_ms; ms += STEP_MS) {
		/* the kernel tells as soon as it has been reaped; the engine may not know yet what
		 * it will write */
		if (from_kernel(t, out) || (ms % 100 == 50 && from_engine(r, t, out)))
			return;
		nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
	}
}

char *ended_words(const struct ended *x, char *out, size_t size)
{
	const char *name = NULL;
	int sig = 0;

	if (x->how == ENDED_STATUS && WIFSIGNALED(x->status))
		sig = WTERMSIG(x->status);
	else if (x->how == ENDED_CODE && x->code > 128 && x->code <= 128 + SIGRTMAX)
		sig = x->code - 128;
	if (sig)
		name = sigabbrev_np(sig);
	if (x->code < 0)
		snprintf(out, size, "ended");
	else if (x->how == ENDED_STATUS && sig)
		snprintf(out, size, "was killed by signal %d (%s)", sig, name ? name : "?");
	else if (sig)
		snprintf(out, size, "ended with code %d (as after signal %d, %s)", x->code, sig,
			 name ? name : "?");
	else
		snprintf(out, size, "ended with exit code %d", x->code);
	return out;
}

char *ended_spec(const struct target *t, const char *typed)
{
	_cleanup_spec_ struct spec s = {};
	struct err e = {};

	if (spec_parse(&s, typed, &e) == 0 && !s.pid)
		return strdup(typed);
	if (str_eq(t->engine, "none") || !(t->id || t->name))
		return NULL;
	return str_fmt("%s://%s", t->engine, t->id ? t->id : t->name);
}
