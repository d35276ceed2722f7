#include "cmd/kit_shown.h"

#include <unistd.h>

#include "out/human.h"

struct shown {
	unsigned percent; /* printed last */
	bool any;
};

static void show(void *arg, uint64_t done, uint64_t total)
{
	struct shown *s = arg;
	unsigned percent = human_percent(done, total);

	if (s->any && percent == s->percent)
		return;
	*s = (struct shown){.percent = percent, .any = true};
	fprintf(stderr, "\rporthole: unpacking the kit of tools, once: %3u %%", percent);
	fflush(stderr);
}

int kit_from_cache_shown(struct kit *k, const struct ctx *ctx, struct err *e)
{
	struct shown s = {};
	const struct kit_steps progress = {show, &s};
	int r = kit_from_cache(k, isatty(STDERR_FILENO) && !ctx->json ? &progress : NULL, e);

	if (s.any) /* the line was for the time being */
		fprintf(stderr, "\r%*s\r", 60, "");
	return r;
}
