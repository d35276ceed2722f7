#include "store/spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "facts/parse.h"

int spec_config(json_t *spec, struct store_config *c)
{
	_cleanup_facts_ struct facts f = {};
	json_t *caps = json_at(spec, "process.capabilities.bounding");
	json_t *res = json_at(spec, "linux.resources");
	int64_t n, quota = json_int(res, "cpu.quota", 0), period = json_int(res, "cpu.period", 0);

	if (facts_oci_parse(spec, &f.engine) < 0)
		return -ENOMEM;
	c->cmd = f.engine.cmd;
	f.engine.cmd = (struct strv){};
	c->user = TAKE_PTR(f.engine.user);
	c->cwd = TAKE_PTR(f.engine.workdir);
	c->hostname = TAKE_PTR(f.engine.hostname);
	c->root_ro = json_bool(spec, "root.readonly", false);
	c->no_new_privs = json_bool(spec, "process.noNewPrivileges", false);
	c->caps_known = json_is_object(json_at(spec, "process"));
	c->caps = fill_caps(caps);
	n = json_int(res, "memory.limit", 0);
	c->memory = n > 0 ? (uint64_t)n : 0;
	n = json_int(res, "pids.limit", 0);
	c->pids = n > 0 ? (uint64_t)n : 0;
	c->cpus = quota > 0 && period > 0 ? (double)quota / (double)period : 0;
	fill_shell_form(c);
	if (confine_of_spec(spec, &c->confine) < 0)
		return -ENOMEM;
	return json_strings(json_at(spec, "process.env"), SIZE_MAX, &c->env);
}

static bool has_option(json_t *options, const char *a, const char *b)
{
	json_t *v;
	size_t i;

	json_array_foreach (options, i, v)
		if (str_eq(json_string_value(v), a) || str_eq(json_string_value(v), b))
			return true;
	return false;
}

/* "size=64k,noexec": a new string. */
static char *join(json_t *options)
{
	struct buf b = {};
	json_t *v;
	size_t i;

	json_array_foreach (options, i, v)
		if (json_is_string(v))
			buf_printf(&b, "%s,", json_string_value(v));
	return buf_take(&b);
}

/* What is mounted: by its type, or "bind" where the options say so. */
static const char *type_of(json_t *m)
{
	return has_option(json_at(m, "options"), "bind", "rbind") ? "bind"
								  : json_str(m, "type", "bind");
}

int spec_mounts(const struct target_roots *r, json_t *spec, const char *bundle, struct store *out,
		struct err *e)
{
	static const char *const own[] = {"proc",   "sysfs",   "devpts",  "mqueue",
					  "cgroup", "cgroup2", "devtmpfs"};
	json_t *m;
	size_t i;
	int err = 0;

	json_array_foreach (json_at(spec, "mounts"), i, m) {
		const char *type = type_of(m), *source = json_str(m, "source", "");
		json_t *options = json_at(m, "options");
		_cleanup_free_ char *path = NULL, *shown = NULL, *all = NULL;
		struct fill_mount f = {.dest = json_str(m, "destination", ""),
				       .ro = has_option(options, "ro", "rro"),
				       .ids_inside = json_at(m, "uidMappings") ||
						     has_option(options, "idmap", "ridmap")};
		bool skip = false, bind = strcmp(type, "bind") == 0;

		for (size_t k = 0; k < ARRAY_LEN(own); k++)
			skip |= str_eq(type, own[k]);
		if (skip)
			continue;
		if (bind && *source != '/' && bundle)
			path = str_fmt("%s/%s", bundle, source);
		else if (!bind)
			shown = str_fmt("%s (%s)", source, type);
		if (!str_eq(type, "tmpfs")) {
			f.source = shown ? "" : path ? path : source;
			f.shown = shown ? shown : f.source;
			/* podman's, CRI-O's and containerd's own: in /run, gone when the host
			 * starts again, and made anew for the next container */
			f.own = strstr(f.source, "/userdata/") ||
				(str_starts(f.source, "/run/") && strstr(f.source, "/containerd/"));
		}
		f.options = all = f.source ? NULL : join(options);
		err = fill_mount(r, &f, out, e);
		if (err < 0)
			return err;
	}
	return 0;
}

int spec_maps(json_t *spec, struct store *out, struct err *e)
{
	json_t *linux_ = json_object_get(spec, "linux");

	if (idmap_on_top(json_at(linux_, "uidMappings"), "containerID", "hostID", &out->uid_map) <
		    0 ||
	    idmap_on_top(json_at(linux_, "gidMappings"), "containerID", "hostID", &out->gid_map) <
		    0)
		return err_set(e, ENOMEM, "reading '%s'", out->label);
	return 0;
}

int spec_split(struct store_config *c, const struct strv *entrypoint)
{
	size_t n = entrypoint->n;

	if (n == 0 || n > c->cmd.n || c->entrypoint.n)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (!str_eq(entrypoint->v[i], c->cmd.v[i]))
			return 0;
	for (size_t i = 0; i < n; i++)
		if (strv_add(&c->entrypoint, entrypoint->v[i]) < 0)
			return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		free(c->cmd.v[i]);
	c->cmd.n -= n;
	memmove(c->cmd.v, c->cmd.v + n, (c->cmd.n + 1) * sizeof(*c->cmd.v));
	fill_shell_form(c);
	return 0;
}
