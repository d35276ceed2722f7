/*
 * What the readers of storages fill a store with, whichever engine it comes from.
 *
 * Layer: store, private to it.
 */
#pragma once

#include "store/storage.h"

/* One mount, as an engine tells of it; borrowed. */
struct fill_mount {
	const char *dest; /* inside; what a session makes itself (/proc, /sys, /dev) is left out */
	const char *source;  /* NULL: a tmpfs */
	const char *shown;   /* for people; NULL: the source */
	const char *options; /* of a tmpfs, "size=64k,noexec"; NULL: none told */
	bool ro, ids_inside;
	bool remade; /* the engine makes a source that is not there, at each start */
	bool own;    /* the engine makes it at each start: left out while it is not there */
};

/* Add a mount; its source is a path of the host, opened below r->root_fd, `missing` when it is not
 * there. A destination that is not absolute, or the root itself, is left out. Of mounts at one
 * place the last one holds. 0, or -errno with `e`. */
int fill_mount(const struct target_roots *r, const struct fill_mount *m, struct store *out,
	       struct err *e);

/* Add a directory of the host as the next layer, found below r->root_fd by any links. 0; -ENOENT,
 * -EBADMSG (it is no directory), with `e`. */
int fill_directory(const struct target_roots *r, const char *path, struct store *out,
		   struct err *e);

/* Put the mounts into an order in which none hides another: docker's, fewest components first. */
void fill_sort_mounts(struct store *s);

/* Names and kind: `kind` as printf. 0 or -ENOMEM. */
int fill_names(struct store *s, const struct target *t, const char *kind, ...)
	__attribute__((format(printf, 3, 4)));

/* What engines add to the environment, where it has no such variable: before the others. 0 or
 * -ENOMEM. */
int fill_env_default(struct strv *env, const char *key, const char *value);

/* See in the command whether it was written as one string: /bin/sh -c TEXT. */
void fill_shell_form(struct store_config *c);

/* The mask of an array of names; unknown ones are passed over. "ALL" is every one. */
uint64_t fill_caps(json_t *names);

extern const char fill_default_path[]; /* PATH of containers whose image says nothing of it */
