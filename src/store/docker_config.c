/* What docker was told: config.v2.json and hostconfig.json. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "facts/parse.h"
#include "store/docker.h"
#include "sys/caps.h"

/* The image's platform; not in the container's own files. */
static void platform(const struct docker *d, struct store_config *c)
{
	const char *id = json_str(d->config, "Image", ""),
		   *driver = json_str(d->config, "Driver", "");
	_cleanup_free_ char *path = NULL;
	_cleanup_json_ json_t *image = NULL;

	id += str_starts(id, "sha256:") ? 7 : 0;
	if (!path_is_component(id) || !path_is_component(driver))
		return;
	path = str_fmt("image/%s/imagedb/content/sha256/%s", driver, id);
	if (!path || storage_json(&d->data, path, &image, NULL) < 0)
		return;
	c->os = json_dup(image, "os");
	c->arch = json_dup(image, "architecture");
}

static uint64_t caps(json_t *host)
{
	json_t *add = json_at(host, "CapAdd"), *drop = json_at(host, "CapDrop");
	uint64_t added = fill_caps(add), dropped = fill_caps(drop);

	if (json_bool(host, "Privileged", false))
		return caps_all();
	/* ALL on one side is weaker than a name on the other */
	if (dropped == caps_all())
		return added;
	return ((added == caps_all() ? caps_all() : CAPS_DOCKER | added)) & ~dropped;
}

static bool no_new_privs(const struct docker *d)
{
	json_t *opts = json_at(d->host, "SecurityOpt"), *v;
	bool on = json_bool(d->config, "NoNewPrivileges", false);
	size_t i;

	json_array_foreach (opts, i, v) {
		const char *s = json_is_string(v) ? json_string_value(v) : "";

		if (str_starts(s, "no-new-privileges"))
			on = !str_ends(s, "false");
	}
	return on;
}

static void limits(json_t *host, struct store_config *c)
{
	int64_t nano = json_int(host, "NanoCpus", 0), quota = json_int(host, "CpuQuota", 0);
	int64_t period = json_int(host, "CpuPeriod", 0), n;

	n = json_int(host, "Memory", 0);
	c->memory = n > 0 ? (uint64_t)n : 0;
	n = json_int(host, "PidsLimit", 0);
	c->pids = n > 0 ? (uint64_t)n : 0;
	if (nano > 0)
		c->cpus = (double)nano / 1e9;
	else if (quota > 0)
		c->cpus = (double)quota / (double)(period > 0 ? period : 100000);
}

/* What docker adds to it. */
static int env(const struct docker *d, struct store_config *c)
{
	if (json_strings(json_at(d->config, "Config.Env"), SIZE_MAX, &c->env) < 0 ||
	    (json_bool(d->config, "Config.Tty", false) &&
	     fill_env_default(&c->env, "TERM", "xterm") < 0) ||
	    (c->hostname && fill_env_default(&c->env, "HOSTNAME", c->hostname) < 0))
		return -ENOMEM;
	return fill_env_default(&c->env, "PATH", fill_default_path);
}

int docker_config(const struct docker *d, struct store_config *c)
{
	_cleanup_facts_ struct facts f = {};

	if (facts_docker_parse(d->config, d->host, &f.engine) < 0)
		return -ENOMEM;
	c->entrypoint = f.engine.entrypoint;
	c->cmd = f.engine.cmd;
	f.engine.entrypoint = f.engine.cmd = (struct strv){};
	c->user = TAKE_PTR(f.engine.user);
	c->cwd = TAKE_PTR(f.engine.workdir);
	c->hostname = TAKE_PTR(f.engine.hostname);
	c->root_ro = json_bool(d->host, "ReadonlyRootfs", false);
	c->caps_known = d->host;
	c->caps = d->host ? caps(d->host) : 0;
	c->no_new_privs = no_new_privs(d);
	limits(d->host, c);
	platform(d, c);
	fill_shell_form(c);
	if (confine_of_docker(d->config, d->host, c->caps, &c->confine) < 0)
		return -ENOMEM;
	return env(d, c);
}

/* The device that a volume of docker's own driver mounts on itself while it is in use: a bind's
 * source (a new string), else NULL. *other: it is something else (nfs, a disk). */
