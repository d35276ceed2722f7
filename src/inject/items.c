#include "inject/items.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

void item_done(struct item *i)
{
	free(i->path);
	free(i->link);
	free(i->from);
	free(i->same);
	*i = (struct item){};
}

void items_done(struct items *l)
{
	for (size_t i = 0; i < l->n; i++)
		item_done(&l->v[i]);
	items_drop_parents(l);
	free(l->v);
	*l = (struct items){};
}

void items_drop_parents(struct items *l)
{
	for (size_t i = 0; i < l->n_parents; i++)
		free(l->parents[i].path);
	free(l->parents);
	l->parents = NULL;
	l->n_parents = 0;
}

struct item *items_push(struct items *l, struct item *i)
{
	if (l->n == l->size) {
		size_t size = l->size ? l->size * 2 : 64;
		struct item *v = reallocarray(l->v, size, sizeof(*v));

		if (!v) {
			item_done(i);
			return NULL;
		}
		l->v = v;
		l->size = size;
	}
	l->v[l->n] = *i;
	*i = (struct item){};
	return &l->v[l->n++];
}

size_t item_dir_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) : 0;
}

const char *item_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* As strcmp, but what is in a directory comes right behind it. */
static int path_order(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (*a == '/' ? 1 : (unsigned char)*a) - (*b == '/' ? 1 : (unsigned char)*b);
}

static int by_path(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int c = path_order(x->path, y->path);

	return c ? c : x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int by_path_only(const void *a, const void *b)
{
	return path_order(((const struct item *)a)->path, ((const struct item *)b)->path);
}

struct item *items_find(const struct items *l, const char *path)
{
	struct item key = {.path = (char *)path};

	return l->n ? bsearch(&key, l->v, l->n, sizeof(*l->v), by_path_only) : NULL;
}

void items_sort(struct items *l)
{
	size_t kept = 0;

	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), by_path);
	for (size_t i = 0; i < l->n; i++) {
		if (kept && str_eq(l->v[kept - 1].path, l->v[i].path))
			item_done(&l->v[i]);
		else
			l->v[kept++] = l->v[i];
	}
	l->n = kept;
	for (size_t i = 0; i < l->n; i++) {
		size_t len = item_dir_len(l->v[i].path);
		_cleanup_free_ char *dir = strndup(l->v[i].path, len);
		const struct item *up = len && dir ? items_find(l, dir) : NULL;

		l->v[i].graft = !up || up->kind != 'd';
	}
}

int items_add_parent(struct items *l, const char *path, struct timespec mtime)
{
	struct parent *v;

	for (size_t i = l->n_parents; i-- > 0;)
		if (str_eq(l->parents[i].path, path))
			return 0;
	v = reallocarray(l->parents, l->n_parents + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	l->parents = v;
	v[l->n_parents] = (struct parent){strdup(path), mtime};
	return v[l->n_parents].path ? (l->n_parents++, 0) : -ENOMEM;
}
