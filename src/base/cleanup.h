/*
 * Ownership on sight: one resource a line, released when its name goes out of scope.
 *
 * Layer: base (libc only). `_cleanup_close_ int fd = -EBADF;`, `return TAKE_FD(fd);`. No goto.
 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f)	__attribute__((cleanup(f)))
#define _cleanup_close_ _cleanup_(cleanup_close)
#define _cleanup_free_	_cleanup_(cleanup_free)
#define _cleanup_dir_	_cleanup_(cleanup_dir)
#define _cleanup_file_	_cleanup_(cleanup_file)
#define ARRAY_LEN(a)	(sizeof(a) / sizeof((a)[0]))

/* close(2) that keeps errno; negative descriptors are ignored. */
static inline void cleanup_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}

static inline void cleanup_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

/* Hand the descriptor over: yields it and leaves -EBADF behind. */
#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int *_p = &(fd);                                                                   \
		int _v = *_p;                                                                      \
		*_p = -EBADF;                                                                      \
		_v;                                                                                \
	})

/* Hand the pointer over: yields it and leaves NULL behind. */
#define TAKE_PTR(ptr)                                                                              \
	({                                                                                         \
		__auto_type _p = &(ptr);                                                           \
		__auto_type _v = *_p;                                                              \
		*_p = NULL;                                                                        \
		_v;                                                                                \
	})
