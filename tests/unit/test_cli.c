/* cli/parse: every type of option in every way of giving it; what is refused, and how. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/cli.h"

struct all_opts {
	bool flag, force, json;
	unsigned count;
	const char *str, *mode, *maybe;
	struct strv list, csv, kinds;
	uint64_t num, size;
};

#define O(field) offsetof(struct all_opts, field)

static const struct opt options[] = {
	{OPT_FLAG, O(flag), 'f', "flag", NULL, "a flag", NULL},
	{OPT_FLAG, O(force), 0, "force", NULL, "another", NULL},
	{OPT_COUNT, O(count), 'v', "verbose", NULL, "how often", NULL},
	{OPT_STR, O(str), 'u', "user", "USER", "a string", NULL},
	{OPT_MAYBE, O(maybe), 0, "trace", "[=EXPR]", "perhaps", NULL},
	{OPT_STR, O(mode), 0, "mode", "live|kit", "one of two", OPT_WORDS("live", "kit")},
	{OPT_LIST, O(list), 'e', "env", "NAME=VALUE", "many", NULL},
	{OPT_LIST, O(list), 0, "env-file", "FILE", "many", NULL},
	{OPT_CSV, O(csv), 'n', "ns", "LIST", "a list", NULL},
	{OPT_CSV, O(kinds), 0, "kinds", "LIST", "of two", OPT_WORDS("red", "blue")},
	{OPT_UINT, O(num), 'c', "pids", "N", "a number", NULL},
	{OPT_SIZE, O(size), 'm', "memory", "BYTES", "a size", NULL},
	{OPT_FLAG, O(json), 0, "json", NULL, "JSON", NULL},
	{},
};

static const struct verb loose = {
	.name = "loose", .args = "[ARG...]", .opts = options, .max_args = -1};
static const struct verb strict = {.name = "strict",
				   .args = "TARGET [CMD...]",
				   .opts = options,
				   .flags = VERB_STOP_AT_ARG,
				   .min_args = 1,
				   .max_args = 3};

/* One parse: the words, and all that came of them. */
struct parsed {
	struct all_opts o;
	struct ctx ctx;
	struct err e;
	char *argv[24];
	int nargs, r;
	bool help;
	const struct verb *v;
};

static struct parsed *parse(const struct verb *v, const char *first, ...)
{
	static struct parsed p;
	va_list ap;
	int n = 0;

	cli_free(&loose, &p.o);
	p = (struct parsed){.nargs = -1, .v = v};
	va_start(ap, first);
	for (const char *s = first; s && n < 23; s = va_arg(ap, const char *))
		p.argv[n++] = (char *)s;
	va_end(ap);
	p.r = cli_parse(v, &p.ctx, &p.o, n, p.argv, &p.nargs, &p.help, &p.e);
	return &p;
}

#define PARSE(...)  parse(&loose, __VA_ARGS__, NULL)
#define STRICT(...) parse(&strict, __VA_ARGS__, NULL)

static void assert_words(const struct strv *s, const char *want)
{
	_cleanup_buf_ struct buf b = {};

	for (size_t i = 0; i < s->n; i++)
		buf_printf(&b, "%s%s", i ? " " : "", s->v[i]);
	assert_string_equal(b.len ? b.data : "", want);
}

static void assert_refused(const struct parsed *p, const char *part)
{
	assert_int_equal(p->r, -EINVAL);
	assert_int_equal(p->e.num, EINVAL);
	if (!strstr(p->e.msg, part))
		fail_msg("'%s' does not say '%s'", p->e.msg, part);
	assert_non_null(strstr(p->e.hint, "--help"));
	assert_null(strchr(p->e.msg, '\n'));
}

static void test_nothing(void **state)
{
	struct parsed *p = parse(&loose, NULL);

	(void)state;
	assert_int_equal(p->r, 0);
	assert_int_equal(p->nargs, 0);
	assert_false(p->o.flag || p->help || p->ctx.json);
	assert_null(p->o.str);
}

static void test_every_type(void **state)
{
	struct parsed *p =
		PARSE("--flag", "--verbose", "--user", "ann", "--mode", "kit", "--env", "A=1",
		      "--env", "B=", "--ns", "net,pid", "--ns", ",uts,", "--pids", "7");

	(void)state;
	assert_int_equal(p->r, 0);
	assert_true(p->o.flag);
	assert_false(p->o.force);
	assert_int_equal(p->o.count, 1);
	assert_string_equal(p->o.str, "ann");
	assert_string_equal(p->o.mode, "kit");
	assert_words(&p->o.list, "A=1 B=");
	assert_words(&p->o.csv, "net pid uts");
	assert_int_equal(p->o.num, 7);
	assert_int_equal(p->nargs, 0);
	p = PARSE("--memory", "1.5k", "--kinds=blue,red");
	assert_int_equal(p->o.size, 1536);
	assert_words(&p->o.kinds, "blue red");
}

