/*
 * Which packages, and where their .deb files lie: apt's answer, without touching its state.
 *
 * Layer: kit (uses base). Works without root: an empty dpkg status, the system's package lists read
 * only, a download directory of our own. A .deb that /var/cache/apt/archives already has is used
 * there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "kit/rules.h"

struct kit_package {
	char *name, *version, *arch;
	char *deb;	       /* file name of the .deb, as apt writes it */
	char *path;	       /* where it lies; NULL until apt_fetch() */
	uint64_t deb_size;     /* bytes */
	bool asked;	       /* named in the list; else a dependency */
	uint64_t files, bytes; /* what of it is in the kit; filled by unpack */
	struct strv programs;  /* names it brought for b/, also those dropped later; by unpack */
};

struct kit_packages {
	struct kit_package *v;
	size_t n;
	struct strv absent; /* optional ones that apt does not have */
};

#define _cleanup_packages_ _cleanup_(kit_packages_done)
void kit_packages_done(struct kit_packages *p);

/* How far a build is; `total` 0: not known. Called often; must not fail. */
struct kit_progress {
	void (*step)(void *arg, const char *what, size_t done, size_t total);
	void *arg;
};

/* The packages of `r` and all they depend on, less those left out, sorted by name. -ENOENT: no apt
 * here, no package lists, or no such package (the message says which); -ENOPKG: apt found no
 * solution. */
int apt_resolve(const struct rules *r, const char *tmp, struct kit_packages *out, struct err *e);

/* Parse one line of `apt-get --print-uris`. 0, 1 when the line is no package, or -ENOMEM. */
int apt_parse_uri(const char *line, struct kit_package *p);

/* Find every .deb, download (and keep) those not on this machine, and set `path`. -EIO with apt's
 * own complaint when a download fails. */
int apt_fetch(struct kit_packages *p, const char *tmp, const struct kit_progress *progress,
	      struct err *e);
