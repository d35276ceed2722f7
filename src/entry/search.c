/* Names: in PATH as runtimes look them up, elsewhere, and the nearest one. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "entry/lint_priv.h"

enum { ENTRIES_MAX = 4000, PATH_DIRS_MAX = 64 };

/* Call one() with each directory of PATH until it returns true. */
static bool each_dir(const char *path, bool (*one)(void *data, const char *dir), void *data)
{
	char dir[PATH_MAX];

	for (int i = 0; i < PATH_DIRS_MAX; i++) {
		size_t n = strcspn(path, ":");

		if (n < sizeof(dir)) {
			memcpy(dir, path, n);
			dir[n] = '\0';
			if (one(data, n ? dir : "."))
				return true;
		}
		if (!path[n])
			break;
		path += n + 1;
	}
	return false;
}

struct hunt {
	const struct lint *l;
	const char *name;
	char *found, *refused;
};

static bool hunt_in(void *data, const char *dir)
{
	struct hunt *h = data;
	_cleanup_place_ struct place p = PLACE_INIT;
	_cleanup_free_ char *path = str_fmt("%s%s%s", dir, str_ends(dir, "/") ? "" : "/", h->name);

	if (!path)
		return true;
	place_find(h->l, path, &p);
	if (p.err < 0 || S_ISDIR(p.st.st_mode))
		return false;
	if (S_ISREG(p.st.st_mode) && !*p.shut && place_may(h->l, &p, 1))
		h->found = TAKE_PTR(path);
	else if (!h->refused)
		h->refused = TAKE_PTR(path);
	return h->found;
}

bool search_path(const struct lint *l, const char *name, char **found, char **refused)
{
	struct hunt h = {.l = l, .name = name};

	each_dir(l->path, hunt_in, &h);
	if (h.found) {
		free(h.refused);
		h.refused = NULL;
	}
	*found = h.found;
	*refused = h.refused;
	return h.found;
}

char *search_elsewhere(const struct lint *l, const char *name)
{
	static const char *const dirs[] = {"/usr/local/sbin",
					   "/usr/local/bin",
					   "/usr/sbin",
					   "/usr/bin",
					   "/sbin",
					   "/bin",
					   "/opt/bin",
					   "/app",
					   "/app/bin",
					   "/usr/src/app",
					   "/usr/games",
					   "/srv",
					   "/root/.local/bin",
					   "/go/bin",
					   "/usr/lib/jvm/bin",
					   "/usr/libexec",
					   "/venv/bin",
					   "/opt/venv/bin",
					   "/app/.venv/bin",
					   "/usr/local/go/bin",
					   "/usr/local/cargo/bin",
					   "/app/node_modules/.bin"};
	const char *base = strrchr(name, '/');
	struct hunt h = {.l = l, .name = base ? base + 1 : name};

	if (!*h.name)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(dirs) && !h.found; i++)
		hunt_in(&h, dirs[i]);
	if (!h.found)
		hunt_in(&h, l->cwd);
	if (!h.found)
		hunt_in(&h, "/");
	free(h.refused);
	return h.found;
}

struct nearest {
	const struct lint *l;
	const char *name;
	unsigned best;
	char *path;
	unsigned left; /* entries that are still looked at */
};

/* How far two names are apart: 0 the same but for case; one that ends with the other is near. */
static unsigned apart(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	unsigned d = str_distance(a, b);

	if (strcasecmp(a, b) == 0)
		return 0;
	if (n >= 4 && m >= 4 && d > 2 && (str_ends(a, b) || str_ends(b, a)))
		return 2;
	return d;
}

static bool nearest_in(void *data, const char *dir)
{
	struct nearest *s = data;
	_cleanup_dir_ DIR *d = NULL;
	struct dirent *entry;
	_cleanup_place_ struct place p = PLACE_INIT;

	place_find(s->l, dir, &p);
	if (p.err < 0 || !S_ISDIR(p.st.st_mode))
		return false;
	d = dir_open(p.fd, ".");
	while (d && s->left && (entry = readdir(d))) {
		unsigned n;

		s->left--;
		if (entry->d_name[0] == '.' || entry->d_type == DT_DIR)
			continue;
		n = apart(s->name, entry->d_name);
		if (n >= s->best || str_eq(entry->d_name, s->name))
			continue;
		free(s->path);
		s->best = n;
		s->path = str_fmt("%s%s%s", dir, str_ends(dir, "/") ? "" : "/", entry->d_name);
	}
	return s->left == 0;
}

char *search_nearest(const struct lint *l, const char *name)
{
	const char *slash = strrchr(name, '/');
	const char *base = slash ? slash + 1 : name;
	size_t len = strlen(base);
	struct nearest s = {.l = l, .name = base, .left = ENTRIES_MAX};
	_cleanup_free_ char *dir = slash ? strndup(name, (size_t)(slash - name)) : NULL;

	s.best = len < 5 ? 2 : len < 8 ? 3 : 4; /* less than that is near enough */
	if (!*base)
		return NULL;
	if (slash)
		nearest_in(&s, dir && *dir ? dir : "/");
	else
		each_dir(l->path, nearest_in, &s);
	return s.path;
}
