#include "session/beside.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/path.h"
#include "session/host.h"
#include "session/plan.h"
#include "session/volume.h"
#include "sys/caps.h"
#include "sys/cred.h"
#include "sys/ns.h"
#include "sys/power.h"

enum { MOUNTS_MAX = 100 };

#define SHARED_BY_DEFAULT (CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC)
/* What it has its own of where the target's is not shared. */
#define OWN (SHARED_BY_DEFAULT | CLONE_NEWUTS | CLONE_NEWCGROUP)

void beside_done(struct beside *b)
{
	for (size_t i = 0; i < b->n; i++) {
		free(b->v[i].dest);
		cleanup_close(&b->v[i].fd);
	}
	for (size_t i = 0; i < b->n_paths; i++) {
		free(b->paths[i].host);
		free(b->paths[i].inside);
	}
	free(b->paths);
	strv_done(&b->unseen);
	free(b->v);
	free(b->name);
	free(b->etc);
	free(b->old);
	cleanup_close(&b->root);
	*b = BESIDE_INIT;
}

void beside_let_go(const struct beside *b)
{
	for (size_t i = 0; i < b->n; i++) {
		cleanup_close(&b->v[i].fd);
		b->v[i].fd = -EBADF;
	}
}

static int parse_share(const struct plan *p, const struct strv *share, unsigned *want,
		       struct err *e)
{
	int r;

	*want = SHARED_BY_DEFAULT;
	if (!share->n)
		return 0;
	if (share->n == 1 && str_eq(share->v[0], "none")) {
		*want = 0;
		return 0;
	}
	r = ns_parse(share, want, e);
	if (r < 0)
		return err_exit(e, EXIT_PORTHOLE);
	if (*want & CLONE_NEWNS && !strv_has(share, "all")) {
		err_say(e, EINVAL,
			"a sidekick has files of its own: the mnt namespace of '%s' cannot be "
			"shared",
			p->label);
		err_hint(e, "its files are at /" BESIDE_TARGET
			    "; 'porthole exec' works in its own mnt namespace");
		return -EINVAL;
	}
	*want &= ~(unsigned)CLONE_NEWNS;
	return 0;
}

static int plan_shared(struct plan *p, const struct request *req, struct err *e)
{
	_cleanup_close_ int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char missing[64];
	unsigned want;
	int r;

	if (*power_missing(CAPS_BIT(CAP_SYS_ADMIN), missing, sizeof(missing))) {
		err_say(e, EPERM, "a sidekick of '%s' needs %s", p->label, missing);
		if (str_eq(p->target->engine, "podman") || str_eq(p->target->engine, "docker"))
			err_hint(e,
				 "run with sudo; or with --engine %s, which has its own engine "
				 "make it",
				 p->target->engine);
		else
			err_hint(e, "run with sudo; 'porthole exec' works without root in one's "
				    "own containers");
		return -EPERM;
	}
	if (self < 0)
		return err_set(e, errno, "opening /proc/self (is /proc mounted?)");
	r = parse_share(p, &req->beside->share, &want, e);
	if (r == 0) /* what is shared belongs to its user namespace: root there, and no more */
		r = ns_different(p->target->proc_fd, self, want | (want ? CLONE_NEWUSER : 0),
				 &p->ns_join, e);
	if (r < 0)
		return r;
	p->ns_same = want & ~p->ns_join;
	p->ns_new = CLONE_NEWNS | (OWN & ~want);
	p->outlive = !(p->ns_join & CLONE_NEWPID);
	p->view = p->store ? VIEW_LIVE : VIEW_KIT;
	return 0;
}

int beside_plan_ns(struct plan *p, const struct request *req, struct err *e)
{
	if (p->beside.host)
		return host_plan_ns(p, req, e);
	return plan_shared(p, req, e);
}

/* Who root is in the user namespace that is joined. */
static int find_root(struct plan *p, struct err *e)
{
	struct idmap u, g;

	if (!(p->ns_join & CLONE_NEWUSER))
		return 0;
	if (idmap_read(p->target->proc_fd, "uid_map", &u) < 0 ||
	    idmap_read(p->target->proc_fd, "gid_map", &g) < 0 || !u.n || !g.n)
		return err_say(e, EINVAL, "'%s' is in a user namespace that maps no ids", p->label);
	p->beside.uid = idmap_to_outside(&u, idmap_first_inside(&u));
	p->beside.gid = idmap_to_outside(&g, idmap_first_inside(&g));
	return 0;
}

int beside_add(struct beside *b, const char *dest, int fd, bool copy)
{
	_cleanup_close_ int own = fd;
	_cleanup_free_ char *path = strdup(dest);
	void *v = path ? reallocarray(b->v, b->n + 1, sizeof(*b->v)) : NULL;

	if (!v)
		return -ENOMEM;
	b->v = v;
	b->v[b->n++] =
		(struct beside_mount){.dest = TAKE_PTR(path), .fd = TAKE_FD(own), .copy = copy};
	return 0;
}