static char *volume_device(const struct docker *d, const char *name, bool *tmpfs, bool *other)
{
	_cleanup_free_ char *path = str_fmt("volumes/%s/opts.json", name);
	_cleanup_json_ json_t *opts = NULL;
	const char *type, *how, *device;

	if (!path || !path_is_component(name) || storage_json(&d->data, path, &opts, NULL) < 0)
		return NULL;
	type = json_str(opts, "MountType", "");
	how = json_str(opts, "MountOpts", "");
	device = json_str(opts, "MountDevice", "");
	*tmpfs = str_eq(type, "tmpfs");
	if (!*device || *tmpfs)
		return NULL;
	*other = !strstr(how, "bind");
	return strdup(device);
}

/* What docker makes of --tmpfs, and of a mount of that type. */
#define TMPFS_DEFAULT "noexec,nosuid,nodev,"

static char *tmpfs_options(json_t *p)
{
	json_t *told = json_at(p, "Spec.TmpfsOptions");
	int64_t size = json_int(told, "SizeBytes", 0), mode = json_int(told, "Mode", 0);
	struct buf b = {};

	buf_puts(&b, TMPFS_DEFAULT);
	if (size > 0)
		buf_printf(&b, "size=%lld,", (long long)size);
	if (mode > 0)
		buf_printf(&b, "mode=%o,", (unsigned)mode);
	return buf_take(&b);
}

static int mount_point(const struct docker *d, const char *dest, json_t *p, struct store *out,
		       struct err *e)
{
	const char *type = json_str(p, "Type", ""), *name = json_str(p, "Name", "");
	const char *source = json_str(p, "Source", "");
	_cleanup_free_ char *path = NULL, *shown = NULL, *options = NULL;
	struct fill_mount m = {.dest = dest, .ro = !json_bool(p, "RW", true)};
	bool tmpfs = str_eq(type, "tmpfs"), other = false;

	if (*name && (!*type || str_eq(type, "volume"))) {
		path = volume_device(d, name, &tmpfs, &other);
		shown = path ? str_fmt("%s (%s)", name, path) : strdup(name);
		/* where the daemon says nothing, or keeps its own */
		if (!path && !*source && path_is_component(name))
			path = str_fmt("%s/volumes/%s/_data", d->data.path, name);
		if (!shown)
			return err_set(e, ENOMEM, "reading the mounts of '%s'", out->label);
	}
	if (!tmpfs) {
		m.source = other ? "" : path ? path : source;
		m.shown = shown ? shown : *source ? source : "?";
		/* of -v, not of --mount */
		m.remade = str_eq(type, "bind") && !json_bool(p, "SkipMountpointCreation", false);
	}
	if (tmpfs && !*name)
		m.options = options = tmpfs_options(p);
	return fill_mount(d->roots, &m, out, e);
}

/* /etc/hosts and its like, which docker makes and mounts where nothing else is. */
static int own_file(const struct docker *d, const char *key, const char *dest, struct store *out,
		    struct err *e)
{
	const char *path = json_str(d->config, key, "");
	struct fill_mount m = {.dest = dest, .source = path, .own = true};

	return *path ? fill_mount(d->roots, &m, out, e) : 0;
}

int docker_mounts(const struct docker *d, struct store *out, struct err *e)
{
	const char *dest;
	json_t *v;
	int r = own_file(d, "ResolvConfPath", "/etc/resolv.conf", out, e);

	if (r == 0)
		r = own_file(d, "HostnamePath", "/etc/hostname", out, e);
	if (r == 0)
		r = own_file(d, "HostsPath", "/etc/hosts", out, e);
	json_object_foreach (json_at(d->host, "Tmpfs"), dest, v) {
		const char *opts = json_is_string(v) ? json_string_value(v) : "";
		struct fill_mount m = {.dest = dest,
				       .ro = str_eq(opts, "ro") || str_starts(opts, "ro,")};
		_cleanup_free_ char *options = str_fmt(TMPFS_DEFAULT "%s", opts);

		m.options = options;

		if (r == 0)
			r = fill_mount(d->roots, &m, out, e);
	}
	json_object_foreach (json_at(d->config, "MountPoints"), dest, v)
		if (r == 0)
			r = mount_point(d, json_str(v, "Destination", dest), v, out, e);
	if (r == 0)
		fill_sort_mounts(out);
	return r;
}
