/* Nothing has the name: what to say. */
#include "target/pid.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/caps.h"
#include "target/scan.h"

enum { NEAREST = 3, NAMED_MIN = 3, DAMAGE_MAX = 200 };

/* How far a name is from what was typed; UINT_MAX: too far to be meant. */
static unsigned distance(const char *typed, const char *name)
{
	size_t n = strlen(typed);
	unsigned d;

	if (!name || !*name)
		return UINT32_MAX;
	if (strcasecmp(typed, name) == 0)
		return 0;
	if (n >= 3 && (strcasestr(name, typed) || (strlen(name) >= 3 && strcasestr(typed, name))))
		return 1;
	d = str_distance(typed, name);
	return d <= (n < 3 ? 1 : n < 8 ? 2 : 3) ? d : UINT32_MAX;
}

struct near {
	unsigned d;
	size_t i;
};

static int by_distance(const void *a, const void *b)
{
	const struct near *x = a, *y = b;

	if (x->d != y->d)
		return (x->d > y->d) - (x->d < y->d);
	return (x->i > y->i) - (x->i < y->i);
}

/* Add the nearest names to `e`. False when none is near. */
static bool suggest(struct look *l, const struct spec *s, struct err *e)
{
	_cleanup_targets_ struct targets all = {};
	_cleanup_free_ struct near *near = NULL;
	_cleanup_buf_ struct buf names = {};
	char flags[32];
	size_t n = 0;

	if (targets_collect(l, true, &all) < 0 || !(near = calloc(all.n + 1, sizeof(*near))))
		return false;
	for (size_t i = 0; i < all.n; i++) {
		unsigned d = distance(s->want.text, all.v[i].name);
		unsigned pod = distance(s->want.text, all.v[i].pod);

		d = pod < d ? pod : d;
		if (d != UINT32_MAX && !all.v[i].sandbox)
			near[n++] = (struct near){.d = d, .i = i};
	}
	if (n > 1)
		qsort(near, n, sizeof(*near), by_distance);
	for (size_t i = 0; i < n && i < NEAREST; i++) {
		_cleanup_free_ char *label = target_label(&all, near[i].i);

		buf_printf(&names, "%s%s", i ? ", " : "", label ? label : "?");
		if (label && !strstr(label, all.v[near[i].i].name)) /* by its id */
			buf_printf(&names, " (%s)", all.v[near[i].i].name);
	}
	power_flags(l->roots->proc_fd, 0, flags, sizeof(flags));
	if (n)
		err_hint(e, "did you mean %s? 'porthole ps -a' lists all", names.data);
	else if (all.n && *flags)
		err_hint(
			e,
			"'porthole ps -a' lists the %zu that this container sees: start it with %s "
			"to see all",
			all.n, flags);
	else if (all.n)
		err_hint(e, "'porthole ps -a' lists the %zu there are", all.n);
	else if (*flags)
		err_hint(e,
			 "there is no container of any engine in this one, which sees none of the "
			 "host's: start it with %s",
			 flags);
	else
		err_hint(e, "there is no container of any engine on this host");
	return n;
}

enum power look_power(struct look *l)
{
	const struct proc_stat *kthreadd = l->scan ? scan_stat(l, 2) : NULL;
	uint64_t files = CAPS_BIT(CAP_DAC_READ_SEARCH) | CAPS_BIT(CAP_DAC_OVERRIDE);
	enum power power =
		power_of(l->roots->proc_fd, CAPS_BIT(CAP_SYS_PTRACE) | (l->denied ? files : 0));

	/* a container's root sees all of the container: its limits are the host's business */
	if (power == POWER_USERNS && !l->denied && !(kthreadd && kthreadd->kthread))
		return POWER_FULL;
	return power;
}

