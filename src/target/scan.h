/*
 * The processes of /proc, read no further than somebody asks: a line of /proc/PID/stat costs as
 * much as three namespace links, so containers are found by their namespaces and only then looked
 * at.
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

/* The parent of a container's first process. */
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

struct scan;

/* List the processes. NULL only when memory is out. */
struct scan *scan_make(struct look *l);
void scan_free(struct scan *s);

/* A process's stat line, read once; NULL when it was not there at scan_make() or is gone. */
const struct proc_stat *scan_stat(struct look *l, pid_t pid);

/* Find who is apart: in another mount namespace than the host, and not known already as
 * the process or the monitor of a container that was found. Their parents are the monitors, if they
 * are called so. Done at the first call only; needed before any of those below. 0 or -ENOMEM. */
int scan_look(struct look *l, const struct targets *known);

/* The next process that is apart, from *i = 0 on; NULL at the end. ns_pid is the inode of its pid
 * namespace. */
const struct proc_stat *scan_apart(const struct look *l, size_t *i, uint64_t *ns_pid);

/* The next process of this name (as the kernel cuts it), from *i = 0 on; NULL at the end, and where
 * processes were not listed. Reads every process's stat line. */
const struct proc_stat *scan_named(struct look *l, const char *comm, size_t *i);

/* The namespaces that count as the host's, by name ("pid", "mnt", "user", "net"); 0: unknown. */
uint64_t scan_host_ns(const struct look *l, const char *ns);

/* The next monitor, from *i = 0 on; NULL at the end, and where processes were not listed. */
const struct monitor *scan_monitor(const struct look *l, size_t *i);
bool scan_has_monitor(const struct look *l, enum monitor_kind kind);
const struct monitor *scan_monitor_of(const struct look *l, enum monitor_kind kind, const char *id);

/* The next child of `parent` that is apart, from *i = 0 on; NULL at the end. */
const struct proc_stat *scan_child(const struct look *l, pid_t parent, size_t *i);

/* The child of a monitor that has the number `inner` in the monitor's own pid namespace, by our
 * number; 0 when there is none. */
pid_t scan_translate(const struct look *l, const struct monitor *m, pid_t inner);

/* The child of a monitor that is pid 1 of a namespace below the monitor's; 0: none. */
pid_t scan_init(const struct look *l, const struct monitor *m);

/* Whether a process of this name can be a monitor. */
bool monitor_is_named(const char *comm);

/* Read a monitor's arguments: what kind it is, or MONITOR_NONE. Fills *m (free m->args). */
enum monitor_kind monitor_read(int proc_fd, const struct proc_stat *p, struct monitor *m);
