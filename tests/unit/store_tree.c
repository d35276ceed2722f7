#include "store_tree.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void overlay_layer(struct tree *t, const char *dir, const char *id, const char *name,
		   const char *lower)
{
	char path[256], to[128];

	snprintf(path, sizeof(path), "%s/%s/diff/at-%s", dir, id, id);
	tree_puts(t, path, "x");
	snprintf(path, sizeof(path), "%s/%s/link", dir, id);
	tree_puts(t, path, "%s", name);
	snprintf(path, sizeof(path), "%s/%s/lower", dir, id);
	if (lower)
		tree_puts(t, path, "%s", lower);
	snprintf(path, sizeof(path), "%s/l/%s", dir, name);
	snprintf(to, sizeof(to), "../%s/diff", id);
	tree_link(t, path, to);
}

void docker_tree(struct tree *t, const char *data, const char *config, const char *host)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/containers/" DOCKER_ID "/config.v2.json", data);
	tree_puts(t, path, "%s", config);
	snprintf(path, sizeof(path), "%s/containers/" DOCKER_ID "/hostconfig.json", data);
	if (host)
		tree_puts(t, path, "%s", host);
	snprintf(path, sizeof(path), "%s/image/overlay2/layerdb/mounts/" DOCKER_ID "/mount-id",
		 data);
	tree_puts(t, path, "top");
	snprintf(path, sizeof(path), "%s/overlay2", data);
	overlay_layer(t, path, "top", "TTTT", "l/IIII:l/MMMM:l/LLLL");
	overlay_layer(t, path, "top-init", "IIII", "l/MMMM:l/LLLL");
	overlay_layer(t, path, "mid", "MMMM", "l/LLLL");
	overlay_layer(t, path, "low", "LLLL", NULL);
}

int read_store(struct tree *t, const char *engine, const char *id, const char *state_file,
	       const char *bundle, uid_t owner, struct store *s, struct err *e)
{
	struct target target = TARGET_INIT;

	target.engine = engine;
	target.id = (char *)(uintptr_t)id;
	target.name = (char *)(uintptr_t) "web";
	target.state_file = (char *)(uintptr_t)state_file;
	target.data = (char *)(uintptr_t) "/var/lib/containerd";
	target.bundle = (char *)(uintptr_t)bundle;
	target.owner_uid = owner;
	*e = (struct err){};
	return store_of_target(&t->roots, &target, s, e);
}

static void put16(char *p, uint16_t v)
{
	v = htole16(v);
	memcpy(p, &v, sizeof(v));
}

static void put32(char *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

static void put64(char *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}

/* The page (header and elements) of pairs[from..to) below what is `depth` bytes into their keys. */
static void page_of(struct buf *out, const char *const pairs[][2], size_t from, size_t to,
		    size_t depth)
{
	struct buf data = {};
	char head[16] = {};
	size_t n = 0;

	for (size_t i = from; i < to; n++) {
		size_t len = strcspn(pairs[i][0] + depth, "|");

		for (i++; i < to && strncmp(pairs[i][0], pairs[i - 1][0], depth + len) == 0 &&
			  pairs[i][0][depth + len] == '|';
		     i++)
			;
	}
	put16(head + 8, 2); /* a leaf */
	put16(head + 10, (uint16_t)n);
	buf_add(out, head, sizeof(head));
	for (size_t i = from, k = 0; k < n; k++) {
		const char *key = pairs[i][0] + depth;
		size_t len = strcspn(key, "|"), first = i, before = data.len;
		bool bucket = key[len] == '|';
		char element[16] = {};

		for (i++; i < to && bucket && strncmp(pairs[i][0] + depth, key, len + 1) == 0; i++)
			;
		put32(element, bucket);
		put32(element + 4, (uint32_t)((n - k) * sizeof(element) + before));
		put32(element + 8, (uint32_t)len);
		buf_add(&data, key, len);
		if (bucket) {
			char none[16] = {};

			buf_add(&data, none, sizeof(none));
			page_of(&data, pairs, first, i, depth + len + 1);
		} else {
			buf_puts(&data, pairs[first][1]);
		}
		put32(element + 12, (uint32_t)(data.len - before - len));
		buf_add(out, element, sizeof(element));
	}
	buf_add(out, data.data, data.len);
	buf_done(&data);
}

void bolt_put(struct tree *t, const char *path, const char *const pairs[][2])
{
	enum { PAGE = 32768 };
	struct buf page = {};
	char *file = calloc(2, PAGE);
	uint64_t h = 0xcbf29ce484222325u;
	size_t n = 0;

	while (pairs[n][0])
		n++;
	put16(file + 8, 4); /* meta page 0; the other one is not there */
	put32(file + 16, 0xED0CDAED);
	put32(file + 20, 2);
	put32(file + 24, PAGE);
	put64(file + 32, 1); /* root */
	for (size_t i = 0; i < 56; i++)
		h = (h ^ (unsigned char)file[16 + i]) * 0x100000001b3u;
	put64(file + 72, h);
	page_of(&page, pairs, 0, n, 0);
	memcpy(file + PAGE, page.data, page.len);
	put64(file + PAGE, 1); /* its number */
	tree_put(t, path, file, (size_t)2 * PAGE);
	buf_done(&page);
	free(file);
}
