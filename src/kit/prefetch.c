/* Reading ahead: every mount of the image is a file system of its own that starts with nothing in
 * memory, and a program that faults its pages in one by one pays for each. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kit/kit.h"

#if defined(__x86_64__)
#define TRIPLET "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define TRIPLET "aarch64-linux-gnu"
#else
#define TRIPLET ""
#endif

/* One readahead(2) reads no more than the device's window, most often 128 KiB. */
enum { AHEAD_MAX = 2 << 20, WINDOW = 128 << 10 };

static void ahead(int mnt, const char *path)
{
	_cleanup_close_ int fd = openat(mnt, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	for (off_t at = 0; at < st.st_size && at < AHEAD_MAX; at += WINDOW)
		readahead(fd, at, WINDOW);
}

void kit_prefetch(int mnt, const char *program)
{
	static const char *const always[] = {"ld.so", "ld.cache", "l/" TRIPLET "/libc.so.6"};
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "b/%s", program) >= (int)sizeof(path))
		return;
	ahead(mnt, path);
	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		ahead(mnt, always[i]);
}
