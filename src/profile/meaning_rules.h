/* The rules of meaning.c: a question and its sentence each. Layer: profile, private to it. */
#pragma once

#include "profile/meaning.h"

struct meaning_rule {
	const char *id;
	enum meaning_kind kind;
	/* Does it apply? What it writes to `b` stands where the sentence has '@'. */
	bool (*is)(const struct grants *g, struct buf *b);
	const char *sentence; /* NULL ends the table */
};

extern const struct meaning_rule meaning_rules[];

/* Write `text` to `b`, after a comma where something is there already. */
void meaning_item(struct buf *b, const char *text);

/* The questions about paths and devices, in a file of their own: each the rule of its name. */
bool meaning_engine_socket(const struct grants *g, struct buf *b);
bool meaning_dbus(const struct grants *g, struct buf *b);
bool meaning_root_writable(const struct grants *g, struct buf *b);
bool meaning_dirs_writable(const struct grants *g, struct buf *b);
bool meaning_proc_writable(const struct grants *g, struct buf *b);
bool meaning_devices(const struct grants *g, struct buf *b);
bool meaning_reads_root(const struct grants *g, struct buf *b);
bool meaning_reads_proc(const struct grants *g, struct buf *b);
bool meaning_reads_paths(const struct grants *g, struct buf *b);
bool meaning_shallow_ro(const struct grants *g, struct buf *b);
bool meaning_writes_paths(const struct grants *g, struct buf *b);
bool meaning_pinned(const struct grants *g, struct buf *b);
bool meaning_received(const struct grants *g, struct buf *b);
bool meaning_slave(const struct grants *g, struct buf *b);
