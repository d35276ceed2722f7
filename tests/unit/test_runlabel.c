/* RUN labels: what their words stand for, and that nothing else is replaced. */
#include "profile/runlabel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/cleanup.h"

#define IMAGE "reg.example:5000/a/web:1"

static const struct {
	const char *label, *words, *left; /* with | between */
} labels[] = {
	{"docker run --name NAME -e NAME=NAME -e IMAGE=IMAGE IMAGE",
	 "docker|run|--name|web|-e|NAME=web|-e|IMAGE=" IMAGE "|" IMAGE, ""},
	{"docker run ${OPT1} -v ${CONFDIR}:/c -v $LOGDIR:/l $OPT2 \"$IMAGE\" ${OPT3}",
	 "docker|run|-v|/etc/web:/c|-v|/var/log/web:/l|" IMAGE, ""},
	{"docker run -v $DATADIR/x:$HOST/y $NAMES ${NAME", NULL, NULL},
	{"docker run $NAMES ${NAMES} $PWD $(id) ${NAME:-x} `id` $ $$ ''",
	 "docker|run|$NAMES|${NAMES}|$PWD|$(id)|${NAME:-x}|`id`|$|$$|",
	 "$NAMES|${NAMES}|$PWD|$(id)|${NAME:-x}|`id`|$$"},
	{"docker run $NAME$NAME a${HOST}b IMAGES", "docker|run|webweb|a/hostb|IMAGES", ""},
};

static void same(const struct strv *got, const char *want)
{
	_cleanup_buf_ struct buf b = {};

	for (size_t i = 0; i < got->n; i++)
		buf_printf(&b, "%s%s", i ? "|" : "", got->v[i]);
	assert_string_equal(b.data ? b.data : "", want);
}

static void test_fill(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
		_cleanup_words_ struct words w = {};
		struct err e = {};
		int r = words_split(labels[i].label, &w, &e);

		print_message("# %s\n", labels[i].label);
		assert_int_equal(r, labels[i].words ? 0 : -EINVAL);
		if (r < 0)
			continue;
		assert_int_equal(runlabel_fill(&w, IMAGE, "web"), 0);
		same(&w.w, labels[i].words);
		same(&w.expansions, labels[i].left);
	}
}

/* What is put in is text: it is not looked at again. */
static void test_once(void **state)
{
	_cleanup_words_ struct words w = {};
	struct err e = {};

	(void)state;
	assert_int_equal(words_split("docker run $IMAGE NAME", &w, &e), 0);
	assert_int_equal(runlabel_fill(&w, "$NAME $(id)", "IMAGE"), 0);
	same(&w.w, "docker|run|$NAME $(id)|IMAGE");
}

static void test_name(void **state)
{
	static const char *const names[][2] = {
		{IMAGE, "web"}, {"web", "web"}, {"a/b@sha256:12", "b"}, {"web:7", "web"}, {"", ""}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		_cleanup_free_ char *name = runlabel_name(names[i][0]);

		assert_string_equal(name, names[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fill),
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_name),
	};

	return cmocka_run_group_tests_name("runlabel", tests, NULL, NULL);
}
