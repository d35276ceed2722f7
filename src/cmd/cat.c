/* porthole cat: what is in a target's files. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "cli/cli.h"
#include "cmd/progress.h"
#include "cmd/spot.h"
#include "files/data.h"

struct cat_opts {
	bool force, raw;
};

static const char *kind_of(mode_t mode)
{
	return S_ISDIR(mode)	? "a directory"
	       : S_ISCHR(mode)	? "a character device"
	       : S_ISBLK(mode)	? "a block device"
	       : S_ISFIFO(mode) ? "a FIFO"
	       : S_ISSOCK(mode) ? "a socket"
				: "no regular file";
}

static int refuse(const struct spot *s, mode_t mode, struct err *e)
{
	_cleanup_free_ char *path = str_printable_dup(s->at.path);

	err_say(e, EINVAL, "%s in '%s' is %s", path ? path : "it", s->place.label, kind_of(mode));
	if (S_ISDIR(mode))
		err_hint(e, "porthole ls %s:%s", s->place.label, path ? path : "");
	else if (!S_ISSOCK(mode))
		err_hint(e, "reading it may wait, or do something; --force reads it all the same");
	return -EINVAL;
}

/* A FIFO, a device: until its end, or ours. */
static int pour(int fd, struct err *e)
{
	struct meter m = {.tick = progress_tick};
	char buf[65536];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		int r = n > 0 ? fd_write_all(STDOUT_FILENO, buf, (size_t)n) : 0;

		if (r < 0)
			return err_set(e, r, "writing to standard output");
		if (n < 0 && errno != EINTR)
			return err_set(e, errno, "reading");
		if (progress_tick(&m) < 0)
			return 0;
	}
	return 0;
}

static int open_forced(int path, mode_t mode, struct err *e)
{
	char self[40];
	int fd;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", path);
	fd = S_ISSOCK(mode) ? (errno = ENXIO, -1) : open(self, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? err_set(e, errno, "opening") : fd;
}

/* On a terminal: lines, whose control bytes it must not act upon. */
static int show_text(int fd, struct err *e)
{
	static char line[16384], safe[4 * sizeof(line) + 1];
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 || len) {
		char *nl = memchr(line, '\n', len);
		size_t take;

		if (!nl && n > 0 && len < sizeof(line)) {
			n = read(fd, line + len, sizeof(line) - len);
			len += n > 0 ? (size_t)n : 0;
			continue;
		}
		take = nl ? (size_t)(nl - line) : len;
		for (size_t at = 0; at < take;) { /* tabs are as they are */
			char *tab = memchr(line + at, '\t', take - at);
			size_t part = tab ? (size_t)(tab - line) - at : take - at;

			str_printable(line + at, part, safe, sizeof(safe));
			printf("%s%s", safe, tab ? "\t" : "");
			at += part + !!tab;
		}
		if (nl)
			putchar('\n');
		take += !!nl;
		memmove(line, line + take, len - take);
		len -= take;
	}
	return n < 0 ? err_set(e, errno, "reading") : 0;
}

static int print(const struct spot *s, const struct cat_opts *o, struct err *e)
{
	_cleanup_close_ int path = place_open(&s->place, s->at.path, O_PATH), fd = -EBADF;
	struct meter m = {.tick = progress_tick};
	bool reading = false;
	struct stat st;
	int64_t n;

	if (path < 0 || fstat(path, &st) < 0)
		return place_err(&s->place, path < 0 ? path : -errno, "cannot open", s->at.path, e);
	if (!S_ISREG(st.st_mode) && (S_ISDIR(st.st_mode) || !o->force))
		return refuse(s, st.st_mode, e);
	fd = S_ISREG(st.st_mode) ? path_reopen(path) : open_forced(path, st.st_mode, e);
	if (fd < 0)
		return place_err(&s->place, fd, "cannot read", s->at.path, e);
	if (isatty(STDOUT_FILENO) && !o->raw)
		return show_text(fd, e);
	if (!S_ISREG(st.st_mode))
		return pour(fd, e);
	n = data_cat(fd, STDOUT_FILENO, &m, &reading);
	if (n >= 0 || n == -ECANCELED)
		return 0;
	return reading ? place_err(&s->place, (int)n, "reading", s->at.path, e)
		       : err_set(e, (int)n, "writing to standard output");
}

static int cat_one(const struct target_roots *roots, const char *arg, const struct cat_opts *o,
		   struct err *e)
{
	_cleanup_spot_ struct spot s = SPOT_INIT;
	int r = spot_of_target(roots, arg, &s, e);

	return r < 0 ? r : print(&s, o, e);
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	int r = target_roots_open(&roots, e), sig = 0;

	(void)ctx;
	progress_begin(true);
	for (int i = 0; i < argc && r == 0; i++) {
		r = cat_one(&roots, argv[i], opts, e);
		sig = progress_end();
		if (sig)
			return 128 + sig;
	}
	return r;
}

static const struct opt options[] = {
	{OPT_FLAG, offsetof(struct cat_opts, force), 'f', "force", NULL,
	 "read FIFOs and devices too", NULL},
	{OPT_FLAG, offsetof(struct cat_opts, raw), 0, "raw", NULL,
	 "on a terminal too, print bytes as they are", NULL},
	{},
};

const struct verb verb_cat = {
	.name = "cat",
	.args = "TARGET:PATH...",
	.summary = "Print files of a container",
	.details = "Links are resolved inside the target and never lead out of it. The target may "
		   "be running, stopped, an image\n"
		   "or an archive, and needs no tool. On a terminal, control characters are shown "
		   "as \\xNN, since a file may\n"
		   "hold anything; into a pipe or file go the bytes themselves.",
	.examples = "  porthole cat web:/etc/os-release\n"
		    "  porthole cat web:/var/log/app.log | grep -i error\n"
		    "  porthole cat image://busybox:/etc/passwd\n",
	.opts = options,
	.opts_size = sizeof(struct cat_opts),
	.complete = COMPLETE_PATH,
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
