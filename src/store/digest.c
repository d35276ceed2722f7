#include "store/digest.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define PREFIX "sha256:"

void digest_init(struct digest *d)
{
	sha256_init(&d->ctx);
}

void digest_add(struct digest *d, const void *data, size_t len)
{
	sha256_update(&d->ctx, len, data);
}

void digest_text(struct digest *d, char out[DIGEST_TEXT])
{
	uint8_t raw[SHA256_DIGEST_SIZE];
	char *p = stpcpy(out, PREFIX);

	sha256_digest(&d->ctx, sizeof(raw), raw);
	for (size_t i = 0; i < sizeof(raw); i++, p += 2)
		snprintf(p, 3, "%02x", raw[i]);
}

bool digest_is(const char *s)
{
	return s && str_starts(s, PREFIX) && strlen(s) == DIGEST_TEXT - 1 &&
	       strspn(digest_hex(s), "0123456789abcdef") == DIGEST_HEX;
}

const char *digest_hex(const char *s)
{
	return s + sizeof(PREFIX) - 1;
}
