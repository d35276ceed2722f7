/* The environment the first process was started with. */
#include <fcntl.h>

#include "base/fd.h"
#include "facts/facts.h"
#include "facts/parse.h"

enum { ENV_VARS_MAX = 10000 };

int facts_env_parse(const char *data, size_t len, struct facts_env *env)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += data[i] == '\0';
	n = n + 1 < ENV_VARS_MAX ? n + 1 : ENV_VARS_MAX;
	env->v = calloc(n, sizeof(*env->v));
	if (!env->v)
		return -ENOMEM;
	for (size_t at = 0; at < len && env->n < n;) {
		size_t size = strnlen(data + at, len - at);
		const char *eq = memchr(data + at, '=', size);
		struct fact_env *v = &env->v[env->n];

		if (eq) {
			v->key = strndup(data + at, (size_t)(eq - data - (ptrdiff_t)at));
			v->value = strndup(eq + 1, size - (size_t)(eq + 1 - data - (ptrdiff_t)at));
			env->n++;
			if (!v->key || !v->value)
				return -ENOMEM;
			v->secret = facts_is_secret(v->key, v->value);
		}
		at += size + 1;
	}
	return 0;
}

int facts_env_read(const struct target_roots *r, const struct target *t, struct facts *f)
{
	_cleanup_close_ int app = target_app_open(t);
	_cleanup_close_ int fd =
		openat(app >= 0 ? app : t->proc_fd, "environ", O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *data = NULL;
	size_t len = 0;
	int err;

	(void)r;
	if (fd < 0)
		return -errno;
	err = fd_read_all(fd, FACTS_ENV_MAX, &data, &len);
	if (err == -EFBIG) {
		f->env.known = f->env.cut = true;
		return 0;
	}
	if (err < 0)
		return err;
	f->env.known = true;
	return facts_env_parse(data, len, &f->env);
}
