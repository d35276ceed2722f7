#include "cmd/again.h"

#include <signal.h>
#include <time.h>

#include "out/human.h"
#include "target/ended.h"

enum { STEP_MS = 100, CODE_WAIT_MS = 500 };

char *again_ended(const struct target_roots *r, const struct target *t, const char *label)
{
	char words[128], age[HUMAN_MAX];
	struct ended x;

	ended_read(r, t, CODE_WAIT_MS, &x);
	ended_words(&x, words, sizeof(words));
	if (!t->started)
		return str_fmt("'%s' %s", label, words);
	human_age(time(NULL) - t->started, age);
	return str_fmt("'%s' %s after %s", label, words, str_eq(age, "now") ? "no time" : age);
}

/* 1: it runs and is held in *out, 0: not yet, or -errno. */
static int look(const struct target_roots *r, const char *spec, const struct target *old,
		struct target *out, struct err *e)
{
	_cleanup_target_ struct target t = TARGET_INIT;
	int ret = target_resolve(r, spec, &t, e);

	if (ret == -ENOENT || ret == -ESRCH)
		return 0;
	if (ret < 0)
		return ret;
	if (t.state != TARGET_RUNNING || (old && t.pid == old->pid && t.start == old->start) ||
	    target_pin(r, &t, e) < 0)
		return 0;
	if (old && t.pid == old->pid && t.start == old->start)
		return 0;
	target_done(out);
	*out = t;
	t = TARGET_INIT;
	return 1;
}

int again_wait(const struct target_roots *r, const char *spec, const struct target *old,
	       uint64_t timeout, struct target *out, struct err *e)
{
	const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
	uint64_t left = timeout * (1000 / STEP_MS);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (;;) {
		int sig, ret = look(r, spec, old, out, e);

		if (ret != 0)
			return ret < 0 ? ret : 0;
		sig = sigtimedwait(&set, NULL, &step);
		if (sig > 0) {
			err_say(e, EINTR, "no longer waiting for '%s'", spec);
			e->exit = 128 + sig;
			return -EINTR;
		}
		if (timeout && --left == 0)
			return err_say(e, ETIMEDOUT, "'%s' did not start within %llu seconds", spec,
				       (unsigned long long)timeout);
	}
}