static void test_equals(void **state)
{
	struct parsed *p = PARSE("--user=ann", "--env=A=b=c", "--ns=net", "--memory=64m", "x");

	(void)state;
	assert_int_equal(p->r, 0);
	assert_string_equal(p->o.str, "ann");
	assert_words(&p->o.list, "A=b=c");
	assert_words(&p->o.csv, "net");
	assert_int_equal(p->o.size, 64 << 20);
	assert_int_equal(p->nargs, 1);
	assert_string_equal(PARSE("--user=")->o.str, "");
	assert_string_equal(PARSE("--user", "--flag")->o.str, "--flag");
	assert_string_equal(PARSE("--user", "a", "--user=b")->o.str, "b");
}

/* A value only with '=': the next word is never taken for it. */
static void test_maybe(void **state)
{
	struct parsed *p = parse(&loose, "--trace", "word", NULL);

	(void)state;
	assert_int_equal(p->r, 0);
	assert_string_equal(p->o.maybe, "");
	assert_int_equal(p->nargs, 1);
	assert_string_equal(p->argv[0], "word");
	p = parse(&loose, "--trace=open,read", "word", NULL);
	assert_int_equal(p->r, 0);
	assert_string_equal(p->o.maybe, "open,read");
	p = parse(&loose, "word", NULL);
	assert_null(p->o.maybe);
}

static void test_letters(void **state)
{
	struct parsed *p = PARSE("-fvv", "-uann", "-e", "A=1", "-eB=2", "-nnet,pid", "-c3");

	(void)state;
	assert_int_equal(p->r, 0);
	assert_true(p->o.flag);
	assert_int_equal(p->o.count, 2);
	assert_string_equal(p->o.str, "ann");
	assert_words(&p->o.list, "A=1 B=2");
	assert_words(&p->o.csv, "net pid");
	assert_int_equal(p->o.num, 3);
	p = PARSE("-fu", "ann", "rest"); /* the last letter of a cluster takes the next word */
	assert_true(p->o.flag);
	assert_string_equal(p->o.str, "ann");
	assert_int_equal(p->nargs, 1);
	assert_string_equal(PARSE("-u=ann")->o.str, "ann");
	assert_string_equal(PARSE("-u", "")->o.str, "");
	assert_string_equal(PARSE("-fuv")->o.str, "v");
}

static void test_flag_values(void **state)
{
	(void)state;
	assert_true(PARSE("--flag=true")->o.flag);
	assert_false(PARSE("--flag=false")->o.flag);
	assert_false(PARSE("-f", "--flag=false")->o.flag);
	assert_true(PARSE("--flag=false", "-f")->o.flag);
	assert_int_equal(PARSE("-vvv", "--verbose=false")->o.count, 0);
	assert_int_equal(PARSE("-v", "--verbose=true")->o.count, 2);
	assert_refused(PARSE("--flag=maybe"), "--flag takes no value");
	assert_refused(PARSE("--flag="), "--flag takes no value");
}

static void test_abbreviations(void **state)
{
	(void)state;
	assert_true(PARSE("--fl")->o.flag);
	assert_string_equal(PARSE("--us=ann")->o.str, "ann");
	assert_words(&PARSE("--env", "x")->o.list, "x"); /* exact, though --env-file starts so */
	assert_words(&PARSE("--env-f", "y")->o.list, "y");
	assert_refused(PARSE("--f"), "could be --flag or --force");
	assert_refused(PARSE("--flagg"), "no option --flagg");
	assert_refused(PARSE("--=x"), "no option --");
}

static void test_dashes(void **state)
{
	struct parsed *p = PARSE("a", "--flag", "-", "b", "--", "--force", "--");

	(void)state;
	assert_int_equal(p->r, 0);
	assert_true(p->o.flag);
	assert_false(p->o.force);
	assert_int_equal(p->nargs, 5);
	assert_string_equal(p->argv[0], "a");
	assert_string_equal(p->argv[1], "-");
	assert_string_equal(p->argv[2], "b");
	assert_string_equal(p->argv[3], "--force");
	assert_string_equal(p->argv[4], "--");
}

static void test_stop_at_arg(void **state)
{
	struct parsed *p = STRICT("-f", "web", "ls", "--force");

	(void)state;
	assert_int_equal(p->r, 0);
	assert_true(p->o.flag);
	assert_false(p->o.force);
	assert_int_equal(p->nargs, 3);
	assert_string_equal(p->argv[2], "--force");
	p = STRICT("web", "--", "-f"); /* the command's own words, also -- */
	assert_int_equal(p->nargs, 3);
	assert_string_equal(p->argv[1], "--");
	assert_false(p->o.flag);
	p = STRICT("--", "-f");
	assert_int_equal(p->nargs, 1);
	assert_false(p->o.flag);
	assert_true(PARSE("web", "ls", "--force")->o.force); /* without the flag they go on */
}

static void test_counts(void **state)
{
	(void)state;
	assert_refused(STRICT("-f"), "'porthole strict' needs TARGET [CMD...]");
	assert_refused(STRICT("a", "b", "c", "d"), "does not take 'd'");
	assert_int_equal(STRICT("a", "b", "c")->r, 0);
}

