#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/path.h"
#include "store/lxc.h"
#include "sys/caps.h"

enum { FILES_MAX = 64, ENTRIES_MAX = STORE_MOUNTS_MAX };

void lxc_done(struct lxc *l)
{
	free(l->rootfs);
	free(l->options);
	strv_done(&l->entries);
	buf_done(&l->uids);
	buf_done(&l->gids);
}

static void keep(struct lxc *l, char **where, const char *value)
{
	free(*where);
	*where = strdup(value);
	if (!*where)
		l->err = -ENOMEM;
}

static void on_rootfs(struct lxc *l, const char *v)
{
	keep(l, &l->rootfs, v);
}

static void on_options(struct lxc *l, const char *v)
{
	keep(l, &l->options, v);
}

static void on_hostname(struct lxc *l, const char *v)
{
	keep(l, &l->out->config.hostname, v);
}

static void on_cwd(struct lxc *l, const char *v)
{
	keep(l, &l->out->config.cwd, v);
}

static void on_entry(struct lxc *l, const char *v)
{
	if (!*v)
		strv_done(&l->entries);
	if (!*v)
		l->entries = (struct strv){};
	else if (l->entries.n < ENTRIES_MAX && strv_add(&l->entries, v) < 0)
		l->err = -ENOMEM;
}

static void on_env(struct lxc *l, const char *v)
{
	if (strchr(v, '=') && strv_add(&l->out->config.env, v) < 0)
		l->err = -ENOMEM;
}

/* Taken apart at blanks, as LXC does it. */
static void on_cmd(struct lxc *l, const char *v)
{
	strv_done(&l->out->config.cmd);
	l->out->config.cmd = (struct strv){};
	if (strv_split(&l->out->config.cmd, v, " \t") < 0)
		l->err = -ENOMEM;
}

static void on_uid(struct lxc *l, const char *v)
{
	if (v[strspn(v, "0123456789")] == '\0')
		keep(l, &l->out->config.user, v);
}

/* "u 0 100000 65536"; g; b: both */
static void on_idmap(struct lxc *l, const char *v)
{
	unsigned inside, outside, count;
	char kind;

	if (sscanf(v, "%c %u %u %u", &kind, &inside, &outside, &count) != 4)
		return;
	if (kind != 'g')
		buf_printf(&l->uids, "%u %u %u\n", inside, outside, count);
	if (kind != 'u')
		buf_printf(&l->gids, "%u %u %u\n", inside, outside, count);
}

static uint64_t caps_of(struct lxc *l, const char *v)
{
	_cleanup_strv_ struct strv name = {};
	uint64_t mask = 0;

	if (strv_split(&name, v, " \t") < 0)
		l->err = -ENOMEM;
	for (size_t i = 0; i < name.n; i++) {
		int n = caps_number(name.v[i]);

		mask |= n >= 0 ? CAPS_BIT(n) : 0;
	}
	return mask;
}

static void on_cap_drop(struct lxc *l, const char *v)
{
	if (!l->keep)
		l->out->config.caps &= ~caps_of(l, v);
}

static void on_cap_keep(struct lxc *l, const char *v)
{
	l->out->config.caps = (l->keep ? l->out->config.caps : 0) | caps_of(l, v);
	l->keep = true;
}

static void on_no_new_privs(struct lxc *l, const char *v)
{
	l->out->config.no_new_privs = str_eq(v, "1");
}

static void on_memory(struct lxc *l, const char *v)
{
	if (str_to_size(v, &l->out->config.memory) < 0)
		l->out->config.memory = 0;
}

static void on_pids(struct lxc *l, const char *v)
{
	if (str_to_u64(v, 1, UINT32_MAX, &l->out->config.pids) < 0)
		l->out->config.pids = 0;
}

/* "QUOTA PERIOD" or, of cgroup v1, QUOTA alone. */
static void on_cpu(struct lxc *l, const char *v)
{
	unsigned long long quota, period = 100000;

	if (sscanf(v, "%llu %llu", &quota, &period) >= 1 && period)
		l->out->config.cpus = (double)quota / (double)period;
}

static void read_file(struct lxc *l, const char *path);

/* A file, or the *.conf files of a directory. */
static void on_include(struct lxc *l, const char *v)
{
	int fd = path_open_in_root(l->roots->root_fd, v, O_RDONLY | O_DIRECTORY | O_NOATIME);
	_cleanup_dir_ DIR *d = dir_take(fd);
	const struct dirent *ent;

	if (!d) {
		read_file(l, v);
		return;
	}
	while (l->files < FILES_MAX && (ent = readdir(d))) {
		_cleanup_free_ char *path =
			str_ends(ent->d_name, ".conf") ? str_fmt("%s/%s", v, ent->d_name) : NULL;

		if (path)
			read_file(l, path);
	}
}

/* The fstab that older configurations keep beside. */
static void on_fstab(struct lxc *l, const char *v)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_strv_ struct strv line = {};

	if (path_read_in_root(l->roots->root_fd, v, STORAGE_TEXT_MAX, &text, NULL) < 0)
		return;
	if (strv_split(&line, text, "\n") < 0)
		l->err = -ENOMEM;
	for (size_t i = 0; i < line.n; i++)
		if (line.v[i][strspn(line.v[i], " \t")] != '#')
			on_entry(l, line.v[i]);
}

