/* A small tree with one of everything, and EROFS images of it, for the reader's tests. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Make the tree `dir`/src (dir exists). Aborts the test program when it cannot. */
void image_tree(const char *dir);

/* mkfs.erofs with `options` from `dir`/src to `dir`/image. */
void image_make(const char *dir, const char *options);

/* Remove what is below `dir`, and it. */
void image_remove(const char *dir);

/* Run a shell command made by printf; returns its exit status. */
int image_sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same numbers in every run. */
uint32_t image_random(uint32_t *state);
