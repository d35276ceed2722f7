/* The limits on `porthole inspect`'s page. */
#include "cmd/inspect.h"
#include "out/human.h"
#include "sys/cgroup.h"

/* "12 %", "under 1 %" */
static char *share_of(uint64_t part, uint64_t whole, char out[HUMAN_MAX])
{
	unsigned n = human_percent(part, whole);

	if (n || !part)
		snprintf(out, HUMAN_MAX, "%u %%", n);
	else
		snprintf(out, HUMAN_MAX, "under 1 %%");
	return out;
}

static void memory(struct page *p, const struct facts_limits *l)
{
	char part[HUMAN_MAX], used[HUMAN_MAX], limit[HUMAN_MAX], cache[HUMAN_MAX], swap[HUMAN_MAX];
	_cleanup_buf_ struct buf b = {};

	if (!l->memory.known)
		return;
	buf_puts(&b, human_size(l->memory.used, used));
	if (l->memory.limit == CGROUP_NONE)
		buf_puts(&b, ", no limit");
	else if (!l->memory.at)
		buf_printf(&b, " of %s (%s)", human_size(l->memory.limit, limit),
			   share_of(l->memory.used, l->memory.limit, part));
	else
		buf_printf(&b, ", limit %s for all of %s (%s used)",
			   human_size(l->memory.limit, limit), l->memory.at,
			   share_of(l->memory.counted, l->memory.limit, part));
	if (l->cache >= 1 << 20)
		buf_printf(&b, ", and %s of file cache", human_size(l->cache, cache));
	if (l->swap)
		buf_printf(&b, ", and %s swapped out", human_size(l->swap, swap));
	page_line(p, "memory", "%s", b.oom ? "" : b.data);
	if (l->oom_kills)
		page_line(p, "oom kills", "%llu", (unsigned long long)l->oom_kills);
}

static void cpu(struct page *p, const struct facts_limits *l)
{
	_cleanup_buf_ struct buf b = {};
	char age[HUMAN_MAX], part[HUMAN_MAX];

	if (l->cpus > 0)
		buf_printf(&b, "%.4g CPU%s", l->cpus,
			   l->cpus > 0.999 && l->cpus < 1.001 ? "" : "s");
	else if (l->cpu_known)
		buf_puts(&b, "no limit");
	if (l->cpuset[0])
		buf_printf(&b, "%son CPU %s", b.len ? ", " : "", l->cpuset);
	if (l->cpu_usec >= 1000000)
		buf_printf(&b, "%s%s used", b.len ? ", " : "",
			   human_age((int64_t)(l->cpu_usec / 1000000), age));
	else if (l->cpu_usec)
		buf_printf(&b, "%s%llu ms used", b.len ? ", " : "",
			   (unsigned long long)(l->cpu_usec / 1000));
	if (l->throttled && l->periods)
		buf_printf(&b, ", held back in %s of periods",
			   share_of(l->throttled, l->periods, part));
	page_line(p, "cpu", "%s", b.len ? b.data : "");
}

/* The path once where it is the same in all hierarchies, as it is with every engine but a few. */
static void cgroup_paths(struct page *p, const struct facts_limits *l)
{
	_cleanup_strv_ struct strv seen = {};

	for (size_t i = 0; i < l->n_paths; i++) {
		_cleanup_buf_ struct buf names = {};

		if (!l->paths[i].own || strv_has(&seen, l->paths[i].path))
			continue;
		if (strv_add(&seen, l->paths[i].path) < 0)
			p->oom = true;
		for (size_t k = i; k < l->n_paths; k++)
			if (str_eq(l->paths[k].path, l->paths[i].path))
				buf_printf(&names, "%s%s", names.len ? ", " : "",
					   *l->paths[k].names ? l->paths[k].names : "v2");
		if (names.oom)
			p->oom = true;
		else if (seen.n == 1 && (l->n_paths == 1 || names.len > 30))
			page_line(p, "cgroup", "%s", l->paths[i].path);
		else
			page_line(p, "cgroup", "%s (%s)", l->paths[i].path, names.data);
	}
	if (l->n_paths && !seen.n)
		page_line(p, "cgroup", "none of its own, so no limits of its own");
}

static void pids(struct page *p, const struct fact_limit *l)
{
	char part[HUMAN_MAX];
	_cleanup_buf_ struct buf b = {};

	if (!l->known)
		return;
	buf_printf(&b, "%llu", (unsigned long long)l->used);
	if (l->limit == CGROUP_NONE)
		buf_puts(&b, ", no limit");
	else if (l->at)
		buf_printf(&b, ", limit %llu for all of %s (%s used)", (unsigned long long)l->limit,
			   l->at, share_of(l->counted, l->limit, part));
	else
		buf_printf(&b, " of %llu (%s)", (unsigned long long)l->limit,
			   share_of(l->counted, l->limit, part));
	page_line(p, "tasks", "%s", b.oom ? "" : b.data);
}

void inspect_text_limits(struct page *p)
{
	const struct facts_limits *l = &p->in->f->limits;
	char a[HUMAN_MAX], b[HUMAN_MAX];

	memory(p, l);
	cpu(p, l);
	pids(p, &l->pids);
	if (l->io_read || l->io_written)
		page_line(p, "disk i/o", "%s read, %s written", human_size(l->io_read, a),
			  human_size(l->io_written, b));
	cgroup_paths(p, l);
}
