/*
 * Shell completion: what the scripts of all shells are made from.
 *
 * Layer: cli, shared by complete*.c.
 */
#pragma once

#include "cli/cli.h"

/* What an option's value completes to. */
enum value { VALUE_NONE, VALUE_ANY, VALUE_WORDS, VALUE_FILE };
enum value complete_value(const struct opt *o);

/* The next verb that people are shown after `v` (NULL: the first one); NULL at the end. */
const struct verb *const *complete_next(const struct verb *const *v);
/* Whether it is the first one of its group of two-word verbs, "kit build"; *n: length of "kit". */
bool complete_group(const struct verb *const *v, int *n);

/* The verbs, of those of two words the first, a blank after each. */
void complete_first_words(FILE *out);

/* Between single quotes of bash and zsh; also with the characters of `also` behind a backslash. */
void complete_quoted(FILE *out, const char *s, const char *also);

extern const char complete_text_bash[]; /* complete.bash */

/* Print the completion of that shell: what `porthole completion SHELL` says. */
void complete_bash(FILE *out);
void complete_zsh(FILE *out);
void complete_fish(FILE *out);
