#include "kit/debs.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "kit/names.h"
#include "kit/spawn.h"
#include "kit/tar.h"

#define WORKERS	     2
#define PROGRAMS_MAX (16 << 20) /* bytes of all programs' names */

/* Shared between the workers: who takes the next package, and what came of each. */
struct board {
	atomic_size_t next;
	struct err err[WORKERS];
	struct {
		uint64_t files, bytes;
	} done[];
};

struct job {
	const struct rules *rules;
	int rootfd;
	int programs;		  /* "PACKAGE NAME" a line, written by all workers */
	size_t package;		  /* the one at work */
	char dir[NAMES_PATH_MAX]; /* the directory made last */
	uint64_t files, bytes;
};

/* Make the directories that lead to a kit path. 0 or -errno. */
static int parents(struct job *j, const char *kit_path)
{
	char dir[NAMES_PATH_MAX];
	const char *end = strrchr(kit_path, '/');
	size_t len = end ? (size_t)(end - kit_path) : 0;

	if (len == 0 || (strncmp(j->dir, kit_path, len) == 0 && !j->dir[len]))
		return 0;
	memcpy(dir, kit_path, len);
	dir[len] = '\0';
	for (size_t i = 1; i <= len; i++) {
		if (dir[i] != '/' && i < len)
			continue;
		dir[i] = '\0';
		if (mkdirat(j->rootfd, dir, 0755) < 0 && errno != EEXIST)
			return -errno;
		if (i < len)
			dir[i] = '/';
	}
	memcpy(j->dir, dir, len + 1);
	return 0;
}

