/* The last strokes: one copy of what is there twice, and the list of what is in the kit. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "kit/finish.h"

/* Smaller files are not worth a link. */
#define SAME_MIN 4096

struct file {
	const char *path;
	uint64_t size;
	ino_t ino;
	mode_t mode;
};

static int by_size(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	if (x->size != y->size)
		return x->size < y->size ? -1 : 1;
	return strcmp(x->path, y->path);
}

/* 1 when both hold the same bytes, 0, or -errno. */
static int same(int rootfd, const struct file *a, const struct file *b)
{
	_cleanup_free_ char *x = NULL, *y = NULL;
	size_t n, m;
	int r = file_read_at(rootfd, a->path, (size_t)1 << 30, &x, &n);

	if (r == 0)
		r = file_read_at(rootfd, b->path, (size_t)1 << 30, &y, &m);
	if (r < 0)
		return r;
	return n == m && memcmp(x, y, n) == 0;
}

static int merge(int rootfd, const struct file *keep, struct file *other)
{
	int r;

	if (keep->ino == other->ino || keep->mode != other->mode)
		return 0;
	r = same(rootfd, keep, other);
	if (r <= 0)
		return r;
	if (unlinkat(rootfd, other->path, 0) < 0 ||
	    linkat(rootfd, keep->path, rootfd, other->path, 0) < 0)
		return -errno;
	other->ino = keep->ino;
	return 0;
}

int finish_same(int rootfd, const struct names *names, struct err *e)
{
	_cleanup_free_ struct file *v = calloc(names->n + 1, sizeof(*v));
	size_t n = 0;

	if (!v)
		return err_set(e, ENOMEM, "looking for files that are there twice");
	for (size_t i = 0; i < names->size; i++) {
		struct stat st;

		if (names->slot[i] &&
		    fstatat(rootfd, names->slot[i], &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && st.st_size >= SAME_MIN)
			v[n++] = (struct file){names->slot[i], (uint64_t)st.st_size, st.st_ino,
					       st.st_mode};
	}
	qsort(v, n, sizeof(*v), by_size);
	for (size_t i = 0; i < n; i++)
		for (size_t j = i + 1; j < n && v[j].size == v[i].size; j++) {
			int r = merge(rootfd, &v[i], &v[j]);

			if (r < 0)
				return err_set(e, r, "cannot compare %s", v[j].path);
		}
	return 0;
}

static int count_all(int rootfd, const struct names *names, struct finish_count *c)
{
	*c = (struct finish_count){};
	for (size_t i = 0; i < names->size; i++) {
		const char *path = names->slot[i];
		struct stat st;

		if (!path)
			continue;
		if (fstatat(rootfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
		if (str_starts(path, "b/"))
			c->programs++;
		if (S_ISREG(st.st_mode)) {
			c->files++;
			c->bytes += (uint64_t)st.st_size;
		}
	}
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The programs of a package that the kit still has, sorted; NULL when there are none. */
static json_t *program_list(const struct kit_package *k, const struct names *names)
{
	json_t *list = json_array();
	const char *last = "";

	if (k->programs.n)
		qsort(k->programs.v, k->programs.n, sizeof(*k->programs.v), by_text);
	for (size_t i = 0; i < k->programs.n; i++) {
		char path[NAMES_PATH_MAX];
		int n = snprintf(path, sizeof(path), "b/%s", k->programs.v[i]);

		if (str_eq(last, k->programs.v[i]) || n < 0 || (size_t)n >= sizeof(path) ||
		    !names_has(names, path, (size_t)n))
			continue;
		last = k->programs.v[i];
		json_array_append_new(list, json_text(last));
	}
	if (json_array_size(list))
		return list;
	json_decref(list);
	return NULL;
}

static json_t *package_list(const struct kit_packages *p, const struct names *names, json_t *asked)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->n; i++) {
		const struct kit_package *k = &p->v[i];
		json_t *o = json_pack("{s:s, s:s, s:s, s:b, s:I, s:I}", "name", k->name, "version",
				      k->version, "arch", k->arch, "asked", k->asked, "files",
				      (json_int_t)k->files, "bytes", (json_int_t)k->bytes);

		json_t *programs = program_list(k, names);

		if (programs)
			json_object_set_new(o, "programs", programs);
		json_array_append_new(list, o);
		if (k->asked)
			json_array_append_new(asked, json_string(k->name));
	}
	return list;
}

/* "debian 12" of the machine the packages came from. */
static void distribution(char *out, size_t size)
{
	_cleanup_free_ char *text = NULL, *id = NULL, *version = NULL;
	char *save = NULL;

	if (file_read_at(AT_FDCWD, "/etc/os-release", 65536, &text, NULL) == 0)
		for (char *l = strtok_r(text, "\n\"", &save); l;
		     l = strtok_r(NULL, "\n\"", &save)) {
			if (str_starts(l, "ID="))
				id = id ? id : strdup(l + 3);
			if (str_starts(l, "VERSION_ID=")) {
				const char *v = l[11] ? l + 11 : strtok_r(NULL, "\n\"", &save);

				version = version ? version : strdup(v ? v : "");
			}
		}
	snprintf(out, size, "%s%s%s", id ? id : "unknown", version && *version ? " " : "",
		 version ? version : "");
}

static const char *main_arch(const struct kit_packages *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (!str_eq(p->v[i].arch, "all"))
			return p->v[i].arch;
	return "all";
}

int finish_manifest(int rootfd, const struct names *names, const struct kit_packages *p,
		    struct finish_count *count, struct err *e)
{
	_cleanup_json_ json_t *j = NULL;
	_cleanup_close_ int fd = -EBADF;
	_cleanup_free_ char *text = NULL;
	json_t *asked = json_array(), *list;
	char distro[128];
	int r = count_all(rootfd, names, count);

	if (r < 0) {
		json_decref(asked);
		return err_set(e, r, "cannot count the kit's files");
	}
	distribution(distro, sizeof(distro));
	list = package_list(p, names, asked);
	j = json_pack(
		"{s:i, s:s, s:s, s:o, s:s, s:I, s:I, s:I, s:o, s:o}", "format", 1, "porthole",
		PORTHOLE_VERSION, "arch", main_arch(p), "distribution", json_text(distro),
		"licences",
		"Every package keeps its own licence: see s/doc/PACKAGE/copyright in the kit.",
		"files", (json_int_t)count->files, "bytes", (json_int_t)count->bytes, "programs",
		(json_int_t)count->programs, "asked", asked, "packages", list);
	text = j ? json_dumps(j, JSON_INDENT(1)) : NULL;
	if (!text)
		return err_set(e, ENOMEM, "cannot write manifest.json");
	fd = openat(rootfd, "manifest.json", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_set(e, errno, "cannot write manifest.json");
	r = fd_write_all(fd, text, strlen(text));
	if (r == 0)
		r = fd_write_all(fd, "\n", 1);
	return r < 0 ? err_set(e, r, "cannot write manifest.json") : 0;
}
