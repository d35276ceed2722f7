/*
 * Check a kit: run every program of it in a root that has nothing but the kit, and watch what it
 * opens.
 *
 * Layer: kit (uses base and sys). Linux 5.3 for PTRACE_GET_SYSCALL_INFO. Works without root where
 * user namespaces may be made.
 */
#pragma once

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "kit/apt.h"
#include "kit/kit.h"

/* One check of kits/check.list. */
struct check {
	struct strv programs; /* all must be in the kit; the first names it */
	bool no_trace;	      /* traces others itself: cannot be watched */
	bool any_status;      /* its exit status does not matter */
	struct buf script;    /* for the kit's bash */
	char *expect;	      /* extended regular expression its output must match; NULL: none */
};

struct checks {
	struct check *v;
	size_t n;
	struct buf prelude;    /* goes before every script */
	struct strv bad, fine; /* globs of paths */
};

#define _cleanup_checks_ _cleanup_(checks_done)
void checks_done(struct checks *c);

/* Parse a list. -EINVAL names the line. */
int checks_parse(struct checks *c, const char *name, const char *text, struct err *e);

/* May a program not touch this path? */
bool checks_is_bad(const struct checks *c, const char *path);

/* Does output hold a complaint of the loader? Returns the line's start, or NULL. */
const char *checks_loader_error(const char *output);

enum check_verdict { CHECK_OK = 0, CHECK_FAILED };

/* What came of one. In memory shared with the container: no pointers. */
struct check_result {
	enum check_verdict verdict;
	bool deep;     /* has a check of its own; else only --help was asked for */
	int status;    /* exit status, or 128+N */
	int signal;    /* N that ended it; 0: none */
	unsigned ms;   /* wall time */
	char name[64]; /* program; raw bytes */
	char why[400]; /* one sentence when it failed; raw bytes */
};

#define CHECK_MAX 4096 /* programs of a kit that are looked at */

struct check_report {
	struct check_result *v; /* mapped, CHECK_MAX of them */
	size_t n, failed, deep;
	enum kit_rung rung;
};

#define _cleanup_report_ _cleanup_(check_report_done)
void check_report_done(struct check_report *r);

/* Check kit `spec` (as kit_find()); `only`: names of programs, empty: all. Failed checks are no
 * error: they are in `out`. -EPERM: no namespaces may be made here. */
int kit_check(const char *spec, const struct checks *c, const struct strv *only,
	      const struct kit_progress *progress, struct check_report *out, struct err *e);

/* [scratch.c] Make namespaces and a root with nothing but the kit at /dev/p, and enter; afterwards
 * the caller must fork: the child is PID 1 there and calls scratch_init(). On failure the process
 * must end. */
int scratch_enter(const char *spec, enum kit_rung *rung, struct err *e);
int scratch_init(struct err *e);

/* [check_run.c] Run one check in the container's PID 1 and fill `r`. */
void check_run(const struct checks *c, const struct check *k, struct check_result *r);

/* [check_trace.c] A program under watch. */
struct trace {
	const struct checks *checks;
	char path[256]; /* the first bad file, "" */
	bool exec;	/* it tried to run it; else to open it */
};

/* [child] Let open and execve calls stop for the tracer. 0 or -errno. */
int trace_filter(void);

/* Attach to `pid` (which waits). 0 or -errno. */
int trace_start(pid_t pid);

/* Handle one report of waitpid() for a traced process and let it go on. */
void trace_event(struct trace *t, pid_t pid, int status);
