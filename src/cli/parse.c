#include <string.h>

#include "cli/cli.h"

static const struct opt *by_letter(const struct verb *v, char c)
{
	for (const struct opt *o = v->opts; o && o->type; o++)
		if (o->letter && o->letter == c)
			return o;
	return NULL;
}

/* Exact long name, or the only one that starts so (as getopt_long does). */
static const struct opt *by_name(const struct verb *v, const char *name, size_t n, struct err *e)
{
	const struct opt *found = NULL;

	/* before the starts of ours: --pid is not --pids */
	for (const struct elsewhere *x = v->elsewhere; x && x->name; x++)
		if (strncmp(x->name, name, n) == 0 && x->name[n] == '\0') {
			err_say(e, EINVAL, "there is no option --%s", x->name);
			err_hint(e, "%s", x->hint);
			return NULL;
		}
	for (const struct opt *o = v->opts; n && o && o->type; o++) {
		if (strncmp(o->name, name, n) != 0)
			continue;
		if (o->name[n] == '\0')
			return o;
		if (found) {
			err_say(e, EINVAL, "option --%.*s could be --%s or --%s", (int)n, name,
				found->name, o->name);
			return NULL;
		}
		found = o;
	}
	if (!found)
		err_say(e, EINVAL, "there is no option --%.*s", (int)n, name);
	return found;
}

static bool takes_arg(const struct opt *o)
{
	return o->type != OPT_FLAG && o->type != OPT_COUNT && o->type != OPT_MAYBE;
}

static int check_word(const struct opt *o, const char *val, struct err *e)
{
	_cleanup_buf_ struct buf all = {};

	if (!o->words)
		return 0;
	for (size_t i = 0; o->words[i]; i++) {
		if (str_eq(o->words[i], val))
			return 0;
		buf_printf(&all, "%s%s", i ? ", " : "", o->words[i]);
	}
	return err_say(e, EINVAL, "--%s does not take '%s': it takes one of %s", o->name, val,
		       all.data);
}

static int check_words(const struct opt *o, const struct strv *vals, struct err *e)
{
	for (size_t i = 0; i < vals->n; i++) {
		int r = check_word(o, vals->v[i], e);

		if (r < 0)
			return r;
	}
	return 0;
}

static int set_value(const struct opt *o, void *opts, const char *val, struct err *e)
{
	void *p = (char *)opts + o->off;

	switch (o->type) {
	case OPT_FLAG:
		*(bool *)p = true;
		return 0;
	case OPT_COUNT:
		++*(unsigned *)p;
		return 0;
	case OPT_STR:
		*(const char **)p = val;
		return check_word(o, val, e);
	case OPT_MAYBE:
		*(const char **)p = val ? val : "";
		return 0;
	case OPT_LIST:
		if (strv_add(p, val) < 0)
			return err_set(e, ENOMEM, "option --%s", o->name);
		return check_word(o, val, e);
	case OPT_CSV:
		if (val[strspn(val, ",")] == '\0') /* "$LIST" that is empty: not as if not given */
			return err_say(e, EINVAL, "--%s takes a list, not '%s'", o->name, val);
		if (strv_split(p, val, ",") < 0)
			return err_set(e, ENOMEM, "option --%s", o->name);
		if (!((struct strv *)p)->n) /* "$EMPTY" must not mean the default */
			return err_say(e, EINVAL, "--%s takes a list, not '%s'", o->name, val);
		return check_words(o, p, e);
	case OPT_UINT:
		if (str_to_u64(val, 1, INT64_MAX, p) < 0)
			return err_say(e, EINVAL, "--%s takes a number from 1 on, not '%s'",
				       o->name, val);
		return 0;
	case OPT_SIZE:
		if (str_to_size(val, p) < 0 || *(uint64_t *)p == 0)
			return err_say(e, EINVAL, "--%s takes a size such as 64m, not '%s'",
				       o->name, val);
		return 0;
	case OPT_END:
		break;
	}
	return err_say(e, EINVAL, "option --%s is of no known type", o->name);
}

/* docker's habit: --tty=true, --tty=false. */
static int set_flag(const struct opt *o, void *opts, const char *val, struct err *e)
{
	if (o->type == OPT_MAYBE)
		return set_value(o, opts, val, e);
	if (val && str_eq(val, "false"))
		memset((char *)opts + o->off, 0,
		       o->type == OPT_FLAG ? sizeof(bool) : sizeof(unsigned));
	else if (!val || str_eq(val, "true"))
		return set_value(o, opts, NULL, e);
	else
		return err_say(e, EINVAL, "option --%s takes no value", o->name);
	return 0;
}

