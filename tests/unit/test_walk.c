/* Walking trees that are not trusted: nothing leads out, nothing is followed, every name is a name.
 */
#include "files/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/str.h"

/* What a visitor saw, "d /a" and "f /a/b" one a line, and what it is told to do. */
struct seen {
	struct buf text;
	const char *skip, *stop, *swap; /* paths at which something is done */
	const char *swap_to;		/* `swap` becomes a link to it before it is entered */
	int left, failed, last;
	int root;
};

static int entry(struct walk_entry *e, void *data)
{
	struct seen *s = data;
	char kind = S_ISDIR(e->st.st_mode)   ? 'd'
		    : S_ISLNK(e->st.st_mode) ? 'l'
		    : S_ISREG(e->st.st_mode) ? 'f'
					     : 'o';

	assert_int_equal(kind == 'd', e->fd >= 0);
	buf_printf(&s->text, "%c /%s\n", kind, e->path);
	if (s->swap && str_eq(e->path, s->swap)) {
		/* the next entry is a link by the time it is looked at */
		assert_int_equal(unlinkat(s->root, "b", AT_REMOVEDIR), 0);
		assert_int_equal(symlinkat(s->swap_to, s->root, "b"), 0);
	}
	if (s->stop && str_eq(e->path, s->stop))
		return -EINTR;
	return s->skip && str_eq(e->path, s->skip) ? WALK_SKIP : 0;
}

static int leave(struct walk_entry *e, void *data)
{
	struct seen *s = data;

	(void)e;
	s->left++;
	return 0;
}

static int failed(const char *path, int r, void *data)
{
	struct seen *s = data;

	(void)path;
	s->failed++;
	s->last = r;
	return 0;
}

static const struct walk_ops ops = {.entry = entry, .leave = leave, .failed = failed};
static const struct walk_how sorted = {.sorted = true};

static char base[] = "/tmp/porthole-walk.XXXXXX";
static int top = -EBADF;

static int setup(void **state)
{
	(void)state;
	memcpy(base + sizeof(base) - 7, "XXXXXX", 6);
	assert_non_null(mkdtemp(base));
	top = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(top >= 0);
	return 0;
}

static int remove_one(struct walk_entry *e, void *data)
{
	(void)data;
	if (!S_ISDIR(e->st.st_mode))
		unlinkat(e->dir, e->name, 0);
	return 0;
}

static int remove_dir(struct walk_entry *e, void *data)
{
	(void)data;
	if (e->depth)
		unlinkat(e->dir, e->name, AT_REMOVEDIR);
	return 0;
}

static int teardown(void **state)
{
	const struct walk_ops remove = {.entry = remove_one, .leave = remove_dir};

	(void)state;
	walk(top, &(struct walk_how){}, &remove, NULL);
	close(top);
	return rmdir(base);
}

static void make_dir(const char *path)
{
	assert_int_equal(mkdirat(top, path, 0755), 0);
}