/* What is there may just not be visible to us. */
static bool is_hidden(struct look *l, const struct spec *s, struct err *e)
{
	char names[128], flags[160];
	bool inside =
		*power_flags(l->roots->proc_fd, CAPS_BIT(CAP_SYS_PTRACE), flags, sizeof(flags));
	enum power power = look_power(l);

	switch (power == POWER_USER && strstr(flags, "--cap") ? POWER_CAPS : power) {
	case POWER_FULL:
		return false;
	case POWER_USER:
		err_say(e, EACCES,
			"needs root to find '%s': nothing that you may see yourself has that name",
			s->typed);
		if (!suggest(l, s, e))
			err_hint(e, "run with sudo");
		return true;
	case POWER_USERNS:
		err_say(e, EACCES,
			"cannot look for '%s' from here: you are root in a user namespace only, to "
			"whom the host's processes and files are closed",
			s->typed);
		err_hint(e, "run it outside of it, with sudo");
		return true;
	case POWER_CAPS:
		break;
	}
	power_missing(CAPS_BIT(CAP_SYS_PTRACE), names, sizeof(names));
	err_say(e, EACCES,
		"cannot look for '%s' everywhere without %s%s, and nothing that may be seen has "
		"that name",
		s->typed, *names ? names : "CAP_DAC_READ_SEARCH",
		str_starts(flags, "--cap") || !inside ? "" : " and the host's processes");
	if (inside)
		err_hint(e, "start this container with %s", flags);
	else
		err_hint(e, "run it as root of the host, with nothing taken away by capsh, setpriv "
			    "or a container");
	return true;
}

/* Whether the name is that of what is damaged: an id's start, or a directory's name. */
static bool is_of(const char *warning, const struct spec *s)
{
	return strlen(s->want.text) >= NAMED_MIN && strstr(warning, s->want.text);
}

/* What was found to be damaged may hold the name: told after the near names. What bears the name
 * itself comes first; of the rest one, and how many more. */
static void tell_damage(const struct look *l, const struct spec *s, struct err *e)
{
	_cleanup_buf_ struct buf text = {};
	char names[sizeof(e->hint)];
	size_t shown = 0, left;

	for (int named = 1; named >= 0; named--) {
		for (size_t i = 0; i < l->warnings.n; i++) {
			const char *w = l->warnings.v[i];

			if (is_of(w, s) != (bool)named || (!named && shown) ||
			    text.len + strlen(w) > DAMAGE_MAX)
				continue;
			buf_printf(&text, "; %s", w);
			shown++;
		}
	}
	left = l->warnings.n - shown;
	if (left)
		buf_printf(&text, "; %zu %sfile%s damaged", left, shown ? "more " : "",
			   left == 1 ? " is" : "s are");
	snprintf(names, sizeof(names), "%s", e->hint);
	err_hint(e, "%s%s", names, text.data ?: "");
}

/* Of ours: launch/ended.h keeps its log. */
static bool has_ended(const struct look *l, const struct spec *s)
{
	_cleanup_free_ char *kept = str_fmt("run/porthole/.ended-%s", s->want.text);

	return kept && !strchr(s->want.text, '/') && !s->want.pod &&
	       (!s->engine || str_eq(s->engine, engine_porthole.name)) &&
	       faccessat(l->roots->root_fd, kept, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int target_not_found(struct look *l, const struct spec *s, struct err *e)
{
	bool digits = strspn(s->want.text, "0123456789") == strlen(s->want.text);
	struct target ignored;
	struct spec number = {};

	if (s->pid && target_from_pid(l, s->pid, &ignored, e) < 0)
		return -ESRCH;
	if (digits && !s->engine && spec_pid(&number, s->want.text, e) < 0)
		return -EINVAL;
	if (is_hidden(l, s, e))
		return -EACCES;
	if (has_ended(l, s)) {
		err_say(e, ENOENT, "'%s' has ended", s->typed);
		err_hint(e, "'porthole logs %s' tells how, and what it said", s->typed);
		return -ENOENT;
	}
	err_say(e, ENOENT, "nothing is named '%s'", s->typed);
	suggest(l, s, e);
	if (e && l->warnings.n)
		tell_damage(l, s, e);
	return -ENOENT;
}
