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

static int read_at(const struct target_roots *r, const struct target *t, bool of_host,
		   size_t reader, struct store *out, struct err *e)
{
	const struct target_roots at = target_roots_at(r, of_host, t->state_file);
	_cleanup_store_ struct store s = STORE_INIT;
	int err = target_roots_mountable(&at, e) ?: readers[reader].read(&at, t, &s, e);

	if (err < 0)
		return err;
	s.own = true;
	*out = s;
	s = STORE_INIT;
	return 0;
}

int store_of_target(const struct target_roots *r, const struct target *t, struct store *out,
		    struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
		int err;

		if (!str_eq(readers[i].engine, t->engine))
			continue;
		err = read_at(r, t, t->of_host, i, out, e);
		/* a container that has the host's /run has what says so, and not its files */
		if (err < 0 && !t->of_host && r->host_fd > 0 &&
		    read_at(r, t, true, i, out, NULL) == 0) {
			*e = (struct err){};
			err = 0;
		}
		return err;
	}
	err_say(e, ENOTSUP, "'%s' does not run, and what %s keeps of it cannot be read", t->name,
		t->engine);
	return -ENOTSUP;
}
