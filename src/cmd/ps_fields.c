#include "cmd/ps.h"

#include <errno.h>
#include <fnmatch.h>

#include "base/cleanup.h"
#include "out/human.h"

static void puts_or_empty(struct buf *out, const char *s)
{
	buf_puts(out, s ? s : "");
}

static void name_text(const struct ps_row *r, struct buf *out)
{
	puts_or_empty(out, r->t->name);
}

static void engine_text(const struct ps_row *r, struct buf *out)
{
	buf_puts(out, r->t->engine);
}

/* An image that has no name is known by its digest. */
static void image_text(const struct ps_row *r, struct buf *out)
{
	if (r->t->image)
		buf_puts(out, r->t->image);
	else if (r->t->image_id)
		buf_printf(out, "%.19s", r->t->image_id);
}

static void pid_text(const struct ps_row *r, struct buf *out)
{
	if (r->t->pid)
		buf_printf(out, "%d", (int)r->t->pid);
}

static void state_text(const struct ps_row *r, struct buf *out)
{
	buf_puts(out, target_state_name(r->t->state));
	if ((r->t->state == TARGET_EXITED || r->t->state == TARGET_RESTARTING) &&
	    r->t->exit_code >= 0)
		buf_printf(out, " (%d)", r->t->exit_code);
}

/* How long it has been in this state. */
static void age_text(const struct ps_row *r, struct buf *out)
{
	const struct target *t = r->t;
	int64_t since = t->pid ? t->started : t->finished ? t->finished : 0;
	char age[HUMAN_MAX];

	if (!since)
		since = t->state == TARGET_CREATED ? t->created : 0;
	if (since)
		buf_puts(out, human_age(r->now - since, age));
}

static void userns_text(const struct ps_row *r, struct buf *out)
{
	buf_puts(out, r->userns);
}

static void pod_text(const struct ps_row *r, struct buf *out)
{
	if (r->t->pod && r->t->pod_ns)
		buf_printf(out, "%s/%s", r->t->pod_ns, r->t->pod);
	else
		puts_or_empty(out, r->t->pod);
}

static void id_text(const struct ps_row *r, struct buf *out)
{
	puts_or_empty(out, r->t->id);
}

static void target_text(const struct ps_row *r, struct buf *out)
{
	puts_or_empty(out, r->label);
}

static void user_text(const struct ps_row *r, struct buf *out)
{
	buf_puts(out, r->t->owner ? r->t->owner : "root");
}

static void namespace_text(const struct ps_row *r, struct buf *out)
{
	puts_or_empty(out, r->t->pod_ns);
}

static void image_id_text(const struct ps_row *r, struct buf *out)
{
	puts_or_empty(out, r->t->image_id);
}

static void bundle_text(const struct ps_row *r, struct buf *out)
{
	puts_or_empty(out, r->t->bundle);
}

static void file_text(const struct ps_row *r, struct buf *out)
{
	puts_or_empty(out, r->t->state_file);
}

static void exit_text(const struct ps_row *r, struct buf *out)
{
	if (!r->t->pid && r->t->exit_code >= 0)
		buf_printf(out, "%d", r->t->exit_code);
}

const struct ps_field ps_fields[] = {
	{"Name", "NAME", "name", PS_PART, 0, 48, name_text},
	{"Engine", "ENGINE", "engine", PS_EXACT, 0, 0, engine_text},
	{"Image", "IMAGE", "image", PS_PART, COL_SHRINK | COL_HIDE, 48, image_text},
	{"PID", "PID", "pid", PS_EXACT, COL_RIGHT, 0, pid_text},
	{"State", "STATE", "state", PS_NONE, 0, 0, state_text},
	{"Age", "AGE", "age", PS_NONE, 0, 0, age_text},
	{"Userns", "USERNS", "userns", PS_PART, 0, 0, userns_text},
	{"Pod", "POD", "pod", PS_PART, COL_SHRINK | COL_HIDE, 48, pod_text},
	/* not in the table */
	{"ID", "ID", "id", PS_START, 0, 12, id_text},
	{"Target", "TARGET", "target", PS_NONE, 0, 0, target_text},
	{"User", "USER", "user", PS_EXACT, 0, 0, user_text},
	{"Namespace", "NAMESPACE", "namespace", PS_EXACT, 0, 0, namespace_text},
	{"ImageID", "IMAGE ID", "image-id", PS_PART, 0, 19, image_id_text},
	{"ExitCode", "EXIT", "exit", PS_EXACT, COL_RIGHT, 0, exit_text},
	{"Bundle", "BUNDLE", "bundle", PS_NONE, 0, 0, bundle_text},
	{"StateFile", "STATE FILE", "state-file", PS_NONE, 0, 0, file_text},
};
const size_t ps_n_fields = ARRAY_LEN(ps_fields);

