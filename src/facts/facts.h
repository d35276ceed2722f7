/*
 * What there is to know about a running target before debugging it: plain data, one struct a
 * subject.
 *
 * Layer: facts (uses base, sys, target). Everything is read through target.proc_fd and below the
 * target's root with path_open_in_root(); all of it is hostile, all sizes are bounded, nothing is
 * printed. What could not be read is left empty and named in facts.unread. Linux 4.18 and later.
 */
#pragma once

#include "base/json.h"
#include "sys/cred.h"
#include "sys/mountinfo.h"
#include "sys/ns.h"
#include "target/target.h"

/* ---- namespaces (ns.c) ---- */

enum ns_kind {
	NS_ABSENT = 0, /* this kernel has no such namespace */
	NS_UNREAD,     /* it may not be read: needs CAP_SYS_PTRACE */
	NS_HOST,       /* the host's */
	NS_OWN,
	NS_SHARED, /* not the host's, and others are in it: `with` */
};

struct fact_ns {
	uint64_t inode;
	enum ns_kind kind;
	struct strv with; /* raw names of containers, "pid 123 (comm)" for other processes */
	size_t more;	  /* how many were left out of `with` */
};

/* A process outside of the target that is in one of its namespaces. */
struct fact_outsider {
	pid_t pid;
	unsigned flags;		 /* CLONE_NEW... it shares */
	uint64_t home[NS_COUNT]; /* inodes of its namespaces where read, else 0 */
};

struct facts_ns {
	struct fact_ns v[NS_COUNT]; /* as ns_types */
	struct fact_outsider *outsiders;
	size_t n_outsiders;
};

/* ---- processes (procs.c) ---- */

struct fact_proc {
	pid_t pid, ppid; /* in our pid namespace */
	pid_t inside;	 /* in the target's, 0: unknown */
	char state;
	unsigned threads;
	uint64_t start; /* clock ticks since boot */
	uint32_t uid;	/* inside; (uint32_t)-1: not mapped or unknown */
	char comm[64];
	struct strv argv; /* empty: zombie or kernel thread */
};

struct facts_procs {
	struct fact_proc *v; /* the target's own first process is the first */
	size_t n;
	size_t total, zombies, threads; /* counted also where not kept in `v` */
	size_t orphans;			/* zombies whose parent is the first process */
};

#define FACTS_PROCS_KEPT 256

/* ---- the first process (init.c) ---- */

enum libc_kind { LIBC_UNKNOWN = 0, LIBC_NONE, LIBC_GLIBC, LIBC_MUSL, LIBC_OTHER };

struct facts_init {
	struct strv argv;
	char *exe; /* path inside; NULL: unreadable */
	bool exe_deleted;
	char *interp; /* its ELF interpreter, NULL: static or not ELF */
	bool is_static;
	char *cwd;
	char state;   /* of /proc/PID/stat */
	pid_t tracer; /* 0: nobody traces it */
	char tracer_comm[64];
	int64_t age; /* seconds, -1: unknown */
	int oom_score, oom_score_adj;
	uint64_t swap;		/* bytes of its own memory that are swapped out */
	uint64_t fds, fd_limit; /* open descriptors; limit 0: neither is known */
};

/* ---- rights (rights.c) ---- */

enum plain_file {
	FILE_OK = 0,
	FILE_MISSING,
	FILE_STRANGE,
	FILE_UNREAD
}; /* strange: no plain file */

struct facts_rights {
	bool known; /* `cred` was read */
	struct cred cred;
	uint32_t uid, gid;  /* inside; (uint32_t)-1: not mapped */
	char *user, *group; /* their names in the target's own files; NULL: none */
	struct strv groups; /* supplementary: "27 (sudo)" */
	char label[256];    /* LSM label, "" none */
	struct idmap uid_map, gid_map;
	enum plain_file passwd; /* what /etc/passwd is */
};

/* ---- limits (limits.c) ---- */

struct fact_limit {
	bool known;
	uint64_t used;	  /* by the target's own cgroup */
	uint64_t limit;	  /* the tightest on the way up, CGROUP_NONE: none */
	uint64_t counted; /* use of the cgroup that has that limit */
	char *at;	  /* that cgroup, NULL: the target's own */
};

struct fact_cgroup_path {
	char *names; /* "memory", "" for version 2 */
	char *path;
	bool own; /* neither the root nor where we are ourselves: its numbers say something */
};

struct facts_limits {
	struct fact_cgroup_path *paths; /* one a hierarchy */
	size_t n_paths;
	struct fact_limit memory; /* without the file cache that can be dropped at once */
	struct fact_limit pids;
	uint64_t cache;		   /* file cache, bytes */
	uint64_t swap, swap_limit; /* bytes; limit CGROUP_NONE: none */
	bool cpu_known;
	double cpus;	   /* CPU limit, 0: none */
	uint64_t cpu_usec; /* used so far, 0: unknown */
	uint64_t periods, throttled;
	char cpuset[128]; /* "" : not restricted or unknown */
	uint64_t oom_kills;
	bool frozen;
	uint64_t io_read, io_written; /* bytes */
};

