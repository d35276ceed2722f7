/*
 * Whether an entry point can start, found out by looking at the files it would take.
 *
 * Layer: entry. All is read below the root with openat2(RESOLVE_IN_ROOT), bounded; nothing is
 * executed, nothing but regular files is opened. What execve(2), the ELF loaders of glibc and musl
 * and the container runtimes would do is written down in the comments of each part.
 */
#pragma once

#include "entry/entry.h"

/* What the host has to offer. */
struct entry_host {
	const char *machine; /* as uname(2) says: "x86_64" */
	int proc_fd;	     /* /proc, for its binfmt_misc; -EBADF: none */
};

enum entry_kind {
	FILE_UNSEEN = 0, /* not there, or not to be read */
	FILE_SCRIPT,	 /* starts with #! */
	FILE_ELF,
	FILE_OTHER, /* nothing the kernel runs by itself */
};

/* How a file comes to be run. */
enum entry_role {
	ROLE_PROGRAM,	  /* the first word of the command */
	ROLE_INTERPRETER, /* named by the #! line of the one before it */
	ROLE_LOADER,	  /* named by the ELF file before it */
	ROLE_STARTED,	  /* by the one before it, which only starts others: tini, env */
};

struct entry_file {
	enum entry_role role;
	enum entry_kind kind;
	char *asked;	  /* as it is named there */
	char *path;	  /* where links lead, NULL: nowhere */
	char *arg;	  /* of the #! line, NULL: none */
	char *machine;	  /* of an ELF file */
	char *handler;	  /* whom binfmt_misc hands it to, NULL: nobody */
	bool unseen;	  /* it lies in a mount that cannot be looked into */
	bool is_static;	  /* an ELF file without loader */
	size_t libraries; /* it takes */
	uint32_t mode, size_kb;
};

struct entry_finding {
	const char *id; /* static: "not-found"; the list is in entry_finding_ids */
	bool warning;	/* it may start all the same */
	char *text;	/* what is wrong, one sentence; raw */
	char *fix;	/* what to do, one sentence; raw */
};

struct entry_report {
	uint32_t uid, gid; /* inside; meaningful when user_known */
	bool user_known;
	char *user_name, *home;	  /* of its passwd, NULL: it has none */
	struct entry_file *files; /* in the order in which they come in */
	size_t n_files;
	enum libc_kind libc; /* of its root */
	char libc_version[32];
	struct entry_finding *findings;
	size_t n;
};

#define ENTRY_FILES_MAX	   16
#define ENTRY_FINDINGS_MAX 64

void entry_report_done(struct entry_report *r);
#define _cleanup_entry_report_ _cleanup_(entry_report_done)

/* Look at the files of `en` below `root` (a directory descriptor). 0 or -ENOMEM. */
int entry_lint(int root, const struct entry *en, const struct entry_host *host,
	       struct entry_report *out);

/* The ids findings can have, NULL-terminated: for the help and for tests. */
extern const char *const entry_finding_ids[];

/* Is it of what the engine needs, which no rehearsal can show? */
bool entry_finding_is_engine(const struct entry_finding *f);

/* PATH where an environment has none, as docker and podman set it. */
extern const char entry_default_path[];
