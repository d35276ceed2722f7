/* systemd-nspawn's machines: a directory, and NAME.nspawn with settings. systemd.nspawn(5). */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "store/engines.h"
#include "store/fill.h"
#include "sys/proc.h"

struct machine {
	const struct target_roots *roots;
	struct store *out;
	struct strv binds, ro_binds, tmpfs;
	bool boot;
};

static void machine_done(struct machine *m)
{
	strv_done(&m->binds);
	strv_done(&m->ro_binds);
	strv_done(&m->tmpfs);
}

static bool is_yes(const char *v)
{
	return str_eq(v, "yes") || str_eq(v, "true") || str_eq(v, "1") || str_eq(v, "on");
}

static int set(char **where, const char *v)
{
	free(*where);
	*where = *v ? strdup(v) : NULL;
	return *v && !*where ? -ENOMEM : 0;
}

/* One setting of a section; those that say nothing of files or the command are passed over. */
static int take(struct machine *m, const char *section, const char *key, const char *v)
{
	struct store_config *c = &m->out->config;

	if (str_eq(section, "Files")) {
		if (str_eq(key, "Bind"))
			return strv_add(&m->binds, v);
		if (str_eq(key, "BindReadOnly"))
			return strv_add(&m->ro_binds, v);
		if (str_eq(key, "TemporaryFileSystem"))
			return strv_add(&m->tmpfs, v);
		if (str_eq(key, "ReadOnly"))
			c->root_ro = is_yes(v);
	} else if (str_eq(section, "Exec")) {
		if (str_eq(key, "Environment"))
			return strv_add(&c->env, v);
		if (str_eq(key, "Parameters"))
			return strv_split(&c->cmd, v, " \t");
		if (str_eq(key, "User"))
			return set(&c->user, v);
		if (str_eq(key, "WorkingDirectory"))
			return set(&c->cwd, v);
		if (str_eq(key, "Hostname"))
			return set(&c->hostname, v);
		if (str_eq(key, "NoNewPrivileges"))
			c->no_new_privs = is_yes(v);
		if (str_eq(key, "Boot"))
			m->boot = is_yes(v);
	}
	return 0;
}

static int parse(struct machine *m, const char *text)
{
	_cleanup_strv_ struct strv line = {};
	char section[32] = "";
	int r = strv_split(&line, text, "\n");

	for (size_t i = 0; i < line.n && r == 0; i++) {
		char *p = line.v[i] + strspn(line.v[i], " \t"), *eq = strchr(p, '=');

		if (*p == '[') {
			snprintf(section, sizeof(section), "%.*s", (int)strcspn(p + 1, "]"), p + 1);
			continue;
		}
		if (*p == '#' || *p == ';' || !eq)
			continue;
		p[strcspn(p, " \t=")] = '\0';
		r = take(m, section, p, eq + 1 + strspn(eq + 1, " \t"));
	}
	return r;
}

/* The first of the places that has settings holds. */
static int read_settings(struct machine *m, const char *name, const char *image, struct err *e)
{
	const char *slash = strrchr(image, '/');
	const char *const dirs[] = {"/etc/systemd/nspawn", "/run/systemd/nspawn", image};
	const int len[] = {INT_MAX, INT_MAX, (int)(slash ? slash - image : 0)};
	int r = -ENOENT;

	for (size_t i = 0; i < ARRAY_LEN(dirs) && r != 0; i++) {
		_cleanup_free_ char *path = str_fmt("%.*s/%s.nspawn", len[i], dirs[i], name);
		_cleanup_free_ char *text = NULL;

		if (!path)
			return err_set(e, ENOMEM, "reading the settings of '%s'", name);
		r = path_read_in_root(m->roots->root_fd, path, STORAGE_TEXT_MAX, &text, NULL);
		if (r == 0 && parse(m, text) < 0)
			return err_set(e, ENOMEM, "reading the settings of '%s'", name);
	}
	return 0;
}

/* SOURCE[:DEST[:OPTIONS]]; "-" before the source: it need not be there, "+": it is of the machine.
 */
