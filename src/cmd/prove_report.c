#include "cmd/prove_report.h"

#include "out/json_print.h"

static int report_json(const struct prove *before, const struct prove *after, struct err *e)
{
	_cleanup_json_ json_t *j = json_object();
	int total = 0;

	for (int i = 0; i < PROVE_PARTS; i++) {
		enum prove_part part = (enum prove_part)i;
		_cleanup_strv_ struct strv diff = {};
		json_t *lines = json_array();
		int n = prove_diff(before, after, part, &diff);

		if (n < 0)
			return err_set(e, n, "comparing the fingerprints");
		for (size_t k = 0; k < diff.n; k++)
			json_array_append_new(lines, json_text(diff.v[k]));
		json_object_set_new(j, prove_part_key(part),
				    json_pack("{s:i,s:o}", "compared", (int)before->part[i].n,
					      "changed", lines));
		total += n;
	}
	json_object_set_new(j, "changed", json_integer(total));
	return out_json_line(stderr, j, e) < 0 ? -e->num : total;
}

static void print_line(const char *s)
{
	char safe[512];

	str_printable(s, strlen(s), safe, sizeof(safe));
	fprintf(stderr, "  %s\n", safe);
}

int prove_report(const struct prove *before, const struct prove *after, struct ctx *ctx,
		 struct err *e)
{
	int total = 0;

	if (ctx->json)
		return report_json(before, after, e);
	for (int i = 0; i < PROVE_PARTS; i++) {
		enum prove_part part = (enum prove_part)i;
		_cleanup_strv_ struct strv diff = {};
		int n = prove_diff(before, after, part, &diff);

		if (n < 0)
			return err_set(e, n, "comparing the fingerprints");
		if (!before->part[i].n && !n && part != PROVE_LOOPS)
			continue; /* nothing there to be compared */
		fprintf(stderr, "proof: %-25s %5zu compared, %s\n", prove_part_words(part),
			before->part[i].n, n ? "changed:" : "nothing changed");
		for (size_t k = 0; k < diff.n; k++)
			print_line(diff.v[k]);
		total += n;
	}
	if (total)
		fprintf(stderr,
			"proof: %d lines changed, by the session or by the target meanwhile\n",
			total);
	else
		fprintf(stderr, "proof: nothing changed\n");
	return total;
}
