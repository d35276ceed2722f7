#include "files/listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

void listing_done(struct listing *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].name);
		free(l->v[i].link);
	}
	free(l->v);
	*l = (struct listing){};
}

static bool is_mounted(int dir, const char *name)
{
	struct statx x;

	return statx(dir, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT, 0, &x) ==
		       0 &&
	       x.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT &&
	       x.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

int listing_add(struct listing *l, int dir, const char *name)
{
	char text[PATH_MAX];
	struct listed *e;

	if (l->n == l->size) {
		size_t size = l->size ? l->size * 2 : 64;
		void *v = reallocarray(l->v, size, sizeof(*l->v));

		if (!v)
			return -ENOMEM;
		l->v = v;
		l->size = size;
	}
	e = &l->v[l->n];
	*e = (struct listed){};
	if (fstatat(dir, name, &e->st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
		return -errno;
	e->name = strdup(name);
	if (!e->name)
		return -ENOMEM;
	l->n++;
	if (S_ISLNK(e->st.st_mode) && link_read_at(dir, name, text, sizeof(text)) >= 0)
		e->link = strdup(text);
	e->mounted = !S_ISLNK(e->st.st_mode) && is_mounted(dir, name);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct listed *)a)->name, ((const struct listed *)b)->name);
}

int listing_read(int fd, bool hidden, struct listing *out)
{
	_cleanup_dir_ DIR *d = dir_open(fd, ".");
	struct dirent *de;
	int r = 0;

	if (!d)
		return -errno;
	while (errno = 0, r != -ENOMEM && (de = dir_next(d))) {
		if (!hidden && *de->d_name == '.')
			continue;
		r = listing_add(out, fd, de->d_name);
		if (r < 0 && r != -ENOENT)
			out->failed++;
	}
	if (r == -ENOMEM || errno)
		return r == -ENOMEM ? r : -errno;
	if (out->n)
		qsort(out->v, out->n, sizeof(*out->v), by_name);
	return 0;
}

char *mode_text(mode_t mode, char out[11])
{
	static const char bits[] = "rwxrwxrwx";

	out[0] = S_ISREG(mode) ? '-' : kind_letter(mode);
	for (int i = 0; i < 9; i++)
		out[i + 1] = mode & (0400U >> i) ? bits[i] : '-';
	if (mode & S_ISUID)
		out[3] = mode & S_IXUSR ? 's' : 'S';
	if (mode & S_ISGID)
		out[6] = mode & S_IXGRP ? 's' : 'S';
	if (mode & S_ISVTX)
		out[9] = mode & S_IXOTH ? 't' : 'T';
	out[10] = '\0';
	return out;
}

const char *kind_name(mode_t mode)
{
	return S_ISREG(mode)	? "file"
	       : S_ISDIR(mode)	? "directory"
	       : S_ISLNK(mode)	? "link"
	       : S_ISFIFO(mode) ? "fifo"
	       : S_ISSOCK(mode) ? "socket"
	       : S_ISCHR(mode)	? "character device"
	       : S_ISBLK(mode)	? "block device"
				: "unknown";
}

char kind_letter(mode_t mode)
{
	return S_ISREG(mode)	? 'f'
	       : S_ISDIR(mode)	? 'd'
	       : S_ISLNK(mode)	? 'l'
	       : S_ISFIFO(mode) ? 'p'
	       : S_ISSOCK(mode) ? 's'
	       : S_ISCHR(mode)	? 'c'
	       : S_ISBLK(mode)	? 'b'
				: '?';
}