static int add_bind(const struct machine *m, char *v, bool ro, struct err *e)
{
	char *source = v + strspn(v, "-"), *dest = strchr(source, ':'), *options = NULL;
	struct fill_mount f = {.ro = ro, .own = *v == '-'};

	if (dest)
		*dest++ = '\0';
	options = dest ? strchr(dest, ':') : NULL;
	if (options)
		*options++ = '\0';
	f.source = f.shown = source;
	f.dest = dest && *dest ? dest : source;
	f.ids_inside = options && strstr(options, "idmap");
	return fill_mount(m->roots, &f, m->out, e);
}

static int add_mounts(const struct machine *m, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < m->tmpfs.n && r == 0; i++) {
		struct fill_mount f = {.dest = m->tmpfs.v[i]};

		m->tmpfs.v[i][strcspn(m->tmpfs.v[i], ":")] = '\0';
		r = fill_mount(m->roots, &f, m->out, e);
	}
	for (size_t i = 0; i < m->binds.n && r == 0; i++)
		r = add_bind(m, m->binds.v[i], false, e);
	for (size_t i = 0; i < m->ro_binds.n && r == 0; i++)
		r = add_bind(m, m->ro_binds.v[i], true, e);
	return r;
}

/* nspawn itself sees by the owner of the root directory which 65536 ids a machine has. */
static int maps(struct store *out, struct err *e)
{
	struct stat st;

	if (fstat(out->layers[0].fd, &st) < 0 || st.st_uid < 65536 || st.st_uid & 0xffff)
		return 0;
	out->uid_map = str_fmt("0 %u 65536\n", st.st_uid);
	out->gid_map = str_fmt("0 %u 65536\n", st.st_uid);
	return out->uid_map && out->gid_map ? 0 : err_set(e, ENOMEM, "opening '%s'", out->label);
}

static int no_directory(const struct target *t, struct err *e)
{
	err_say(e, ENOTSUP, "'%s' is a disk image, %s, whose files Porthole cannot put together",
		t->name, t->image);
	err_hint(e, "systemd-dissect --mount %s DIR, then: porthole exec DIR/", t->image);
	return -ENOTSUP;
}

/* What it was started with is in no file: while it runs, its first process says so, and else it is
 * taken to have been booted. */
static int fill_command(const struct machine *m, const struct target *t, struct err *e)
{
	struct strv *cmd = &m->out->config.cmd;
	char args[4096];
	ssize_t len = t->pid > 0 && m->roots
			      ? proc_cmdline_read(m->roots->proc_fd, t->pid, args, sizeof(args))
			      : 0;
	int r = 0;

	for (ssize_t at = 0; at < len && r == 0; at += (ssize_t)strlen(args + at) + 1)
		r = strv_add(cmd, args + at);
	if (r == 0 && cmd->n == 0)
		r = strv_add(cmd, "/sbin/init");
	return r < 0 ? err_set(e, ENOMEM, "opening '%s'", t->name) : 0;
}

int nspawn_store(const struct target_roots *r, const struct target *t, struct store *out,
		 struct err *e)
{
	_cleanup_(machine_done) struct machine m = {.roots = r, .out = out, .boot = true};
	int err;

	if (!t->image || !path_is_component(t->name))
		return err_say(e, ENOENT, "where the files of '%s' are is not known", t->name);
	if (fill_names(out, t, "nspawn directory") < 0)
		return err_set(e, ENOMEM, "opening '%s'", t->name);
	err = fill_directory(r, t->image, out, e);
	if (err == -EBADMSG)
		return no_directory(t, e);
	if (err == -ENOENT)
		return storage_gone(t, false, e);
	if (err == 0)
		err = maps(out, e);
	if (err == 0)
		err = read_settings(&m, t->name, t->image, e);
	if (err == 0 && m.boot && out->config.cmd.n == 0)
		err = fill_command(&m, t, e);
	return err < 0 ? err : add_mounts(&m, e);
}
