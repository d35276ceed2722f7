#include "kit/apt.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "kit/spawn.h"

#define ARCHIVES "/var/cache/apt/archives"

static void package_done(struct kit_package *p)
{
	free(p->name);
	free(p->version);
	free(p->arch);
	free(p->deb);
	free(p->path);
	strv_done(&p->programs);
	*p = (struct kit_package){};
}

void kit_packages_done(struct kit_packages *p)
{
	for (size_t i = 0; i < p->n; i++)
		package_done(&p->v[i]);
	free(p->v);
	strv_done(&p->absent);
	*p = (struct kit_packages){};
}

/* apt-get with nothing of this machine in it but its sources and lists. */
static int apt_args(struct strv *a, const char *tmp)
{
	static const char *const fixed[] = {
		"apt-get",
		"-qq",
		"-y",
		"-oDir::State::status=/dev/null", /* nothing is installed */
		"-oDebug::NoLocking=1",
		"-oDir::Cache::pkgcache=", /* made from our empty status: not for others */
		"-oAPT::Install-Recommends=0",
		"-oAPT::Install-Suggests=0",
	};

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		if (strv_add(a, fixed[i]) < 0)
			return -ENOMEM;
	/* as root apt would hand the download to user _apt, who cannot reach our directory */
	if (geteuid() == 0 && strv_add(a, "-oAPT::Sandbox::User=root") < 0)
		return -ENOMEM;
	return strv_push(a, str_fmt("-oDir::Cache::archives=%s/archives/", tmp));
}

/* Decode %XX of a file name (apt writes an epoch's colon as %3a). */
static char *unescape(const char *s, size_t len)
{
	_cleanup_buf_ struct buf b = {};

	for (size_t i = 0; i < len; i++) {
		if (s[i] == '%' && i + 2 < len) {
			char hex[3] = {s[i + 1], s[i + 2], 0};

			buf_putc(&b, (char)strtol(hex, NULL, 16));
			i += 2;
		} else {
			buf_putc(&b, s[i]);
		}
	}
	return buf_take(&b);
}

int apt_parse_uri(const char *line, struct kit_package *p)
{
	_cleanup_strv_ struct strv w = {};
	const char *v, *a;

	if (*line != '\'')
		return 1;
	if (strv_split(&w, line, " \n") < 0)
		return -ENOMEM;
	if (w.n < 3 || !str_ends(w.v[1], ".deb") || strchr(w.v[1], '/'))
		return 1;
	v = strchr(w.v[1], '_');
	a = strrchr(w.v[1], '_');
	if (!v || a == v || str_to_u64(w.v[2], 1, UINT64_MAX, &p->deb_size) < 0)
		return 1;
	p->deb = strdup(w.v[1]);
	p->name = strndup(w.v[1], (size_t)(v - w.v[1]));
	p->version = unescape(v + 1, (size_t)(a - v - 1));
	p->arch = strndup(a + 1, strlen(a + 1) - strlen(".deb"));
	if (p->deb && p->name && p->version && p->arch)
		return 0;
	package_done(p);
	return -ENOMEM;
}

/* True when apt has no list of packages at all. */
static bool lists_empty(void)
{
	static char *const argv[] = {(char *)"apt-config", (char *)"shell", (char *)"D",
				     (char *)"Dir::State::lists/d", NULL};
	_cleanup_buf_ struct buf out = {};
	_cleanup_dir_ DIR *d = NULL;
	struct dirent *de;
	char *path, *end;

	if (spawn_run(argv, NULL, &out, NULL) != 0 || !out.data)
		return false;
	path = strchr(out.data, '\'');
	end = path ? strchr(path + 1, '\'') : NULL;
	if (!end)
		return false;
	*end = '\0';
	d = opendir(path + 1);
	while (d && (de = readdir(d)))
		if (strstr(de->d_name, "_Packages"))
			return false;
	return true;
}

/* The package that apt's complaint says it does not know; owned. NULL: it is about something else.
 */
static char *unknown_package(const char *errs)
{
	static const char unknown[] = "Unable to locate package ";
	const char *at = errs ? strstr(errs, unknown) : NULL;

	if (!at && errs && (at = strstr(errs, "Package '")) && strstr(at, "no installation candid"))
		at += strlen("Package '");
	else if (at)
		at += strlen(unknown);
	return at ? strndup(at, strcspn(at, "\n' ")) : NULL;
}