static const struct {
	const char *key;
	void (*take)(struct lxc *l, const char *value);
} keys[] = {
	{"lxc.rootfs.path", on_rootfs},
	{"lxc.rootfs", on_rootfs},
	{"lxc.rootfs.options", on_options},
	{"lxc.include", on_include},
	{"lxc.mount.entry", on_entry},
	{"lxc.mount.fstab", on_fstab},
	{"lxc.mount", on_fstab},
	{"lxc.idmap", on_idmap},
	{"lxc.id_map", on_idmap},
	{"lxc.uts.name", on_hostname},
	{"lxc.utsname", on_hostname},
	{"lxc.init.cmd", on_cmd},
	{"lxc.init_cmd", on_cmd},
	{"lxc.init.cwd", on_cwd},
	{"lxc.init.uid", on_uid},
	{"lxc.environment", on_env},
	{"lxc.cap.drop", on_cap_drop},
	{"lxc.cap.keep", on_cap_keep},
	{"lxc.no_new_privs", on_no_new_privs},
	{"lxc.cgroup2.memory.max", on_memory},
	{"lxc.cgroup.memory.limit_in_bytes", on_memory},
	{"lxc.cgroup2.pids.max", on_pids},
	{"lxc.cgroup.pids.max", on_pids},
	{"lxc.cgroup2.cpu.max", on_cpu},
	{"lxc.cgroup.cpu.cfs_quota_us", on_cpu},
};

/* "KEY = VALUE", cut in place; blanks around both are nobody's. */
static void take_line(struct lxc *l, char *line)
{
	char *key = line + strspn(line, " \t"), *eq = strchr(key, '='), *v, *end;

	if (*key == '#' || !eq)
		return;
	v = eq + 1 + strspn(eq + 1, " \t");
	for (end = eq; end > key && strchr(" \t", end[-1]); end--)
		;
	*end = '\0';
	for (end = v + strlen(v); end > v && strchr(" \t\r", end[-1]); end--)
		;
	*end = '\0';
	if (end - v >= 2 && (*v == '"' || *v == '\'') && end[-1] == *v) {
		end[-1] = '\0';
		v++;
	}
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (str_eq(keys[i].key, key))
			keys[i].take(l, v);
}

static void take_text(struct lxc *l, const char *text)
{
	_cleanup_strv_ struct strv line = {};

	if (strv_split(&line, text, "\n") < 0)
		l->err = -ENOMEM;
	for (size_t i = 0; i < line.n && l->err == 0; i++)
		take_line(l, line.v[i]);
}

static void read_file(struct lxc *l, const char *path)
{
	_cleanup_free_ char *text = NULL;

	if (l->files++ < FILES_MAX &&
	    path_read_in_root(l->roots->root_fd, path, STORAGE_TEXT_MAX, &text, NULL) == 0)
		take_text(l, text);
}

int lxc_read(struct lxc *l, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	int r = storage_read(l->dir, "config", STORAGE_TEXT_MAX, &text, e);

	if (r < 0)
		return r;
	l->out->config.caps_known = true;
	l->out->config.caps = caps_all();
	take_text(l, text);
	return l->err < 0 ? err_set(e, l->err, "reading %s/config", l->dir->path) : 0;
}

/* fstab's \040 and its like, in place. */
static char *unescape(char *s)
{
	char *o = s;

	for (const char *p = s; *p;) {
		if (*p == '\\' && strspn(p + 1, "01234567") >= 3) {
			*o++ = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			p += 4;
		} else {
			*o++ = *p++;
		}
	}
	*o = '\0';
	return s;
}

static bool has_word(const char *list, const char *a)
{
	_cleanup_strv_ struct strv v = {};

	return strv_split(&v, list, ",") == 0 && strv_has(&v, a);
}

/* SOURCE TARGET TYPE OPTIONS ...; targets are below the root, with or without a slash. */
static int mount_entry(struct lxc *l, const char *line, struct err *e)
{
	static const char *const own[] = {"proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2"};
	_cleanup_strv_ struct strv f = {};
	_cleanup_free_ char *dest = NULL, *shown = NULL;
	const char *type, *options;
	struct fill_mount m = {};

	if (strv_split(&f, line, " \t") < 0)
		return err_set(e, ENOMEM, "reading the mounts of '%s'", l->out->label);
	if (f.n < 3)
		return 0;
	type = f.v[2];
	options = f.n > 3 ? f.v[3] : "";
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (str_eq(type, own[i]))
			return 0;
	dest = str_fmt("/%s", unescape(f.v[1]));
	m.dest = dest ? dest : "";
	m.ro = has_word(options, "ro");
	m.own = has_word(options, "optional");
	m.ids_inside = strstr(options, "idmap=");
	if (!str_eq(type, "tmpfs")) {
		bool bind = has_word(options, "bind") || has_word(options, "rbind");

		m.source = unescape(f.v[0]);
		shown = bind ? NULL : str_fmt("%s (%s)", m.source, type);
		m.shown = shown ? shown : m.source;
		m.source = bind ? m.source : "";
	}
	return fill_mount(l->roots, &m, l->out, e);
}

int lxc_mounts(struct lxc *l, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < l->entries.n && r == 0; i++)
		r = mount_entry(l, l->entries.v[i], e);
	return r;
}