/* One argv word that starts with "--name". Returns the words used (1 or 2) or -EINVAL. */
static int parse_long(const struct verb *v, struct ctx *ctx, void *opts, int left, char **argv,
		      bool *help, struct err *e)
{
	const char *name = argv[0] + (argv[0][1] == '-' ? 2 : 1), *val = strchr(name, '=');
	size_t n = val ? (size_t)(val - name) : strlen(name);
	const struct opt *o;
	int used = 1, r;

	if (n == 4 && strncmp(name, "help", 4) == 0) {
		*help = true;
		return 1;
	}
	o = by_name(v, name, n, e);
	if (!o)
		return -EINVAL;
	if (val) {
		val++;
	} else if (takes_arg(o)) {
		if (left < 2)
			return err_say(e, EINVAL, "option --%s needs a value: %s", o->name, o->arg);
		val = argv[1];
		used = 2;
	}
	r = takes_arg(o) ? set_value(o, opts, val, e) : set_flag(o, opts, val, e);
	if (r < 0)
		return r;
	if (str_eq(o->name, "json"))
		ctx->json = *(bool *)((char *)opts + o->off);
	return used;
}

/* One argv word of letters, "-it" or "-uroot" or "-u root". */
static int parse_short(const struct verb *v, void *opts, int left, char **argv, bool *help,
		       struct err *e)
{
	for (const char *p = argv[0] + 1; *p; p++) {
		const struct opt *o = by_letter(v, *p);
		const char *val = NULL;
		int r;

		if (!o && *p == 'h') {
			*help = true;
			continue;
		}
		if (!o)
			return err_say(e, EINVAL, "there is no option -%c", *p);
		if (takes_arg(o)) {
			val = p[1] ? p + 1 + (p[1] == '=') : left > 1 ? argv[1] : NULL;
			if (!val)
				return err_say(e, EINVAL, "option -%c needs a value: %s", *p,
					       o->arg);
		}
		r = set_value(o, opts, val, e);
		if (r < 0)
			return r;
		if (val)
			return p[1] ? 1 : 2;
	}
	return 1;
}

/* After an error: is --json among the words not read, so that it is printed as such? */
/* Whether the options end at the positional number `words`. */
static bool stops(const struct verb *v, int words)
{
	return (v->flags & VERB_STOP_AT_ARG && words > 0) ||
	       (v->flags & VERB_STOP_AT_CMD && words > 1);
}

static bool asks_json(const struct verb *v, int argc, char **argv)
{
	const struct opt *json = NULL;
	int words = 0;

	for (const struct opt *o = v->opts; o && o->type; o++)
		if (str_eq(o->name, "json"))
			json = o;
	for (int i = 0; json && i < argc && !str_eq(argv[i], "--"); i++) {
		if (str_eq(argv[i], "--json"))
			return true;
		words += argv[i][0] != '-';
		if (stops(v, words))
			break;
	}
	return false;
}

/* "-name", as find(1) has it: a long name, whole. */
static bool is_word(const struct verb *v, const char *arg)
{
	if (!(v->flags & VERB_WORDS) || arg[1] == '-' || !arg[2])
		return false;
	for (const struct opt *o = v->opts; o && o->type; o++)
		if (str_eq(o->name, arg + 1))
			return true;
	return false;
}

static int parse_words(const struct verb *v, struct ctx *ctx, void *opts, int argc, char **argv,
		       int *nargs, bool *help, struct err *e)
{
	int i = 0, n = 0;

	while (i < argc && !*help) {
		int used;

		if (str_eq(argv[i], "--")) {
			i++;
			break;
		}
		if (argv[i][0] != '-' || argv[i][1] == '\0') {
			if (stops(v, n + 1))
				break;
			argv[n++] = argv[i++];
			continue;
		}
		used = argv[i][1] == '-' || is_word(v, argv[i])
			       ? parse_long(v, ctx, opts, argc - i, argv + i, help, e)
			       : parse_short(v, opts, argc - i, argv + i, help, e);
		if (used < 0) {
			ctx->json = ctx->json || asks_json(v, argc - i, argv + i);
			return used;
		}
		i += used;
	}
	while (i < argc)
		argv[n++] = argv[i++];
	*nargs = n;
	return 0;
}

int cli_parse(const struct verb *v, struct ctx *ctx, void *opts, int argc, char **argv, int *nargs,
	      bool *help, struct err *e)
{
	int r = parse_words(v, ctx, opts, argc, argv, nargs, help, e);

	if (*help)
		return 0;
	if (r == 0 && *nargs < v->min_args)
		r = err_say(e, EINVAL, "'porthole %s' needs %s", v->name, v->args);
	if (r == 0 && v->max_args >= 0 && *nargs > v->max_args)
		r = err_say(e, EINVAL, "'porthole %s' does not take '%s'", v->name,
			    argv[v->max_args]);
	if (r < 0 && !e->hint[0])
		err_hint(e, "see 'porthole %s --help'", v->name);
	return r;
}

void cli_free(const struct verb *v, void *opts)
{
	for (const struct opt *o = v->opts; o && o->type; o++)
		if (o->type == OPT_LIST || o->type == OPT_CSV)
			strv_done((struct strv *)((char *)opts + o->off));
}