static int put_file(struct job *j, struct tar *t, const struct tar_entry *entry, const char *to)
{
	_cleanup_close_ int fd = -EBADF;
	const char *data;
	ssize_t n;
	int r;

	/* a link of the same name, or /bin's twin of a file in /usr/bin: the file wins */
	if (unlinkat(j->rootfd, to, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(j->rootfd, to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	while ((n = tar_data(t, &data)) > 0) {
		r = fd_write_all(fd, data, (size_t)n);
		if (r < 0)
			return r;
	}
	if (n < 0)
		return (int)n;
	j->files++;
	j->bytes += entry->size;
	/* whatever umask and set-id bits say: plain files and programs */
	return fchmod(fd, entry->mode & 0111 ? 0755 : 0644) < 0 ? -errno : 0;
}

static int put_hard_link(struct job *j, const struct tar_entry *entry, const char *to)
{
	char old[NAMES_PATH_MAX], from[NAMES_PATH_MAX];
	int r = names_join(NULL, entry->link, old);

	if (r < 0)
		return r;
	if (!names_place(old, strlen(old), from))
		return 0;
	if (linkat(j->rootfd, from, j->rootfd, to, 0) == 0 || errno == EEXIST || errno == ENOENT)
		return 0; /* ENOENT: its other name was dropped */
	return -errno;
}

/* A link is kept when what it leads to can be in the kit; finish removes those that dangle. */
static int put_link(struct job *j, const struct tar_entry *entry, const char *to)
{
	char dir[TAR_NAME_MAX + 1], target[NAMES_PATH_MAX], place[NAMES_PATH_MAX];
	char text[NAMES_PATH_MAX];
	char *slash;
	int r;

	snprintf(dir, sizeof(dir), "%s", entry->name);
	slash = strrchr(dir, '/');
	if (slash)
		*slash = '\0';
	r = names_join(entry->link[0] == '/' ? NULL : dir, entry->link, target);
	if (r < 0)
		return r;
	if (!names_place(target, strlen(target), place) || str_eq(place, to))
		return 0;
	r = names_relative(to, place, text);
	if (r < 0)
		return r;
	if (symlinkat(text, j->rootfd, to) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

/* One write a line: the descriptor is shared, so lines of two workers do not mix. */
static int note_program(const struct job *j, const char *name)
{
	char line[NAMES_PATH_MAX + 32];
	int n = snprintf(line, sizeof(line), "%zu %s\n", j->package, name);

	if (n < 0 || (size_t)n >= sizeof(line))
		return -ENAMETOOLONG;
	return strpbrk(name, "/\n") ? 0 : fd_write_all(j->programs, line, (size_t)n);
}

static bool wanted(const struct rules *r, const char *path)
{
	return !rules_match(&r->drop, path) || rules_match(&r->keep, path);
}

static int put(struct job *j, struct tar *t, const struct tar_entry *entry)
{
	char to[NAMES_PATH_MAX];
	int r;

	if (!strchr("012", entry->type) || !names_place(entry->name, strlen(entry->name), to) ||
	    !strchr(to, '/') || strstr(to, "/../") || !wanted(j->rules, entry->name))
		return 0;
	if (entry->type != '0' && !entry->link)
		return -EBADMSG;
	r = parents(j, to);
	if (r == 0 && str_starts(to, "b/"))
		r = note_program(j, to + 2);
	if (r < 0)
		return r;
	if (entry->type == '1')
		return put_hard_link(j, entry, to);
	return entry->type == '2' ? put_link(j, entry, to) : put_file(j, t, entry, to);
}

static int unpack_one(struct job *j, const struct kit_package *p, struct err *e)
{
	char *argv[] = {(char *)"dpkg-deb", (char *)"--fsys-tarfile", p->path, NULL};
	_cleanup_close_ int rd = -EBADF;
	_cleanup_tar_ struct tar t = {};
	const struct tar_entry *entry;
	int fds[2], r, status;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(e, errno, "cannot make a pipe");
	rd = fds[0];
	(void)fcntl(rd, F_SETPIPE_SZ, 1 << 20);
	pid = spawn_start(argv, NULL, fds[1], -1);
	close(fds[1]);
	if (pid < 0)
		return err_set(e, pid, "cannot run dpkg-deb");
	t.fd = rd;
	while ((r = tar_next(&t, &entry)) > 0) {
		r = put(j, &t, entry);
		if (r < 0)
			break;
	}
	if (r < 0) {
		kill(pid, SIGKILL);
		spawn_wait(pid);
		return err_set(e, r, "cannot unpack %s", p->deb);
	}
	status = spawn_wait(pid);
	if (status != 0)
		return err_say(e, EBADMSG, "dpkg-deb cannot read %s", p->path);
	return 0;
}

static _Noreturn void worker(struct board *b, size_t me, struct kit_packages *p, struct job *j,
			     int report, pid_t parent)
{
	size_t i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	while ((i = atomic_fetch_add(&b->next, 1)) < p->n) {
		j->files = j->bytes = 0;
		j->package = i;
		if (unpack_one(j, &p->v[i], &b->err[me]) < 0) {
			atomic_store(&b->next, p->n); /* the other stops too */
			_exit(1);
		}
		b->done[i].files = j->files;
		b->done[i].bytes = j->bytes;
		if (write(report, "", 1) < 0)
			_exit(1);
	}
	_exit(0);
}

/* One byte arrives for each package. */
static void follow(int fd, size_t total, const struct kit_progress *progress)
{
	char bytes[64];
	size_t done = 0;
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) != 0) {
		if (n < 0 && errno != EINTR)
			return;
		if (n > 0)
			done += (size_t)n;
		progress->step(progress->arg, "unpacking packages", done, total);
	}
}

static int collect(struct board *b, const pid_t *pids, struct kit_packages *p, struct err *e)
{
	int bad = 0;

	for (size_t w = 0; w < WORKERS; w++)
		if (pids[w] < 0 || spawn_wait(pids[w]) != 0)
			bad++;
	for (size_t w = 0; w < WORKERS; w++)
		if (b->err[w].num) {
			if (e)
				*e = b->err[w];
			return -b->err[w].num;
		}
	if (bad)
		return err_say(e, EIO, "unpacking the packages was cut short");
	for (size_t i = 0; i < p->n; i++) {
		p->v[i].files = b->done[i].files;
		p->v[i].bytes = b->done[i].bytes;
	}
	return 0;
}

/* Hand the lines of the workers to their packages. */
static int collect_programs(int fd, struct kit_packages *p, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	char *save = NULL, *name;
	int r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : fd_read_all(fd, PROGRAMS_MAX, &text, NULL);

	if (r < 0)
		return err_set(e, r, "cannot list the packages' programs");
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		size_t i = strtoul(l, &name, 10);

		if (i < p->n && *name == ' ' && strv_add(&p->v[i].programs, name + 1) < 0)
			return err_set(e, ENOMEM, "cannot list the packages' programs");
	}
	return 0;
}

int debs_unpack(struct kit_packages *p, const struct rules *r, int rootfd,
		const struct kit_progress *progress, struct err *e)
{
	size_t size = sizeof(struct board) + p->n * sizeof(((struct board *)NULL)->done[0]);
	struct job j = {.rules = r, .rootfd = rootfd};
	pid_t pids[WORKERS], parent = getpid();
	_cleanup_close_ int programs = memfd_create("programs", MFD_CLOEXEC);
	struct board *b;
	int fds[2], k;

	if (programs < 0)
		return err_set(e, errno, "unpacking packages");
	j.programs = programs;
	b = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (b == MAP_FAILED)
		return err_set(e, ENOMEM, "unpacking packages");
	if (pipe2(fds, O_CLOEXEC) < 0) {
		k = err_set(e, errno, "cannot make a pipe");
		munmap(b, size);
		return k;
	}
	for (size_t w = 0; w < WORKERS; w++) {
		pids[w] = fork();
		if (pids[w] == 0)
			worker(b, w, p, &j, fds[1], parent);
	}
	close(fds[1]);
	follow(fds[0], p->n, progress);
	close(fds[0]);
	k = collect(b, pids, p, e);
	if (k == 0)
		k = collect_programs(programs, p, e);
	munmap(b, size);
	return k;
}
