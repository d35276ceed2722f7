/* What exec and sidekick share. */
#include "cmd/exec_parts.h"

#include <stdlib.h>
#include <unistd.h>

#include "out/json_print.h"

int exec_cpus(const char *s, double *out, struct err *e)
{
	char *end;

	*out = s ? strtod(s, &end) : 0;
	if (s && (end == s || *end || !(*out >= 0.01 && *out <= 4096)))
		return err_say(e, EINVAL, "--cpus takes a number such as 0.5, not '%s'", s);
	return 0;
}

int exec_explain(const struct plan *p, struct ctx *ctx, struct err *e)
{
	_cleanup_buf_ struct buf b = {};

	if (ctx->json) {
		_cleanup_json_ json_t *j = plan_json(p);
		struct out_style style = {.color = ctx->color};

		return out_json(stdout, j, &style, e);
	}
	if (plan_explain(p, &b) < 0)
		return err_set(e, ENOMEM, "explaining the plan");
	fputs(b.data, stdout);
	return 0;
}
