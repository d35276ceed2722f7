/*
 * From a process to what it is part of; and what to say when nothing was found.
 *
 * Layer: target, private to it.
 */
#pragma once

#include "target/engine.h"
#include "target/spec.h"

/* Process `pid` as a target: engine, id, name and image are those of the container it is in, pid is
 * its own. 0, or -ESRCH with `e` saying what the number is instead (nothing, a thread, a kernel
 * thread, a zombie, ourselves). */
int target_from_pid(struct look *l, pid_t pid, struct target *out, struct err *e);

/* Say that nothing is named so, with the nearest names, or what is in the way. Returns -errno. */
int target_not_found(struct look *l, const struct spec *s, struct err *e);

/* target_list() of a look that is already under way. 0 or -ENOMEM. */
int targets_collect(struct look *l, bool all, struct targets *out);

/* It has a process: it runs, or is paused. */
bool target_is_live(const struct target *t);
/* Take one out, the order stays. */
void targets_drop(struct targets *l, size_t i);
/* Of those with the same engine and id, or the same process, only the first stays. */
void targets_unique(struct targets *l);

/* target_label(), but never the bare name: for lists of candidates. */
char *target_label_of(const struct targets *l, size_t i);
