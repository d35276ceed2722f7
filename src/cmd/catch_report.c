/* The report of `porthole catch`. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

#include "cmd/catch.h"
#include "cmd/inspect.h"
#include "out/human.h"
#include "sys/cgroup.h"

enum { PROCS_SHOWN = 12, ARGS_SHOWN = 200 };

static int signal_of(const struct caught *c)
{
	return c->how.how == ENDED_STATUS && WIFSIGNALED(c->how.status) ? WTERMSIG(c->how.status)
									: 0;
}

static uint64_t oom_kills(const struct caught *c)
{
	const struct last *l = c->last;
	uint64_t counted = l->oom > l->oom_before ? l->oom - l->oom_before : 0;

	return counted > l->oom_told ? counted : l->oom_told;
}

/* The kernel killed the first process itself, and not only another one of the container. */
static bool oom_killed(const struct caught *c)
{
	if (c->last->oom_first_told)
		return true;
	return oom_kills(c) && (signal_of(c) == SIGKILL || c->how.code == 128 + SIGKILL);
}

/* One sentence: what happened. A new string, NULL when memory is out. */
static char *caught_words(const struct caught *c)
{
	char words[128], limit[HUMAN_MAX];
	uint64_t max = c->last->f.limits.memory.limit;

	ended_words(&c->how, words, sizeof(words));
	if (!oom_killed(c))
		return str_fmt("'%s' %s", c->label, words);
	if (max == CGROUP_NONE)
		return str_fmt("'%s' %s by the kernel, for lack of memory", c->label, words);
	return str_fmt("'%s' %s by the kernel, for lack of memory: its limit is %s", c->label,
		       words, human_size(max, limit));
}

/* Signals whose default is to leave a core. */
static bool dumps_core(int sig)
{
	static const int sigs[] = {SIGQUIT, SIGILL,  SIGTRAP, SIGABRT, SIGBUS,
				   SIGFPE,  SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS};

	for (size_t i = 0; i < ARRAY_LEN(sigs); i++)
		if (sigs[i] == sig)
			return true;
	return false;
}

static char *core_words(const struct caught *c)
{
	const struct last *l = c->last;
	int sig = signal_of(c);

	if (!sig || !dumps_core(sig))
		return strdup("");
	if (!WCOREDUMP(c->how.status))
		return strdup(l->core_limit_known && l->core_limit == 0
				      ? "none: its limit of core files is 0 (ulimit -c, docker run "
					"--ulimit core=-1)"
				      : "none was written");
	if (l->core_pattern[0] == '|')
		return str_fmt("handed to %s", l->core_pattern + 1);
	if (l->core_pattern[0] == '/' || !c->cwd)
		return str_fmt("written to %s, in its own files", l->core_pattern);
	return str_fmt("written to %s in %s, in its own files", l->core_pattern, c->cwd);
}

static void stamp(int64_t at, char *out, size_t size)
{
	time_t when = at;
	struct tm tm;

	if (!at || !localtime_r(&when, &tm) || !strftime(out, size, "%F %T", &tm))
		snprintf(out, size, "?");
}

static void ran(struct page *p, const struct caught *c)
{
	char from[32], to[32], age[HUMAN_MAX];

	stamp(c->t->started, from, sizeof(from));
	stamp(c->at, to, sizeof(to));
	human_age(c->at - c->t->started, age);
	if (c->t->started)
		page_line(p, "ran", "%s: from %s to %s",
			  str_eq(age, "now") ? "less than a second" : age, from, to);
	else
		page_line(p, "ended", "%s", to);
}

