/* Where we are: namespaces by their numbers, engines by the marks they leave. */
#include "facts/here.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/fd.h"
#include "sys/proc.h"

enum { ENVIRON_MAX = 1 << 20 };

void here_done(struct here *h)
{
	free(h->host_root);
	*h = (struct here){};
}

enum ns_kind here_ns(const struct here *h, unsigned flag)
{
	for (size_t i = 0; i < NS_COUNT; i++)
		if (ns_types[i].flag == flag)
			return h->ns[i];
	return NS_ABSENT;
}

bool here_has_own_root(const struct here *h)
{
	return h->host_reached || (h->engine && !str_eq(h->engine, "a container"));
}

static enum ns_kind kind_of(const struct target_roots *r, int self, const struct ns_type *t)
{
	uint64_t inode;

	errno = 0;
	inode = ns_inode(self, t);
	if (!inode)
		return errno == ENOENT ? NS_ABSENT : NS_UNREAD;
	switch (ns_is_booted(r->proc_fd, t, inode)) {
	case 1:
		return NS_HOST;
	case 0:
		return NS_OWN;
	default:
		return NS_UNREAD;
	}
}

/* --- whose container --- */

static bool is_below(int root, const char *path)
{
	return faccessat(root, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_there(const struct target_roots *r, const char *path)
{
	return is_below(r->root_fd, path);
}

/* The value of `container` in the environment of our pid 1, or our own. */
static const char *container_word(const struct target_roots *r)
{
	static const char *const known[] = {"lxc",	"systemd-nspawn", "podman",
					    "porthole", "docker",	  "bwrap"};
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = openat(r->proc_fd, "1/environ", O_RDONLY | O_CLOEXEC);
	const char *value = getenv("container");
	size_t len = 0;

	if (fd >= 0 && fd_read_all(fd, ENVIRON_MAX, &text, &len) == 0)
		for (size_t i = 0; i < len; i += strlen(text + i) + 1)
			if (str_starts(text + i, "container="))
				value = text + i + strlen("container=");
	for (size_t i = 0; i < ARRAY_LEN(known) && value; i++)
		if (str_eq(value, known[i]))
			return known[i];
	return value && *value ? "a container" : NULL;
}

static void find_engine(const struct target_roots *r, struct here *h)
{
	static const struct {
		const char *path, *engine, *mark;
	} files[] = {
		{"run/.containerenv", "podman", "/run/.containerenv"},
		{".dockerenv", "docker", "/.dockerenv"},
		{"run/host/container-manager", "systemd-nspawn", "/run/host/container-manager"},
		{".flatpak-info", "bwrap", "/.flatpak-info"},
	};
	const char *word = r->unshared ? NULL : container_word(r);

	if (here_ns(h, CLONE_NEWNS) == NS_HOST)
		return;
	if (getenv("KUBERNETES_SERVICE_HOST")) {
		h->engine = "kubernetes";
		h->mark = "KUBERNETES_SERVICE_HOST";
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(files) && !r->unshared; i++)
		if (is_there(r, files[i].path)) {
			h->engine = files[i].engine;
			h->mark = files[i].mark;
			return;
		}
	/* before Linux 6.18 only root can tell whose mounts they are: without a mark, and with the
	 * host's processes and users, they are the host's */
	if (!word && here_ns(h, CLONE_NEWNS) == NS_UNREAD && h->cred.euid &&
	    here_ns(h, CLONE_NEWPID) == NS_HOST && here_ns(h, CLONE_NEWUSER) == NS_HOST)
		return;
	h->engine = word ? word : "a container";
	h->mark = word ? "container= in the environment" : "a mount namespace of our own";
}

/* --- what of the host is seen --- */

/* Where what is called as the host's own / usually is has a host's files: for those who cannot see
 * the host's processes, and so not its mounts. */
static char *find_host_root(const struct target_roots *r, int self)
{
	static const char *const usual[] = {"/host", "/rootfs", "/media/root", "/run/host",
					    "/.bottlerocket/rootfs"};
	_cleanup_(mountinfo_done) struct mountinfo m = {};

	if (mountinfo_read(self, &m) < 0)
		return NULL;
	for (size_t i = 0; i < m.n; i++)
		for (size_t k = 0; k < ARRAY_LEN(usual); k++) {
			_cleanup_free_ char *proc = str_fmt("%s/etc/passwd", usual[k] + 1);

			if (str_eq(m.v[i].target, usual[k]) && proc && is_there(r, proc))
				return strdup(usual[k]);
		}
	return NULL;
}

static bool sees_storage(int root)
{
	static const char *const dirs[] = {"var/lib/docker", "var/lib/containers/storage",
					   "var/lib/containerd", "var/lib/lxc", "var/lib/machines"};

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (is_below(root, dirs[i]))
			return true;
	return false;
}

int here_read(const struct target_roots *r, struct here *out, struct err *e)
{
	_cleanup_close_ int self = openat(r->proc_fd, "self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct utsname u;

	*out = (struct here){};
	if (self < 0)
		return err_set(e, errno, "opening /proc/self");
	for (size_t i = 0; i < NS_COUNT; i++)
		out->ns[i] = kind_of(r, self, &ns_types[i]);
	cred_read(self, &out->cred);
	if (file_read_small_at(self, "attr/current", out->label, sizeof(out->label)) < 0)
		out->label[0] = '\0';
	out->label[strcspn(out->label, "\n")] = '\0';
	if (uname(&u) == 0)
		snprintf(out->kernel, sizeof(out->kernel), "%s", u.release);
	find_engine(r, out);
	out->root_is_hosts = !out->engine;
	out->host_known = r->host_path;
	out->host_reached = r->host_fd > 0;
	out->proc_is_hosts = here_ns(out, CLONE_NEWPID) == NS_HOST;
	if (r->host_path)
		out->host_root = strdup(r->host_path);
	else if (!out->root_is_hosts && !out->proc_is_hosts)
		out->host_root = find_host_root(r, self);
	out->storage = out->root_is_hosts || sees_storage(r->root_fd) ||
		       (r->host_path && sees_storage(r->host_fd));
	out->cgroups_writable = faccessat(r->root_fd, "sys/fs/cgroup", W_OK, AT_EACCESS) == 0;
	out->btf = is_there(r, "sys/kernel/btf/vmlinux");
	return 0;
}
