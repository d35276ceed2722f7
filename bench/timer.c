/*
 * Times whole commands, from before fork to after wait, in turns: what disturbs one disturbs all.
 *
 * Usage: timer ROUNDS NAME COMMAND [ARG...] [+ NAME COMMAND [ARG...]]...
 * Prints a line a command: NAME, median, 90th percentile and minimum in microseconds,
 * tab-separated. A command that fails ends it.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS_MAX 16
#define ROUNDS_MAX   100000
#define WARM_UP	     3

struct command {
	const char *name;
	char **argv;
	double *us;
};

extern char **environ;

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Microseconds, or -1 when it cannot be run or fails. */
static double run_once(const struct command *c, const posix_spawn_file_actions_t *io)
{
	double start = now_us();
	pid_t pid;
	int st;

	if (posix_spawnp(&pid, c->argv[0], io, NULL, c->argv, environ) != 0)
		return -1;
	while (waitpid(pid, &st, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(st) && WEXITSTATUS(st) == 0 ? now_us() - start : -1;
}

/* Split argv at "+" into commands; returns their number, or -1. */
static int commands_parse(int argc, char **argv, struct command *c)
{
	int n = 0;

	for (int i = 0; i < argc; n++) {
		if (n == COMMANDS_MAX || i + 1 >= argc)
			return -1;
		c[n].name = argv[i++];
		c[n].argv = argv + i;
		while (i < argc && strcmp(argv[i], "+") != 0)
			i++;
		if (c[n].argv == argv + i)
			return -1;
		argv[i++] = NULL; /* the "+", or argv's own end */
	}
	return n;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int measure(struct command *c, int n, int rounds)
{
	posix_spawn_file_actions_t io;

	if (posix_spawn_file_actions_init(&io) != 0)
		return -1;
	for (int fd = 0; fd < 2; fd++)
		if (posix_spawn_file_actions_addopen(&io, fd, "/dev/null", O_RDWR, 0) != 0)
			return -1;
	for (int r = -WARM_UP; r < rounds; r++) {
		for (int i = 0; i < n; i++) {
			double us = run_once(&c[i], &io);

			if (us < 0) {
				fprintf(stderr, "timer: %s failed\n", c[i].name);
				return -1;
			}
			if (r >= 0)
				c[i].us[r] = us;
		}
	}
	posix_spawn_file_actions_destroy(&io);
	return 0;
}

int main(int argc, char **argv)
{
	struct command c[COMMANDS_MAX] = {0};
	int rounds = argc > 1 ? atoi(argv[1]) : 0;
	int n = argc > 2 ? commands_parse(argc - 2, argv + 2, c) : -1;

	if (n <= 0 || rounds <= 0 || rounds > ROUNDS_MAX) {
		fputs("usage: timer ROUNDS NAME COMMAND [ARG...] [+ NAME COMMAND [ARG...]]...\n",
		      stderr);
		return 2;
	}
	for (int i = 0; i < n; i++) {
		c[i].us = calloc((size_t)rounds, sizeof(double));
		if (!c[i].us)
			return 1;
	}
	if (measure(c, n, rounds) < 0)
		return 1;
	for (int i = 0; i < n; i++) {
		qsort(c[i].us, (size_t)rounds, sizeof(double), by_value);
		printf("%s\t%.0f\t%.0f\t%.0f\n", c[i].name, c[i].us[rounds / 2],
		       c[i].us[rounds * 9 / 10], c[i].us[0]);
		free(c[i].us);
	}
	return 0;
}
