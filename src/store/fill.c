#include "store/fill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/path.h"
#include "sys/caps.h"

const char fill_default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* An absolute path without //, . and ..: a new string, NULL: it is not absolute, or only "/". */
static char *clean(const char *path)
{
	_cleanup_strv_ struct strv part = {};
	struct buf b = {};

	if (*path != '/' || strv_split(&part, path, "/") < 0)
		return NULL;
	for (size_t i = 0; i < part.n; i++) {
		const char *p = part.v[i];
		const char *last = b.len ? strrchr(b.data, '/') : NULL;

		if (str_eq(p, "."))
			continue;
		if (!str_eq(p, "..")) {
			buf_putc(&b, '/');
			buf_puts(&b, p);
		} else if (last) {
			b.len = (size_t)(last - b.data);
			b.data[b.len] = '\0';
		}
	}
	if (b.len && !b.oom)
		return buf_take(&b);
	buf_done(&b);
	return NULL;
}

/* What a session makes for itself. */
static bool is_own(const char *dest)
{
	static const char *const own[] = {"/proc", "/sys", "/dev"};

	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (path_below(dest, own[i]))
			return true;
	return false;
}

static void drop_at(struct store *s, const char *dest)
{
	for (size_t i = 0; i < s->n_mounts; i++) {
		struct store_mount *m = &s->mounts[i];

		if (!str_eq(m->dest, dest))
			continue;
		free(m->dest);
		free(m->source);
		free(m->options);
		cleanup_close(&m->fd);
		s->n_mounts--;
		memmove(m, m + 1, (s->n_mounts - i) * sizeof(*m));
		return;
	}
}

int fill_mount(const struct target_roots *r, const struct fill_mount *f, struct store *out,
	       struct err *e)
{
	struct store_mount m = {.fd = -EBADF, .ro = f->ro, .ids_inside = f->ids_inside};
	int err;

	m.dest = clean(f->dest);
	if (!m.dest || is_own(m.dest)) {
		free(m.dest);
		return 0;
	}
	m.tmpfs = !f->source;
	if (f->source && *f->source == '/')
		m.fd = path_open_in_root(r->root_fd, f->source, O_PATH);
	m.missing = f->source && m.fd < 0;
	m.gone = m.missing && (m.fd == -ENOENT || m.fd == -ENOTDIR);
	m.remade = f->remade;
	if (m.missing && f->own) {
		free(m.dest);
		return 0;
	}
	drop_at(out, m.dest);
	m.fd = m.fd < 0 ? -EBADF : m.fd;
	m.source = f->source ? strdup(f->shown ? f->shown : f->source) : NULL;
	m.options = m.tmpfs && f->options ? strdup(f->options) : NULL;
	err = store_add_mount(out, &m);
	if (err == -E2BIG)
		return err_say(e, E2BIG, "'%s' has more than %d mounts", out->label,
			       STORE_MOUNTS_MAX);
	return err < 0 ? err_set(e, ENOMEM, "reading the mounts of '%s'", out->label) : 0;
}

int fill_directory(const struct target_roots *r, const char *path, struct store *out, struct err *e)
{
	_cleanup_storage_ struct storage dir = STORAGE_INIT;
	int err = storage_open(r, path, &dir, e);

	if (err == -ENOTDIR) {
		err_say(e, EBADMSG, "%s is no directory", path);
		return -EBADMSG;
	}
	if (err == 0 && store_add_layer(out, TAKE_FD(dir.fd), TAKE_PTR(dir.path)) < 0)
		err = err_set(e, ENOMEM, "opening %s", path);
	return err;
}

static int by_depth(const void *a, const void *b)
{
	const struct store_mount *x = a, *y = b;
	size_t dx = 0, dy = 0;

	for (const char *p = x->dest; *p; p++)
		dx += *p == '/';
	for (const char *p = y->dest; *p; p++)
		dy += *p == '/';
	return dx != dy ? (dx > dy) - (dx < dy) : strcmp(x->dest, y->dest);
}

void fill_sort_mounts(struct store *s)
{
	if (s->n_mounts > 1)
		qsort(s->mounts, s->n_mounts, sizeof(*s->mounts), by_depth);
}

int fill_names(struct store *s, const struct target *t, const char *kind, ...)
{
	va_list ap;

	va_start(ap, kind);
	if (vasprintf(&s->kind, kind, ap) < 0)
		s->kind = NULL;
	va_end(ap);
	s->label = strdup(t->name ? t->name : t->id ? t->id : "");
	return s->label && s->kind ? 0 : -ENOMEM;
}

int fill_env_default(struct strv *env, const char *key, const char *value)
{
	char *own;

	if (strv_var(env, key))
		return 0;
	if (strv_push(env, str_fmt("%s=%s", key, value)) < 0)
		return -ENOMEM;
	own = env->v[env->n - 1];
	memmove(env->v + 1, env->v, (env->n - 1) * sizeof(*env->v));
	env->v[0] = own;
	return 0;
}

void fill_shell_form(struct store_config *c)
{
	const struct strv *v = c->entrypoint.n ? &c->entrypoint : &c->cmd;

	c->shell_form = v->n == 3 && str_eq(v->v[0], "/bin/sh") && str_eq(v->v[1], "-c");
}

uint64_t fill_caps(json_t *names)
{
	uint64_t mask = 0;
	json_t *v;
	size_t i;

	json_array_foreach (names, i, v) {
		const char *name = json_is_string(v) ? json_string_value(v) : "";
		int n = caps_number(name);

		if (strcasecmp(name, "all") == 0)
			mask |= caps_all();
		else if (n >= 0)
			mask |= CAPS_BIT(n);
	}
	return mask;
}
