/* Reading ahead: every mount of the image is a file system of its own that starts with nothing in
 * memory, and a program that faults its pages in one window after the other pays for each, and for
 * more than it needs. The kit's own list tells which pages a program's start touches. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "kit/kit.h"

enum { PAGE = 4096, LIST_MAX = 64 << 10, PAGES_MAX = 8192 };

/* "A-B A-B ..." of one file. The list is a kit's, so numbers are bounded: at most 32 MiB in all. */
static void read_pages(int fd, const char *ranges, long *budget)
{
	while (*budget > 0) {
		char *end;
		long a = strtol(ranges, &end, 10), b;

		if (end == ranges || *end != '-')
			return;
		b = strtol(end + 1, &end, 10);
		if (a < 0 || b < a || b - a >= *budget)
			return;
		readahead(fd, (off_t)a * PAGE, (size_t)(b - a + 1) * PAGE);
		*budget -= b - a + 1;
		ranges = end;
	}
}

/* Every line that starts with `program` and a blank. Returns how many there were. */
static int read_lines(int mnt, const char *list, const char *program)
{
	long budget = PAGES_MAX;
	size_t n = strlen(program);
	int found = 0;

	for (const char *p = list; p && *p; p = strchr(p, '\n')) {
		_cleanup_close_ int fd = -EBADF;
		char path[256];
		size_t len;

		p += *p == '\n';
		if (strncmp(p, program, n) != 0 || p[n] != ' ')
			continue;
		len = strcspn(p + n + 1, " \n");
		if (len >= sizeof(path))
			continue;
		memcpy(path, p + n + 1, len);
		path[len] = '\0';
		found++;
		fd = openat(mnt, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			read_pages(fd, p + n + 1 + len, &budget);
	}
	return found;
}

/* What it is called in the kit's b/. */
static const char *name_in_kit(const char *program, bool root)
{
	static const char *const dirs[] = {KIT_BIN "/", "/bin/", "/usr/bin/", "/sbin/",
					   "/usr/sbin/"};

	for (size_t i = 0; i < (root ? ARRAY_LEN(dirs) : 1); i++)
		if (str_starts(program, dirs[i]))
			return program + strlen(dirs[i]);
	return program;
}

void kit_prefetch(int mnt, const char *program, bool root)
{
	_cleanup_free_ char *list = NULL;

	program = name_in_kit(program, root);
	if (strchr(program, '/') || file_read_at(mnt, KIT_HOT, LIST_MAX, &list, NULL) < 0)
		return;
	if (read_lines(mnt, list, program) == 0)
		read_lines(mnt, list, "*");
}
