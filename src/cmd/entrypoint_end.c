/* What is said at the end of a rehearsal. */
#include <ctype.h>

#include "cmd/entrypoint.h"
#include "out/human.h"
#include "sys/exitcode.h"

enum { FINDINGS_SHOWN = 3 };

char *entrypoint_clause(const char *sentence)
{
	char *text = str_printable_dup(sentence);
	size_t n = text ? strlen(text) : 0;

	if (n > 1 && isupper((unsigned char)text[0]) && islower((unsigned char)text[1]))
		text[0] = (char)tolower((unsigned char)text[0]);
	if (n && text[n - 1] == '.')
		text[n - 1] = '\0';
	return text;
}

char *entrypoint_ended_words(const struct entrypoint *ep)
{
	const struct entry_report *r = &ep->report;
	bool own = ep->t->exit_code == 1 || ep->t->exit_code == 255;

	for (size_t i = 0; own && i < r->n; i++)
		if (!r->findings[i].warning && !entry_finding_is_engine(&r->findings[i]))
			return strdup("the runtime's own: the program could not be run, and why is "
				      "below");
	return exitcode_words(ep->t->exit_code, ep->t->oom_killed);
}

static void print_finding(const struct entry_finding *f)
{
	_cleanup_free_ char *text = entrypoint_clause(f->text), *fix = str_printable_dup(f->fix);

	fprintf(stderr, "porthole: %s\n          Fix: %s\n", text ? text : "", fix ? fix : "");
}

/* Of its last run, not of this one. */
static bool is_oom(const struct entry_finding *f)
{
	return str_eq(f->id, "out-of-memory");
}

/* What its files tell may well be why it failed; what its engine needs was no part of this. */
static void print_findings(const struct entry_report *r, bool failed)
{
	size_t shown = 0;

	for (size_t i = 0; i < r->n; i++)
		if (!entry_finding_is_engine(&r->findings[i]) && !is_oom(&r->findings[i]) &&
		    failed && shown++ < FINDINGS_SHOWN)
			print_finding(&r->findings[i]);
	for (size_t i = 0; i < r->n; i++)
		if (entry_finding_is_engine(&r->findings[i]))
			print_finding(&r->findings[i]);
}

/* Would its engine start it at all, as far as is known? */
static bool is_startable(const struct entry_report *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (entry_finding_is_engine(&r->findings[i]) && !r->findings[i].warning)
			return false;
	return true;
}

const char *entrypoint_fix(const struct entry_report *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (!entry_finding_is_engine(&r->findings[i]) && !is_oom(&r->findings[i]))
			return r->findings[i].fix;
	return NULL;
}

void entrypoint_tell(const struct entrypoint *ep, const struct rehearsed *w)
{
	_cleanup_free_ char *words = exitcode_words(w->code, w->oom_kills);
	char limit[HUMAN_MAX];

	if (w->timed_out)
		fprintf(stderr,
			"porthole: it was still running after %llu second%s, and was ended: %s\n",
			(unsigned long long)w->timeout, w->timeout == 1 ? "" : "s",
			is_startable(&ep->report)
				? "it does start"
				: "its command does start, but not in its engine");
	else
		fprintf(stderr, "porthole: it ended after %lld.%lld seconds with code %d: %s\n",
			(long long)(w->ms / 1000), (long long)(w->ms % 1000 / 100), w->code,
			words ? words : "");
	print_findings(&ep->report, !w->timed_out && w->code);
	if (w->oom_kills)
		fprintf(stderr,
			"porthole: %s of its processes %s killed by the kernel: out of memory, "
			"limit %s\n",
			w->oom_kills == 1 ? "one" : "some", w->oom_kills == 1 ? "was" : "were",
			human_size(ep->entry.memory, limit));
	for (size_t i = 0; w->oom_kills && i < ep->report.n; i++)
		if (is_oom(&ep->report.findings[i]))
			fprintf(stderr, "          Fix: %s\n", ep->report.findings[i].fix);
	for (size_t i = 0; ep->t && i < w->left->n; i++)
		fprintf(stderr, "%s%s", i ? "; " : "porthole: not rehearsed: ", w->left->v[i]);
	if (ep->t && w->left->n)
		fputc('\n', stderr);
}
