#include "cmd/progress.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "out/human.h"

enum { FIRST_MS = 1000, EVERY_MS = 200 };

static volatile sig_atomic_t came;
static int64_t begun, shown;
static bool show, on_screen;

static void on_signal(int sig)
{
	came = sig;
}

void progress_begin(bool quiet)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		struct sigaction a = {.sa_handler = on_signal}, old;

		/* what nohup ignores stays ignored */
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &a, NULL);
	}
	signal(SIGPIPE, SIG_IGN);
	begun = clock_ms();
	show = !quiet && isatty(STDERR_FILENO);
}

static void print(const struct meter *m, int64_t ms)
{
	char done[HUMAN_MAX], rate[HUMAN_MAX];

	on_screen = true;
	fprintf(stderr, "\r\033[Kporthole: %s in %llu files, %s/s", human_size(m->bytes, done),
		(unsigned long long)m->entries,
		human_size(m->bytes * 1000 / (uint64_t)(ms > 0 ? ms : 1), rate));
}

int progress_tick(struct meter *m)
{
	int64_t now;

	if (came)
		return -ECANCELED;
	if (!show)
		return 0;
	now = clock_ms();
	if (now - begun < FIRST_MS || now - shown < EVERY_MS)
		return 0;
	shown = now;
	print(m, now - begun);
	return 0;
}

void progress_hide(void)
{
	if (on_screen)
		fputs("\r\033[K", stderr);
	on_screen = false;
}

int progress_end(void)
{
	progress_hide();
	return came;
}
