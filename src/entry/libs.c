/*
 * The libraries of a program, found as its loader finds them.
 *
 * glibc (ld.so(8)): DT_RPATH of the file and of those that led to it (unless the file has a
 * DT_RUNPATH), LD_LIBRARY_PATH, DT_RUNPATH, /etc/ld.so.cache, its own directories. musl
 * (ldso/dynlink.c): LD_LIBRARY_PATH, then the run paths of the file and of those that led to it,
 * then /etc/ld-musl-ARCH.path or its own directories; it is its own libc, libpthread, libm ...
 * Libraries of another machine are passed over by both.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/path.h"
#include "elf/ldcache.h"
#include "entry/lint_priv.h"

enum {
	LIBS_MAX = 400,
	TRIES_MAX = 20000,
	CACHE_MAX = 4 << 20,
	CACHE_TRIES = 16,
	PATH_FILE = 65536
};

struct lib {
	char *name; /* as it was needed first */
	char *path; /* NULL: not found */
	size_t by;  /* who needed it first: an index */
	struct elf_needs needs;
};

struct closure {
	struct lint *l;
	const struct elf_head *h; /* the program's: class, machine */
	struct lib *v;		  /* [0] is the program */
	size_t n;
	bool musl, secure;
	char *cache_text;
	struct ldcache_view cache;
	struct strv dirs; /* the loader's own */
	const char *library_path;
	char *foreign; /* the first of the wanted name that is for another machine */
	char *unreadable;
	unsigned tries;
	bool unsure; /* a path with a variable we do not know: say nothing */
};

static void closure_done(struct closure *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->v[i].name);
		free(c->v[i].path);
		elf_needs_done(&c->v[i].needs);
	}
	free(c->v);
	free(c->cache_text);
	free(c->foreign);
	free(c->unreadable);
	strv_done(&c->dirs);
}

/* Debian's directory of a machine, "" for strangers. */
static const char *triplet_of(const struct elf_head *h)
{
	static const struct {
		uint16_t machine;
		const char *triplet;
	} known[] = {{EM_X86_64, "x86_64-linux-gnu"}, {EM_AARCH64, "aarch64-linux-gnu"},
		     {EM_386, "i386-linux-gnu"},      {EM_ARM, "arm-linux-gnueabihf"},
		     {EM_RISCV, "riscv64-linux-gnu"}, {EM_PPC64, "powerpc64le-linux-gnu"},
		     {EM_S390, "s390x-linux-gnu"}};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].machine == h->machine)
			return known[i].triplet;
	return "";
}

static char *dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash > path ? strndup(path, (size_t)(slash - path)) : strdup("/");
}

/* The directories that the loader itself knows. */
static void own_dirs(struct closure *c, const char *loader)
{
	_cleanup_free_ char *own = dir_of(loader), *text = NULL, *file = NULL;
	const char *base = strrchr(loader, '/'), *arch = base ? strstr(base, "ld-musl-") : NULL;
	const char *triplet = triplet_of(c->h);
	int r;

	c->musl = arch != NULL;
	if (arch) { /* /lib/ld-musl-x86_64.so.1 has /etc/ld-musl-x86_64.path */
		arch += strlen("ld-musl-");
		file = str_fmt("/etc/ld-musl-%.*s.path", (int)strcspn(arch, "."), arch);
		r = file ? path_read_in_root(c->l->root, file, PATH_FILE, &text, NULL) : -ENOMEM;
		if (strv_split(&c->dirs, r == 0 ? text : "/lib:/usr/local/lib:/usr/lib", ":\n") < 0)
			c->l->oom = true;
		return;
	}
	r = strv_split(&c->dirs, "/lib:/usr/lib", ":");
	if (r == 0 && c->h->class == ELFCLASS64)
		r = strv_split(&c->dirs, "/lib64:/usr/lib64", ":");
	if (r == 0 && *triplet)
		r = strv_push(&c->dirs, str_fmt("/lib/%s", triplet))
			    ?: strv_push(&c->dirs, str_fmt("/usr/lib/%s", triplet));
	if (r == 0 && own)
		r = strv_add(&c->dirs, own);
	c->l->oom |= r < 0 || !own;
}

static void cache_read(struct closure *c)
{
	size_t len;

	if (path_read_in_root(c->l->root, "/etc/ld.so.cache", CACHE_MAX, &c->cache_text, &len) <
		    0 ||
	    ldcache_open(c->cache_text, len, &c->cache) < 0)
		c->cache = (struct ldcache_view){};
}

static void note(char **where, const char *path)
{
	if (!*where)
		*where = strdup(path);
}

