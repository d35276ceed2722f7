/*
 * /proc/PID through directory descriptors, parsed, bounded.
 *
 * Layer: sys (uses base). Any Linux; field notes say where newer ones are needed. `dir` is an open
 * /proc/PID: reading through it fails with -ESRCH once that process is gone, even if its number is
 * used again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROC_COMM_MAX	16
#define PROC_NSPID_MAX	32 /* pid namespaces nest at most 32 deep */
#define PROC_CGROUP_MAX 8192

/* Open /proc/PID (O_DIRECTORY|O_CLOEXEC). A descriptor the caller owns, or -errno; -ENOENT when
 * there is none (or hidepid hides it). */
int proc_dir_open(int proc_fd, pid_t pid);

/* A directory like `dir` (/proc/PID) of a thread of that process that has not ended, by which its
 * namespaces and files are reached when the first thread has. A descriptor the caller owns, or
 * -errno; -ESRCH: there is none. */
int proc_thread_open(int dir);

/* Open what /proc/PID/cwd, root or such points at, whatever mount namespace it is in (O_PATH). */
int proc_link_open(int proc_fd, pid_t pid, const char *link);

struct proc_stat {
	pid_t pid, ppid;
	char comm[PROC_COMM_MAX]; /* raw bytes, cut to 15 by the kernel */
	char state;		  /* R S D T t Z X I: the first thread's */
	bool ended;		  /* a zombie of which no other thread runs on */
	bool kthread;
	uint64_t start; /* clock ticks after boot: field 22 */
};

/* How a zombie ended, as wait(2) will tell its parent; needs ptrace rights. 0, -EAGAIN when it is
 * none (yet, or any more). */
int proc_wait_status(int dir, int *status);

/* /proc/PID/stat of an open directory, or below `proc_fd` (one open less). 0 or -errno; -EBADMSG
 * when it cannot be parsed. */
int proc_stat_read(int dir, struct proc_stat *out);
int proc_stat_read_at(int proc_fd, pid_t pid, struct proc_stat *out);

struct proc_status {
	pid_t tgid;		     /* the thread-group leader: pid itself for a process */
	pid_t nspid[PROC_NSPID_MAX]; /* outermost (ours) first; Linux 4.1, else one entry: tgid */
	int nspids;
	uid_t ruid, euid;
};

/* /proc/PID/status. 0 or -errno. */
int proc_status_read(int dir, struct proc_status *out);
int proc_status_read_at(int proc_fd, pid_t pid, struct proc_status *out);

/* Send a signal to the process behind `dir` (/proc/PID, not O_PATH), whatever pid namespace we are
 * in. `proc_fd`: that /proc, for kernels before 5.1. 0 or -errno. */
int proc_signal(int proc_fd, int dir, int sig);

/* Inode of a namespace ("user", "pid_for_children"). 0 when unreadable: needs ptrace rights. By
 * number, another thread answers for a first one that has ended. */
uint64_t proc_ns_inode(int dir, const char *ns);
uint64_t proc_ns_inode_at(int proc_fd, pid_t pid, const char *ns);

/* Command line as it is: arguments separated by NULs, cut to fit, two NULs at the end. Returns the
 * bytes without the last NUL, or -errno. Kernel threads: 0. */
ssize_t proc_cmdline_read(int proc_fd, pid_t pid, char *out, size_t size);

/* The argument after `flag` ("-M"), or what follows "flag=" in one argument; NULL when there is
 * none. `args` as proc_cmdline_read() left it, `len` what it returned. */
const char *proc_arg(const char *args, size_t len, const char *flag);

/* Unix seconds of a start time in clock ticks, by today's clocks (so a clock set since then moves
 * it, as ps does). 0 for 0. */
int64_t proc_start_time(uint64_t start);

/* First line of uid_map as outside and count: {0, 4294967295} is no mapping. 0 or -errno. */
int proc_uid_map_first(int dir, uint32_t *inside, uint32_t *outside, uint32_t *count);

/* The oldest child of the main thread of `pid` that has not ended and been waited for; 0: none, or
 * not to be read. */
pid_t proc_first_child(int proc_fd, pid_t pid);
