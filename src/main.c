/* Where errors end: the only place that prints one. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/cli.h"
#include "launch/broker.h"
#include "sys/power.h"
#include "sys/title.h"

static bool color_on(int fd)
{
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");

	return isatty(fd) && !(no && *no) && !(term && str_eq(term, "dumb"));
}

static void print_error(const struct ctx *ctx, const struct err *e, int exit_code)
{
	_cleanup_json_ json_t *j = NULL;

	if (!ctx->json) {
		const char *on = ctx->color_err ? "\033[1;31m" : "";
		const char *off = ctx->color_err ? "\033[0m" : "";

		fprintf(stderr, "%sporthole:%s %s\n", on, off, e->msg);
		if (e->hint[0])
			fprintf(stderr, "          %s\n", e->hint);
		return;
	}
	j = json_pack("{s:{s:o, s:o, s:i, s:i}}", "error", "message", json_text(e->msg), "hint",
		      json_text(e->hint), "errno", e->num, "exit", exit_code);
	if (j && json_dumpf(j, stderr, JSON_COMPACT) == 0)
		fputc('\n', stderr);
}

/* Whatever was tried then, this is why. */
static void blame_proc(struct err *e)
{
	err_say(e, ENOENT, "there is no /proc here, without which nothing is found or started");
	err_hint(e, "mount it: mount -t proc proc /proc");
}

/* A descriptor opened later must never become 0, 1 or 2 by accident. Output that goes nowhere is
 * still an error: what stands in for a closed standard output cannot be written. */
static void fill_standard_fds(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_RDWR) < 0)
			return;
}

/* Called by another name in a container of 'host run', as 'porthole shim' arranges: that command of
 * the host. The caller frees the array; NULL: it is not so. */
static char **shim_words(int argc, char **argv)
{
	static char self[] = "porthole", verb[] = "host", second[] = "exec", end[] = "--";
	char *name = argc > 0 ? strrchr(argv[0], '/') : NULL, **words;

	name = name ? name + 1 : argc > 0 ? argv[0] : self;
	if (str_starts(name, self) || access(BROKER_SOCKET, F_OK) < 0)
		return NULL;
	words = calloc((size_t)argc + 5, sizeof(*words));
	if (!words)
		return NULL;
	words[0] = self;
	words[1] = verb;
	words[2] = second;
	words[3] = end;
	words[4] = name;
	memcpy(words + 5, argv + 1, (size_t)argc * sizeof(*words)); /* with the NULL at its end */
	return words;
}

int main(int argc, char **argv)
{
	_cleanup_free_ char **shim = shim_words(argc, argv);

	title_init(argc, argv);
	fill_standard_fds();
	struct ctx ctx = {
		.tty_out = isatty(STDOUT_FILENO),
		.color = color_on(STDOUT_FILENO),
		.color_err = color_on(STDERR_FILENO),
	};
	struct err e = {};
	int r = cli_main(shim ? argc + 4 : argc, shim ?: argv, &ctx, &e);
	bool said = r < 0; /* `e` may hold what was got over */

	if (said) {
		r = e.exit ? e.exit : EXIT_PORTHOLE;
		if (e.num != EINVAL && access("/proc/self", F_OK) < 0)
			blame_proc(&e);
		if (!e.num)
			err_set(&e, EIO, "it failed without saying why");
		power_retell(&e);
		print_error(&ctx, &e, r);
	}
	if ((fflush(stdout) != 0 || ferror(stdout)) && !said) {
		err_set(&e, errno ? errno : EIO, "cannot write to standard output");
		r = EXIT_PORTHOLE;
		print_error(&ctx, &e, r);
	}
	return r;
}
