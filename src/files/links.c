#include "files/links.h"

#include <stdlib.h>
#include <string.h>

void links_done(struct links *l)
{
	for (size_t i = 0; i < l->size; i++)
		free(l->v[i].path);
	free(l->v);
	*l = (struct links){};
}

/* The row of a file, or the free one that it would have. `size` is a power of 2, and not full. */
static size_t row_of(const struct links_row *v, size_t size, dev_t dev, ino_t ino)
{
	size_t i = (size_t)((ino ^ dev * 31) * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (size - 1);

	while (v[i].path && (v[i].ino != ino || v[i].dev != dev))
		i = (i + 1) & (size - 1);
	return i;
}

static int grow(struct links *l)
{
	size_t size = l->size ? l->size * 2 : 64;
	struct links_row *v = calloc(size, sizeof(*v));

	if (!v)
		return -1;
	for (size_t i = 0; i < l->size; i++)
		if (l->v[i].path)
			v[row_of(v, size, l->v[i].dev, l->v[i].ino)] = l->v[i];
	free(l->v);
	l->v = v;
	l->size = size;
	return 0;
}

const char *links_find(const struct links *l, dev_t dev, ino_t ino)
{
	return l->size ? l->v[row_of(l->v, l->size, dev, ino)].path : NULL;
}

void links_add(struct links *l, dev_t dev, ino_t ino, const char *path)
{
	struct links_row *row;
	char *copy;

	if (l->n >= LINKS_MAX || (l->n * 2 >= l->size && grow(l) < 0))
		return;
	copy = strdup(path);
	if (!copy)
		return;
	row = &l->v[row_of(l->v, l->size, dev, ino)];
	l->n += !row->path;
	free(row->path);
	*row = (struct links_row){.dev = dev, .ino = ino, .path = copy};
}
