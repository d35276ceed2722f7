/*
 * What grants mean, in plain sentences: which isolation is gone, what the container can read, write
 * and do to the host, and with how much less the same could be had.
 *
 * Layer: profile. No I/O.
 */
#pragma once

#include "profile/profile.h"

enum meaning_kind {
	MEANS_ROOT, /* whoever is in it is root of the host, or becomes it */
	MEANS_GONE, /* an isolation that is not there */
	MEANS_READ,
	MEANS_WRITE,
	MEANS_DO,
	MEANS_KEPT, /* what still holds */
	MEANS_NOTE, /* about the line itself: what does not work, what is not known */
};

struct meaning {
	const char *id; /* stable, for --json */
	enum meaning_kind kind;
	char *text; /* raw: holds words of the line */
};

struct meanings {
	struct meaning *v;
	size_t n;
};

#define _cleanup_meanings_ _cleanup_(meanings_done)
void meanings_done(struct meanings *m);

/* Everything there is to say, the worst first. 0 or -ENOMEM. */
int meanings_of(const struct grants *g, struct meanings *out);

/* The least of the profiles that came with Porthole that has every namespace and every path of the
 * host's that the line has, and no other; false when there is none, or when it is no less than the
 * line is. */
bool meaning_enough(const struct grants *g, struct profile *out);
