/*
 * Time that only goes forward.
 *
 * Layer: base (libc only).
 */
#pragma once

#include <stdint.h>

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t clock_ms(void);