/* Turn apt's complaint into one sentence. */
static int apt_failed(const char *errs, struct err *e)
{
	_cleanup_free_ char *name = unknown_package(errs);
	const char *first = errs ? strstr(errs, "E: ") : NULL;

	if (lists_empty()) {
		err_say(e, ENOENT, "apt has no package lists on this machine");
		err_hint(e, "run 'apt-get update' first (with sudo)");
		return -ENOENT;
	}
	if (name) {
		err_say(e, ENOENT, "apt knows no package '%s'", name);
		err_hint(e, "check the name with 'apt-cache policy NAME'; 'apt-get update' "
			    "refreshes the lists");
		return -ENOENT;
	}
	first = first ? first + 3 : "it said nothing";
	return err_say(e, ENOPKG, "apt cannot put these packages together: %.*s",
		       (int)strcspn(first, "\n"), first);
}

static int no_apt(int r, struct err *e)
{
	if (r != -ENOENT)
		return err_set(e, r, "cannot run apt-get");
	err_say(e, ENOENT,
		"there is no apt-get on this machine, and kits are made of its packages");
	err_hint(
		e,
		"build the kit on a Debian or Ubuntu machine (or in such a container) and copy it");
	return -ENOENT;
}

static int by_name(const void *a, const void *b)
{
	const struct kit_package *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	return c ? c : strcmp(x->deb, y->deb);
}

static int add_lines(char *text, const struct rules *r, struct kit_packages *out)
{
	char *save = NULL;

	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		struct kit_package p = {}, *v;
		int k = apt_parse_uri(l, &p);

		if (k < 0)
			return k;
		if (k > 0)
			continue;
		if (strv_has(&r->without, p.name)) {
			package_done(&p);
			continue;
		}
		p.asked = strv_has(&r->packages, p.name);
		v = reallocarray(out->v, out->n + 1, sizeof(*v));
		if (!v) {
			package_done(&p);
			return -ENOMEM;
		}
		out->v = v;
		v[out->n++] = p;
	}
	return 0;
}

/* What all but those in `absent` need. Returns as spawn_run(). */
static int ask(const struct rules *r, const char *tmp, const struct strv *absent, struct buf *text,
	       struct buf *errs)
{
	_cleanup_strv_ struct strv a = {};

	if (apt_args(&a, tmp) < 0 || strv_add(&a, "--print-uris") < 0 ||
	    strv_add(&a, "install") < 0)
		return -ENOMEM;
	for (size_t i = 0; i < r->packages.n; i++)
		if (!strv_has(absent, r->packages.v[i]) && strv_add(&a, r->packages.v[i]) < 0)
			return -ENOMEM;
	return spawn_run(a.v, NULL, text, errs);
}

int apt_resolve(const struct rules *r, const char *tmp, struct kit_packages *out, struct err *e)
{
	_cleanup_buf_ struct buf text = {}, errs = {};
	_cleanup_free_ char *partial = str_fmt("%s/archives/partial", tmp);
	_cleanup_free_ char *dir = str_fmt("%s/archives", tmp);
	_cleanup_free_ char *name = NULL;
	int k;

	if (!partial || !dir)
		return err_set(e, ENOMEM, "apt-get");
	if ((mkdir(dir, 0700) < 0 || mkdir(partial, 0700) < 0) && errno != EEXIST)
		return err_set(e, errno, "cannot make %s", partial);
	k = ask(r, tmp, &out->absent, &text, &errs);
	while (k > 0 && (name = unknown_package(errs.data)) && strv_has(&r->optional, name) &&
	       strv_push(&out->absent, TAKE_PTR(name)) == 0) {
		buf_done(&errs);
		k = ask(r, tmp, &out->absent, &text, &errs);
	}
	if (k < 0)
		return no_apt(k, e);
	if (k != 0)
		return apt_failed(errs.data, e);
	if (text.data && add_lines(text.data, r, out) < 0)
		return err_set(e, ENOMEM, "apt-get");
	if (out->n == 0)
		return err_say(e, ENOENT, "apt named no package to build the kit from");
	qsort(out->v, out->n, sizeof(*out->v), by_name);
	return 0;
}

