/* base/fd: what a process that goes on alone keeps open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fd.h"

/* [child] How many are open besides the one that is kept; MANY: it is not as it must be itself. */
static int count_left(void)
{
	enum { MANY = 100 };
	int kept = -1, none = -EBADF, left = 0, most = 0;
	int *const keep[] = {&kept, &none};
	struct stat st;

	for (int i = 0; i < MANY; i++) {
		most = open("/dev/null", O_RDONLY);
		if (i == MANY / 3)
			kept = most;
	}
	if (most < MANY)
		return MANY;
	fd_keep_only(keep, 2);
	for (int fd = 0; fd <= 2 * most; fd++)
		left += fd != kept && fstat(fd, &st) == 0;
	return fstat(kept, &st) < 0 || kept < 64 || none >= 0 ? MANY : left;
}

/* So many are open that what is kept gets a number above theirs. */
static void test_keep_only(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0)
		_exit(count_left());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keep_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