static void test_help(void **state)
{
	struct parsed *p = STRICT("--help", "--bogus");

	(void)state;
	assert_int_equal(p->r, 0);
	assert_true(p->help);
	assert_true(STRICT("-fh")->help);
	assert_false(STRICT("web", "--help")->help); /* the command's */
	assert_false(STRICT("-u", "--help", "web")->help);
}

static void test_refused(void **state)
{
	(void)state;
	assert_refused(PARSE("--bogus"), "no option --bogus");
	assert_refused(PARSE("-fx"), "no option -x");
	assert_refused(PARSE("--user"), "--user needs a value: USER");
	assert_refused(PARSE("-u"), "-u needs a value: USER");
	assert_refused(PARSE("--mode", "LIVE"), "'LIVE': it takes one of live, kit");
	assert_refused(PARSE("--mode="), "it takes one of");
	assert_refused(PARSE("--kinds=red,green"), "'green': it takes one of red, blue");
	assert_refused(PARSE("--ns="), "--ns takes a list");
	assert_refused(PARSE("-n", ",,"), "--ns takes a list");
	assert_refused(PARSE("--pids", "-1"), "a number from 1 on, not '-1'");
	assert_refused(PARSE("--pids", "12x"), "a number");
	assert_refused(PARSE("--pids", "9223372036854775808"), "a number");
	assert_refused(PARSE("--pids", "0"), "a number from 1 on, not '0'");
	assert_refused(PARSE("--memory", "lots"), "such as 64m, not 'lots'");
	assert_refused(PARSE("--memory", "0x10"), "such as 64m");
}

/* What a hostile word says is shown, not done. */
static void test_printable(void **state)
{
	struct parsed *p = PARSE("--\033[2J\n");

	(void)state;
	assert_refused(p, "\\x1b[2J\\x0a");
	assert_null(strchr(p->e.msg, '\033'));
	assert_null(strchr(PARSE("-\033")->e.msg, '\033'));
}

static void test_json(void **state)
{
	(void)state;
	assert_true(PARSE("--json")->ctx.json);
	assert_false(PARSE("--json=false")->ctx.json);
	assert_false(PARSE("--json", "--json=false")->ctx.json);
	assert_true(PARSE("--json", "--bogus")->ctx.json);
	assert_true(PARSE("--bogus", "--json")->ctx.json); /* errors before it are JSON too */
	assert_true(STRICT("--bogus", "--json", "web")->ctx.json);
	assert_false(STRICT("--bogus", "web", "--json")->ctx.json); /* the command's */
	assert_false(PARSE("--bogus", "--", "--json")->ctx.json);
	assert_false(PARSE("a")->ctx.json);
}

static void test_find(void **state)
{
	char *two[] = {(char *)"kit", (char *)"build", (char *)"x"}, *one[] = {(char *)"ps"};
	char *none[] = {(char *)"kit", (char *)"zap"};
	int used = 0;

	(void)state;
	assert_string_equal(cli_find(3, two, &used)->name, "kit build");
	assert_int_equal(used, 2);
	assert_string_equal(cli_find(1, one, &used)->name, "ps");
	assert_int_equal(used, 1);
	assert_null(cli_find(1, two, &used));
	assert_null(cli_find(2, none, &used));
	assert_null(cli_find(0, none, &used));
	assert_true(cli_is_group("kit"));
	assert_false(cli_is_group("ki"));
	assert_false(cli_is_group("ps"));
}

/* Tables that parse wrongly: a letter or name twice, help that ends with a full stop. */
static void test_tables(void **state)
{
	(void)state;
	for (size_t i = 0; cli_verbs[i]; i++) {
		const struct verb *v = cli_verbs[i];

		assert_true(v->summary && *v->summary && v->run && v->examples);
		for (const struct opt *o = v->opts; o && o->type; o++) {
			bool arg = o->type != OPT_FLAG && o->type != OPT_COUNT;

			assert_true(o->off < v->opts_size);
			assert_int_equal(arg, o->arg != NULL);
			assert_false(str_ends(o->help, ".") && !str_ends(o->help, "..."));
			assert_string_not_equal(o->name, "help");
			for (const struct opt *k = o + 1; k->type; k++) {
				assert_string_not_equal(o->name, k->name);
				assert_true(!o->letter || o->letter != k->letter);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),	      cmocka_unit_test(test_every_type),
		cmocka_unit_test(test_equals),	      cmocka_unit_test(test_maybe),
		cmocka_unit_test(test_letters),	      cmocka_unit_test(test_flag_values),
		cmocka_unit_test(test_abbreviations), cmocka_unit_test(test_dashes),
		cmocka_unit_test(test_stop_at_arg),   cmocka_unit_test(test_counts),
		cmocka_unit_test(test_help),	      cmocka_unit_test(test_refused),
		cmocka_unit_test(test_printable),     cmocka_unit_test(test_json),
		cmocka_unit_test(test_find),	      cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
