/*
 * How something ended, in words.
 *
 * Layer: sys. Exit codes by the contract of shells, runc and docker: 125 to 128 of the engine,
 * 128+N for signal N.
 */
#pragma once

#include <stdbool.h>

/* "SIGKILL", "SIGRTMIN+2", "signal 99", in `out` of at least 24 bytes, which is returned. */
char *signal_name(int sig, char out[24]);

/* The number of "9", "KILL", "sigkill", "RTMIN+2"; 0 when there is no such signal. */
int signal_number(const char *name);

/* What signal `sig` says about a program that died of it; a static clause, "" when there is nothing
 * to say: "it touched memory that is not its own". `oom`: the kernel's out-of-memory killer did it.
 */
const char *signal_words(int sig, bool oom);

/* What an exit code means: "killed by SIGKILL: ..."; a new string the caller frees, NULL when
 * memory is out. Codes are 0 to 255. */
char *exitcode_words(int code, bool oom);
