#include "store/confine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/resource.h>

void confine_done(struct confine *c)
{
	for (size_t i = 0; i < c->n_devices; i++) {
		free(c->devices[i].dest);
		free(c->devices[i].source);
	}
	free(c->devices);
	free(c->rlimits);
	strv_done(&c->groups);
	strv_done(&c->sysctls);
	json_decref(c->seccomp);
	*c = (struct confine){};
}

static int rlimit_number(const char *name)
{
	static const struct {
		const char *name;
		int number;
	} all[] = {
		{"as", RLIMIT_AS},	     {"core", RLIMIT_CORE},
		{"cpu", RLIMIT_CPU},	     {"data", RLIMIT_DATA},
		{"fsize", RLIMIT_FSIZE},     {"locks", RLIMIT_LOCKS},
		{"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE},
		{"nice", RLIMIT_NICE},	     {"nofile", RLIMIT_NOFILE},
		{"nproc", RLIMIT_NPROC},     {"rss", RLIMIT_RSS},
		{"rtprio", RLIMIT_RTPRIO},   {"rttime", RLIMIT_RTTIME},
		{"stack", RLIMIT_STACK},     {"sigpending", RLIMIT_SIGPENDING},
	};

	name += str_starts(name, "RLIMIT_") ? strlen("RLIMIT_") : 0;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (strcasecmp(all[i].name, name) == 0)
			return all[i].number;
	return -1;
}

/* Room for one more, where there is any left. 1, 0: full, -ENOMEM. */
static int grow(void *list, size_t n, size_t size)
{
	void **v = list, *more;

	if (n == CONFINE_LIST_MAX)
		return 0;
	more = reallocarray(*v, n + 1, size);
	if (!more)
		return -ENOMEM;
	*v = more;
	return 1;
}

int confine_rlimit_add(struct confine *c, const char *name, int64_t soft, int64_t hard)
{
	int number = rlimit_number(name), r;

	if (number < 0)
		return 0;
	r = grow(&c->rlimits, c->n_rlimits, sizeof(*c->rlimits));
	if (r == 1) /* -1 is UINT64_MAX; so does jansson read what is larger than it can hold */
		c->rlimits[c->n_rlimits++] = (struct confine_rlimit){
			.resource = number, .soft = (uint64_t)soft, .hard = (uint64_t)hard};
	return r < 0 ? r : 0;
}

void confine_lsm(struct confine *c, const char *profile, const char *label, const char *files)
{
	if (!str_eq(profile, "unconfined") && !lsm_is_label(profile) &&
	    strlen(profile) < LSM_NAME_MAX)
		snprintf(c->apparmor.name, LSM_NAME_MAX, "%s", profile);
	if (!lsm_is_label(label) || strlen(label) >= LSM_NAME_MAX)
		return;
	snprintf(c->selinux.name, LSM_NAME_MAX, "%s", label);
	if (strlen(files) < LSM_NAME_MAX)
		snprintf(c->selinux.files, LSM_NAME_MAX, "%s", files);
}

int confine_sysctl_add(struct confine *c, const char *name, const char *value)
{
	return c->sysctls.n < CONFINE_LIST_MAX
		       ? strv_push(&c->sysctls, str_fmt("%s=%s", name, value))
		       : 0;
}

int confine_sysctls_add(struct confine *c, json_t *told)
{
	const char *name;
	json_t *v;
	int r = 0;

	json_object_foreach (told, name, v)
		if (r == 0 && json_is_string(v))
			r = confine_sysctl_add(c, name, json_string_value(v));
	return r;
}

int confine_device_add(struct confine *c, const char *dest, const char *source, bool block,
		       uint32_t major, uint32_t minor)
{
	struct confine_device d = {.block = block, .major = major, .minor = minor};
	int r;

	if (!str_starts(dest, "/dev/") || !dest[strlen("/dev/")])
		return 0;
	r = grow(&c->devices, c->n_devices, sizeof(*c->devices));
	if (r <= 0)
		return r;
	d.dest = strdup(dest);
	d.source = source ? strdup(source) : NULL;
	c->devices[c->n_devices++] = d;
	return d.dest && (d.source || !source) ? 0 : -ENOMEM;
}
