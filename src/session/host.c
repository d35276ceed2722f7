#include "session/host.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/path.h"
#include "session/view.h"
#include "sys/caps.h"
#include "sys/power.h"

enum { MOUNTS_MAX = 200 };

int host_plan_ns(struct plan *p, const struct request *req, struct err *e)
{
	char missing[64];

	if (*power_missing(CAPS_BIT(CAP_SYS_ADMIN), missing, sizeof(missing))) {
		err_say(e, EPERM, "a container of the host needs %s", missing);
		err_hint(e, "run with sudo");
		return -EPERM;
	}
	p->ns_same = req->beside->host->share & HOST_NS;
	p->ns_new = CLONE_NEWNS | (HOST_NS & ~p->ns_same);
	p->outlive = true; /* there is nobody whose end would be its own */
	p->view = p->store ? VIEW_LIVE : VIEW_KIT;
	return 0;
}

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "planning the container");
}

/* The path of the host's that `path` inside is; NULL: none, it is the container's own. `not`: of
 * another volume than this. The caller frees. */
static char *host_path(const struct host_request *h, const char *path, const struct volume * not )
{
	const struct volume *best = NULL;

	for (size_t i = 0; i < h->n; i++)
		if (&h->v[i] != not &&path_below(path, h->v[i].inside) &&
		    (!best || strlen(h->v[i].inside) > strlen(best->inside)))
			best = &h->v[i];
	if (!best)
		return NULL;
	return str_fmt("%s%s", str_eq(best->host, "/") ? "" : best->host,
		       path_below(path, best->inside));
}

/* A mount point on the host's own files would have to be made there. */
static int check_place(const struct host_request *h, const struct volume *v, struct err *e)
{
	_cleanup_free_ char *there = host_path(h, v->inside, v);

	if (!there || !*there || access(there, F_OK) == 0)
		return 0;
	err_say(e, ENOENT, "'%s' cannot be at %s: that is %s of the host, which is not there",
		v->host, v->inside, there);
	err_hint(e, "nothing is made on the host for it: make it, or take a path of the "
		    "container's own");
	return -ENOENT;
}

/* Whether pivot_root(2) puts the host's / where we like: not that of an initramfs, nor a directory
 * that somebody has changed his root to. */
static bool can_pivot(void)
{
	struct statx st;
	struct statfs fs;

	return statx(AT_FDCWD, "/", AT_NO_AUTOMOUNT, 0, &st) == 0 &&
	       st.stx_attributes & STATX_ATTR_MOUNT_ROOT && statfs("/", &fs) == 0 &&
	       fs.f_type != RAMFS_MAGIC && fs.f_type != TMPFS_MAGIC;
}

/* A mount namespace begins as a copy of all the host's mounts. Where they are to be had as a whole,
 * with nothing else below them, it is put in its place, and not a second copy. */
static bool takes_root(const struct plan *p, const struct host_request *h, const struct volume *v)
{
	const char *const ours[] = {BESIDE_SELF, BESIDE_KIT, h->extra ? h->extra : "/", "/etc"};
	bool free = p->view == VIEW_KIT && !p->beside.old;

	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		free = free && !path_below(ours[i], v->inside);
	for (size_t i = 0; i < h->n; i++)
		free = free && (&h->v[i] == v || !path_below(h->v[i].inside, v->inside));
	for (size_t i = 0; h->masks && i < h->masks->n; i++)
		free = free && !path_below(h->masks->v[i], v->inside);
	return free && str_eq(v->host, "/") && v->propagation && can_pivot();
}

static int take_root(struct plan *p, const struct volume *v)
{
	p->beside.old = strdup(v->inside);
	volume_attr(v, p->beside.devices, &p->beside.old_attr);
	return p->beside.old ? 0 : -ENOMEM;
}

static int add_volume(struct plan *p, const struct host_request *h, const struct volume *v,
		      struct err *e)
{
	bool root = takes_root(p, h, v);
	struct err why = {};
	int fd, r;

	/* the kit is below /dev, which therefore stays ours */
	if (str_eq(v->inside, "/dev") && str_eq(v->host, "/dev")) {
		p->beside.devices = p->shape.dev_dir = true;
		return 0;
	}
	r = check_place(h, v, &why);
	fd = r < 0 || root ? r : volume_open(v, p->beside.devices, &why);
	if (fd == -ENOENT && v->optional)
		return 0;
	if (fd < 0) {
		*e = why;
		return fd;
	}
	if (str_eq(v->host, "/") && !p->beside.etc) {
		p->beside.etc = str_fmt("..%s/etc", v->inside);
		if (!p->beside.etc) {
			if (!root)
				close(fd);
			return no_memory(e);
		}
	}
	if ((root ? take_root(p, v) : beside_add(&p->beside, v->inside, fd, false)) < 0 ||
	    (v->propagation == MS_SLAVE && *v->host == '/' && beside_follow(&p->beside, v) < 0))
		return no_memory(e);
	return 0;
}

