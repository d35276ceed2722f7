#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/caps.h"
#include "sys/power.h"
#include "sys/proc.h"
#include "target/pid.h"
#include "target/scan.h"

enum { SHORT_ID = 12 };

bool target_is_live(const struct target *t)
{
	return t->state == TARGET_RUNNING || t->state == TARGET_PAUSED;
}

void targets_drop(struct targets *l, size_t i)
{
	target_done(&l->v[i]);
	memmove(&l->v[i], &l->v[i + 1], (l->n - i - 1) * sizeof(l->v[0]));
	l->n--;
}

static bool same(const struct target *a, const struct target *b)
{
	bool in_one_ns = str_eq(a->pod_ns, b->pod_ns) || (!a->pod_ns && !b->pod_ns);

	if (a->pid && a->pid == b->pid)
		return true;
	/* below / and below the host's, where one shows the other's */
	if (!a->id && !b->id && !a->pid && !b->pid && a->engine == b->engine &&
	    str_eq(a->name, b->name) && str_eq(a->state_file, b->state_file))
		return true;
	return a->id && str_eq(a->id, b->id) && (a->engine == b->engine || id_is_full(a->id)) &&
	       in_one_ns;
}

void targets_unique(struct targets *l)
{
	for (size_t i = 0; i + 1 < l->n; i++)
		for (size_t k = l->n - 1; k > i; k--) {
			if (!same(&l->v[i], &l->v[k]))
				continue;
			if (engine_rank(l->v[k].engine) < engine_rank(l->v[i].engine)) {
				struct target t = l->v[i];

				l->v[i] = l->v[k];
				l->v[k] = t;
			}
			targets_drop(l, k);
		}
}

static size_t count(const struct targets *l, const char *engine, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += (!engine || str_eq(l->v[i].engine, engine)) && str_eq(l->v[i].name, name);
	return n;
}

/* Whether target_resolve() would read it as this name, and a shell would leave it alone. */
static bool can_be_typed(const char *name)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.@+-";

	return name && *name && *name != '-' && *name != '.' && name[strspn(name, plain)] == '\0';
}

char *target_label_of(const struct targets *l, size_t i)
{
	const struct target *t = &l->v[i];

	if (can_be_typed(t->name) && !t->sandbox && !str_eq(t->engine, engine_none.name) &&
	    count(l, t->engine, t->name) == 1)
		return str_fmt("%s://%s", t->engine, t->name);
	if (can_be_typed(t->id))
		return str_fmt("%s://%.*s", t->engine, id_is_full(t->id) ? SHORT_ID : 256, t->id);
	return str_fmt("pid:%d", (int)t->pid);
}

char *target_label(const struct targets *l, size_t i)
{
	const struct target *t = &l->v[i];

	if (can_be_typed(t->name) && !t->sandbox && count(l, NULL, t->name) == 1 &&
	    strspn(t->name, "0123456789") != strlen(t->name))
		return strdup(t->name);
	return target_label_of(l, i);
}

static int by_name(const void *a, const void *b)
{
	const struct target *x = a, *y = b;
	int r = strcmp(x->engine, y->engine);

	if (r == 0)
		r = strcmp(x->name, y->name);
	return r ? r : strcmp(x->id ? x->id : "", y->id ? y->id : "");
}

int targets_collect(struct look *l, bool all, struct targets *out)
{
	struct want w = {.how = WANT_ALL, .live = true, .stopped = all};
	int r;

	if (!l->scan)
		l->scan = scan_make(l);
	if (!l->scan)
		return -ENOMEM;
	r = engines_find(l, &w, NULL, out);
	if (r == 0 && l->denied)
		r = engines_ask(l, &w, out);
	if (r < 0)
		return r;
	targets_unique(out);
	for (size_t i = out->n; i-- > 0;) {
		struct target *t = &out->v[i];

		if (target_is_live(t) && !target_verify(l, t, NULL, NULL) && !all)
			targets_drop(out, i);
		else if (t->pid && !t->user_ns)
			t->user_ns = proc_ns_inode_at(l->roots->proc_fd, t->pid, "user");
	}
	if (out->n > 1)
		qsort(out->v, out->n, sizeof(out->v[0]), by_name);
	return 0;
}

/* What is listed may not be all there is. */
static void warn_limits(struct look *l, bool any)
{
	char names[128], flags[160];
	bool inside =
		*power_flags(l->roots->proc_fd, CAPS_BIT(CAP_SYS_PTRACE), flags, sizeof(flags));
	enum power power = look_power(l);

	switch (power == POWER_USER && strstr(flags, "--cap") ? POWER_CAPS : power) {
	case POWER_FULL:
		if (inside && !any)
			look_warn(l,
				  "there is no container of any engine in this one, which sees "
				  "none of the host's: start it with %s",
				  flags);
		break;
	case POWER_USER:
		if (l->denied)
			look_warn(l, "there may be more that only root sees: run with sudo");
		break;
	case POWER_USERNS:
		look_warn(l, "there may be more: you are root in a user namespace only, to whom "
			     "the host's processes and files are closed");
		break;
	case POWER_CAPS:
		power_missing(CAPS_BIT(CAP_SYS_PTRACE), names, sizeof(names));
		look_warn(l, "there may be more that is not seen without %s%s%s",
			  *names ? names : "CAP_DAC_READ_SEARCH",
			  inside ? ": start this container with " : "", flags);
		break;
	}
}

int target_list(const struct target_roots *r, bool all, struct targets *out, struct strv *warnings,
		struct err *e)
{
	_cleanup_look_ struct look l = LOOK_INIT(r);
	int ret = targets_collect(&l, all, out);

	if (ret < 0)
		return err_set(e, ret, "listing containers");
	warn_limits(&l, out->n);
	for (size_t i = 0; warnings && i < l.warnings.n; i++)
		strv_add(warnings, l.warnings.v[i]);
	return 0;
}
