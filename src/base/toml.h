/*
 * As much of TOML as the engines' configuration files need: values by their key, at the start of a
 * line, whatever table they are in. What is in a comment behind a value is not told apart from it.
 *
 * Layer: base (libc only).
 */
#pragma once

/* The next value of `key` in *text, from its first byte to the end of the text, and *text to the
 * line behind it; NULL: there is no more. */
const char *toml_next(const char **text, const char *key);

/* The first of them that is a string, `key = "VALUE"`: a new string, the caller's; NULL: there is
 * none, it is empty, or there is no memory. */
char *toml_str(const char *text, const char *key);
