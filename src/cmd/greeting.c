#include "cmd/greeting.h"

#include <time.h>

#include "out/human.h"
#include "sys/exitcode.h"

/* "exited with code 137 (SIGKILL) 3 minutes ago", "was created and never started"; printable. A new
 * string, NULL when memory is out. */
static char *state_words(const struct target *t)
{
	_cleanup_buf_ struct buf b = {};
	char age[HUMAN_MAX], sig[24];

	switch (t->state) {
	case TARGET_CREATED:
		return strdup("was created and never started");
	case TARGET_EXITED:
	case TARGET_RESTARTING:
		buf_puts(&b, "exited");
		break;
	case TARGET_DEAD:
		return strdup("has ended, which its engine has not noted: its process is gone");
	default:
		return strdup("does not run");
	}
	if (t->exit_code >= 0)
		buf_printf(&b, " with code %d", t->exit_code);
	if (t->exit_code > 128 && t->exit_code < 128 + 65)
		buf_printf(&b, " (%s)", signal_name(t->exit_code - 128, sig));
	if (t->finished > 0) {
		human_age(time(NULL) - t->finished, age);
		buf_printf(&b, str_eq(age, "now") ? " just now" : " %s ago", age);
	}
	if (t->state == TARGET_RESTARTING)
		buf_puts(&b, " and is being restarted");
	return buf_take(&b);
}

static void missing(const struct plan *p, struct buf *b)
{
	for (size_t i = 0; i < p->store->n_mounts; i++) {
		const struct store_mount *m = &p->store->mounts[i];
		_cleanup_free_ char *dest = str_printable_dup(m->dest);
		_cleanup_free_ char *source = m->source ? str_printable_dup(m->source) : NULL;

		if (m->missing)
			buf_printf(b, "          Missing: %s (%s is gone).\n", dest ? dest : "?",
				   source ? source : "its source");
	}
}

static void who_and_where(const struct plan *p, const char *on, const char *off, struct buf *b)
{
	const struct target *t = p->target;
	_cleanup_free_ char *image = t->image ? str_printable_dup(t->image) : NULL;
	_cleanup_free_ char *state = p->store && t->state ? state_words(t) : NULL;

	buf_printf(b, "%sporthole:%s in %s%s%s (%s%s%s", on, off, on, p->label, off,
		   str_eq(t->engine, "none") ? "no engine" : t->engine, image ? ", " : "",
		   image ? image : "");
	if (!p->store)
		buf_printf(b, ", pid %d", t->pid);
	buf_printf(b, ") as %s. ", p->who.name);
	if (state)
		buf_printf(b, "It %s.\n          ", state);
}

static void view(const struct plan *p, struct buf *b)
{
	const char *at = p->view == VIEW_KIT ? "at /target" : "/";

	if (p->view == VIEW_NONE)
		buf_puts(b, "The tools and files are the host's.\n");
	else if (p->cow.on)
		buf_printf(b, "Its files are %s%s; what you write is forgotten when you leave.\n",
			   at, p->store && p->target->state ? ", as they were left" : "");
	else
		buf_printf(b, "Its files are %s, live%s.\n", at,
			   p->shape.root_ro ? " and read-only" : "");
}

void greeting(const struct plan *p, bool color, struct buf *b)
{
	const char *on = color ? "\033[1m" : "", *off = color ? "\033[0m" : "";

	who_and_where(p, on, off, b);
	view(p, b);
	if (p->store)
		missing(p, b);
	if (p->freeze.how == FREEZE_CGROUP || p->freeze.how == FREEZE_SIGNALS)
		buf_puts(b,
			 "          It stands still while you look, and goes on when you leave.\n");
	else if (p->freeze.how == FREEZE_ALREADY || p->target->state == TARGET_PAUSED)
		buf_puts(b, "          It is paused, and stays so.\n");
	if (p->outlive && p->ns_new)
		buf_puts(b, "          You stay when it ends. Its processes: /dev/target-proc.\n");
	if (p->kit.kind != KIT_NONE)
		buf_puts(b, "          Tools: " KIT_BIN ", first in PATH. ");
	else
		buf_puts(b, "          ");
	buf_puts(b, "What you start ends when you leave; nothing stays.\n");
}

void greeting_forgets(const struct plan *p, const char *keep, struct buf *b)
{
	_cleanup_free_ char *state = p->store && p->target->state ? state_words(p->target) : NULL;

	if (state)
		buf_printf(b, "porthole: '%s' %s; these are its files%s%s\n", p->label, state,
			   p->target->state == TARGET_CREATED ? "" : " as it left them",
			   keep ? "" : ", and what you write is forgotten");
}
