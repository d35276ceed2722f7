/*
 * SHA-256 as images spell it: "sha256:" and 64 hex digits.
 *
 * Layer: store (nettle).
 */
#pragma once

#include <nettle/sha2.h>
#include <stdbool.h>
#include <stddef.h>

enum { DIGEST_HEX = 64, DIGEST_TEXT = 7 + DIGEST_HEX + 1 };

struct digest {
	struct sha256_ctx ctx;
};

/* Begin; take in `len` bytes more. */
void digest_init(struct digest *d);
void digest_add(struct digest *d, const void *data, size_t len);
/* The text of all that was added, NUL-terminated; the digest starts again. */
void digest_text(struct digest *d, char out[DIGEST_TEXT]);

/* Whether the text is a digest of the one kind we know, so that its digits may become a file's
 * name. */
bool digest_is(const char *s);
/* The digits of a digest that is one. */
const char *digest_hex(const char *s);