/* Is this file a library for the program? Then it is taken into the last place of the list. */
static bool try_path(struct closure *c, const char *path)
{
	_cleanup_close_ int pathfd = -EBADF, fd = -EBADF;
	_cleanup_elf_head_ struct elf_head h = {};
	struct lib *lib = &c->v[c->n - 1];
	struct stat st;

	if (c->tries++ >= TRIES_MAX) {
		c->unsure = true;
		return false;
	}
	pathfd = path_open_in_root(c->l->root, path, O_PATH);
	if (pathfd < 0 || fstat(pathfd, &st) < 0)
		return false;
	fd = path_reopen(pathfd);
	if (fd < 0 || elf_head_read(fd, &h) < 0) {
		note(&c->unreadable, path);
		return false;
	}
	if (h.machine != c->h->machine || h.class != c->h->class || h.big != c->h->big) {
		note(&c->foreign, path);
		return false;
	}
	if (!lint_may(c->l, &st, pathfd, 4)) {
		note(&c->unreadable, path);
		return false;
	}
	lib->path = strdup(path);
	if (!lib->path || elf_needs_read(fd, &h, &lib->needs) < 0)
		c->l->oom = true;
	return true;
}

static bool try_dir(struct closure *c, const char *dir, size_t n, const char *name)
{
	char path[PATH_MAX];
	int len = n ? snprintf(path, sizeof(path), "%s%.*s/%s", *dir == '/' ? "" : c->l->cwd,
			       (int)n, dir, name)
		    : snprintf(path, sizeof(path), "%s/%s", c->l->cwd, name);

	return len > 0 && (size_t)len < sizeof(path) && try_path(c, path);
}

/* $ORIGIN and ${ORIGIN} become the directory of the file that says so. NULL: another variable. */
static char *expand(const char *dir, size_t n, const char *of)
{
	_cleanup_free_ char *origin = dir_of(of);
	_cleanup_buf_ struct buf b = {};

	for (size_t i = 0; i < n; i++) {
		size_t len = 0;

		if (dir[i] != '$') {
			buf_putc(&b, dir[i]);
			continue;
		}
		if (n - i >= 7 && strncmp(dir + i, "$ORIGIN", 7) == 0)
			len = 7;
		else if (n - i >= 9 && strncmp(dir + i, "${ORIGIN}", 9) == 0)
			len = 9;
		if (!len || !origin)
			return NULL;
		buf_puts(&b, origin);
		i += len - 1;
	}
	return buf_take(&b);
}

/* A list of directories with ':' (LD_LIBRARY_PATH: also ';') in which `of` has its libraries. */
static bool try_list(struct closure *c, const char *list, const char *of, const char *name)
{
	while (list && *list && c->tries <= TRIES_MAX) {
		size_t n = strcspn(list, ":;");
		_cleanup_free_ char *dir = expand(list, n, of);

		if (!dir)
			c->unsure = true;
		else if (*dir ? try_dir(c, dir, strlen(dir), name) : try_dir(c, "", 0, name))
			return true;
		list += n + (list[n] != '\0');
	}
	return false;
}

/* The run paths of `by` and of those that led to it. */
static bool try_ancestors(struct closure *c, size_t by, const char *name, bool runpath)
{
	for (size_t depth = 0; depth < c->n && c->tries <= TRIES_MAX; depth++) {
		const struct lib *o = &c->v[by];
		const char *list = o->needs.rpath;

		if (runpath && o->needs.runpath)
			list = o->needs.runpath;
		else if (o->needs.runpath)
			list = NULL;
		if (try_list(c, list, o->path, name))
			return true;
		if (by == 0)
			return false;
		by = o->by;
	}
	return false;
}

static bool try_own(struct closure *c, const char *name)
{
	for (size_t i = 0; i < c->dirs.n; i++)
		if (try_dir(c, c->dirs.v[i], strlen(c->dirs.v[i]), name))
			return true;
	return false;
}

static bool find_glibc(struct closure *c, size_t by, const char *name)
{
	const char *path;
	uint32_t at = 0;

	if (!c->v[by].needs.runpath && try_ancestors(c, by, name, false))
		return true;
	if (!c->secure && try_list(c, c->library_path, c->v[0].path, name))
		return true;
	if (try_list(c, c->v[by].needs.runpath, c->v[by].path, name))
		return true;
	for (int i = 0; i < CACHE_TRIES && (path = ldcache_find(&c->cache, name, &at)); i++)
		if (try_path(c, path))
			return true;
	return try_own(c, name);
}

static bool find_musl(struct closure *c, size_t by, const char *name)
{
	return (!c->secure && try_list(c, c->library_path, c->v[0].path, name)) ||
	       try_ancestors(c, by, name, true) || try_own(c, name);
}

