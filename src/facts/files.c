/* The target's files: its root, what is mounted where, what is missing. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/path.h"
#include "facts/facts.h"
#include "facts/parse.h"

static enum mount_class class_of(const struct mount_row *row)
{
	static const char *const system_types[] = {
		"proc",	    "sysfs",	  "cgroup",   "cgroup2",   "devpts",	 "mqueue",
		"devtmpfs", "securityfs", "bpf",      "debugfs",   "tracefs",	 "pstore",
		"fusectl",  "configfs",	  "efivarfs", "hugetlbfs", "binfmt_misc"};
	static const char *const engine_files[] = {
		"/etc/hosts",	    "/etc/hostname",
		"/etc/resolv.conf", "/run/.containerenv",
		"/run/secrets",	    "/dev/termination-log",
		"/run/host",	    "/sbin/docker-init",
		"/run/podman-init", "/var/run/secrets/kubernetes.io/serviceaccount"};

	if (str_eq(row->target, "/"))
		return MOUNT_ROOT;
	for (size_t i = 0; i < ARRAY_LEN(engine_files); i++)
		if (path_below(row->target, engine_files[i]))
			return MOUNT_ENGINE;
	if (path_below(row->target, "/proc") || path_below(row->target, "/sys") ||
	    path_below(row->target, "/dev"))
		return MOUNT_SYSTEM;
	for (size_t i = 0; i < ARRAY_LEN(system_types); i++)
		if (str_eq(row->fstype, system_types[i]) && str_eq(row->root, "/") &&
		    path_below(row->target, "/run"))
			return MOUNT_SYSTEM;
	return MOUNT_OTHER;
}

static size_t count_lowers(const char *super)
{
	const char *p;
	size_t len, n = 0;

	for (p = mountinfo_value(super, "lowerdir", &len); p && len; n++) {
		size_t part = strcspn(p, ":,");

		if (part >= len || p[part] != ':') {
			n++;
			break;
		}
		len -= part + 1;
		p += part + 1;
	}
	if (n)
		return n;
	for (p = super; (p = strstr(p, "lowerdir+=")); p++) /* Linux 6.8: one option a layer */
		n++;
	return n;
}

int facts_mounts_sort(struct facts_files *files)
{
	const struct mountinfo *m = &files->table;
	const char *upper;
	size_t len;

	files->v = calloc(m->n + 1, sizeof(*files->v));
	if (!files->v)
		return -ENOMEM;
	for (size_t i = 0; i < m->n; i++)
		files->v[files->n++] = (struct fact_mount){
			.row = &m->v[i],
			.class = class_of(&m->v[i]),
			.ro = mountinfo_has(m->v[i].opts, "ro") ||
			      mountinfo_has(m->v[i].super, "ro"),
		};
	files->root = mountinfo_root(m);
	if (!files->root)
		return 0;
	files->root_ro =
		mountinfo_has(files->root->opts, "ro") || mountinfo_has(files->root->super, "ro");
	if (!str_eq(files->root->fstype, "overlay"))
		return 0;
	files->lowers = count_lowers(files->root->super);
	upper = mountinfo_value(files->root->super, "upperdir", &len);
	files->upper = upper ? strndup(upper, len) : NULL;
	return upper && !files->upper ? -ENOMEM : 0;
}

/* Did a recursive bind of the host's tree at `top` bring `m` along? Then it shows the same part of
 * the host that the path below `top` says. */
static bool came_with(const struct fact_mount *m, const struct fact_mount *top)
{
	const char *inside, *host;

	if (top->nested)
		return true;
	if (top->class != MOUNT_OTHER || !top->host_path || !m->host_path)
		return false;
	inside = path_below(m->row->target, top->row->target);
	host = path_below(m->host_path, top->host_path);
	return str_eq(inside, host);
}

static void mark_nested(struct facts_files *files, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			if (files->v[k].row->id == files->v[i].row->parent)
				files->v[i].nested = came_with(&files->v[i], &files->v[k]);
}

/* Where the other mounts come from; at most HOST_PATHS, since each is searched for in two tables.
 */
static int host_paths(const struct target_roots *r, struct facts_files *files)
{
	enum { HOST_PATHS = 200 };
	_cleanup_close_ int self = openat(r->proc_fd, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_mountinfo_ struct mountinfo host = {};
	size_t done = 0, i;

	if (self < 0 || mountinfo_read(self, &host) < 0)
		return 0; /* a nicety */
	for (i = 0; i < files->n && done < HOST_PATHS; i++) {
		if (files->v[i].class == MOUNT_SYSTEM)
			continue;
		files->v[i].host_path = mountinfo_host_path(&host, files->v[i].row);
		done++;
	}
	mark_nested(files, i);
	return 0;
}

char *facts_os_name(const char *text)
{
	static const char *const keys[] = {"PRETTY_NAME=", "NAME="};

	for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
		const char *v = str_line(text, keys[k]);
		size_t len = v ? strcspn(v, "\n") : 0;

		if (!len)
			continue;
		if (len >= 2 && (*v == '"' || *v == '\'') && v[len - 1] == *v) {
			v++;
			len -= 2;
		}
		return strndup(v, len < 200 ? len : 200);
	}
	return NULL;
}

static bool exists(int root, const char *path, unsigned type)
{
	_cleanup_close_ int fd = path_open_in_root(root, path, O_PATH);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type;
}

static bool dev_null(int root)
{
	_cleanup_close_ int fd = path_open_in_root(root, "/dev/null", O_PATH);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

static void find_shell(int root, struct facts_files *files)
{
	static const char *const shells[] = {
		"/bin/bash",	    "/bin/sh",	   "/bin/ash",	   "/bin/dash",
		"/usr/bin/sh",	    "/busybox/sh", "/bin/busybox", "/usr/local/bin/bash",
		"/usr/local/bin/sh"};

	for (size_t i = 0; i < ARRAY_LEN(shells) && !files->shell; i++) {
		_cleanup_close_ int fd = path_open_in_root(root, shells[i], O_PATH);
		struct stat st;

		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111))
			files->shell = strdup(shells[i]);
	}
}

static void look_inside(int root, struct facts_files *files)
{
	static const char *const os_files[] = {"/etc/os-release", "/usr/lib/os-release"};
	struct statfs fs;

	for (size_t i = 0; i < ARRAY_LEN(os_files) && !files->os; i++) {
		_cleanup_free_ char *text = NULL;

		if (path_read_in_root(root, os_files[i], 1 << 16, &text, NULL) == 0)
			files->os = facts_os_name(text);
	}
	find_shell(root, files);
	files->dev = exists(root, "/dev", S_IFDIR);
	files->dev_null = dev_null(root);
	files->proc = exists(root, "/proc/sys", S_IFDIR);
	if (fstatfs(root, &fs) == 0 && fs.f_blocks && !files->root_ro) {
		files->size = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize;
		files->free = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
	}
	files->looked = true;
}

int facts_files_read(const struct target_roots *r, const struct target *t, struct facts *f)
{
	_cleanup_close_ int root = openat(t->proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int err = mountinfo_read(t->proc_fd, &f->files.table);

	if (err == 0)
		err = facts_mounts_sort(&f->files);
	if (err == 0)
		err = host_paths(r, &f->files);
	if (err < 0 || root < 0)
		return err < 0 ? err : -errno;
	look_inside(root, &f->files);
	return facts_libc_read(root, &f->files);
}
