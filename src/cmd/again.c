#include "cmd/again.h"

#include <signal.h>
#include <time.h>

#include "base/clock.h"
#include "out/human.h"
#include "target/ended.h"

enum {
	STEP_MS = 100,
	KNOWN_STEP_MS = 10, /* one that is there already costs little to look at */
	CODE_WAIT_MS = 500,
	GONE_MS = 10000, /* compose(1) removes a container and makes it anew under its name */
};

/* What was seen of one that does not run. */
struct seen {
	bool known;	/* it is there */
	bool restart;	/* its engine is about to start it again */
	bool missed;	/* it has started and ended since we wait */
	int64_t there;	/* ms of CLOCK_MONOTONIC: it was there then; 0: never since we wait */
	bool over;	/* before we waited it had ended, a life that began */
	time_t started; /* then */
};

char *again_ended(const struct target_roots *r, const struct target *t, const char *label)
{
	char words[128], age[HUMAN_MAX];
	struct ended x;

	ended_read(r, t, CODE_WAIT_MS, &x);
	ended_words(&x, words, sizeof(words));
	if (!t->started)
		return str_fmt("'%s' %s", label, words);
	human_age(time(NULL) - t->started, age);
	return str_fmt("'%s' %s after %s", label, words,
		       str_eq(age, "now") ? "less than a second" : age);
}

static bool is_over(const struct target *t)
{
	return t->state == TARGET_EXITED || t->state == TARGET_RESTARTING;
}

/* A life that we did not see: engines tell the time in seconds, which the end of `old` may share.
 */
static bool has_missed(const struct target *t, const struct target *old, int64_t since,
		       const struct seen *seen)
{
	if (!is_over(t))
		return false;
	return old ? t->started >= since && t->finished >= since
		   : !seen->over || t->started != seen->started;
}

/* 1: it runs and is held in *out, 0: not yet, or -errno. `since`: when we began, Unix seconds. */
static int look(const struct target_roots *r, const char *spec, const struct target *old,
		int64_t since, struct seen *seen, struct target *out, struct err *e)
{
	_cleanup_target_ struct target t = TARGET_INIT;
	int ret = target_resolve(r, spec, &t, e);

	if (ret == -ENOENT || ret == -ESRCH)
		return 0;
	if (ret < 0)
		return ret;
	seen->known = true;
	seen->there = clock_ms();
	seen->restart = t.state == TARGET_RESTARTING;
	seen->missed = seen->missed || has_missed(&t, old, since, seen);
	if (t.state != TARGET_RUNNING || target_pin(r, &t, e) < 0)
		return 0;
	if (old && t.pid == old->pid && t.start == old->start)
		return 0;
	target_done(out);
	*out = t;
	t = TARGET_INIT;
	return 1;
}

static int too_fast(const char *spec, struct err *e)
{
	err_say(e, ETIMEDOUT, "'%s' started and ended too fast to be held", spec);
	err_hint(e,
		 "'porthole exec %s' shows its files as it left them, 'porthole entrypoint --run "
		 "%s' runs it again",
		 spec, spec);
	return -ETIMEDOUT;
}

static int timed_out(const char *spec, uint64_t timeout, const struct seen *seen, struct err *e)
{
	if (seen->missed)
		return too_fast(spec, e);
	if (seen->there && !seen->known)
		return err_say(e, ETIMEDOUT,
			       "'%s' was there, and is gone again: it was removed, or started and "
			       "ended too fast to be held",
			       spec);
	return err_say(e, ETIMEDOUT, "'%s' did not start within %llu second%s", spec,
		       (unsigned long long)timeout, timeout == 1 ? "" : "s");
}

/* What engines keep when it has ended, and so was removed when it is not there. */
static bool was_removed(const struct target *old, const struct seen *seen, int64_t began)
{
	bool kept = seen->there ||
		    (old && (str_eq(old->engine, "docker") || str_eq(old->engine, "podman")));

	return old && kept && clock_ms() - (seen->there ?: began) >= GONE_MS;
}

static int removed(const char *spec, struct err *e)
{
	err_say(e, ENOENT,
		"'%s' was removed, and has not come back for %d seconds: no longer "
		"waiting for it",
		spec, GONE_MS / 1000);
	return -ENOENT;
}

int again_wait(const struct target_roots *r, const char *spec, const struct target *old,
	       uint64_t timeout, struct target *out, struct err *e)
{
	int64_t since = time(NULL), began = clock_ms(), until = began + (int64_t)timeout * 1000;
	struct seen seen = {.over = is_over(out), .started = out->started};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (;;) {
		struct timespec step = {};
		int sig, ret;

		seen.known = false;
		ret = look(r, spec, old, since, &seen, out, e);
		if (ret != 0)
			return ret < 0 ? ret : 0;
		if (!old && seen.missed && !seen.restart)
			return too_fast(spec, e);
		if (!seen.known && was_removed(old, &seen, began))
			return removed(spec, e);
		step.tv_nsec = (seen.known ? KNOWN_STEP_MS : STEP_MS) * 1000000L;
		sig = sigtimedwait(&set, NULL, &step);
		if (sig > 0) {
			err_say(e, EINTR, "no longer waiting for '%s'", spec);
			e->exit = 128 + sig;
			return -EINTR;
		}
		if (timeout && clock_ms() >= until)
			return timed_out(spec, timeout, &seen, e);
	}
}
