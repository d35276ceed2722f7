#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "kit/finish.h"
#include "kit/kit.h"

/* A line of the list is worth having when its file is in the kit. */
static bool is_about(int rootfd, const char *line, size_t len)
{
	const char *sp = memchr(line, ' ', len);
	char path[NAMES_PATH_MAX];
	size_t n;

	if (!sp || *line == '#')
		return false;
	n = strcspn(sp + 1, " \n");
	if (n >= sizeof(path))
		return false;
	memcpy(path, sp + 1, n);
	path[n] = '\0';
	return faccessat(rootfd, path, F_OK, 0) == 0;
}

int finish_hot(int rootfd, struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	_cleanup_buf_ struct buf text = {};
	int r;

	for (const char *line = rules_text_hot; *line;) {
		size_t len = strcspn(line, "\n");

		if (is_about(rootfd, line, len)) {
			buf_add(&text, line, len);
			buf_putc(&text, '\n');
		}
		line += len + (line[len] == '\n');
	}
	if (!text.len)
		return 0;
	fd = openat(rootfd, KIT_HOT, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	r = fd < 0 ? -errno : text.oom ? -ENOMEM : fd_write_all(fd, text.data, text.len);
	return r < 0 ? err_set(e, r, "cannot write the kit's list of what to read ahead") : 0;
}