/* ---- files (files.c) ---- */

enum mount_class { MOUNT_ROOT, MOUNT_SYSTEM, MOUNT_ENGINE, MOUNT_OTHER };

struct fact_mount {
	const struct mount_row *row;
	enum mount_class class;
	char *host_path; /* what of the host it shows, where that can be told */
	bool ro;
	bool nested; /* came along with a mount above it (a recursive bind of the host's tree) */
};

struct facts_files {
	struct mountinfo table; /* owns the rows */
	struct fact_mount *v;
	size_t n;
	const struct mount_row *root; /* NULL: unreadable */
	bool root_ro;
	char *upper;	     /* overlay's upperdir */
	size_t lowers;	     /* overlay's layers below it */
	uint64_t size, free; /* bytes of the root file system; size 0: unknown */
	char *os;	     /* PRETTY_NAME of os-release */
	char *shell;	     /* first shell found, NULL: none */
	enum libc_kind libc;
	char libc_version[32]; /* "2.36", or "" */
	bool looked;	       /* shell, libc, dev, proc below were looked for */
	bool dev, dev_null, proc;
};

/* ---- network (net.c) ---- */

struct fact_socket {
	const char *proto; /* "tcp", "tcp6", "udp", "udp6", "unix" */
	char addr[128];	   /* address without port; path of a unix socket (raw, '@': abstract) */
	unsigned port;
	uint64_t inode;
	pid_t pid, inside; /* who listens; 0: not found */
	char comm[64];
};

struct facts_net {
	struct fact_socket *v; /* listening only: the target's own, then those of others */
	size_t n;	       /* the target's own */
	size_t n_others;       /* of others that share its network, as the containers of a pod do */
	bool cut;	       /* there were more */
	struct strv addresses; /* IPv4 and global IPv6, no loopback */
	struct strv links;     /* interfaces but lo */
	char gateway[64];
	struct strv dns;
};

/* ---- environment (env.c) ---- */

struct fact_env {
	char *key, *value; /* raw */
	bool secret;
};

struct facts_env {
	bool known;
	struct fact_env *v;
	size_t n;
	bool cut; /* larger than FACTS_ENV_MAX */
};

#define FACTS_ENV_MAX ((size_t)4 << 20)

/* ---- what the engine was told (engine.c) ---- */

struct facts_engine {
	char *file; /* where it was read, NULL: nowhere */
	struct strv entrypoint,
		cmd; /* as in the image and the command line; cmd only, for OCI bundles */
	char *user, *workdir, *hostname, *restart, *network, *runtime, *stop_signal, *health;
	bool privileged;
	int64_t restarts;   /* -1: unknown */
	struct strv ports;  /* "0.0.0.0:8080->80/tcp" */
	struct strv labels; /* "key=value", the ones that say where it comes from */
};

/* ---- everything ---- */

struct facts {
	struct facts_ns ns;
	struct facts_procs procs;
	struct facts_init init;
	struct facts_rights rights;
	struct facts_limits limits;
	struct facts_files files;
	struct facts_net net;
	struct facts_env env;
	struct facts_engine engine;
	struct strv
		unread; /* what could not be read, and why: "its environment: Permission denied" */
};

#define _cleanup_facts_ _cleanup_(facts_done)
void facts_done(struct facts *f);

/* Read all of a pinned target (only the engine's part where t->proc_fd is not open). What is
 * missing is in f->unread; an error only when memory is out (-ENOMEM) or the target has ended
 * meanwhile
 * (-ESRCH). */
int facts_read(const struct target_roots *r, const struct target *t, struct facts *f,
	       struct err *e);

/* The subjects, each 0 or -errno; called by facts_read() in this order. Later ones use earlier
 * ones. */
int facts_ns_read(const struct target_roots *r, const struct target *t, struct facts *f);
int facts_procs_read(const struct target_roots *r, const struct target *t, struct facts *f);
int facts_ns_share(const struct target_roots *r, const struct target *t, struct facts *f);
int facts_rights_read(const struct target_roots *r, const struct target *t, struct facts *f);
int facts_init_read(const struct target_roots *r, const struct target *t, struct facts *f);
int facts_limits_read(const struct target_roots *r, const struct target *t, struct facts *f);
int facts_files_read(const struct target_roots *r, const struct target *t, struct facts *f);
int facts_net_read(const struct target_roots *r, const struct target *t, struct facts *f);
int facts_env_read(const struct target_roots *r, const struct target *t, struct facts *f);
int facts_engine_read(const struct target_roots *r, const struct target *t, struct facts *f);

/* The namespace of a type, by its CLONE_NEW... flag. */
const struct fact_ns *facts_ns_get(const struct facts *f, unsigned flag);
