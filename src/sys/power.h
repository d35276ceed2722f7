/*
 * What this process lacks: root, root of the host and not just of a user namespace, or single
 * capabilities of root.
 *
 * Layer: sys. Any Linux; capget(2), user_namespaces(7).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum power {
	POWER_FULL = 0,
	POWER_USER,   /* not root */
	POWER_USERNS, /* root of a user namespace that is not the host's */
	POWER_CAPS,   /* root without all of the capabilities asked about */
};

/* Which of the above holds for work that needs the capabilities `need` (CAPS_BIT). `proc_fd`:
 * /proc; when it cannot be read, POWER_USERNS is not told from POWER_FULL. */
enum power power_of(int proc_fd, uint64_t need);

/* "CAP_SYS_PTRACE", "CAP_SETUID and CAP_SETGID": those of `need` that are not in our effective set,
 * cut to fit. Returns `out`. [child] */
char *power_missing(uint64_t need, char *out, size_t size);

/* What the container that we are in must be started with to have `need` and to see the host's
 * processes, as far as it lacks them, in docker's words or our own: "--pid host --cap-add
 * SYS_ADMIN". "" in none, and where nothing is missing. `proc_fd`: /proc. Returns `out`. */
char *power_flags(int proc_fd, uint64_t need, char *out, size_t size);

/* An error that tells root to run something with sudo, in a container: tell what the container
 * lacks. */
void power_retell(struct err *e);

/* After work that needs `need` was refused: add to `e` what is missing and what to do about it. */
void power_hint(struct err *e, uint64_t need);

/* The same in a process that has entered a target, whose /proc is not to be trusted. [child] */
void power_hint_inside(struct err *e, uint64_t need);

/* Whether the process behind `proc_fd` (/proc/PID) is in the pid namespace the machine booted with.
 * False too when that cannot be read. */
bool power_is_host_pidns(int proc_fd);

/* Whether our mount namespace is another than the one the machine booted with, as far as that can
 * be told. */
bool power_in_container(void);
