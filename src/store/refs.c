#include "store/refs.h"

#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "store/digest.h"

/* Parts of a name, all borrowed. */
struct parts {
	const char *host, *path, *tag;
	size_t n_host, n_path, n_tag;
};

static struct parts split(const char *ref)
{
	size_t n = strcspn(ref, "@");
	const char *slash = memchr(ref, '/', n), *colon;
	struct parts p = {.path = ref, .n_path = n};
	size_t first = slash ? (size_t)(slash - ref) : 0;

	/* the first component is a host when it could not be a path */
	if (slash && (memchr(ref, '.', first) || memchr(ref, ':', first) ||
		      (first == 9 && memcmp(ref, "localhost", 9) == 0))) {
		p.host = ref;
		p.n_host = first;
		p.path = slash + 1;
		p.n_path = n - first - 1;
	}
	colon = memrchr(p.path, ':', p.n_path);
	if (colon && !memchr(colon, '/', (size_t)(p.path + p.n_path - colon))) {
		p.tag = colon + 1;
		p.n_tag = (size_t)(p.path + p.n_path - p.tag);
		p.n_path = (size_t)(colon - p.path);
	}
	return p;
}

/* Docker's own host and its library/ are left out. */
static void shorten(struct parts *p)
{
	if (p->host && ((p->n_host == 9 && memcmp(p->host, "docker.io", 9) == 0) ||
			(p->n_host == 15 && memcmp(p->host, "index.docker.io", 15) == 0)))
		p->host = NULL;
	if (!p->host && p->n_path > 8 && memcmp(p->path, "library/", 8) == 0) {
		p->path += 8;
		p->n_path -= 8;
	}
}

static bool same(const char *a, size_t n, const char *b, size_t m)
{
	return n == m && memcmp(a, b, n) == 0;
}

static bool same_tag(const struct parts *have, const struct parts *want, bool any)
{
	static const char latest[] = "latest";

	if (any && !want->tag)
		return true;
	return same(have->tag ?: latest, have->tag ? have->n_tag : 6, want->tag ?: latest,
		    want->tag ? want->n_tag : 6);
}

enum ref_match ref_match(const char *have, const char *want)
{
	struct parts h = split(have), w = split(want);
	bool host = w.host;

	shorten(&h);
	shorten(&w);
	if (w.n_path == 0 || !same_tag(&h, &w, ref_digest(want)))
		return REF_NO;
	if (same(h.path, h.n_path, w.path, w.n_path) && !h.host == !w.host &&
	    (!h.host || same(h.host, h.n_host, w.host, w.n_host)))
		return REF_SAME;
	if (host || h.n_path < w.n_path ||
	    memcmp(h.path + h.n_path - w.n_path, w.path, w.n_path) != 0)
		return REF_NO;
	return h.n_path == w.n_path || h.path[h.n_path - w.n_path - 1] == '/' ? REF_SUFFIX : REF_NO;
}

bool ref_is_id(const char *digest, const char *want)
{
	const char *hex = digest_is(digest) ? digest_hex(digest) : digest;

	if (str_starts(want, "sha256:"))
		want = digest_hex(want);
	return *want && strspn(want, "0123456789abcdef") == strlen(want) && str_starts(hex, want);
}

const char *ref_digest(const char *ref)
{
	const char *at = strchr(ref, '@');

	return at ? at + 1 : NULL;
}

const char *ref_short(const char *ref)
{
	struct parts p = split(ref);

	shorten(&p);
	return p.host ?: p.path;
}

const char *ref_host_arch(void)
{
	static const char *const words[][2] = {
		{"x86_64", "amd64"}, {"aarch64", "arm64"},
		{"i386", "386"},     {"i486", "386"},
		{"i586", "386"},     {"i686", "386"},
		{"armv6l", "arm"},   {"armv7l", "arm"},
		{"armv8l", "arm"},   {"loongarch64", "loong64"},
	};
	static struct utsname u;

	if (uname(&u) < 0)
		return "";
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_eq(u.machine, words[i][0]))
			return words[i][1];
	return u.machine;
}
