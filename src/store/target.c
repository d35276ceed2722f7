/* Which reader an engine's containers have. */
#include <errno.h>

#include "base/cleanup.h"
#include "store/engines.h"

static const struct {
	const char *engine;
	int (*read)(const struct target_roots *r, const struct target *t, struct store *out,
		    struct err *e);
} readers[] = {
	{"docker", docker_store},
	{"podman", containers_store},
	{"crio", containers_store},
	{"buildah", containers_store},
	{"containerd", containerd_store},
	{"cri", containerd_store},
	{"nerdctl", containerd_store},
	{"runc", bundle_store},
	{"crun", bundle_store},
	{"lxc", lxc_store},
	{"incus", lxc_store},
	{"lxd", lxc_store},
	{"nspawn", nspawn_store},
};

int store_of_target(const struct target_roots *r, const struct target *t, struct store *out,
		    struct err *e)
{
	const struct target_roots at = target_roots_at(r, t->state_file);
	_cleanup_store_ struct store s = STORE_INIT;

	for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
		int err;

		if (!str_eq(readers[i].engine, t->engine))
			continue;
		err = target_roots_mountable(&at, e) ?: readers[i].read(&at, t, &s, e);
		if (err < 0)
			return err;
		s.own = true;
		*out = s;
		s = STORE_INIT;
		return 0;
	}
	err_say(e, ENOTSUP, "'%s' does not run, and what %s keeps of it cannot be read", t->name,
		t->engine);
	return -ENOTSUP;
}
