#include "cmd/headline.h"

#include <errno.h>
#include <time.h>

#include "out/human.h"

static char *state_words(const struct target *t, int64_t seconds)
{
	char age[HUMAN_MAX];

	if (seconds >= 0)
		return str_fmt("%s for %s", target_state_name(t->state),
			       human_age(seconds > 0 ? seconds : 1, age));
	if (t->state == TARGET_RESTARTING && t->exit_code >= 0)
		return str_fmt("restarting: it exited with code %d", t->exit_code);
	if (t->state != TARGET_EXITED || t->exit_code < 0)
		return strdup(target_state_name(t->state));
	if (!t->finished)
		return str_fmt("exited with code %d", t->exit_code);
	if (t->finished >= time(NULL))
		return str_fmt("exited with code %d just now", t->exit_code);
	return str_fmt("exited with code %d, %s ago", t->exit_code,
		       human_age(time(NULL) - t->finished, age));
}

int headline_print(FILE *out, const struct out_style *style, const struct target *t, int64_t age)
{
	_cleanup_free_ char *name = str_printable_dup(t->name), *state = state_words(t, age);
	_cleanup_free_ char *safe = NULL;
	_cleanup_buf_ struct buf b = {};
	bool color = style->color;

	if (!name || !state)
		return -ENOMEM;
	if (!str_eq(t->engine, "none"))
		buf_printf(&b, "%s", t->engine);
	else
		buf_puts(&b, "no engine");
	if (t->id && !str_eq(t->id, t->name))
		buf_printf(&b, " %.12s", t->id);
	if (t->image)
		buf_printf(&b, ", image %s", t->image);
	if (t->pod && str_eq(t->engine, "docker"))
		buf_printf(&b, ", project %s", t->pod);
	else if (t->pod)
		buf_printf(&b, ", pod %s%s%s", t->pod_ns ? t->pod_ns : "", t->pod_ns ? "/" : "",
			   t->pod);
	if (t->owner)
		buf_printf(&b, ", of user %s", t->owner);
	buf_printf(&b, ", %s", state);
	if (t->pid)
		buf_printf(&b, ", pid %d", t->pid);
	safe = b.oom ? NULL : str_printable_dup(b.data);
	if (!safe)
		return -ENOMEM;
	fprintf(out, "%s%s%s  ", out_on(color, OUT_BOLD), name, out_off(color, OUT_BOLD));
	out_para(out, style, out_width(name) + 2, 2, safe);
	return 0;
}
