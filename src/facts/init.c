/* The first process: what it runs, since when, and what holds it up. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "base/path.h"
#include "elf/head.h"
#include "facts/facts.h"
#include "facts/parse.h"
#include "sys/proc.h"

enum { ARGS_MAX = 1 << 17 };

static int argv_read(int proc_fd, struct strv *argv)
{
	_cleanup_close_ int fd = openat(proc_fd, "cmdline", O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = malloc(ARGS_MAX);
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (!text)
		return -ENOMEM;
	n = read(fd, text, ARGS_MAX - 1); /* the start is enough */
	if (n < 0)
		return -errno;
	text[n] = '\0';
	for (char *p = text; p < text + n; p += strlen(p) + 1)
		if (strv_add(argv, p) < 0)
			return -ENOMEM;
	return 0;
}

/* A link of /proc/PID: where it leads inside. */
static char *link_inside(int proc_fd, const char *name)
{
	char link[4096];

	return link_read_at(proc_fd, name, link, sizeof(link)) < 0 ? NULL : strdup(link);
}

/* Cut the kernel's " (deleted)" off; a file that is really so named is still there. (The link count
 * does not tell: overlay keeps that of the layer below.) */
static void exe_check(int proc_fd, struct facts_init *i)
{
	static const char mark[] = " (deleted)";
	_cleanup_close_ int root = openat(proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int fd = -EBADF;

	if (!i->exe || !str_ends(i->exe, mark) || root < 0)
		return;
	fd = path_open_in_root(root, i->exe, O_PATH | O_NOFOLLOW);
	if (fd >= 0)
		return;
	i->exe[strlen(i->exe) - strlen(mark)] = '\0';
	i->exe_deleted = true;
}

static int interp_read(int proc_fd, struct facts_init *i)
{
	_cleanup_close_ int fd = openat(proc_fd, "exe", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	_cleanup_elf_head_ struct elf_head h = {};
	int r = fd < 0 ? -errno : elf_head_read(fd, &h);

	i->interp = TAKE_PTR(h.interp);
	i->is_static = r == 0 && !i->interp;
	return r == -ENOMEM ? r : 0;
}

static uint64_t status_number(const char *status, const char *key)
{
	const char *p = str_field(status, key);

	return p ? strtoull(p, NULL, 10) : 0;
}

static int64_t age_of(uint64_t start)
{
	struct timespec now;

	if (clock_gettime(CLOCK_BOOTTIME, &now) < 0)
		return -1;
	return now.tv_sec - (int64_t)(start / (uint64_t)sysconf(_SC_CLK_TCK));
}

static uint64_t fd_limit(const char *limits)
{
	const char *p = str_field(limits, "Max open files");

	return p ? strtoull(p, NULL, 10) : 0;
}

/* How many descriptors are open: the size of the directory since Linux 6.2, else its entries. */
static int fd_count(int proc_fd, uint64_t *n)
{
	_cleanup_dir_ DIR *dir = NULL;
	int fd = openat(proc_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	*n = 0;
	if (fstat(fd, &st) == 0 && st.st_size > 0) {
		close(fd);
		*n = (uint64_t)st.st_size;
		return 0;
	}
	dir = dir_take(fd);
	if (!dir)
		return -ENOMEM;
	for (struct dirent *d = readdir(dir); d; d = readdir(dir))
		*n += d->d_name[0] != '.';
	return 0;
}

static void tracer_read(const struct target_roots *r, struct facts_init *i)
{
	char name[32];

	snprintf(name, sizeof(name), "%d/comm", i->tracer);
	if (file_read_small_at(r->proc_fd, name, i->tracer_comm, sizeof(i->tracer_comm)) > 0)
		i->tracer_comm[strcspn(i->tracer_comm, "\n")] = '\0';
}

int facts_init_read(const struct target_roots *r, const struct target *t, struct facts *f)
{
	_cleanup_close_ int app = target_app_open(t);
	const int program = app >= 0 ? app : t->proc_fd;
	struct facts_init *i = &f->init;
	struct proc_stat st;
	char text[4096];
	int err = argv_read(program, &i->argv);

	i->age = -1;
	if (err == -ENOMEM)
		return err;
	i->cwd = link_inside(program, "cwd");
	i->exe = link_inside(program, "exe");
	exe_check(program, i);
	if (interp_read(program, i) < 0)
		return -ENOMEM;
	if (proc_stat_read(t->proc_fd, &st) == 0) {
		i->state = st.state;
		i->age = age_of(st.start);
	}
	if (file_read_small_at(t->proc_fd, "status", text, sizeof(text)) > 0) {
		i->tracer = (pid_t)status_number(text, "TracerPid:");
		i->swap = status_number(text, "VmSwap:") * 1024;
	}
	if (i->tracer > 0)
		tracer_read(r, i);
	if (file_read_small_at(t->proc_fd, "oom_score", text, sizeof(text)) > 0)
		i->oom_score = atoi(text);
	if (file_read_small_at(t->proc_fd, "oom_score_adj", text, sizeof(text)) > 0)
		i->oom_score_adj = atoi(text);
	if (file_read_small_at(t->proc_fd, "limits", text, sizeof(text)) > 0)
		i->fd_limit = fd_limit(text);
	if (fd_count(t->proc_fd, &i->fds) < 0)
		i->fd_limit = 0;
	return i->exe ? 0 : -EACCES;
}