static void processes(struct page *p, const struct facts_procs *l)
{
	_cleanup_buf_ struct buf b = {};

	for (size_t i = 0; i < l->n && i < PROCS_SHOWN; i++) {
		const struct fact_proc *f = &l->v[i];
		size_t start;

		buf_printf(&b, "%s%d ", i ? "\n" : "", (int)(f->inside ? f->inside : f->pid));
		start = b.len;
		for (size_t k = 0; k < f->argv.n && b.len < start + ARGS_SHOWN; k++)
			buf_printf(&b, "%s%.*s", k ? " " : "", ARGS_SHOWN, f->argv.v[k]);
		if (!f->argv.n)
			buf_printf(&b, "(%s)", f->comm);
	}
	if (l->total > PROCS_SHOWN)
		buf_printf(&b, "\nand %zu more", l->total - PROCS_SHOWN);
	for (char *line = b.oom ? NULL : b.data, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		page_line(p, line == b.data ? "processes" : "", "%s", line);
	}
}

/* What is in no copy: gone, or going when the engine removes it. */
static void missed(struct page *p, const struct caught *c)
{
	const struct rescue *r = c->rescue;
	_cleanup_buf_ struct buf b = {};

	if (r->mnt >= 0 && !c->whole && !r->missed)
		page_line(p, "", "The others can be seen until its engine removes it.");
	if (!r->missed || r->mnt < 0)
		return;
	for (size_t i = 0; i < r->names.n; i++)
		buf_printf(&b, "%s%s", i ? ", " : "", r->names.v[i]);
	if (r->missed > r->names.n)
		buf_printf(&b, " and %llu more", (unsigned long long)(r->missed - r->names.n));
	page_line(p, "",
		  c->whole ? "Lost, too large or too many to copy (--keep-max): %s"
			   : "Not copied (--keep-max), and lost when its engine removes it: %s",
		  b.oom || !b.data ? "?" : b.data);
}

static void files(struct page *p, const struct caught *c)
{
	_cleanup_buf_ struct buf b = {};
	const struct rescue *r = c->rescue;
	char size[HUMAN_MAX];

	buf_printf(&b, "%zu mounts are held as they were", c->mounts);
	for (size_t i = 0; i < c->memory.n; i++)
		buf_printf(&b, "%s%s", i ? ", " : ", in memory ", c->memory.v[i]);
	page_line(p, "files", "%s", b.oom ? "" : b.data);
	if (r->mnt >= 0)
		page_line(p, "",
			  "and %llu file%s of its writable layer (%s) copied, against removal",
			  (unsigned long long)r->files, r->files == 1 ? "" : "s",
			  human_size(r->bytes, size));
	missed(p, c);
	if (c->removed)
		page_line(p, "",
			  r->missed || r->mnt < 0
				  ? "Its engine has removed it: what was not copied is gone."
				  : "Its engine has removed it.");
	else if (c->restarted)
		page_line(p, "",
			  c->whole ? "It runs again."
				   : "It runs again: files that it writes are seen here too.");
}

int caught_text(FILE *out, const struct caught *c, const struct out_style *style)
{
	_cleanup_free_ char *what = caught_words(c), *core = core_words(c);
	const struct inspection in = {.t = c->t, .f = &c->last->f};
	struct page p = {.out = out, .style = style, .in = &in};
	char size[HUMAN_MAX];

	if (!what || !core)
		return -ENOMEM;
	fprintf(out, "%sporthole:%s %s\n", out_on(style->color, OUT_BOLD),
		out_off(style->color, OUT_BOLD), what);
	ran(&p, c);
	page_line(&p, "kernel", "%s", c->last->told);
	page_line(&p, "core", "%s", core);
	if (c->last->peak)
		page_line(&p, "peak", "%s of memory", human_size(c->last->peak, size));
	if (oom_kills(c) && !oom_killed(c))
		page_line(&p, "oom kills", "%llu of its processes, while this waited",
			  (unsigned long long)oom_kills(c));
	if (c->session)
		files(&p, c);
	if (!c->last->at)
		return p.oom ? -ENOMEM : 0;
	fprintf(out, "  %sas of %lld.%lld seconds before:%s\n", out_on(style->color, OUT_DIM),
		(long long)(c->seen / 1000), (long long)(c->seen % 1000 / 100),
		out_off(style->color, OUT_DIM));
	inspect_text_limits(&p);
	processes(&p, &c->last->f.procs);
	return p.oom ? -ENOMEM : 0;
}

