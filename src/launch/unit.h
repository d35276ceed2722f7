/*
 * A unit of systemd's that starts a container of the host's: its text, and the file it is in.
 *
 * Layer: launch. systemd 219 or later reads it; nothing is asked of a running one.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

#define UNIT_DIR "/etc/systemd/system"
#define UNIT_MAX ((size_t)256 << 10)

/* Add a word to a command line of a unit (systemd.service(5)): quoted and escaped where it must be,
 * so that systemd runs it with exactly these bytes. */
void unit_word(struct buf *b, const char *word);

/* The whole text, its first line with the checksum of the rest. `words` starts with a program's
 * absolute path. `guests`: what it starts outlives it. A new string the caller frees; -EINVAL: a
 * word or path that a unit cannot have; -E2BIG; -ENOMEM. */
int unit_text(const char *name, const struct strv *words, bool guests, char **out, struct err *e);

/* Whose the file of a text is. */
enum unit_owner { UNIT_OTHER, UNIT_CHANGED, UNIT_OURS };
enum unit_owner unit_owner(const char *text);

/* Write the text: at once, or not at all. One that is not ours is never replaced, one that was
 * changed only with `force`: -EEXIST. -ENOENT: there is no systemd. */
int unit_write(const char *name, const char *text, bool force, struct err *e);

/* Remove it: -ENOENT where there is none; -EEXIST: not ours, or changed without `force`; -EBUSY: it
 * is enabled. */
int unit_remove(const char *name, bool force, struct err *e);
