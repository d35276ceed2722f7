/*
 * The command line: options as data, verbs as a table.
 *
 * Layer: cli. A verb file in src/cmd/ holds one `const struct opt` table and one `const struct
 * verb`; the parser, --help, shell completion and the OPTIONS part of the man page all come from
 * them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/str.h"

enum opt_type {
	OPT_END = 0,
	OPT_FLAG,  /* bool: set to true */
	OPT_COUNT, /* unsigned: how often given */
	OPT_STR,   /* const char *: last one wins; borrowed from argv */
	OPT_MAYBE, /* const char *: "" when given without a value, which only =VALUE is; `arg`
		    * is written "[=VALUE]" */
	OPT_LIST,  /* struct strv: every one, in order (copies) */
	OPT_UINT,  /* uint64_t: decimal, not 0 */
	OPT_SIZE,  /* uint64_t: bytes, with k, m, g; not 0 */
	OPT_CSV,   /* struct strv: split at commas, may be repeated */
};

struct opt {
	enum opt_type type;
	size_t off;	  /* offsetof(struct X_opts, field) */
	char letter;	  /* 0: none */
	const char *name; /* long name without dashes */
	const char *arg;  /* name of the argument in the help; NULL for flags */
	const char *help; /* one line, no full stop */
	const char *const
		*words; /* the only allowed values (also completed), NULL-terminated; or NULL */
};

#define OPT_WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* What every verb is handed besides its own options. */
struct ctx {
	bool json;	/* --json was among the options */
	bool tty_out;	/* stdout is a terminal */
	bool color;	/* colours may be used on stdout (terminal, no NO_COLOR, TERM not dumb) */
	bool color_err; /* the same of stderr */
};

enum verb_flags {
	VERB_STOP_AT_ARG = 1 << 0, /* options end at the first positional, as with docker exec */
	VERB_RUNS_CMD = 1 << 1,	   /* exit codes follow docker's contract: usage errors are 125 */
	VERB_HIDDEN = 1 << 2,
	VERB_WORDS = 1 << 3,	   /* long names also after a single dash, as find(1) has them */
	VERB_STOP_AT_CMD = 1 << 4, /* options end at the second positional: TARGET [OPTION] CMD */
	VERB_GROUP = 1 << 5, /* of two words: the first alone, or before an option, is it too */
};

/* What a positional argument completes to. */
enum complete {
	COMPLETE_NONE,
	COMPLETE_TARGET,
	COMPLETE_FILE,
	COMPLETE_VERB,
	COMPLETE_PATH, /* TARGET:PATH, all of them */
	COMPLETE_COPY, /* the same, and files of the host's */
};

/* An option of docker's and podman's that a verb does not have, and what to say to it instead. */
struct elsewhere {
	const char *name, *hint;
};

struct verb {
	const char *name;     /* "exec", or two words: "kit build" */
	const char *args;     /* "TARGET [CMD [ARG...]]" */
	const char *summary;  /* one line, no full stop */
	const char *details;  /* paragraphs for --help and the man page */
	const char *examples; /* lines "command\0"-free: "porthole exec web\n    what it does\n" */
	const struct opt *opts;
	const struct elsewhere *elsewhere; /* up to a NULL name; NULL: none */
	size_t opts_size;		   /* sizeof(struct X_opts); zeroed before parsing */
	unsigned flags;
	enum complete complete;
	int min_args, max_args; /* positionals; max -1: any number */
	/* Returns the exit code (>= 0), or -errno with `e` filled. */
	int (*run)(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e);
};

/* All verbs in the order of cmds.def, NULL-terminated. */
extern const struct verb *const cli_verbs[];

/* Find the verb named by argv[0] (and argv[1] for two-word verbs); sets *used to the words taken.
 * NULL when there is none. */
const struct verb *cli_find(int argc, char **argv, int *used);

/* Parse options into `opts` (zeroed by the caller). On return argv[0..*nargs-1] are the
 * positionals. *help is set when --help or -h was given. 0, or -EINVAL with `e` saying which option
 * and why. cli_free() releases lists. */
int cli_parse(const struct verb *v, struct ctx *ctx, void *opts, int argc, char **argv, int *nargs,
	      bool *help, struct err *e);
void cli_free(const struct verb *v, void *opts);

/* Whether verbs of two words start with this one ("kit"). */
bool cli_is_group(const char *word);

/* Say that argv[0] (and argv[1]) is no verb, with the nearest one as a hint. Returns -EINVAL. */
int cli_unknown(int argc, char **argv, struct err *e);

/* Find, parse and run; returns the process's exit code, or -errno with `e` filled. */
int cli_main(int argc, char **argv, struct ctx *ctx, struct err *e);

/* Help texts, to `out`. */
void cli_help(FILE *out, const struct verb *v);
void cli_help_all(FILE *out);
/* The verbs whose first word is `group`. */
void cli_help_group(FILE *out, const char *group);
/* The OPTIONS section in scdoc, for man pages. */
void cli_help_scdoc(FILE *out, const struct verb *v);
/* A completion script for "bash", "zsh" or "fish". 0 or -EINVAL. */
int cli_completion(FILE *out, const char *shell);