enum out_color ps_color(const struct ps_row *row)
{
	switch (row->t->state) {
	case TARGET_RUNNING:
		return OUT_GREEN;
	case TARGET_PAUSED:
	case TARGET_RESTARTING:
		return OUT_YELLOW;
	case TARGET_DEAD:
		return OUT_RED;
	case TARGET_EXITED:
		return row->t->exit_code > 0 ? OUT_RED : OUT_DIM;
	case TARGET_CREATED:
	case TARGET_UNKNOWN:
		break;
	}
	return OUT_DIM;
}

/* "state" is matched without the exit code; everything else is a field. */
static const struct ps_field *field_of(const char *filter)
{
	size_t n = strcspn(filter, "=");

	for (size_t i = 0; i < ps_n_fields; i++)
		if (ps_fields[i].match && strlen(ps_fields[i].key) == n &&
		    strncmp(ps_fields[i].key, filter, n) == 0)
			return &ps_fields[i];
	return NULL;
}

static bool is_state(const char *filter)
{
	return str_starts(filter, "state=") || str_starts(filter, "status=");
}

static bool value_matches(enum ps_match how, const char *value, const char *want)
{
	if (how != PS_START && strpbrk(want, "*?["))
		return fnmatch(want, value, 0) == 0;
	switch (how) {
	case PS_PART:
		return strstr(value, want);
	case PS_START:
		return str_starts(value, want);
	case PS_EXACT:
	case PS_NONE:
		break;
	}
	return str_eq(value, want);
}

static int check_state(const char *filter, struct err *e)
{
	const char *want = strchr(filter, '=') + 1;
	_cleanup_buf_ struct buf names = {};

	for (enum target_state s = TARGET_CREATED; s <= TARGET_RESTARTING; s++) {
		if (value_matches(PS_EXACT, target_state_name(s), want))
			return 0;
		buf_printf(&names, "%s%s", s > TARGET_CREATED ? ", " : "", target_state_name(s));
	}
	err_say(e, EINVAL, "--filter: no container is ever in the state '%s'", want);
	err_hint(e, "states are %s", names.data ? names.data : "");
	return -EINVAL;
}

int ps_check_filters(const struct strv *filters, struct err *e)
{
	_cleanup_buf_ struct buf keys = {};

	for (size_t i = 0; i < filters->n; i++) {
		const char *f = filters->v[i];

		if (is_state(f)) {
			int r = check_state(f, e);

			if (r < 0)
				return r;
			continue;
		}
		if (strchr(f, '=') && field_of(f))
			continue;
		for (size_t k = 0; k < ps_n_fields; k++)
			if (ps_fields[k].match)
				buf_printf(&keys, "%s, ", ps_fields[k].key);
		if (!strchr(f, '='))
			err_say(e, EINVAL, "--filter takes KEY=VALUE, not '%s'", f);
		else
			err_say(e, EINVAL, "--filter has no key '%.*s'", (int)strcspn(f, "="), f);
		err_hint(e, "keys are %sstate", keys.data ? keys.data : "");
		return -EINVAL;
	}
	return 0;
}

bool ps_asks_ended(const struct strv *filters)
{
	for (size_t i = 0; i < filters->n; i++) {
		const char *f = filters->v[i];

		if (str_starts(f, "exit="))
			return true;
		for (enum target_state s = TARGET_CREATED; s <= TARGET_RESTARTING; s++)
			if (is_state(f) && s != TARGET_RUNNING && s != TARGET_PAUSED &&
			    value_matches(PS_EXACT, target_state_name(s), strchr(f, '=') + 1))
				return true;
	}
	return false;
}

static bool passes_one(const struct ps_row *row, const char *filter)
{
	const char *want = strchr(filter, '=') + 1;
	_cleanup_buf_ struct buf text = {};

	if (is_state(filter))
		return value_matches(PS_EXACT, target_state_name(row->t->state), want);
	field_of(filter)->text(row, &text);
	return value_matches(field_of(filter)->match, text.data ? text.data : "", want);
}

static bool same_key(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return n == strcspn(b, "=") && strncmp(a, b, n) == 0;
}

bool ps_passes(const struct ps_row *row, const struct strv *filters)
{
	for (size_t i = 0; i < filters->n; i++) {
		bool any = false;

		for (size_t k = 0; k < filters->n && !any; k++)
			any = same_key(filters->v[i], filters->v[k]) &&
			      passes_one(row, filters->v[k]);
		if (!any)
			return false;
	}
	return true;
}
