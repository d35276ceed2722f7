/*
 * What a verb is about: something that runs, or the files of what does not.
 *
 * Layer: cmd.
 */
#pragma once

#include "store/store.h"
#include "target/target.h"

struct subject {
	struct target t;    /* pinned when it runs; else who it is */
	struct store store; /* empty when it runs */
	bool runs;
	bool image; /* an image, archive or directory: no container */
};

#define SUBJECT_INIT	  ((struct subject){.t = TARGET_INIT, .store = STORE_INIT})
#define _cleanup_subject_ _cleanup_(subject_done)
void subject_done(struct subject *s);

/* Find what `spec` names: a container as target_resolve() finds it, whether it runs or not; an
 * image (image://REF); an archive or directory of the host (DIR/, ./FILE, and FILE when no
 * container is called so; FILE:NAME is the image NAME of several in it), which is unpacked to
 * memory, with a count on standard error when that is a terminal. 0 or -errno with `e`. */
int subject_open(const struct target_roots *r, const char *spec, struct subject *s, struct err *e);

/* The image that a container was made of, into an empty store; which stays so where it is not
 * found. */
void subject_image(const struct target_roots *r, const struct target *t, struct store *image);

/* What a container of it runs, as docker run has it: the words typed follow the image's entry point
 * (or the `entrypoint` asked for), and replace its own arguments. `config` NULL: no image. What has
 * no words then and goes to the background, where nobody can type, sleeps. 0 or -ENOMEM. */
int subject_argv(const struct store_config *config, const char *entrypoint, bool background,
		 int argc, char **argv, struct strv *out);

/* The files of an image, archive or directory that is named as --image takes it: as above, and
 * without image:// too. */
int subject_open_image(const struct target_roots *r, const char *spec, struct subject *s,
		       struct err *e);
