#include "kit/finish.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#define CA_DIR	  "s/ca-certificates"
#define CA_BUNDLE "e/ssl/certs/ca-certificates.crt"

/* Loaders by the name programs know them by. */
static const char *const loaders[] = {"ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"};

static int make_parents(int rootfd, const char *path)
{
	char dir[NAMES_PATH_MAX];

	for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
		if ((size_t)(p - path) >= sizeof(dir))
			return -ENAMETOOLONG;
		memcpy(dir, path, (size_t)(p - path));
		dir[p - path] = '\0';
		if (mkdirat(rootfd, dir, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int write_file(int rootfd, const char *path, const char *data, size_t len)
{
	_cleanup_close_ int fd = -EBADF;
	int r = make_parents(rootfd, path);

	if (r < 0)
		return r;
	if (unlinkat(rootfd, path, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(rootfd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, data, len);
	return r < 0 ? r : fchmod(fd, 0644) < 0 ? -errno : 0;
}

static int make_link(int rootfd, const char *path, const char *to)
{
	char text[NAMES_PATH_MAX];
	struct stat st;
	int r;

	if (fstatat(rootfd, to, &st, 0) < 0)
		return 0; /* what it would lead to is not in this kit */
	if (fstatat(rootfd, path, &st, 0) == 0)
		return 0;
	if (unlinkat(rootfd, path, 0) < 0 && errno != ENOENT)
		return -errno;
	r = names_relative(path, to, text);
	if (r == 0)
		r = make_parents(rootfd, path);
	if (r == 0 && symlinkat(text, rootfd, path) < 0)
		r = -errno;
	return r;
}

/* The real loader goes to the root of the kit; its old name leads there. */
static int place_loader(int rootfd, const char *dir, const char *name)
{
	char path[NAMES_PATH_MAX], text[NAMES_PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (fstatat(rootfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	if (renameat(rootfd, path, rootfd, "ld.so") < 0)
		return -errno;
	if (names_relative(path, "ld.so", text) < 0 || symlinkat(text, rootfd, path) < 0)
		return -errno;
	return 1;
}

static int find_loader(int rootfd)
{
	_cleanup_dir_ DIR *d = dir_open(rootfd, "l");
	struct dirent *de;
	int r = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(loaders); i++) {
		r = place_loader(rootfd, "l", loaders[i]);
		rewinddir(d);
		while (r == 0 && (de = readdir(d))) {
			char dir[300];

			snprintf(dir, sizeof(dir), "l/%s", de->d_name);
			if (str_ends(de->d_name, "-linux-gnu"))
				r = place_loader(rootfd, dir, loaders[i]);
		}
	}
	return r < 0 ? r : 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in a directory that end with `suffix` (NULL: all), sorted. */
static int list(int rootfd, const char *path, const char *suffix, struct strv *out)
{
	_cleanup_dir_ DIR *d = dir_open(rootfd, path);
	struct dirent *de;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while ((de = dir_next(d)))
		if ((!suffix || str_ends(de->d_name, suffix)) && strv_add(out, de->d_name) < 0)
			return -ENOMEM;
	if (out->n)
		qsort(out->v, out->n, sizeof(*out->v), by_text);
	return 0;
}

/* What update-ca-certificates does: every certificate of the package in one file. */
static int certificates(int rootfd)
{
	_cleanup_strv_ struct strv dirs = {};
	_cleanup_buf_ struct buf all = {};
	int r = list(rootfd, CA_DIR, NULL, &dirs);

	for (size_t i = 0; r == 0 && i < dirs.n; i++) {
		_cleanup_strv_ struct strv crts = {};
		_cleanup_free_ char *dir = str_fmt("%s/%s", CA_DIR, dirs.v[i]);

		r = dir ? list(rootfd, dir, ".crt", &crts) : -ENOMEM;
		for (size_t j = 0; r == 0 && j < crts.n; j++) {
			_cleanup_free_ char *path = str_fmt("%s/%s", dir, crts.v[j]);
			_cleanup_free_ char *text = NULL;

			r = path ? file_read_at(rootfd, path, 1 << 20, &text, NULL) : -ENOMEM;
			if (r == 0)
				buf_puts(&all, text);
			if (r == 0 && all.len && all.data[all.len - 1] != '\n')
				buf_putc(&all, '\n');
		}
	}
	if (r < 0 || all.oom)
		return r < 0 ? r : -ENOMEM;
	return all.len ? write_file(rootfd, CA_BUNDLE, all.data, all.len) : 0;
}

/* Remove links that lead nowhere; again while that breaks others. */
static int prune_links(int rootfd)
{
	bool again = true;

	while (again) {
		_cleanup_names_ struct names n = {};
		int r = names_collect(&n, rootfd, NULL);

		if (r < 0)
			return r;
		again = false;
		for (size_t i = 0; i < n.size; i++) {
			struct stat st;

			if (!n.slot[i] ||
			    fstatat(rootfd, n.slot[i], &st, AT_SYMLINK_NOFOLLOW) < 0 ||
			    !S_ISLNK(st.st_mode) || fstatat(rootfd, n.slot[i], &st, 0) == 0)
				continue;
			if (unlinkat(rootfd, n.slot[i], 0) < 0)
				return -errno;
			again = true;
		}
	}
	return 0;
}

/* Programs that look for their data beside themselves (python) find the usual names. */
static int usual_names(int rootfd)
{
	static const char *const names[][2] = {
		{"bin", "b"}, {"lib", "l"}, {"share", "s"}, {"libexec", "x"}};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(names); i++)
		r = make_link(rootfd, names[i][0], names[i][1]);
	return r;
}

int finish_tree(int rootfd, const struct rules *r, struct err *e)
{
	int k = find_loader(rootfd);

	if (k < 0)
		return err_set(e, k, "cannot place the loader");
	k = certificates(rootfd);
	if (k < 0)
		return err_set(e, k, "cannot put the certificates together");
	for (size_t i = 0; i < r->n_files; i++) {
		k = write_file(rootfd, r->files[i].path, r->files[i].text.data,
			       r->files[i].text.len);
		if (k < 0)
			return err_set(e, k, "cannot write %s of the kit", r->files[i].path);
	}
	for (size_t i = 0; i < r->links.n; i++) {
		k = make_link(rootfd, r->links.v[i].from, r->links.v[i].to);
		if (k < 0)
			return err_set(e, k, "cannot make the link %s of the kit",
				       r->links.v[i].from);
	}
	k = usual_names(rootfd);
	if (k == 0)
		k = prune_links(rootfd);
	return k < 0 ? err_set(e, k, "cannot tidy the kit's links") : 0;
}
