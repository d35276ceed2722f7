/* Which C library a root has: what a tool brought in may rely on. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/path.h"
#include "facts/parse.h"

enum { LIBC_MAX = 8 << 20 };

bool facts_glibc_version(const char *data, size_t len, char *out, size_t size)
{
	static const char mark[] = "GNU C Library ", word[] = " version ";
	const char *p = memmem(data, len, mark, sizeof(mark) - 1);
	const char *end = data + len;
	size_t n = 0;

	out[0] = '\0';
	if (!p)
		return false;
	if ((size_t)(end - p) > 200)
		end = p + 200;
	p = memmem(p, (size_t)(end - p), word, sizeof(word) - 1);
	if (!p)
		return false;
	p += sizeof(word) - 1;
	while (p + n < end && n + 1 < size && ((p[n] >= '0' && p[n] <= '9') || p[n] == '.'))
		n++;
	while (n && p[n - 1] == '.')
		n--;
	memcpy(out, p, n);
	out[n] = '\0';
	return n > 0;
}

static bool has_file(int root, const char *path)
{
	_cleanup_close_ int fd = path_open_in_root(root, path, O_PATH);

	return fd >= 0;
}

static bool has_any(int root, const char *const *paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (has_file(root, paths[i]))
			return true;
	return false;
}

int facts_libc_read(int root, struct facts_files *files)
{
	static const char *const musl[] = {
		"/lib/ld-musl-x86_64.so.1",	"/lib/ld-musl-aarch64.so.1",
		"/lib/ld-musl-i386.so.1",	"/lib/ld-musl-armhf.so.1",
		"/lib/ld-musl-riscv64.so.1",	"/lib/ld-musl-s390x.so.1",
		"/lib/ld-musl-powerpc64le.so.1"};
	static const char *const loader[] = {"/lib64/ld-linux-x86-64.so.2",
					     "/lib/ld-linux-aarch64.so.1",
					     "/lib/ld-linux.so.2",
					     "/lib/ld-linux-armhf.so.3",
					     "/lib/ld64.so.1",
					     "/lib64/ld64.so.2",
					     "/lib/ld-linux-riscv64-lp64d.so.1"};
	static const char *const libc[] = {"/lib/x86_64-linux-gnu/libc.so.6",
					   "/usr/lib/x86_64-linux-gnu/libc.so.6",
					   "/lib64/libc.so.6",
					   "/usr/lib/libc.so.6",
					   "/lib/aarch64-linux-gnu/libc.so.6",
					   "/lib/i386-linux-gnu/libc.so.6",
					   "/lib/arm-linux-gnueabihf/libc.so.6"};

	if (has_any(root, musl, ARRAY_LEN(musl)))
		files->libc = LIBC_MUSL;
	else if (has_any(root, loader, ARRAY_LEN(loader)))
		files->libc = LIBC_GLIBC;
	else
		files->libc = LIBC_NONE;
	for (size_t i = 0; files->libc == LIBC_GLIBC && i < ARRAY_LEN(libc); i++) {
		_cleanup_free_ char *data = NULL;
		size_t len;
		int r = path_read_in_root(root, libc[i], LIBC_MAX, &data, &len);

		if (r == -ENOMEM)
			return r;
		if (r == 0) {
			facts_glibc_version(data, len, files->libc_version,
					    sizeof(files->libc_version));
			break;
		}
	}
	return 0;
}