static void make_file(const char *path)
{
	int fd = openat(top, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	close(fd);
}

static void make_link(const char *to, const char *path)
{
	assert_int_equal(symlinkat(to, top, path), 0);
}

static void walked(struct seen *s, const struct walk_how *how, int r, const char *text)
{
	s->root = top;
	assert_int_equal(walk(top, how, &ops, s), r);
	assert_string_equal(s->text.data ? s->text.data : "", text);
	buf_done(&s->text);
}

static void test_links(void **state)
{
	struct seen s = {};

	(void)state;
	make_dir("a");
	make_file("a/f");
	make_link("/etc", "a/out");
	make_link("../../../../../../etc", "a/up");
	make_link("..", "a/loop");
	make_link("self", "self");
	make_link("/nowhere", "dangling");
	walked(&s, &sorted, 0,
	       "d /\nd /a\nf /a/f\nl /a/loop\nl /a/out\nl /a/up\nl /dangling\nl /self\n");
	assert_int_equal(s.left, 2);
	assert_int_equal(s.failed, 0);
}

static void test_names(void **state)
{
	struct seen s = {};

	(void)state;
	make_file("new\nline");
	make_file("\033[2J");
	make_file("-rf");
	make_file("...");
	make_file("\xff\xfe");
	assert_int_equal(mkfifoat(top, "fifo", 0644), 0); /* never opened: it would wait */
	walked(&s, &sorted, 0,
	       "d /\nf /\033[2J\nf /-rf\nf /...\no /fifo\nf /new\nline\nf /\xff\xfe\n");
}

/* By the time the walk comes to it, `b` is a link that leads outside. */
static void test_swapped(void **state)
{
	struct seen s = {.swap = "a", .swap_to = "/etc"};

	(void)state;
	make_dir("a");
	make_dir("b");
	walked(&s, &sorted, 0, "d /\nd /a\nl /b\n");
}

static void test_skip_and_stop(void **state)
{
	struct seen skip = {.skip = "a"}, stop = {.stop = "a/b"};

	(void)state;
	make_dir("a");
	make_dir("a/b");
	make_file("a/b/f");
	make_file("z");
	walked(&skip, &sorted, 0, "d /\nd /a\nf /z\n");
	assert_int_equal(skip.left, 1);
	walked(&stop, &sorted, -EINTR, "d /\nd /a\nd /a/b\n");
	assert_int_equal(stop.left, 2); /* what was entered is left, after an error too */
}

static void test_depth(void **state)
{
	const struct walk_how one = {.sorted = true, .max_depth = 1};
	const struct walk_how none = {.sorted = true, .max_depth = -1};
	struct seen s = {}, t = {}, u = {};
	int at = dup(top), deep = 0;

	(void)state;
	for (; deep < WALK_DEPTH_MAX + 20; deep++) {
		int next;

		assert_int_equal(mkdirat(at, "d", 0755), 0);
		next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(at);
		at = next;
	}
	close(at);
	walked(&s, &one, 0, "d /\nd /d\n");
	walked(&u, &none, 0, "d /\n");
	/* deeper than any path may be: what is too deep is told, and no error */
	t.root = top;
	assert_int_equal(walk(top, &sorted, &ops, &t), 0);
	assert_int_equal(t.failed, 1);
	assert_int_equal(t.last, -ENAMETOOLONG);
	assert_int_equal(t.left, WALK_DEPTH_MAX + 1); /* the top is 0 */
	buf_done(&t.text);
	/* for teardown() */
	while (deep-- > 0) {
		int parent = dup(top);

		for (int i = 0; i < deep; i++) {
			int next = openat(parent, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

			close(parent);
			parent = next;
		}
		assert_int_equal(unlinkat(parent, "d", AT_REMOVEDIR), 0);
		close(parent);
	}
}

/* The top itself: a file, a link, a descriptor of a path alone. */
static void test_top(void **state)
{
	struct seen s = {}, t = {}, u = {};
	int file, link, path;

	(void)state;
	make_file("f");
	make_link("f", "l");
	file = openat(top, "f", O_PATH | O_CLOEXEC);
	link = openat(top, "l", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	path = openat(top, ".", O_PATH | O_CLOEXEC);
	assert_int_equal(walk(file, &sorted, &ops, &s), 0);
	assert_string_equal(s.text.data, "f /\n");
	assert_int_equal(walk(link, &sorted, &ops, &t), 0);
	assert_string_equal(t.text.data, "l /\n");
	assert_int_equal(walk(path, &sorted, &ops, &u), 0);
	assert_string_equal(u.text.data, "d /\nf /f\nl /l\n");
	assert_int_equal(walk(-EBADF, &sorted, &ops, &u), -EBADF);
	buf_done(&s.text);
	buf_done(&t.text);
	buf_done(&u.text);
	close(file);
	close(link);
	close(path);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_links),	  TEST(test_names), TEST(test_swapped),
		TEST(test_skip_and_stop), TEST(test_depth), TEST(test_top),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
