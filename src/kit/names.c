#include "kit/names.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"

/* First match wins: longer before shorter. */
static const struct place {
	const char *dir, *kit;
} places[] = {
	{"/lib/terminfo/", "s/terminfo/"}, /* Debian keeps the common terminals apart */
	{"/usr/libexec/", "x/"},
	{"/usr/lib64/", "l/"},
	{"/usr/lib/", "l/"},
	{"/lib64/", "l/"},
	{"/lib/", "l/"},
	{"/usr/bin/", "b/"},
	{"/usr/sbin/", "b/"},
	{"/bin/", "b/"},
	{"/sbin/", "b/"},
	{"/usr/games/", "b/"},
	{"/usr/share/", "s/"},
	{"/etc/", "e/"},
};

/* Directories the target has as well: a path below them is ours only when it is in the kit. */
static const char *const shared[] = {"b", "l", "s", "x", "e", "s/doc", "s/man", "s/info"};

void names_done(struct names *n)
{
	for (size_t i = 0; i < n->size; i++)
		free(n->slot[i]);
	free(n->slot);
	*n = (struct names){};
}

static size_t hash(const char *s, size_t len)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)s[i]) * 0x100000001b3;
	return (size_t)(h ^ h >> 29);
}

/* The slot that holds this name or would. */
static size_t find(const struct names *n, const char *s, size_t len)
{
	size_t i = hash(s, len) & (n->size - 1);

	while (n->slot[i] && (strncmp(n->slot[i], s, len) != 0 || n->slot[i][len]))
		i = (i + 1) & (n->size - 1);
	return i;
}

static int grow(struct names *n)
{
	struct names big = {.size = n->size ? n->size * 2 : 4096, .n = n->n};

	big.slot = calloc(big.size, sizeof(*big.slot));
	if (!big.slot)
		return -ENOMEM;
	for (size_t i = 0; i < n->size; i++)
		if (n->slot[i])
			big.slot[find(&big, n->slot[i], strlen(n->slot[i]))] = n->slot[i];
	free(n->slot);
	n->slot = big.slot;
	n->size = big.size;
	return 0;
}

int names_add(struct names *n, const char *kit_path)
{
	size_t i;

	if (n->n * 2 >= n->size && grow(n) < 0)
		return -ENOMEM;
	i = find(n, kit_path, strlen(kit_path));
	if (n->slot[i])
		return 0;
	n->slot[i] = strdup(kit_path);
	if (!n->slot[i])
		return -ENOMEM;
	n->n++;
	return 0;
}

bool names_has(const struct names *n, const char *kit_path, size_t len)
{
	return n->size && n->slot[find(n, kit_path, len)];
}

static int collect(struct names *n, int dirfd, const char *prefix, unsigned depth)
{
	_cleanup_dir_ DIR *d = dir_open(dirfd, *prefix ? prefix : ".");
	struct dirent *de;

	if (!d)
		return -errno;
	while ((de = dir_next(d))) {
		_cleanup_free_ char *path = NULL;
		int r;

		path = str_fmt("%s%s%s", prefix, *prefix ? "/" : "", de->d_name);
		if (!path)
			return -ENOMEM;
		r = names_add(n, path);
		if (r == 0 && de->d_type == DT_DIR)
			r = depth ? collect(n, dirfd, path, depth - 1) : -ELOOP;
		if (r < 0)
			return r;
		if (str_starts(path, "l/") && str_ends(path, "-linux-gnu") &&
		    !strchr(path + 2, '/') && !n->triplet[0])
			snprintf(n->triplet, sizeof(n->triplet), "%s", path + 2);
	}
	return 0;
}

int names_collect(struct names *n, int dirfd, struct err *e)
{
	int r = collect(n, dirfd, "", 32);

	return r < 0 ? err_set(e, r, "cannot read the unpacked packages") : 0;
}

size_t names_place(const char *path, size_t len, char *out)
{
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		const struct place *p = &places[i];
		size_t n = strlen(p->dir), k = strlen(p->kit);

		if (len < n - 1 || strncmp(path, p->dir, n - 1) != 0)
			continue;
		if (len > n - 1 && path[n - 1] != '/')
			continue;
		/* "/usr/lib" itself is "l" */
		while (n < len && path[n] == '/')
			n++;
		if (len <= n) {
			memcpy(out, p->kit, k - 1);
			out[k - 1] = '\0';
			return k - 1;
		}
		if (k + len - n >= NAMES_PATH_MAX)
			return 0;
		memcpy(out, p->kit, k);
		memcpy(out + k, path + n, len - n);
		out[k + len - n] = '\0';
		return k + len - n;
	}
	return 0;
}

static bool is_shared(const struct names *n, const char *kit_path, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(shared); i++)
		if (strlen(shared[i]) == len && memcmp(shared[i], kit_path, len) == 0)
			return true;
	return n->triplet[0] && len == strlen(n->triplet) + 2 && str_starts(kit_path, "l/") &&
	       memcmp(kit_path + 2, n->triplet, len - 2) == 0;
}

size_t names_owned(const struct names *n, const char *path, size_t len, char *out)
{
	size_t k = names_place(path, len, out), end = k;

	while (end > 1 && out[end - 1] == '/')
		end--;
	if (!memchr(out, '/', end))
		return 0; /* /usr/bin and the like: everybody's */
	if (names_has(n, out, end))
		return k;
	while (end > 1 && out[end - 1] != '/')
		end--;
	while (end > 1 && out[end - 1] == '/')
		end--;
	return !is_shared(n, out, end) && names_has(n, out, end) ? k : 0;
}

int names_relative(const char *from, const char *to, char *out)
{
	size_t same = 0, o = 0, len = strlen(to);

	for (size_t i = 0; from[i] && from[i] == to[i]; i++)
		if (from[i] == '/')
			same = i + 1;
	for (const char *p = strchr(from + same, '/'); p; p = strchr(p + 1, '/')) {
		if (o + 3 >= NAMES_PATH_MAX)
			return -ENAMETOOLONG;
		memcpy(out + o, "../", 3);
		o += 3;
	}
	if (o + len - same >= NAMES_PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(out + o, to + same, len - same + 1);
	return 0;
}

int names_join(const char *base, const char *rel, char *out)
{
	_cleanup_free_ char *all = str_fmt("%s/%s", base ? base : "", rel);
	size_t o = 0;

	for (const char *p = all; p && *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.') {
			while (o > 0 && out[--o] != '/')
				;
		} else if (n && !(n == 1 && *p == '.')) {
			if (o + n + 2 > NAMES_PATH_MAX)
				return -ENAMETOOLONG;
			out[o++] = '/';
			memcpy(out + o, p, n);
			o += n;
		}
		p += n + (p[n] == '/');
	}
	if (!all)
		return -ENOMEM;
	if (o == 0)
		out[o++] = '/';
	out[o] = '\0';
	return 0;
}
