/* How a container is held, in docker's own words. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "store/confine.h"
#include "sys/caps.h"

#if defined(__x86_64__)
#define GO_ARCH	 "amd64"
#define OCI_ARCH "SCMP_ARCH_X86_64"
#elif defined(__aarch64__)
#define GO_ARCH	 "arm64"
#define OCI_ARCH "SCMP_ARCH_AARCH64"
#else
#define GO_ARCH	 ""
#define OCI_ARCH ""
#endif

/* ---- seccomp profiles ---- */

static bool has(json_t *list, const char *word)
{
	json_t *v;
	size_t i;

	json_array_foreach (list, i, v)
		if (str_eq(json_string_value(v), word))
			return true;
	return false;
}

/* How many of these capabilities it has; *n: of how many. */
static size_t has_caps(json_t *list, uint64_t caps, size_t *n)
{
	size_t i, found = 0;
	json_t *v;

	*n = json_array_size(list);
	json_array_foreach (list, i, v) {
		int c = json_is_string(v) ? caps_number(json_string_value(v)) : -EINVAL;

		found += c >= 0 && caps & CAPS_BIT(c);
	}
	return found;
}

/* Is our kernel one of this version ("4.8"), or a newer one? */
static bool is_kernel(const char *version)
{
	unsigned major = 0, minor = 0, our_major = 0, our_minor = 0;
	struct utsname un;

	uname(&un);
	if (sscanf(version, "%u.%u", &major, &minor) != 2 ||
	    sscanf(un.release, "%u.%u", &our_major, &our_minor) != 2)
		return false;
	return our_major != major ? our_major > major : our_minor >= minor;
}

/* Does this part hold here? As moby's profiles/seccomp decides. */
static bool holds(json_t *part, uint64_t caps)
{
	json_t *in = json_object_get(part, "includes"), *ex = json_object_get(part, "excludes");
	const char *from = json_str(in, "minKernel", NULL), *to = json_str(ex, "minKernel", NULL);
	size_t n;

	if (has(json_at(ex, "arches"), GO_ARCH) || has_caps(json_at(ex, "caps"), caps, &n) ||
	    (to && is_kernel(to)))
		return false;
	if (json_array_size(json_at(in, "arches")) && !has(json_at(in, "arches"), GO_ARCH))
		return false;
	return has_caps(json_at(in, "caps"), caps, &n) == n && (!from || is_kernel(from));
}

/* Ours, and those whose programs it can run. */
static json_t *arches(json_t *profile)
{
	json_t *list = json_array(), *v, *sub;
	size_t i, k;

	json_array_foreach (json_at(profile, "archMap"), i, v) {
		if (!str_eq(json_str(v, "architecture", ""), OCI_ARCH))
			continue;
		json_array_append(list, json_at(v, "architecture"));
		json_array_foreach (json_at(v, "subArchitectures"), k, sub)
			json_array_append(list, sub);
	}
	return list;
}

json_t *confine_profile(json_t *profile, uint64_t caps)
{
	json_t *out = json_copy(profile), *calls = json_array(), *v;
	size_t i;

	json_array_foreach (json_at(profile, "syscalls"), i, v)
		if (holds(v, caps))
			json_array_append(calls, v);
	if (!out || json_object_set_new(out, "syscalls", calls) < 0) {
		json_decref(out);
		return NULL;
	}
	if (json_at(profile, "archMap"))
		json_object_set_new(out, "architectures", arches(profile));
	return out;
}

/* "unconfined", the profile itself, or nothing said: then it is the daemon's. */
static int seccomp(json_t *host, uint64_t caps, struct confine *out)
{
	json_t *v;
	size_t i;

	if (json_bool(host, "Privileged", false))
		out->seccomp_how = CONFINE_SECCOMP_NONE;
	json_array_foreach (json_at(host, "SecurityOpt"), i, v) {
		const char *s = json_is_string(v) ? json_string_value(v) : "";
		_cleanup_json_ json_t *profile = NULL;

		if (!str_starts(s, "seccomp=") && !str_starts(s, "seccomp:"))
			continue;
		s += strlen("seccomp=");
		json_decref(out->seccomp);
		out->seccomp = NULL;
		out->seccomp_how =
			str_eq(s, "unconfined") ? CONFINE_SECCOMP_NONE : CONFINE_SECCOMP_UNTOLD;
		profile = *s == '{' ? json_loads(s, 0, NULL) : NULL;
		if (!profile)
			continue;
		out->seccomp_how = CONFINE_SECCOMP_TOLD;
		out->seccomp = confine_profile(profile, caps);
		if (!out->seccomp)
			return -ENOMEM;
	}
	return 0;
}

/* ---- the rest ---- */

static int rlimits(json_t *host, struct confine *out)
{
	json_t *v;
	size_t i;
	int r = 0;

	json_array_foreach (json_at(host, "Ulimits"), i, v)
		if (r == 0)
			r = confine_rlimit_add(out, json_str(v, "Name", ""),
					       json_int(v, "Soft", -1), json_int(v, "Hard", -1));
	return r;
}

/* What it was told, after what docker sets in every network namespace that it makes (20.10). */
static int sysctls(json_t *host, struct confine *out)
{
	static const char *const dflt[][2] = {{"net.ipv4.ip_unprivileged_port_start", "0"},
					      {"net.ipv4.ping_group_range", "0 2147483647"}};
	json_t *told = json_at(host, "Sysctls");
	bool shared = str_eq(json_str(host, "NetworkMode", ""), "host");
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(dflt) && r == 0 && !shared; i++)
		if (!json_object_get(told, dflt[i][0]))
			r = confine_sysctl_add(out, dflt[i][0], dflt[i][1]);
	return r < 0 ? r : confine_sysctls_add(out, told);
}

static int devices(json_t *host, struct confine *out)
{
	json_t *v;
	size_t i;
	int r = 0;

	json_array_foreach (json_at(host, "Devices"), i, v)
		if (r == 0)
			r = confine_device_add(out, json_str(v, "PathInContainer", ""),
					       json_str(v, "PathOnHost", ""), false, 0, 0);
	return r;
}

int confine_of_docker(json_t *config, json_t *host, uint64_t caps, struct confine *out)
{
	int64_t shm = json_int(host, "ShmSize", 0);

	if (!host)
		return 0;
	out->known = true;
	out->all_devices = json_bool(host, "Privileged", false);
	out->oom_known = true;
	out->oom_score_adj = (int)json_int(host, "OomScoreAdj", 0);
	out->shm_size = shm > 0 ? (uint64_t)shm : 0;
	out->lonely = str_eq(json_str(host, "NetworkMode", ""), "none");
	confine_lsm(out, json_str(config, "AppArmorProfile", ""),
		    json_str(config, "ProcessLabel", ""), json_str(config, "MountLabel", ""));
	if (json_strings(json_at(host, "GroupAdd"), CONFINE_LIST_MAX, &out->groups) < 0)
		return -ENOMEM;
	return seccomp(host, caps, out) ?: rlimits(host, out) ?: sysctls(host, out)
								 ?: devices(host, out);
}
