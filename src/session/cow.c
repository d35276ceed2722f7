#include "session/cow.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/path.h"
#include "base/str.h"
#include "session/plan.h"
#include "sys/idmap.h"
#include "sys/mountinfo.h"

static void mount_done(struct cow_mount *m)
{
	free(m->dest);
	cleanup_close(&m->mapped);
}

int cow_source(const struct cow_mount *m)
{
	return m->mapped >= 0 ? m->mapped : m->fd;
}

void cow_done(struct cow *c)
{
	for (size_t i = 0; i < c->n; i++)
		mount_done(&c->v[i]);
	free(c->v);
	*c = (struct cow){};
}

/* File systems that show the kernel, not files. */
static const char *const kernels[] = {
	"proc",	     "sysfs",	    "cgroup",	  "cgroup2", "devpts",	 "devtmpfs",
	"mqueue",    "nsfs",	    "bpf",	  "tracefs", "debugfs",	 "securityfs",
	"hugetlbfs", "binfmt_misc", "rpc_pipefs", "fusectl", "configfs", "efivarfs",
	"pstore",    "autofs",	    "selinuxfs",  "resctrl",
};

static bool is_kernels(const char *fstype)
{
	for (size_t i = 0; i < ARRAY_LEN(kernels); i++)
		if (str_eq(kernels[i], fstype))
			return true;
	return false;
}

/* /proc, /sys and /dev are seen to as a whole; but what is in /dev/shm are files. */
static bool is_apart(const char *dest)
{
	static const char *const dirs[] = {"/proc", "/sys", "/dev"};

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (path_below(dest, dirs[i]))
			return !str_eq(dest, "/dev/shm");
	return false;
}

static int add(struct plan *p, const char *dest, enum cow_how how, int fd, struct err *e)
{
	struct cow *c = &p->cow;

	if (c->n == COW_MOUNTS_MAX) {
		err_say(e, E2BIG, "'%s' has more than %d mounts", p->label, COW_MOUNTS_MAX);
		return -E2BIG;
	}
	if (c->n % 32 == 0) {
		void *v = reallocarray(c->v, c->n + 32, sizeof(*c->v));

		if (!v)
			return err_set(e, ENOMEM, "planning the session");
		c->v = v;
	}
	c->v[c->n] = (struct cow_mount){
		.dest = strdup(dest), .how = how, .fd = fd, .mapped = -EBADF, .order = c->n};
	return c->v[c->n].dest ? (c->n++, 0) : err_set(e, ENOMEM, "planning the session");
}

static enum cow_how how_of(int fd)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return COW_MISSING;
	if (S_ISDIR(st.st_mode))
		return COW_OVERLAY;
	if (!S_ISREG(st.st_mode))
		return COW_AS_IS;
	return st.st_size <= COW_FILE_MAX ? COW_COPY : COW_READ;
}

static int add_row(struct plan *p, const struct mount_row *row, struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	enum cow_how how = COW_AS_IS;

	if (row->target[0] != '/' || !row->target[1] || is_apart(row->target))
		return 0;
	fd = path_open_in_root(p->root_fd, row->target, O_PATH | O_NOFOLLOW);
	if (fd < 0)
		return 0; /* hidden by another mount, or gone already */
	if (!is_kernels(row->fstype))
		how = how_of(fd);
	return how == COW_MISSING ? 0 : add(p, row->target, how, -EBADF, e);
}

static int of_target(struct plan *p, struct err *e)
{
	_cleanup_mountinfo_ struct mountinfo m = {};
	_cleanup_close_ int shm =
		path_open_in_root(p->root_fd, "/dev/shm", O_PATH | O_DIRECTORY | O_NOFOLLOW);
	int r = mountinfo_read(p->target->proc_fd, &m);

	if (r < 0)
		return err_set(e, r, "reading the mount table of '%s'", p->label);
	if (shm >= 0)
		r = add(p, "/dev/shm", COW_OVERLAY, -EBADF, e);
	for (size_t i = 0; i < m.n && r == 0; i++)
		r = add_row(p, &m.v[i], e);
	return r;
}

