/*
 * One walk over /proc, shared by all engines: every process's line, and the monitors among them.
 *
 * Layer: target, private to it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sys/proc.h"
#include "target/engine.h"

enum monitor_kind {
	MONITOR_NONE = 0,
	MONITOR_SHIM,	/* containerd-shim-*: -namespace NS -id ID, its cwd is the bundle */
	MONITOR_CONMON, /* conmon: podman, CRI-O */
	MONITOR_LXC,	/* "[lxc monitor] PATH NAME" */
	MONITOR_NSPAWN, /* systemd-nspawn */
	MONITOR_BWRAP,	/* bwrap: the outer one, or the container's pid 1 */
};

struct monitor {
	enum monitor_kind kind;
	pid_t pid;
	uid_t uid;  /* real uid: who is believed to have started it */
	int depth;  /* pid namespaces between ours and its own, 0: it counts as we do */
	char *args; /* its command line, NUL-separated */
	size_t len; /* of args */
	/* Borrowed from args; NULL: not there. */
	const char *id;	  /* shim -id, conmon -c */
	const char *name; /* conmon -n, LXC's NAME, nspawn's -M */
	const char *ns;	  /* shim -namespace; LXC: its PATH */
};

struct scan {
	struct proc_stat *v; /* sorted by pid */
	size_t n;
	struct monitor *mon;
	size_t mons;
	uint64_t ns_mnt, ns_pid, ns_user, ns_net; /* the host's, else ours */
};

/* Walk /proc once. NULL only when memory is out. */
struct scan *scan_make(struct look *l);
void scan_free(struct scan *s);

/* A process by pid, or NULL. */
const struct proc_stat *scan_find(const struct scan *s, pid_t pid);
const struct monitor *scan_monitor(const struct scan *s, pid_t pid);

const struct monitor *scan_monitor_of(const struct scan *s, enum monitor_kind kind, const char *id);

/* The next child of `parent` after `prev` (NULL: the first), or NULL. */
const struct proc_stat *scan_child(const struct scan *s, pid_t parent,
				   const struct proc_stat *prev);

/* The child of a monitor that has the number `inner` in the monitor's own pid namespace, by our
 * number; 0 when there is none. */
pid_t scan_translate(const struct look *l, const struct monitor *m, pid_t inner);

/* The child of a monitor that is pid 1 of a namespace below the monitor's; 0: none. */
pid_t scan_init(const struct look *l, const struct monitor *m);

/* Read a monitor's arguments: what kind it is, or MONITOR_NONE. Fills *m (free m->args). */
enum monitor_kind monitor_read(int proc_fd, const struct proc_stat *p, struct monitor *m);