/* What the loader brings itself. */
static bool is_builtin(const struct closure *c, const char *name)
{
	static const char *const musl[] = {"libc.",  "libpthread.", "librt.",  "libm.",
					   "libdl.", "libutil.",    "libxnet."};

	for (size_t i = 0; c->musl && i < ARRAY_LEN(musl); i++)
		if (str_starts(name, musl[i]))
			return true;
	return str_starts(name, "ld-linux") || str_starts(name, "ld64.so") ||
	       str_starts(name, "ld-musl-") || str_starts(name, "linux-vdso");
}

static bool is_there(const struct closure *c, const char *name)
{
	for (size_t i = 1; i < c->n; i++)
		if (str_eq(c->v[i].name, name) || str_eq(c->v[i].needs.soname, name))
			return true;
	return false;
}

/* ---- what is wrong ---- */

/* Who has the library: of Debian's and Alpine's packages, those that are missed most. */
static const struct {
	const char *soname, *debian, *alpine;
} packages[] = {
	{"libstdc++.so.6", "libstdc++6", "libstdc++"},
	{"libgcc_s.so.1", "libgcc-s1", "libgcc"},
	{"libgomp.so.1", "libgomp1", "libgomp"},
	{"libatomic.so.1", "libatomic1", "libatomic"},
	{"libssl.so.3", "libssl3", "libssl3"},
	{"libcrypto.so.3", "libssl3", "libcrypto3"},
	{"libz.so.1", "zlib1g", "zlib"},
	{"libpq.so.5", "libpq5", "libpq"},
	{"libcurl.so.4", "libcurl4", "libcurl"},
	{"libGL.so.1", "libgl1", "mesa-gl"},
	{"libglib-2.0.so.0", "libglib2.0-0", "glib"},
	{"libffi.so.8", "libffi8", "libffi"},
	{"libxml2.so.2", "libxml2", "libxml2"},
	{"libsqlite3.so.0", "libsqlite3-0", "sqlite-libs"},
	{"libtinfo.so.6", "libtinfo6", "ncurses-libs"},
	{"libreadline.so.8", "libreadline8", "readline"},
};

/* The library in a directory where the loader does not look. */
static char *elsewhere(struct closure *c, const char *name)
{
	static const char *const dirs[] = {"/usr/local/lib", "/usr/local/lib64", "/opt/lib",
					   "/app",	     "/app/lib",	 "/lib64",
					   "/usr/lib64"};
	_cleanup_free_ char *own = dir_of(c->v[0].path), *found = NULL;
	struct lib *lib = &c->v[c->n - 1];
	bool hit = false;

	for (size_t i = 0; i < ARRAY_LEN(dirs) && !hit; i++)
		hit = try_dir(c, dirs[i], strlen(dirs[i]), name);
	if (!hit && own)
		hit = try_dir(c, own, strlen(own), name);
	if (!hit)
		return NULL;
	found = TAKE_PTR(lib->path);
	elf_needs_done(&lib->needs);
	return TAKE_PTR(found);
}

static char *install_words(const struct closure *c, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(packages); i++)
		if (str_eq(packages[i].soname, name))
			return c->musl ? str_fmt("Install it in the image: apk add %s.",
						 packages[i].alpine)
				       : str_fmt("Install it in the image: apt-get install %s on "
						 "Debian and Ubuntu.",
						 packages[i].debian);
	return str_fmt("Install the package that has %s in the image, or copy it from where the "
		       "program was built.",
		       name);
}

static void missing(struct closure *c, size_t by, const char *name)
{
	_cleanup_free_ char *unreadable = TAKE_PTR(c->unreadable), *foreign = TAKE_PTR(c->foreign);
	_cleanup_free_ char *there = unreadable || foreign ? NULL : elsewhere(c, name);
	const char *user = c->v[by].path;

	if (unreadable)
		lint_add(
			c->l, "library-unreadable", false,
			str_fmt("%s needs the library %s, and %s is no library, is damaged, or may "
				"not be read by the user it runs as.",
				user, name, unreadable),
			str_fmt("Install it anew, and let everybody read it: chmod 644 %s.",
				unreadable));
	else if (foreign)
		lint_add(c->l, "library-foreign", false,
			 str_fmt("%s needs the library %s, and %s is for another kind of machine.",
				 user, name, foreign),
			 str_fmt("Install the %s build of it.",
				 elf_machine_name(c->h->machine, c->h->class, c->h->big)));
	else if (there)
		lint_add(c->l, "library-missing", false,
			 str_fmt("%s needs the library %s, which is at %s, where its loader does "
				 "not "
				 "look.",
				 user, name, there),
			 c->musl ? str_fmt("Set LD_LIBRARY_PATH to that directory, or add it to "
					   "/etc/ld-musl-*.path.")
				 : str_fmt("Run ldconfig in the image after it was put there (with "
					   "its directory in /etc/ld.so.conf.d), or set "
					   "LD_LIBRARY_PATH to it."));
	else
		lint_add(c->l, "library-missing", false,
			 str_fmt("%s needs the library %s, which is not in the image.", user, name),
			 install_words(c, name));
}