/* Owners as the container sees them. Where that cannot be, which somebody else says, those on disk.
 */
static void map_owners(struct plan *p, const struct store_mount *m, int userns)
{
	struct cow_mount *c = &p->cow.v[p->cow.n - 1];

	if (m->ids_inside || (c->how != COW_OVERLAY && c->how != COW_COPY))
		return;
	if (userns >= 0)
		c->mapped = store_mount_mapped(m, 0, userns);
	if (c->mapped >= 0)
		return;
	p->cow.unmapped = p->cow.unmapped ?: m->dest;
	p->cow.n_unmapped++;
}

static int of_store(struct plan *p, struct err *e)
{
	_cleanup_close_ int userns = -EBADF;
	int r = 0;

	if (p->ids_inside)
		userns = idmap_userns(p->store->uid_map, p->store->gid_map, NULL);
	else if (p->store->uid_map) {
		p->cow.unmapped = "/";
		p->cow.n_unmapped++;
	}
	for (size_t i = 0; i < p->store->n_mounts && r == 0; i++) {
		const struct store_mount *m = &p->store->mounts[i];

		if (m->dest[0] != '/' || !m->dest[1] || is_apart(m->dest))
			continue;
		r = add(p, m->dest,
			m->missing ? COW_MISSING
			: m->tmpfs ? COW_TMPFS
				   : how_of(m->fd),
			m->fd, e);
		if (r == 0)
			p->cow.v[p->cow.n - 1].ro = m->ro;
		if (r == 0)
			p->cow.v[p->cow.n - 1].options = m->options;
		if (r == 0 && p->store->uid_map)
			map_owners(p, m, userns);
	}
	return r;
}

/* A directory before what is in it. */
static int by_dest(const void *a, const void *b)
{
	const struct cow_mount *x = a, *y = b;

	return strcmp(x->dest, y->dest) ?: (x->order > y->order) - (x->order < y->order);
}

/* What a sidekick is given comes last, over what its image has. */
static int of_beside(struct plan *p, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < p->beside.n && r == 0; i++) {
		const struct beside_mount *m = &p->beside.v[i];

		r = add(p, m->dest, m->copy ? how_of(m->fd) : COW_BIND, m->fd, e);
	}
	return r;
}

/* What is copied: engines write to their files of it when they start the target again. */
static void remember(struct plan *p, struct cow_mount *m)
{
	_cleanup_close_ int fd = -EBADF;

	if (m->how != COW_COPY)
		return;
	if (cow_source(m) < 0)
		fd = path_open_in_root(p->root_fd, m->dest, O_PATH | O_NOFOLLOW);
	if (fstat(cow_source(m) < 0 ? fd : cow_source(m), &m->was) < 0)
		m->was = (struct stat){};
}

int cow_plan(struct plan *p, struct err *e)
{
	struct cow *c = &p->cow;
	size_t n = 0;
	int r = p->store ? of_store(p, e) : p->beside.on ? 0 : of_target(p, e);

	if (r == 0)
		r = of_beside(p, e);

	if (r == 0 && p->rootless) {
		p->changes_ns = p->mnt_owner >= 0 ? fcntl(p->mnt_owner, F_DUPFD_CLOEXEC, 3)
						  : plan_userns(p);
		if (p->changes_ns < 0)
			return err_set(e, errno, "holding the user namespace of '%s'", p->label);
	}
	if (r < 0)
		return r;
	c->on = true;
	if (c->n)
		qsort(c->v, c->n, sizeof(*c->v), by_dest);
	for (size_t i = 0; i < c->n; i++) { /* mounted over each other: the last is what is seen */
		if (i + 1 < c->n && str_eq(c->v[i].dest, c->v[i + 1].dest))
			mount_done(&c->v[i]);
		else
			c->v[n++] = c->v[i];
	}
	c->n = n;
	for (size_t i = 0; i < c->n; i++)
		remember(p, &c->v[i]);
	return 0;
}
