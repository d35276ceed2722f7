/*
 * From what was typed to one target. The state files of the usual places come first; /proc is
 * walked only when nothing that runs has the name, so a container in an engine's usual place wins
 * over a process or an engine that only the walk finds.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/proc.h"
#include "target/pid.h"
#include "target/scan.h"
#include "target/spec.h"

enum { SHORT_ID = 12, CANDIDATES_SHOWN = 12 };

/* What else than running containers in files: bits of step()'s `also`. */
enum { LIVE = 0, STOPPED = 1, ASK = 2, IDS = 4 };

/* Ask every engine, and drop what is there twice or of another engine than asked for. */
static int collect(struct look *l, const struct spec *s, const struct want *w, bool ask,
		   struct targets *out)
{
	int r = ask ? 0 : engines_find(l, w, s->engine, out);

	for (int k = 0; ask && r == 0 && look_next_root(l, &k);)
		for (size_t i = 0; engines[i] && r == 0; i++)
			if (engines[i]->ask && (!s->engine || engine_is(engines[i], s->engine)))
				r = engines[i]->ask(l, w, out);
	if (r < 0)
		return r;
	targets_unique(out);
	for (size_t i = out->n; s->engine && i-- > 0;)
		if (!str_eq(out->v[i].engine, s->engine))
			targets_drop(out, i);
	for (size_t i = out->n; i-- > 0;)
		if (target_is_live(&out->v[i]) && !target_verify(l, &out->v[i], NULL, NULL) &&
		    !w->stopped)
			targets_drop(out, i);
	return 0;
}

/* Drop what gives way to others: processes without an engine, whose names are their own choice, to
 * any engine's container; then what does not run to what does. */
static void prefer(const struct spec *s, struct targets *found)
{
	size_t engine = 0, live = 0;

	for (size_t i = 0; i < found->n; i++)
		engine += found->v[i].engine != engine_none.name;
	for (size_t i = found->n; engine && i-- > 0;)
		if (found->v[i].engine == engine_none.name && found->v[i].pid != s->pid)
			targets_drop(found, i);
	for (size_t i = 0; i < found->n; i++)
		live += target_is_live(&found->v[i]);
	for (size_t i = found->n; live && i-- > 0;)
		if (!target_is_live(&found->v[i]))
			targets_drop(found, i);
}

/* More than one is an error that names them all. 1 when *out was set, 0 when there is none. */
static int choose(const struct spec *s, struct targets *found, struct target *out, struct err *e)
{
	_cleanup_buf_ struct buf names = {};

	prefer(s, found);
	if (found->n == 0)
		return 0;
	if (found->n == 1) {
		*out = found->v[0];
		found->v[0] = TARGET_INIT;
		return 1;
	}
	for (size_t i = 0; i < found->n && i < CANDIDATES_SHOWN; i++) {
		_cleanup_free_ char *label = found->v[i].pid == s->pid && s->pid
						     ? str_fmt("pid:%d", (int)s->pid)
						     : target_label_of(found, i);

		buf_printf(&names, "%s%s", i ? ", " : "", label ? label : "?");
		if (!target_is_live(&found->v[i]))
			buf_printf(&names, " (%s)", target_state_name(found->v[i].state));
		else if (label && !str_starts(label, "pid:")) /* two of one engine and name */
			buf_printf(&names, " (pid %d)", (int)found->v[i].pid);
	}
	if (found->n > CANDIDATES_SHOWN)
		buf_printf(&names, " and %zu more", found->n - CANDIDATES_SHOWN);
	err_say(e, ENOTUNIQ, "'%s' is the name of %zu targets: %s", s->typed, found->n,
		names.data ? names.data : "");
	err_hint(e, "type one of these in full");
	return -ENOTUNIQ;
}

static int step(struct look *l, const struct spec *s, enum want_how how, unsigned also,
		struct target *out, struct err *e)
{
	_cleanup_targets_ struct targets found = {};
	struct want w = s->want;
	int r;

	w.how = how;
	if (how == WANT_PREFIX && s->number)
		return 0;
	w.live = true;
	w.stopped = also & STOPPED;
	w.ids = also & IDS;
	r = collect(l, s, &w, also & ASK, &found);
	/* a number that is a process and a name: neither is preferred in silence */
	if (r == 0 && s->pid && found.n && how == WANT_EXACT) {
		struct target t = TARGET_INIT;

		if (target_from_pid(l, s->pid, &t, NULL) == 0)
			r = targets_push(&found, &t);
		target_done(&t);
	}
	if (r < 0)
		return err_set(e, -r, "looking for '%s'", s->typed);
	return choose(s, &found, out, e);
}

static bool pid_exists(struct look *l, pid_t pid)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", (int)pid);
	return faccessat(l->roots->proc_fd, name, F_OK, 0) == 0;
}

static int find_named(struct look *l, const struct spec *s, struct target *out, struct err *e)
{
	bool short_id = s->hex && strlen(s->want.text) >= SHORT_ID && !id_is_full(s->want.text) &&
			!s->want.pod;
	int r = 0;

	/* what `docker ps` prints: twelve digits and more are taken for an id before any name is
	 * read */
	if (short_id)
		r = step(l, s, WANT_PREFIX, LIVE | IDS, out, e);
	if (r == 0)
		r = step(l, s, WANT_EXACT, LIVE, out, e);
	if (r == 0 && s->pid && pid_exists(l, s->pid))
		return target_from_pid(l, s->pid, out, e) < 0 ? -ESRCH : 1;
	if (r == 0 && short_id)
		r = step(l, s, WANT_PREFIX, STOPPED | IDS, out, e);
	if (r != 0)
		return r;
	l->scan = scan_make(l);
	if (!l->scan)
		return err_set(e, ENOMEM, "looking for '%s'", s->typed);
	r = step(l, s, WANT_EXACT, STOPPED, out, e);
	if (r == 0)
		r = step(l, s, WANT_PREFIX, STOPPED, out, e);
	for (enum want_how how = WANT_EXACT; r == 0 && how <= WANT_PREFIX; how++)
		r = step(l, s, how, STOPPED | ASK, out, e);
	return r;
}

int target_resolve(const struct target_roots *r, const char *text, struct target *out,
		   struct err *e)
{
	_cleanup_look_ struct look l = LOOK_INIT(r);
	_cleanup_spec_ struct spec s = {};
	int ret = spec_parse(&s, text, e);

	*out = TARGET_INIT;
	if (ret < 0)
		return ret;
	if (s.only_pid)
		return target_from_pid(&l, s.pid, out, e);
	ret = find_named(&l, &s, out, e);
	if (ret == 0)
		return target_not_found(&l, &s, e);
	return ret < 0 ? ret : 0;
}
