#include "target/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "target/scan.h"

enum { WARNINGS_MAX = 64 };

static void forget_users(struct look *l)
{
	for (size_t i = 0; i < l->users.n; i++) {
		free(l->users.v[i].name);
		free(l->users.v[i].home);
		free(l->users.v[i].run);
	}
	free(l->users.v);
	l->users = (struct users){};
}

bool look_next_root(struct look *l, int *i)
{
	bool host = *i > 0;
	int fd = host ? l->roots->host_fd : l->roots->root_fd;

	if (host && (*i > 1 || fd <= 0))
		return false;
	(*i)++;
	if (fd != l->root_fd) {
		forget_users(l);
		l->freezer = 0;
		l->root_fd = fd;
	}
	return true;
}

void look_done(struct look *l)
{
	scan_free(l->scan);
	forget_users(l);
	strv_done(&l->warnings);
	free(l->text);
	*l = (struct look){};
}

void look_warn(struct look *l, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	char *safe;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		text = NULL;
		return;
	}
	safe = str_printable_dup(text);
	if (!safe)
		return;
	if (l->warnings.n >= WARNINGS_MAX || strv_has(&l->warnings, safe))
		free(safe);
	else
		strv_push(&l->warnings, safe);
}

int look_dir(struct look *l, int root, const char *path)
{
	int fd = path_open_in_root(root, path, O_RDONLY | O_DIRECTORY);

	if (fd == -EACCES || fd == -EPERM)
		l->denied = true;
	return fd;
}

/* Read to the end into l->text, at most `max` bytes. The length, or -errno. */
static ssize_t fill_text(struct look *l, int fd, size_t expect, size_t max)
{
	size_t n = 0;

	for (;;) {
		ssize_t r;

		if (n + 1 >= l->text_size || (n == 0 && expect >= l->text_size)) {
			size_t size = l->text_size ? l->text_size * 2 : 8192;
			char *p;

			if (size <= expect)
				size = expect + 2;
			p = realloc(l->text, size);
			if (!p)
				return -ENOMEM;
			l->text = p;
			l->text_size = size;
		}
		r = read(fd, l->text + n, l->text_size - n - 1);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		n += (size_t)r;
		if (n > max)
			return -EFBIG;
		if (r == 0 || n == expect)
			break;
	}
	l->text[n] = '\0';
	return (ssize_t)n;
}

static ssize_t read_file(struct look *l, int dir, const char *path, size_t max)
{
	_cleanup_close_ int fd = path_open_in_root(dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOTSUP;
	if ((uint64_t)st.st_size > max)
		return -EFBIG;
	return fill_text(l, fd, (size_t)st.st_size, max);
}

int look_read(struct look *l, int dir, const char *dir_name, const char *path, size_t max,
	      struct slice *out)
{
	ssize_t n = read_file(l, dir, path, max);

	const char *slash = *dir_name == '/' || !*dir_name ? "" : "/";

	*out = (struct slice){};
	if (n >= 0) {
		*out = (struct slice){l->text, (size_t)n};
		return 0;
	}
	if (n == -EACCES || n == -EPERM)
		l->denied = true;
	else if (n == -EFBIG)
		look_warn(l, "%s%s/%s is larger than %zu MB: skipped", slash, dir_name, path,
			  max >> 20);
	else if (n == -ENOTSUP || n == -ENXIO)
		look_warn(l, "%s%s/%s is not a regular file: skipped", slash, dir_name, path);
	else if (n != -ENOENT && n != -ENOTDIR)
		look_warn(l, "%s%s/%s cannot be read (%s): skipped", slash, dir_name, path,
			  strerror((int)-n));
	return (int)n;
}

char *look_keep(struct look *l)
{
	l->text_size = 0;
	return TAKE_PTR(l->text);
}

pid_t look_pid_file(int dir, const char *path)
{
	_cleanup_close_ int fd = path_open_in_root(dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	char text[PID_FILE_MAX];
	struct stat st;
	uint64_t pid;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	text[strcspn(text, " \t\r\n")] = '\0';
	return str_to_u64(text, 1, INT32_MAX, &pid) < 0 ? 0 : (pid_t)pid;
}

DIR *look_opendir(struct look *l, int dir, const char *path)
{
	return dir_take(look_dir(l, dir, path));
}

const char *look_entry(struct look *l, DIR *d, unsigned *left)
{
	struct dirent *ent;

	while ((ent = readdir(d))) {
		if (ent->d_name[0] == '.')
			continue;
		if ((*left)-- == 0) {
			look_warn(l, "a directory has more than %d entries: the rest was left out",
				  DIR_ENTRIES_MAX);
			return NULL;
		}
		return ent->d_name;
	}
	return NULL;
}

/* NAME:x:UID:GID:GECOS:HOME:SHELL. Names and homes stay as they are when the user is not listed. */
static void fill_from_passwd(struct users *u, char *text)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *field[7];
		uint64_t uid;
		int n = 0;

		while (n < 7 && (field[n] = strsep(&line, ":")))
			n++;
		if (n < 7 || str_to_u64(field[2], 0, UINT32_MAX, &uid) < 0)
			continue;
		for (size_t i = 0; i < u->n; i++) {
			if (u->v[i].uid != uid || u->v[i].home || field[5][0] != '/')
				continue;
			free(u->v[i].name);
			u->v[i].name = strdup(field[0]);
			u->v[i].home = strdup(field[5]);
		}
	}
}

/* Into a buffer of its own: slices of what was read last stay valid. */
static void read_passwd(struct look *l, struct users *u)
{
	_cleanup_free_ char *text = NULL;

	if (path_read_in_root(l->root_fd, "etc/passwd", STATE_FILE_MAX, &text, NULL) == 0)
		fill_from_passwd(u, text);
}

const struct users *look_users(struct look *l)
{
	_cleanup_dir_ DIR *d = NULL;
	struct users *u = &l->users;
	unsigned left = DIR_ENTRIES_MAX;
	const char *name;

	if (u->read)
		return u;
	u->read = true;
	d = look_opendir(l, l->root_fd, "run/user");
	while (d && (name = look_entry(l, d, &left))) {
		struct user *v = reallocarray(u->v, u->n + 1, sizeof(*v));
		uint64_t uid;

		if (!v)
			break;
		u->v = v;
		if (str_to_u64(name, 1, UINT32_MAX - 1, &uid) < 0)
			continue;
		v[u->n++] = (struct user){
			.uid = (uid_t)uid,
			.name = strdup(name),
			.run = str_fmt("run/user/%s", name),
		};
	}
	if (u->n)
		read_passwd(l, u);
	return u;
}

char *look_owner(struct look *l, uid_t uid)
{
	const struct users *u = look_users(l);
	struct user one = {.uid = uid};
	struct users stranger = {.v = &one, .n = 1};

	if (uid == 0)
		return NULL;
	for (size_t i = 0; i < u->n; i++)
		if (u->v[i].uid == uid && u->v[i].name)
			return strdup(u->v[i].name);
	/* not logged in: no directory in /run/user */
	read_passwd(l, &stranger);
	free(one.home);
	return one.name ? one.name : str_fmt("%u", uid);
}
