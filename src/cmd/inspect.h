/*
 * What the two faces of `porthole inspect` share.
 *
 * Layer: cmd, private to the verb.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/json.h"
#include "facts/facts.h"
#include "facts/unusual.h"
#include "out/text.h"
#include "target/target.h"

enum inspect_section {
	SECTION_PROCESS = 1 << 0,
	SECTION_RIGHTS = 1 << 1,
	SECTION_NAMESPACES = 1 << 2,
	SECTION_LIMITS = 1 << 3,
	SECTION_FILES = 1 << 4,
	SECTION_NETWORK = 1 << 5,
	SECTION_ENVIRONMENT = 1 << 6,
	SECTION_ENGINE = 1 << 7,
	SECTION_UNUSUAL = 1 << 8,
	SECTION_ALL = (1 << 9) - 1,
};

struct inspection {
	const struct target *t;
	const struct facts *f;
	const struct unusuals *unusual;
	unsigned sections;
	bool all;     /* every mount, process and variable */
	bool env;     /* every variable */
	bool secrets; /* as they are */
	bool live;    /* it runs: there are facts of its process */
};

/* One page of text for a person. 0 or -ENOMEM. */
int inspect_text(FILE *out, const struct inspection *in, const struct out_style *style);

/* Its longer parts are in files of their own. */
struct page {
	FILE *out;
	const struct out_style *style;
	const struct inspection *in;
	const char *section; /* title that waits for its first line */
	bool oom;
};

/* "  label     value", wrapped below the value; the section's title before the first one. Nothing
 * is printed for an empty value. */
void page_line(struct page *p, const char *label, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The section's title, if it still waits. */
void page_title(struct page *p);
void inspect_text_limits(struct page *p);
void inspect_text_files(struct page *p);
void inspect_text_network(struct page *p);
void inspect_text_env(struct page *p);

/* The same facts as one JSON object the caller owns; NULL when memory is out. */
json_t *inspect_json(const struct inspection *in);
