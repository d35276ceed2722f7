#include "launch/host.h"

#include <stdlib.h>
#include <sys/mount.h>

#include "base/path.h"
#include "sys/caps.h"
#include "sys/ns.h"

void host_spec_done(struct host_spec *s)
{
	profile_done(&s->profile);
	free(s->v);
	strv_done(&s->env);
	*s = (struct host_spec){};
}

/* --- switches --- */

static int set_ns(struct grants *g, const struct strv *list, struct err *e)
{
	bool whole = false;
	int r = 0;

	for (size_t i = 0; i < list->n && r == 0; i++) {
		const char *word = list->v[i];
		bool add = *word == '+', take = *word == '-';
		const struct strv one = {.v = (char *[]){(char *)word + (add || take)}, .n = 1};
		unsigned flags = 0;

		if (!add && !take && !whole) {
			g->host_ns = 0;
			whole = true;
		}
		if (str_eq(word, "none"))
			continue;
		r = ns_parse(&one, &flags, e);
		if (r == -EINVAL ||
		    (r == 0 && !str_eq(one.v[0], "all") && flags & ~(unsigned)HOST_NS))
			r = err_say(e, EINVAL,
				    "--ns takes pid, net, ipc, uts, cgroup, all or none, not '%s'",
				    word);
		flags &= HOST_NS;
		g->host_ns = take ? g->host_ns & ~flags : g->host_ns | flags;
	}
	return r;
}

static int set_volumes(struct grants *g, const struct strv *list, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < list->n && r == 0; i++) {
		_cleanup_free_ char *copy = NULL;
		struct volume v;
		const char *way;

		r = volume_parse(list->v[i], &copy, &v, e);
		if (r < 0)
			return r;
		for (size_t k = i; k > 0; k--) {
			const char *other = g->mounts[g->n_mounts - k].inside;

			if (str_eq(other, v.inside))
				return err_say(e, EINVAL, "two -v are for the same path inside: %s",
					       other);
		}
		way = v.follow			    ? "follow"
		      : v.propagation == MS_SLAVE   ? "rslave"
		      : v.propagation == MS_PRIVATE ? "rprivate"
						    : "rshared";
		if (grants_mount(g, v.host, v.inside, v.ro, v.ro, way) < 0)
			r = err_set(e, ENOMEM, "planning the container");
	}
	return r;
}

static int set_caps(struct grants *g, const struct host_ask *ask, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < ask->cap_drop->n && r == 0; i++)
		r = grants_caps(g, ask->cap_drop->v[i], true, e);
	for (size_t i = 0; i < ask->cap_add->n && r == 0; i++)
		r = grants_caps(g, ask->cap_add->v[i], false, e);
	return r;
}

static int set_switches(struct grants *g, const struct host_ask *ask, struct err *e)
{
	int r = set_ns(g, ask->ns, e);

	if (r == 0)
		r = set_volumes(g, ask->volumes, e);
	if (r == 0)
		r = set_caps(g, ask, e);
	for (size_t i = 0; ask->ro && i < g->n_mounts; i++)
		g->mounts[i].ro = g->mounts[i].deep_ro = true;
	for (size_t i = 0; i < ask->masks->n && r == 0; i++)
		if (strv_add(&g->masks, ask->masks->v[i]) < 0)
			r = err_set(e, ENOMEM, "planning the container");
	return r;
}

/* --- the environment --- */

/* Where the host's / is inside; NULL: nowhere as a whole. */
static const char *whole_host(const struct grants *g)
{
	for (size_t i = 0; i < g->n_mounts; i++)
		if (str_eq(g->mounts[i].host, "/"))
			return g->mounts[i].inside;
	return NULL;
}

/* Something of the host's lies at `dir` inside, or below it. */
static bool has_below(const struct grants *g, const char *dir)
{
	for (size_t i = 0; i < g->n_mounts; i++)
		if (path_below(g->mounts[i].inside, dir))
			return true;
	return false;
}

static int setf(struct strv *env, const char *name, const char *a, const char *b)
{
	return strv_push(env, str_fmt("%s=%s%s", name, a, b));
}

/* Programs put these before the host's paths; one that leads nowhere would be worse than none. */
static int host_env(const struct grants *g, struct strv *env)
{
	static const char *const roots[] = {"HOST", "sysimage", "HOST_ROOT", "SYSDIG_HOST_ROOT"};
	static const struct {
		const char *name, *dir;
	} parts[] = {{"HOST_PROC", "/proc"},
		     {"HOST_SYS", "/sys"},
		     {"HOST_ETC", "/etc"},
		     {"HOST_VAR", "/var"},
		     {"HOST_RUN", "/run"}};
	const char *whole = whole_host(g), *at = whole ? whole : "/host";
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(roots) && r == 0; i++)
		if (whole || has_below(g, at))
			r = setf(env, roots[i], at, "");
	for (size_t i = 0; i < ARRAY_LEN(parts) && r == 0; i++) {
		_cleanup_free_ char *dir = str_fmt("%s%s", at, parts[i].dir);

		if (!dir)
			return -ENOMEM;
		if (whole || has_below(g, dir))
			r = setf(env, parts[i].name, dir, "");
	}
	return r;
}

static int fill_env(struct host_spec *s, const struct host_ask *ask)
{
	int r = host_env(&s->profile.g, &s->env);

	if (r == 0)
		r = setf(&s->env, "container", "porthole", "");
	if (r == 0)
		r = setf(&s->env, "SYSTEMD_IGNORE_CHROOT", "1", "");
	if (r == 0)
		r = setf(&s->env, "NAME", ask->name, "");
	if (r == 0)
		r = setf(&s->env, "IMAGE", ask->image, "");
	return r < 0 ? r : strv_add_all(&s->env, &s->profile.g.env);
}

/* --- */

static uint64_t propagation_of(const char *way)
{
	return str_eq(way, "rprivate") ? MS_PRIVATE : str_eq(way, "rshared") ? 0 : MS_SLAVE;
}

static int fill_volumes(struct host_spec *s)
{
	const struct grants *g = &s->profile.g;

	s->v = calloc(g->n_mounts + 1, sizeof(*s->v));
	if (!s->v)
		return -ENOMEM;
	for (size_t i = 0; i < g->n_mounts; i++)
		s->v[i] = (struct volume){
			.host = g->mounts[i].host,
			.inside = g->mounts[i].inside,
			.ro = g->mounts[i].ro,
			.optional = g->mounts[i].optional,
			.propagation = propagation_of(g->mounts[i].propagation),
			.follow = str_eq(g->mounts[i].propagation, "follow"),
		};
	return 0;
}

int host_spec_make(const struct host_ask *ask, struct host_spec *out, struct err *e)
{
	struct grants *g = &out->profile.g;
	int r;

	*out = (struct host_spec){};
	r = profile_find(ask->profile, &out->profile, e);
	if (r == 0)
		r = set_switches(g, ask, e);
	if (r < 0)
		return r;
	if (fill_volumes(out) < 0 || fill_env(out, ask) < 0)
		return err_set(e, ENOMEM, "planning the container");
	out->req = (struct host_request){
		.share = g->host_ns,
		.v = out->v,
		.n = g->n_mounts,
		.masks = &g->masks,
		.caps = g->caps,
		.ambient = g->user && !ask->user,
		.guests = out->profile.outlive,
		.no_new_privs = g->no_new_privs,
		.filtered = !g->seccomp_off,
		.ipc_ro = g->ipc_ro,
		.unmasked = g->masks_off,
	};
	return 0;
}
