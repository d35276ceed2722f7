/*
 * What was done so far, for whoever waits; and the way to stop it.
 *
 * Layer: files.
 */
#pragma once

#include <stdint.h>

struct meter {
	uint64_t bytes;	  /* of files' contents */
	uint64_t entries; /* files, directories, links ... */
	/* Called every few milliseconds of work, at least for each entry. 0, or -errno, which ends
	 * the work. NULL: never. */
	int (*tick)(struct meter *m);
};

static inline int meter_tick(struct meter *m, uint64_t bytes)
{
	m->bytes += bytes;
	return m->tick ? m->tick(m) : 0;
}