/* Where downloads are kept for the next build: the user's cache, else the build's own directory. */
static char *cache_dir(const char *tmp)
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	_cleanup_free_ char *dir = NULL, *top = NULL;

	if (base && *base == '/')
		top = str_fmt("%s/porthole", base);
	else if (home && *home == '/')
		top = str_fmt("%s/.cache/porthole", home);
	if (!top)
		return str_fmt("%s/archives", tmp);
	dir = str_fmt("%s/debs", top);
	for (char *p = dir ? strchr(dir + 1, '/') : NULL; p; p = strchr(p + 1, '/')) {
		*p = '\0';
		mkdir(dir, 0755);
		*p = '/';
	}
	if (dir && (mkdir(dir, 0755) == 0 || errno == EEXIST) && access(dir, W_OK | X_OK) == 0)
		return TAKE_PTR(dir);
	return str_fmt("%s/archives", tmp);
}

/* The .deb in `dir`, when it is there whole and can be read; else NULL. */
static char *deb_in(const char *dir, const struct kit_package *p)
{
	_cleanup_free_ char *path = str_fmt("%s/%s", dir, p->deb);
	struct stat st;

	if (!path || stat(path, &st) < 0 || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size != p->deb_size || access(path, R_OK) < 0)
		return NULL;
	return TAKE_PTR(path);
}

static size_t find_debs(struct kit_packages *p, const char *cache)
{
	size_t missing = 0;

	for (size_t i = 0; i < p->n; i++) {
		struct kit_package *k = &p->v[i];

		if (!k->path)
			k->path = deb_in(ARCHIVES, k);
		if (!k->path)
			k->path = deb_in(cache, k);
		missing += !k->path;
	}
	return missing;
}

/* apt-get download checks hashes and signatures itself; whole files are then moved to the cache. */
static int download(struct kit_packages *p, const char *tmp, const char *cache, struct err *e)
{
	_cleanup_strv_ struct strv a = {};
	_cleanup_buf_ struct buf errs = {};
	_cleanup_free_ char *dir = str_fmt("%s/debs", tmp);
	const char *first;
	int k;

	if (!dir || apt_args(&a, tmp) < 0 || strv_add(&a, "download") < 0)
		return err_set(e, ENOMEM, "apt-get");
	for (size_t i = 0; i < p->n; i++)
		if (!p->v[i].path &&
		    strv_push(&a, str_fmt("%s=%s", p->v[i].name, p->v[i].version)) < 0)
			return err_set(e, ENOMEM, "apt-get");
	if (mkdir(dir, 0700) < 0)
		return err_set(e, errno, "cannot make %s", dir);
	k = spawn_run(a.v, dir, NULL, &errs);
	if (k < 0)
		return no_apt(k, e);
	for (size_t i = 0; i < p->n; i++) {
		_cleanup_free_ char *from = str_fmt("%s/%s", dir, p->v[i].deb);
		_cleanup_free_ char *to = str_fmt("%s/%s", cache, p->v[i].deb);

		if (!from || !to)
			return err_set(e, ENOMEM, "apt-get");
		if (!p->v[i].path && rename(from, to) < 0 && errno == EXDEV)
			p->v[i].path = TAKE_PTR(from);
	}
	if (k == 0)
		return 0;
	first = errs.data ? strstr(errs.data, "E: ") : NULL;
	first = first ? first + 3 : "it said nothing";
	return err_say(e, EIO, "apt could not download the packages: %.*s",
		       (int)strcspn(first, "\n"), first);
}

int apt_fetch(struct kit_packages *p, const char *tmp, const struct kit_progress *progress,
	      struct err *e)
{
	_cleanup_free_ char *cache = cache_dir(tmp);
	size_t missing;
	int r;

	if (!cache)
		return err_set(e, ENOMEM, "apt-get");
	missing = find_debs(p, cache);
	if (missing == 0)
		return 0;
	progress->step(progress->arg, "downloading packages", 0, missing);
	r = download(p, tmp, cache, e);
	if (r < 0)
		return r;
	missing = find_debs(p, cache);
	for (size_t i = 0; missing && i < p->n; i++)
		if (!p->v[i].path)
			return err_say(e, EIO, "apt did not deliver %s whole", p->v[i].deb);
	return 0;
}