int beside_follow(struct beside *b, const struct volume *v)
{
	_cleanup_free_ char *from = realpath(v->host, NULL), *to = strdup(v->inside);
	size_t len = to ? strlen(to) : 0;
	void *all;

	if (!from && errno != ENOMEM)
		return 0; /* gone meanwhile */
	while (len > 1 && to[len - 1] == '/')
		to[--len] = '\0';
	all = from && to ? reallocarray(b->paths, b->n_paths + 1, sizeof(*b->paths)) : NULL;
	if (!all)
		return -ENOMEM;
	b->paths = all;
	b->paths[b->n_paths++] = (struct beside_path){
		.host = TAKE_PTR(from), .inside = TAKE_PTR(to), .ro = v->ro, .follow = v->follow};
	return 0;
}

/* An image says nothing of the network it is put into; the kit's root has links for all of that. */
static int add_names(struct plan *p)
{
	static const char *const files[] = {"/etc/resolv.conf", "/etc/hosts"};
	unsigned net = (p->ns_join | p->ns_same) & CLONE_NEWNET;
	int r = 0;

	for (size_t i = 0; p->store && net && i < ARRAY_LEN(files) && r == 0; i++) {
		int fd = path_open_in_root(p->beside.root, files[i], O_PATH);

		if (fd >= 0)
			r = beside_add(&p->beside, files[i], fd, true);
	}
	return r;
}

static int add_volume(struct plan *p, const char *spec, struct err *e)
{
	_cleanup_free_ char *copy = NULL;
	struct volume v;
	int fd, r = volume_parse(spec, &copy, &v, e);

	if (r < 0)
		return r;
	fd = volume_open(&v, p->beside.devices, e);
	if (fd < 0)
		return fd;
	if (beside_add(&p->beside, v.inside, fd, false) < 0 ||
	    (v.propagation == MS_SLAVE && beside_follow(&p->beside, &v) < 0))
		return err_set(e, ENOMEM, "planning the sidekick");
	return 0;
}

/* A copy: what the target may reach through the sidekick's processes is not the host's program. */
static int add_self(struct plan *p, struct err *e)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set(e, errno, "opening this program for the sidekick");
	return beside_add(&p->beside, BESIDE_SELF, fd, true) < 0
		       ? err_set(e, ENOMEM, "planning the sidekick")
		       : 0;
}

static int plan_files(struct plan *p, struct err *e)
{
	_cleanup_close_ int userns = p->ns_join & CLONE_NEWUSER ? plan_userns(p) : -EBADF;

	p->root_fd = p->store ? store_mount_for(p->store, userns, e)
			      : fcntl(p->beside.root, F_DUPFD_CLOEXEC, 3);
	if (p->root_fd < 0)
		return e->num ? -e->num : err_set(e, errno, "planning the sidekick");
	return 0;
}

int beside_plan_root(struct plan *p, const struct request *req, struct err *e)
{
	const struct beside_request *b = req->beside;
	int r;

	if (p->beside.host)
		return host_plan_root(p, req, e);
	p->beside.read_only = b->read_only;
	p->beside.name = strdup(b->name ? b->name : p->label);
	if (!p->beside.name)
		return err_set(e, ENOMEM, "planning the sidekick");
	p->beside.root = openat(p->target->proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->beside.root < 0 && (errno == ENOENT || errno == ESRCH))
		return err_say(e, ESRCH, "'%s' exited while it was being looked at", p->label);
	if (p->beside.root < 0)
		return err_set(e, errno, "opening the root directory of '%s'", p->label);
	r = find_root(p, e);
	if (r == 0)
		r = plan_files(p, e);
	if (r == 0 && add_names(p) < 0)
		r = err_set(e, ENOMEM, "planning the sidekick");
	if (r == 0 && b->self)
		r = add_self(p, e);
	if (r == 0 && b->ours && !(p->ns_join & CLONE_NEWUSER))
		r = add_volume(p, b->ours, e);
	if (r == 0 && b->volumes.n > MOUNTS_MAX)
		r = err_say(e, E2BIG, "more than %d volumes", MOUNTS_MAX);
	for (size_t i = 0; i < b->volumes.n && r == 0; i++)
		r = add_volume(p, b->volumes.v[i], e);
	return r;
}

static int parse_caps(const struct strv *list, uint64_t *all, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < list->n && r == 0; i++) {
		uint64_t some = 0;

		r = caps_parse(list->v[i], &some, e);
		*all |= some;
	}
	return r;
}

int beside_plan_caps(struct plan *p, const struct request *req, struct err *e)
{
	uint64_t added = 0, dropped = 0, wanted;
	int r = parse_caps(&req->beside->cap_add, &added, e);

	if (r == 0)
		r = parse_caps(&req->beside->cap_drop, &dropped, e);
	if (r < 0)
		return r;
	if (p->beside.host)
		return host_plan_caps(p, req, added, e);
	wanted = dropped == caps_all() ? added : (CAPS_DOCKER | added) & ~dropped;
	if (p->who.uid != 0) /* who is not root has what was asked for, and no more */
		wanted &= added;
	p->caps = wanted & caps_bounding();
	p->caps_lost = wanted & ~caps_bounding();
	p->caps_ambient = p->who.uid != 0;
	return 0;
}
