#include "sys/kmsg.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { RECORD_MAX = 8192 };

int kmsg_open(void)
{
	_cleanup_close_ int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || lseek(fd, 0, SEEK_END) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* The level and, above its three bits, who spoke: 0 is the kernel. */
static bool is_kernels(const char *record)
{
	return atoi(record) >> 3 == 0;
}

int kmsg_next(int fd, char *out, size_t size)
{
	char record[RECORD_MAX], *text;
	ssize_t n;

	do {
		n = read(fd, record, sizeof(record) - 1);
		if (n > 0)
			record[n] = '\0'; /* "6,1234,5678,-;text\n KEY=value\n" */
	} while (n < 0 ? errno == EINTR || errno == EPIPE : n > 0 && !is_kernels(record));
	if (n <= 0)
		return 0;
	text = strchr(record, ';');
	text = text ? text + 1 : record;
	text[strcspn(text, "\n")] = '\0';
	n = (ssize_t)strnlen(text, size - 1);
	memcpy(out, text, (size_t)n);
	out[n] = '\0';
	return 1;
}
