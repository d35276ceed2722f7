/* Made-up roots for the linter of entry points: files, links, ELF programs; and what it says. */
#pragma once

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "entry/lint.h"

extern int root_fd; /* of the root that the test has; empty at its start */

int root_setup(void **state);
int root_teardown(void **state);

/* Make a file (and the directories on the way), a link, a directory. Paths are as inside. */
void root_file(const char *path, mode_t mode, const char *text);
void root_bytes(const char *path, mode_t mode, const void *data, size_t n);
void root_link(const char *path, const char *to);
void root_dir(const char *path, mode_t mode);
void root_remove(const char *path);

/* An ELF file. Zeroes are the defaults: a static x86-64 program. Lists end with NULL. */
struct root_elf {
	uint16_t machine;
	const char *interp, *needed[8], *soname, *rpath, *runpath;
	const char *want_file, *want, *provides; /* versions */
	bool cut;				 /* shorter than its segment says */
};
void root_elf(const char *path, mode_t mode, const struct root_elf *e);

/* A whole Debian-like root (glibc loader and libc.so.6, /bin/sh), or an Alpine-like one. */
void root_debian(void);
void root_alpine(void);

/* What is linted: argv (NULL-terminated), "NAME=value" of the environment, user and directory. */
struct root_entry {
	const char *argv[8], *env[4], *user, *cwd;
	bool shell_form, nnp, live, makes_cwd;
	const char *machine; /* the host's; NULL: x86_64 */
	int proc_fd;	     /* 0: none */
	const char *mount, *unseen;
	unsigned map; /* ids of its user namespace, 0: none of its own */
};

/* Lint; the report is the caller's. */
void root_lint(const struct root_entry *re, struct entry_report *r);

/* The finding `id` (NULL: none at all) must be there, and say all of `part` in its text or its fix.
 */
void expect(const struct root_entry *re, const char *id, const char *part);
/* It must not be there. */
void expect_not(const struct root_entry *re, const char *id);
