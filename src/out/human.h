/*
 * Numbers as people say them: sizes, shares, ages.
 *
 * Layer: out.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Large enough for every one of these. */
#define HUMAN_MAX 32

/* "0 B", "512 B", "1.5 GiB", "23 MiB": powers of 1024, three digits at most. Returns `out`. */
char *human_size(uint64_t bytes, char out[HUMAN_MAX]);

/* "now", "12 seconds", "1 minute", "5 hours", "3 days", "7 weeks", "4 months", "2 years": one unit,
 * cut rather than rounded, as docker ps does. Negative is "now". Returns `out`. */
char *human_age(int64_t seconds, char out[HUMAN_MAX]);

/* Whole percent of `part` in `whole`, 0 where whole is 0; no overflow at any size. */
unsigned human_percent(uint64_t part, uint64_t whole);