/* An empty directory, or a file without end. */
static int add_mask(struct plan *p, const struct host_request *h, const char *path, struct err *e)
{
	_cleanup_free_ char *there = host_path(h, path, NULL);
	_cleanup_close_ int fd = -EBADF;
	struct stat st;

	if (*path != '/' || !path[1])
		return err_say(e, EINVAL, "--mask takes an absolute path inside, not '%s'", path);
	if (stat(there && *there ? there : path, &st) < 0) {
		if (errno == ENOENT)
			return strv_push(&p->beside.unseen, str_printable_dup(path)) < 0
				       ? no_memory(e)
				       : 0;
		return err_set(e, errno, "looking at '%s', which is to be masked", path);
	}
	fd = S_ISDIR(st.st_mode)
		     ? view_new_tmpfs("4k", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID)
		     : open_tree(AT_FDCWD, "/dev/null", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd < 0)
		return err_set(e, S_ISDIR(st.st_mode) ? fd : errno, "masking '%s'", path);
	return beside_add(&p->beside, path, TAKE_FD(fd), false) < 0 ? no_memory(e) : 0;
}

/* What the launcher has for it: the way back to the host. */
static int add_extra(struct plan *p, const struct host_request *h, struct err *e)
{
	int fd = h->extra ? fcntl(h->extra_fd, F_DUPFD_CLOEXEC, 3) : -EBADF;

	if (!h->extra)
		return 0;
	if (fd < 0)
		return err_set(e, errno, "planning the container");
	return beside_add(&p->beside, h->extra, fd, false) < 0 ? no_memory(e) : 0;
}

/* Porthole itself, whoever's files it has. */
static int add_ourselves(struct plan *p, struct err *e)
{
	const struct volume exe = {.host = "/proc/self/exe",
				   .inside = BESIDE_SELF,
				   .ro = true,
				   .propagation = MS_PRIVATE};
	int fd = volume_open(&exe, false, NULL);
	bool copy = fd < 0; /* a sealed one is nothing that could be mounted again */

	if (copy)
		fd = open(exe.host, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return 0;
	return beside_add(&p->beside, BESIDE_SELF, fd, copy) < 0 ? no_memory(e) : 0;
}

/* Its kit, for what it does in other containers from there. */
static int add_kit(struct plan *p, struct err *e)
{
	char file[32];
	const struct volume kit = {
		.host = file, .inside = BESIDE_KIT, .ro = true, .propagation = MS_PRIVATE};
	int fd;

	if (p->kit.kind != KIT_IMAGE)
		return 0;
	snprintf(file, sizeof(file), "/proc/self/fd/%d", p->kit.fd);
	fd = volume_open(&kit, false, NULL);
	if (fd < 0)
		return 0; /* a sealed one, as above */
	return beside_add(&p->beside, BESIDE_KIT, fd, false) < 0 ? no_memory(e) : 0;
}

/* Who and where: the host's, where its own files are not seen. */
static int add_names(struct plan *p, struct err *e)
{
	static const struct {
		const char *file;
		bool net, always; /* with the host's network; in images too */
	} files[] = {
		{"/etc/hosts", true, true},	      {"/etc/resolv.conf", true, true},
		{"/etc/passwd", false, false},	      {"/etc/group", false, false},
		{"/etc/protocols", false, false},     {"/etc/services", false, false},
		{"/etc/nsswitch.conf", false, false},
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(files) && r == 0; i++) {
		int fd;

		if ((files[i].net && !(p->ns_same & CLONE_NEWNET)) ||
		    (p->store ? !files[i].always : p->beside.etc != NULL))
			continue;
		fd = path_open_in_root(p->beside.root, files[i].file, O_PATH);
		if (fd >= 0)
			r = beside_add(&p->beside, files[i].file, fd, true);
	}
	return r < 0 ? no_memory(e) : 0;
}

int host_plan_root(struct plan *p, const struct request *req, struct err *e)
{
	const struct host_request *h = req->beside->host;
	int r = 0;

	p->beside.read_only = req->beside->read_only;
	p->beside.unmasked = h->unmasked;
	p->beside.ipc_ro = h->ipc_ro;
	p->no_new_privs = h->no_new_privs;
	p->beside.name = strdup(req->beside->name ? req->beside->name : p->label);
	if (!p->beside.name)
		return no_memory(e);
	p->beside.root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->beside.root < 0)
		return err_set(e, errno, "opening /");
	p->root_fd = p->store ? store_mount_for(p->store, -EBADF, e)
			      : fcntl(p->beside.root, F_DUPFD_CLOEXEC, 3);
	if (p->root_fd < 0)
		return e->num ? -e->num : no_memory(e);
	if (h->n + (h->masks ? h->masks->n : 0) > MOUNTS_MAX)
		return err_say(e, E2BIG, "more than %d paths of the host", MOUNTS_MAX);
	for (size_t i = 0; i < h->n && r == 0; i++)
		r = add_volume(p, h, &h->v[i], e);
	if (r == 0)
		r = add_ourselves(p, e);
	if (r == 0)
		r = add_kit(p, e);
	if (r == 0)
		r = add_extra(p, h, e);
	if (r == 0)
		r = add_names(p, e);
	for (size_t i = 0; h->masks && i < h->masks->n && r == 0; i++)
		r = add_mask(p, h, h->masks->v[i], e);
	return r;
}

int host_plan_caps(struct plan *p, const struct request *req, uint64_t added, struct err *e)
{
	const struct host_request *h = req->beside->host;
	uint64_t wanted = h->caps;

	if (p->who.uid != 0 && !h->ambient) /* no root: what was asked for by name */
		wanted &= added;
	p->caps = wanted & caps_bounding();
	p->caps_lost = wanted & ~caps_bounding();
	p->caps_ambient = p->who.uid != 0;
	if (h->filtered && seccomp_filter_default(p->caps, h->ipc_ro, &p->confined.filter) < 0)
		return no_memory(e);
	return 0;
}
