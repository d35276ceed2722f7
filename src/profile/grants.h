/*
 * What a command line gives a container: plain data, whatever tool's line it was.
 *
 * Layer: profile. Nothing is run, looked up or evaluated: a path is a path that was written down.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "profile/words.h"

struct grant_mount {
	char *host;   /* a path of the host's, or the name of a volume */
	char *inside; /* where it appears */
	bool ro;
	bool deep_ro;	   /* read-only with all that is mounted below it, not only itself */
	bool optional;	   /* left out where the host has no such path (profiles) */
	bool volume;	   /* of the engine's: no path of the host's */
	char *propagation; /* "rslave", "shared", ...; NULL: private */
};

enum grant_tool { TOOL_DOCKER, TOOL_PODMAN, TOOL_NSPAWN, TOOL_BWRAP, TOOL_RUNC, TOOL_CRUN };

struct grants {
	enum grant_tool tool;
	bool privileged;    /* --privileged, or what amounts to it */
	unsigned host_ns;   /* CLONE_NEW* that stay the host's */
	struct strv joined; /* "net of container:web" */
	struct strv masks;  /* paths inside that are empty (profiles) */
	uint64_t caps;	    /* as far as its capabilities are known here: caps_all() for "all" */
	struct grant_mount *mounts;
	size_t n_mounts;
	struct strv devices; /* paths; all of them when privileged */
	struct strv ports;   /* published */
	struct strv env;     /* K=V */
	struct strv cmd;
	char *image; /* or the directory it runs on; NULL: none named */
	char *user;  /* NULL: the image's */
	char *gpus;  /* as asked for ("all"); NULL: none */
	bool seccomp_off, lsm_off, masks_off, no_new_privs, read_only, userns;
	bool ipc_ro;	     /* what is in the ipc namespace can be looked at alone (profiles) */
	bool whole_cgroup;   /* cgroup or device rules that reach beyond its own */
	struct strv unknown; /* options that were not understood */
	bool by_root;	     /* the line says who runs it: sudo */
	bool unsure;	     /* the image may be the value of the last of them */
};

#define _cleanup_grants_ _cleanup_(grants_done)
void grants_done(struct grants *g);

/* Add a mount; strings are copied. 0 or -ENOMEM. */
int grants_mount(struct grants *g, const char *host, const char *inside, bool ro, bool deep_ro,
		 const char *propagation);

/* Set a text of `g` to a copy of `value`, in the place of what was there. 0 or -ENOMEM. */
int grants_text(char **at, const char *value);

/* Add the capabilities of a list (caps_parse()), or take them away. 0 or -EINVAL with `e`. */
int grants_caps(struct grants *g, const char *list, bool drop, struct err *e);

/* Read the words of a docker, podman, systemd-nspawn or bwrap line ("sudo", "env" and assignments
 * before it are passed over). 0; -EINVAL with `e` when it is no such line, or one that cannot be
 * read; -ENOMEM. */
int grants_of_line(const struct strv *words, struct grants *out, struct err *e);

/* Whether what it runs begins as root, who is the host's: not said otherwise, and no user namespace
 * that is known of. */
bool grants_has_root(const struct grants *g);

/* --- pieces, in files of their own: words[*at] is the first after the program's name --- */

/* docker and podman: run and create. */
int grants_docker(const struct strv *words, size_t at, struct grants *g, struct err *e);
int grants_nspawn(const struct strv *words, size_t at, struct grants *g, struct err *e);
int grants_bwrap(const struct strv *words, size_t at, struct grants *g, struct err *e);

/* One option of a command line: --name=value, --name value, -x value, -xvalue, and several short
 * ones without values together. */
struct line_opt {
	const char
		*name; /* long, without dashes; short ones have the long one's name; else one letter
			*/
	const char *value; /* NULL: it has none */
};

/* Which options take a value: words, and short=long pairs ("v=volume"), separated by blanks. */
struct line_opts {
	const char *valued;  /* long names with a value */
	const char *flags;   /* long names without */
	const char *letters; /* "e=env i=interactive ..." */
};

/* The next option at words->v[*at] (inside it at *letter, 0 at first), which are moved on. 1: there
 * is one; 0: the first word that is none; -EINVAL: its value is missing. An option that is in
 * neither list has no value, unless it is written with "=", and *known says so. */
int line_next(const struct strv *words, const struct line_opts *o, size_t *at, size_t *letter,
	      struct line_opt *out, bool *known, struct err *e);
