#include "out/human.h"

#include <stdio.h>

#include "base/cleanup.h"

char *human_size(uint64_t bytes, char out[HUMAN_MAX])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double v = (double)bytes;
	size_t u = 0;

	/* 1023.5 would be printed as "1024 KiB" */
	while (v >= 1023.5 && u + 1 < ARRAY_LEN(units)) {
		v /= 1024;
		u++;
	}
	if (u == 0 || v >= 9.95 || (uint64_t)(v * 10 + 0.5) % 10 == 0)
		snprintf(out, HUMAN_MAX, "%.0f %s", v, units[u]);
	else
		snprintf(out, HUMAN_MAX, "%.1f %s", v, units[u]);
	return out;
}

char *human_age(int64_t seconds, char out[HUMAN_MAX])
{
	static const struct {
		int64_t below, unit; /* seconds */
		const char *name;
	} steps[] = {
		{60, 1, "second"},
		{3600, 60, "minute"},
		{2 * 86400, 3600, "hour"},
		{14 * 86400, 86400, "day"},
		{60 * 86400, 7 * 86400, "week"},
		{2 * 365 * 86400, 30 * 86400, "month"},
		{INT64_MAX, 365 * 86400, "year"},
	};
	size_t i = 0;
	int64_t n;

	if (seconds <= 0) {
		snprintf(out, HUMAN_MAX, "now");
		return out;
	}
	while (i + 1 < ARRAY_LEN(steps) && seconds >= steps[i].below)
		i++;
	n = seconds / steps[i].unit;
	snprintf(out, HUMAN_MAX, "%lld %s%s", (long long)n, steps[i].name, n == 1 ? "" : "s");
	return out;
}

unsigned human_percent(uint64_t part, uint64_t whole)
{
	return whole ? (unsigned)((double)part * 100 / (double)whole) : 0;
}
