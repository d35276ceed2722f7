/*
 * Errors that travel: what was tried, on what, why it failed and what to do next.
 *
 * Layer: base (libc only). A `struct err` lives on the caller's stack and is filled by the function
 * that fails; only main.c prints it. Nothing below src/cmd/ prints or exits.
 */
#pragma once

#include <errno.h>
#include <stdarg.h>

/* Exit codes, docker's contract; EXIT_USAGE for verbs that run no command. */
enum exit_code {
	EXIT_USAGE = 2,
	EXIT_PORTHOLE = 125,   /* Porthole itself failed */
	EXIT_CANNOT_RUN = 126, /* the command exists and cannot be run */
	EXIT_NOT_FOUND = 127,  /* the command does not exist */
};

struct err {
	int num;	/* positive errno, never 0 once set */
	int exit;	/* exit code asked for; 0: main.c chooses (125) */
	char msg[768];	/* one sentence, no newline, safe to print on a terminal */
	char hint[384]; /* what to do next, or "" */
};

/* Fill `e` with "message: strerror(num)". Returns -num. `e` may be NULL (then only the number
 * travels). A message set earlier is replaced. `num` may be given negative or positive. The text is
 * made printable: control bytes become \xNN, so names from a container can be passed as they are.
 */
int err_set(struct err *e, int num, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same without ": strerror": the sentence says it all. */
int err_say(struct err *e, int num, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Add what the reader should do next ("run with sudo"). Returns nothing; NULL `e` is ignored. */
void err_hint(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Ask for this exit code; returns -e->num, so that `return err_exit(e, 127)` can end a function. */
int err_exit(struct err *e, int exit_code);