/* ---- the closure ---- */

static bool need(struct closure *c, size_t by, const char *name)
{
	struct lib *v;
	bool found;

	if (is_builtin(c, name) || is_there(c, name))
		return true;
	if (c->n == LIBS_MAX)
		return false;
	v = reallocarray(c->v, c->n + 1, sizeof(*v));
	if (v)
		c->v = v;
	if (!v || !(v[c->n] = (struct lib){.name = strdup(name), .by = by}).name) {
		c->l->oom = true;
		return false;
	}
	c->n++;
	c->unsure = c->tries > TRIES_MAX;
	free(TAKE_PTR(c->foreign));
	free(TAKE_PTR(c->unreadable));
	if (strchr(name, '/'))
		found = try_dir(c, *name == '/' ? "/" : c->l->cwd,
				*name == '/' ? 1 : strlen(c->l->cwd), name);
	else
		found = c->musl ? find_musl(c, by, name) : find_glibc(c, by, name);
	if (!found && !c->unsure)
		missing(c, by, name);
	return true;
}

/* The highest of two versions "GLIBC_2.34", by their numbers. */
static const char *higher(const char *a, const char *b)
{
	return !a || strverscmp(a, b) < 0 ? b : a;
}

/* "2.36" of the highest version that starts like `name` up to its underscore; NULL: none. */
static const char *newest(const struct strv *provides, const char *name)
{
	size_t n = strcspn(name, "_");
	const char *best = NULL;

	for (size_t i = 0; i < provides->n; i++)
		if (strncmp(provides->v[i], name, n) == 0 && provides->v[i][n] == '_' &&
		    provides->v[i][n + 1] >= '0' && provides->v[i][n + 1] <= '9')
			best = higher(best, provides->v[i]);
	return best;
}

/* What the files together want of one library in versions that it does not have: the highest. */
static void check_versions(struct closure *c, const struct lib *lib)
{
	const char *want = NULL, *has;
	size_t by = 0;

	for (size_t i = 0; i < c->n; i++)
		for (size_t k = 0; k < c->v[i].needs.n; k++) {
			const struct elf_version *v = &c->v[i].needs.v[k];

			if ((!str_eq(v->file, lib->name) && !str_eq(v->file, lib->needs.soname)) ||
			    strv_has(&lib->needs.provides, v->name))
				continue;
			if (higher(want, v->name) != want)
				by = i;
			want = higher(want, v->name);
		}
	has = want ? newest(&lib->needs.provides, want) : NULL;
	if (want)
		lint_add(c->l, "library-version", false,
			 str_fmt("%s needs %s of %s, and %s %s%s.", c->v[by].path, want, lib->name,
				 lib->path, has ? "goes up to " : "does not have that",
				 has ? has : ""),
			 str_fmt("It was built on a newer system: build it on what the image is "
				 "made "
				 "from, or use a newer base image."));
}

void lint_libraries(struct lint *l, const char *path, int fd, const struct elf_head *h, bool setuid,
		    struct entry_file *f)
{
	_cleanup_(closure_done) struct closure c = {.l = l, .h = h, .secure = setuid};

	c.v = calloc(1, sizeof(*c.v));
	if (!c.v || !(c.v[0].path = strdup(path)) || elf_needs_read(fd, h, &c.v[0].needs) < 0) {
		c.n = c.v ? 1 : 0;
		l->oom = true;
		return;
	}
	c.n = 1;
	c.library_path = strv_var(&l->en->env, "LD_LIBRARY_PATH");
	own_dirs(&c, h->interp);
	if (!c.musl)
		cache_read(&c);
	for (size_t i = 0; i < c.n && !l->oom; i++)
		for (size_t k = 0; k < c.v[i].needs.needed.n; k++)
			if (!need(&c, i, c.v[i].needs.needed.v[k]))
				break;
	for (size_t i = 1; i < c.n; i++)
		if (c.v[i].path && c.v[i].needs.provides.n)
			check_versions(&c, &c.v[i]);
	f->libraries = c.n - 1;
}