/* ---- JSON ---- */

static json_t *limit_json(const struct fact_limit *l)
{
	if (!l->known)
		return json_null();
	return json_pack("{s:I, s:o}", "used", (json_int_t)l->used, "limit",
			 l->limit == CGROUP_NONE ? json_null()
						 : json_integer((json_int_t)l->limit));
}

static json_t *procs_json(const struct facts_procs *l)
{
	json_t *a = json_array();

	for (size_t i = 0; i < l->n; i++) {
		const struct fact_proc *f = &l->v[i];
		json_t *argv = json_array();

		for (size_t k = 0; k < f->argv.n; k++)
			json_array_append_new(argv, json_text(f->argv.v[k]));
		json_array_append_new(a, json_pack("{s:i, s:i, s:o, s:o}", "pid", (int)f->pid,
						   "inside", (int)f->inside, "name",
						   json_text(f->comm), "command", argv));
	}
	return a;
}

static json_t *last_json(const struct caught *c)
{
	const struct facts_limits *l = &c->last->f.limits;

	if (!c->last->at)
		return json_null();
	return json_pack("{s:f, s:o, s:o, s:f, s:I, s:I, s:I, s:o}", "seconds_before",
			 (double)c->seen / 1000, "memory", limit_json(&l->memory), "tasks",
			 limit_json(&l->pids), "cpus", l->cpus, "cpu_usec", (json_int_t)l->cpu_usec,
			 "cpu_periods", (json_int_t)l->periods, "cpu_throttled",
			 (json_int_t)l->throttled, "processes", procs_json(&c->last->f.procs));
}

static json_t *paths_json(const struct strv *s)
{
	json_t *a = json_array();

	for (size_t i = 0; i < s->n; i++)
		json_array_append_new(a, json_text(s->v[i]));
	return a;
}

json_t *caught_json(const struct caught *c)
{
	_cleanup_free_ char *what = caught_words(c), *core = core_words(c);
	const struct target *t = c->t;
	int sig = signal_of(c);

	return json_pack(
		"{s:o, s:{s:o, s:o, s:o, s:o, s:i}, s:o, s:o, s:I, s:I, s:o, s:o, s:b, s:o, s:b, "
		"s:o, "
		"s:{s:I, s:o, s:I, s:I, s:I, s:o}, s:b, s:b, s:o}",
		"what", json_text(what), "target", "name", json_text(t->name), "engine",
		json_text(t->engine), "id", json_text(t->id), "image", json_text(t->image), "pid",
		(int)t->pid, "exit_code", c->how.code < 0 ? json_null() : json_integer(c->how.code),
		"signal", sig ? json_integer(sig) : json_null(), "started", (json_int_t)t->started,
		"ended", (json_int_t)c->at, "oom_kills",
		c->last->oom_known || c->last->oom_told ? json_integer((json_int_t)oom_kills(c))
							: json_null(),
		"kernel", c->last->told[0] ? json_text(c->last->told) : json_null(), "oom_killed",
		oom_killed(c), "memory_peak",
		c->last->peak ? json_integer((json_int_t)c->last->peak) : json_null(),
		"core_dumped", sig && WCOREDUMP(c->how.status), "core", json_text(core), "held",
		"mounts", (json_int_t)c->mounts, "memory", paths_json(&c->memory), "copied_files",
		(json_int_t)c->rescue->files, "copied_bytes", (json_int_t)c->rescue->bytes,
		"missed_files", (json_int_t)c->rescue->missed, "missed",
		paths_json(&c->rescue->names), "removed", c->removed, "restarted", c->restarted,
		"last", last_json(c));
}
