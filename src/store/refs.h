/*
 * Names of images, as docker spells them: [HOST/]PATH[:TAG][@DIGEST].
 *
 * Layer: store, private to it (uses base). Bytes in, no I/O.
 */
#pragma once

#include <stdbool.h>

enum ref_match {
	REF_NO,
	REF_ID,	    /* the start of its id or digest */
	REF_SUFFIX, /* the same but for a HOST/ that was left out */
	REF_SAME,   /* docker.io/, library/ and :latest implied */
};

/* How `want` (typed) means the image called `have`. Digests are not compared here: NAME@DIGEST
 * means every NAME, whatever its tag. */
enum ref_match ref_match(const char *have, const char *want);

/* Whether `want` is `digest`, its digits, or the start of them. */
bool ref_is_id(const char *digest, const char *want);

/* The digest in NAME@DIGEST, borrowed, or NULL. */
const char *ref_digest(const char *ref);

/* As a person would type it: without docker.io/, library/. Borrowed from `ref`. */
const char *ref_short(const char *ref);

/* The machine we run on, as images spell it (amd64). Static; as the kernel spells it when images
 * have no word for it. */
const char *ref_host_arch(void);
