/* Namespaces: the target's own, the host's, or shared, and with whom. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>

#include "base/fd.h"
#include "facts/facts.h"
#include "sys/proc.h"

enum { SHOWN = 8 }; /* names kept of those it shares a namespace with */

const struct fact_ns *facts_ns_get(const struct facts *f, unsigned flag)
{
	for (size_t i = 0; i < NS_COUNT; i++)
		if (ns_types[i].flag == flag)
			return &f->ns.v[i];
	return NULL;
}

int facts_ns_read(const struct target_roots *r, const struct target *t, struct facts *f)
{
	int err = 0;

	for (size_t i = 0; i < NS_COUNT; i++) {
		struct fact_ns *ns = &f->ns.v[i];

		errno = 0;
		ns->inode = ns_inode(t->proc_fd, &ns_types[i]);
		if (!ns->inode) {
			ns->kind = errno == ENOENT ? NS_ABSENT : NS_UNREAD;
			if (errno != ENOENT)
				err = -errno;
			continue;
		}
		ns->kind = ns_is_booted(r->proc_fd, &ns_types[i], ns->inode) > 0 ? NS_HOST : NS_OWN;
	}
	return err;
}

static int share(struct fact_ns *ns, const char *name)
{
	if (strv_has(&ns->with, name))
		return 0;
	ns->kind = NS_SHARED;
	if (ns->with.n >= SHOWN) {
		ns->more++;
		return 0;
	}
	return strv_add(&ns->with, name);
}

/* The inode of each namespace of another container's first process. */
static void inodes_of(const struct target_roots *r, pid_t pid, uint64_t v[NS_COUNT])
{
	for (size_t i = 0; i < NS_COUNT; i++)
		v[i] = proc_ns_inode_at(r->proc_fd, pid, ns_types[i].name);
}

/* Is the outsider a process of that container? Then the container's name is enough. */
static bool belongs(const struct target_roots *r, const struct fact_outsider *o,
		    const struct facts *f, const uint64_t v[NS_COUNT])
{
	for (size_t i = 0; i < NS_COUNT; i++)
		if ((ns_types[i].flag & (CLONE_NEWPID | CLONE_NEWNS)) && o->home[i] &&
		    o->home[i] == v[i] && v[i] != f->ns.v[i].inode &&
		    ns_is_booted(r->proc_fd, &ns_types[i], v[i]) <= 0)
			return true;
	return false;
}

static bool descends(const struct target_roots *r, pid_t pid, pid_t from)
{
	struct proc_stat st;

	for (int depth = 0; depth < 64 && pid > 1; depth++) {
		if (pid == from)
			return true;
		if (proc_stat_read_at(r->proc_fd, pid, &st) < 0)
			return false;
		pid = st.ppid;
	}
	return false;
}

static int share_outsider(const struct target_roots *r, const struct target *t, struct facts *f,
			  const struct fact_outsider *o)
{
	char name[64], comm[32] = "";
	int err = 0;

	if (descends(r, o->pid, t->pid)) /* a sandbox inside the target */
		return 0;
	snprintf(name, sizeof(name), "%d/comm", o->pid);
	if (file_read_small_at(r->proc_fd, name, comm, sizeof(comm)) > 0)
		comm[strcspn(comm, "\n")] = '\0';
	snprintf(name, sizeof(name), "pid %d (%s)", o->pid, comm);
	for (size_t i = 0; i < NS_COUNT && err == 0; i++)
		if (ns_types[i].flag & o->flags)
			err = share(&f->ns.v[i], name);
	return err;
}

int facts_ns_share(const struct target_roots *r, const struct target *t, struct facts *f)
{
	_cleanup_targets_ struct targets all = {};
	/* listing the containers is dear, and most share nothing */
	int err = f->ns.n_outsiders ? target_list(r, false, &all, NULL, NULL) : 0;

	for (size_t k = 0; err == 0 && k < all.n; k++) {
		_cleanup_free_ char *name = NULL;
		uint64_t v[NS_COUNT];

		if (all.v[k].pid <= 0 || all.v[k].pid == t->pid)
			continue;
		if (all.v[k].sandbox && all.v[k].pod)
			name = str_fmt("pod %s", all.v[k].pod);
		inodes_of(r, all.v[k].pid, v);
		for (size_t i = 0; i < NS_COUNT && err == 0; i++)
			if (v[i] && v[i] == f->ns.v[i].inode && f->ns.v[i].kind != NS_HOST)
				err = share(&f->ns.v[i], name ? name : all.v[k].name);
		for (size_t o = 0; o < f->ns.n_outsiders; o++)
			if (belongs(r, &f->ns.outsiders[o], f, v))
				f->ns.outsiders[o].flags = 0;
	}
	for (size_t o = 0; err == 0 && o < f->ns.n_outsiders; o++)
		if (f->ns.outsiders[o].flags)
			err = share_outsider(r, t, f, &f->ns.outsiders[o]);
	return err;
}
