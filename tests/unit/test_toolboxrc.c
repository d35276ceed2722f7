/* ~/.toolboxrc: what is taken from it, and what is only named. */
#include "launch/toolboxrc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/cleanup.h"

static const struct {
	const char *text;
	const char *image, *name, *user, *unknown; /* unknown: with | between */
} files[] = {
	{"", NULL, NULL, NULL, ""},
	{"# TOOLBOX_USER=x\n\n  \n", NULL, NULL, NULL, ""},
	{"TOOLBOX_DOCKER_IMAGE=fedora\nTOOLBOX_USER=root", "image://fedora", NULL, "root", ""},
	{"TOOLBOX_DOCKER_IMAGE=\"fe\"'do'ra # x\nexport TOOLBOX_DOCKER_TAG='38'\n",
	 "image://fedora:38", NULL, NULL, ""},
	{"TOOLBOX_DOCKER_TAG=38\nREGISTRY=\nIMAGE=a/b:c\n", "image://a/b:c", NULL, NULL, ""},
	{"REGISTRY=r.example\nIMAGE=x\nIMAGE=y\n", "image://r.example/y", NULL, NULL, ""},
	{"REGISTRY=r.example\nTOOLBOX_NAME=box\n", NULL, "box", NULL, ""},
	{"TOOLBOX_DOCKER_ARCHIVE=/a b.tar", NULL, NULL, NULL, "line 1 (TOOLBOX_DOCKER_ARCHIVE)"},
	{"TOOLBOX_DOCKER_ARCHIVE='/a b.tar'\nIMAGE=x", "/a b.tar", NULL, NULL, ""},
	{"TOOLBOX_DOCKER_ARCHIVE=a.tar\nIMAGE=x", "image://x", NULL, NULL,
	 "line 1 (TOOLBOX_DOCKER_ARCHIVE)"},
	{"IMAGE=$(id)\nTOOLBOX_NAME=box-${USER}\nTOOLBOX_USER=`id`\n", NULL, NULL, NULL,
	 "line 1 (IMAGE)|line 2 (TOOLBOX_NAME)|line 3 (TOOLBOX_USER)"},
	{"IMAGE='$(id)'\n", "image://$(id)", NULL, NULL, ""},
	{"IMAGE=x; rm -rf /\n  touch x\nTOOLBOX_ENV=--x\n=x\nIMAGE\nIMAGE='x\n", NULL, NULL, NULL,
	 "line 1 (IMAGE)|line 2 (touch)|line 3 (TOOLBOX_ENV)|line 4 ()|line 5 (IMAGE)|"
	 "line 6 (IMAGE)"},
	{"TOOLBOX_NAMES=a\nTOOLBOX_NAM=a\nexport\nTOOLBOX_USER=\n", NULL, NULL, NULL,
	 "line 1 (TOOLBOX_NAMES)|line 2 (TOOLBOX_NAM)|line 3 (export)"},
};

static void same(const char *got, const char *want)
{
	if (want)
		assert_string_equal(got, want);
	else
		assert_null(got);
}

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		_cleanup_toolboxrc_ struct toolboxrc rc = {};
		_cleanup_buf_ struct buf b = {};

		print_message("# %s\n", files[i].text);
		assert_int_equal(toolboxrc_parse(files[i].text, &rc), 0);
		same(rc.image, files[i].image);
		same(rc.name, files[i].name);
		same(rc.user, files[i].user);
		for (size_t k = 0; k < rc.unknown.n; k++)
			buf_printf(&b, "%s%s", k ? "|" : "", rc.unknown.v[k]);
		assert_string_equal(b.data ? b.data : "", files[i].unknown);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_parse)};

	return cmocka_run_group_tests_name("toolboxrc", tests, NULL, NULL);
}
