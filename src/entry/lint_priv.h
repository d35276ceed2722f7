/*
 * What the parts of the linter share.
 *
 * Layer: entry, private to it.
 */
#pragma once

#include <limits.h>
#include <sys/stat.h>

#include "elf/head.h"
#include "entry/lint.h"

enum { LINT_GROUPS_MAX = 64, LINT_HEAD = 512 };

/* Who the command runs as, for looking at modes. */
struct lint_who {
	uint32_t uid, gid;
	uint32_t groups[LINT_GROUPS_MAX];
	size_t n_groups;
	bool override; /* CAP_DAC_OVERRIDE */
	bool search;   /* CAP_DAC_READ_SEARCH */
};

struct lint {
	int root;
	const struct entry *en;
	const struct entry_host *host;
	struct entry_report *out;
	struct lint_who who;
	const char *path; /* PATH of the environment, or the default one */
	const char *cwd;
	bool oom;
};

/* Add a finding; both texts are taken over. One that is there already is not added again. */
void lint_add(struct lint *l, const char *id, bool warning, char *text, char *fix);

/* ---- place.c: where a path leads ---- */

struct place {
	int fd;	 /* O_PATH; -EBADF: it leads nowhere */
	int err; /* then -ENOENT, -ENOTDIR, -ELOOP ... */
	struct stat st;
	char real[PATH_MAX]; /* without links: the file, or the first part that is not there */
	char link[PATH_MAX]; /* the link that the path itself is, the last of a chain; "": none */
	char shut[PATH_MAX]; /* a directory on the way that the user may not pass, "": none */
};

#define PLACE_INIT	((struct place){.fd = -EBADF})
#define _cleanup_place_ _cleanup_(root_place_done)
void root_place_done(struct place *p);

/* Follow `path` (from the working directory when it is relative) below the root. p->err tells. */
void place_find(const struct lint *l, const char *path, struct place *p);

/* May the user read (4), write (2), execute or search (1) it? By mode, owner and capabilities;
 * where there is an access control list it is believed that he may. */
bool place_may(const struct lint *l, const struct place *p, unsigned mask);
bool lint_may(const struct lint *l, const struct stat *st, int fd, unsigned mask);

/* The first bytes of a regular file. Their number, or -errno. */
ssize_t place_head(const struct place *p, unsigned char out[LINT_HEAD]);

/* ---- user.c ---- */

/* Fill l->who and the report's user from what was asked; adds findings. */
void lint_user(struct lint *l);

/* ---- search.c: names in PATH ---- */

/* Find `name` in PATH as runtimes do: the first that is a regular file and may be executed. True
 * and *found (the caller frees); false and, in *refused, the first that may not (NULL: none there).
 */
bool search_path(const struct lint *l, const char *name, char **found, char **refused);

/* Where else a program of this name is, outside of PATH: a new string or NULL. */
char *search_elsewhere(const struct lint *l, const char *name);

/* The name in PATH, or (for a path) in its directory, that is nearest to it: a new string or NULL.
 */
char *search_nearest(const struct lint *l, const char *name);

/* ---- script.c ---- */

enum shebang_kind {
	SHEBANG_NONE, /* does not start with #! */
	SHEBANG_OK,
	SHEBANG_EMPTY, /* nothing after it */
	SHEBANG_LONG,  /* the interpreter's name is cut off by the kernel */
	SHEBANG_BOM,   /* a byte order mark before it */
	SHEBANG_BLANK, /* blanks or empty lines before it */
};

struct shebang {
	enum shebang_kind kind;
	char interp[LINT_HEAD]; /* as the kernel takes it, a carriage return included */
	char arg[LINT_HEAD];	/* "": none */
	bool crlf;		/* its line ends with CR LF */
};

/* Parse the first bytes of a file as the kernel's binfmt_script does (256 of them since Linux 5.1).
 */
void shebang_parse(const unsigned char *head, size_t n, struct shebang *s);

/* What a file that is neither script nor ELF looks like, in words: "a Windows program", "a text
 * file"; "" when there is no telling. Static. */
const char *format_words(const unsigned char *head, size_t n);

/* ---- chain.c: the way from a command to what runs in the end ---- */

/* One file on that way. */
struct link {
	struct lint *l;
	enum entry_role role;
	const char *asked; /* how it is called where it is named */
	const char *by;	   /* the file that names it; NULL: the command does */
	struct place p;	   /* p.err < 0: it cannot be run, and that was reported */
	unsigned char head[LINT_HEAD];
	size_t n; /* bytes of `head` */
};

/* Look at a command: its program, whatever it takes to run it, and what that starts in its turn. */
void lint_command(struct lint *l, const struct strv *argv);

/* Find the file `asked`, add it to the report's files and look at its rights. k->p is the caller's
 * to release. */
void link_follow(struct lint *l, const char *asked, const char *by, enum entry_role role,
		 struct link *k);

/* ---- absent.c ---- */

/* The file as a sentence begins with it: "/bin/bash, the interpreter that the first line of /run
 * names,". A new string. */
char *link_subject(const struct link *k);
/* Whether what is asked for lies in a mount that cannot be looked into: it may well be there. */
bool lint_unseen(const struct lint *l, const char *asked, const struct place *p);
/* Say that it is not there, and what to do. */
void link_absent(struct link *k);

/* ---- file.c ---- */

/* May it be executed by its kind, mode, owner and mount? Adds what is wrong; false: looking into it
 * makes no sense. */
bool link_mode(struct link *k);
/* Look into an ELF file; `f` is its place in the report. */
void link_elf(struct link *k, struct entry_file *f);

/* ---- wrap.c ---- */

/* Of a program that only starts another (tini, env, gosu): the index in `argv` of the command it
 * starts, 0: it is none. */
size_t wrap_inner(const struct strv *argv, const char *program);

/* A shell with one string: the first word of that string where it is plainly a command; a shell
 * with a script: the script's name where it has a '/'. In a new string; NULL: there is no telling.
 */
char *wrap_shell_word(const struct strv *argv);

/* ---- machine.c ---- */

/* Can this host run it without help? Unknown hosts can run everything. */
bool machine_is_native(const struct lint *l, const struct elf_head *h);

/* Who of binfmt_misc takes a file with these first bytes and this name: its interpreter in a new
 * string, NULL: nobody. *fixed: it was opened when it was registered (flag F), so it need not be in
 * the container. */
char *machine_handler(const struct lint *l, const unsigned char *head, size_t n, const char *name,
		      bool *fixed);

/* "linux/amd64" of a machine of uname(2); "" for strangers. */
const char *machine_platform(const char *machine);

/* ---- refused.c ---- */

/* What the engine needs before it comes to the program: sources of mounts that are gone, and what
 * it said when it refused to start the container; what it says of the program, its user and its
 * directory was looked at already. */
void lint_engine(struct lint *l);

/* ---- libs.c ---- */

/* Find all libraries of the program `path` (without links) as its loader would. Adds findings, and
 * their number to `f`. */
void lint_libraries(struct lint *l, const char *path, int fd, const struct elf_head *h, bool setuid,
		    struct entry_file *f);
