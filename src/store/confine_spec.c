/* How a container is held, in the words of an OCI runtime spec. */
#include <errno.h>
#include <stdlib.h>

#include "store/confine.h"

static int rlimits(json_t *spec, struct confine *out)
{
	json_t *v;
	size_t i;
	int r = 0;

	json_array_foreach (json_at(spec, "process.rlimits"), i, v)
		if (r == 0)
			r = confine_rlimit_add(out, json_str(v, "type", ""),
					       json_int(v, "soft", -1), json_int(v, "hard", -1));
	return r;
}

static int groups(json_t *spec, struct confine *out)
{
	json_t *v;
	size_t i;

	json_array_foreach (json_at(spec, "process.user.additionalGids"), i, v) {
		json_int_t gid = json_integer_value(v);

		if (json_is_integer(v) && gid >= 0 && gid < UINT32_MAX && i < CONFINE_LIST_MAX &&
		    strv_push(&out->groups, str_fmt("%lld", (long long)gid)) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int devices(json_t *spec, struct confine *out)
{
	json_t *v;
	size_t i;
	int r = 0;

	json_array_foreach (json_at(spec, "linux.devices"), i, v) {
		const char *type = json_str(v, "type", "");

		if (r == 0 && (str_eq(type, "c") || str_eq(type, "u") || str_eq(type, "b")))
			r = confine_device_add(out, json_str(v, "path", ""), NULL,
					       str_eq(type, "b"), (uint32_t)json_int(v, "major", 0),
					       (uint32_t)json_int(v, "minor", 0));
	}
	return r;
}

/* /dev/shm, where it is a tmpfs of the container's own. */
static void shm(json_t *spec, struct confine *out)
{
	json_t *m, *o;
	size_t i, k;

	json_array_foreach (json_at(spec, "mounts"), i, m) {
		if (!str_eq(json_str(m, "destination", ""), "/dev/shm"))
			continue;
		json_array_foreach (json_at(m, "options"), k, o)
			if (json_is_string(o) && str_starts(json_string_value(o), "size="))
				str_to_size(json_string_value(o) + strlen("size="), &out->shm_size);
	}
}

/* A network namespace that nobody else made, and that so has nothing in it. In a user namespace
 * podman fills it only later. */
static bool is_lonely(json_t *spec)
{
	json_t *v;
	size_t i;
	bool own = false, user = false;

	json_array_foreach (json_at(spec, "linux.namespaces"), i, v) {
		const char *type = json_str(v, "type", "");

		own |= str_eq(type, "network") && !*json_str(v, "path", "");
		user |= str_eq(type, "user");
	}
	return own && !user;
}

int confine_of_spec(json_t *spec, struct confine *out)
{
	json_t *oom = json_at(spec, "process.oomScoreAdj"),
	       *seccomp = json_at(spec, "linux.seccomp");

	out->known = true;
	out->oom_known = json_is_integer(oom);
	out->oom_score_adj = (int)json_integer_value(oom);
	out->seccomp_how = seccomp ? CONFINE_SECCOMP_TOLD : CONFINE_SECCOMP_NONE;
	out->seccomp = json_incref(seccomp);
	confine_lsm(out, json_str(spec, "process.apparmorProfile", ""),
		    json_str(spec, "process.selinuxLabel", ""),
		    json_str(spec, "linux.mountLabel", ""));
	out->lonely = is_lonely(spec);
	shm(spec, out);
	return rlimits(spec, out) ?: groups(spec, out) ?: confine_sysctls_add(out, json_at(spec, "linux.sysctl")) ?: devices(spec, out);
}
