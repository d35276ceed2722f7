/* The target's processes, and the others that are in one of its namespaces: one pass over /proc. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>

#include "base/fd.h"
#include "facts/facts.h"
#include "sys/proc.h"

enum { OUTSIDERS_MAX = 256, CMDLINE_MAX = 4096, PADDING = 8 };

/* How a member is told from the others. */
struct rule {
	const struct target *t;
	struct facts *f;
	uint64_t pidns, mntns; /* 0: not asked for */
};

static const char *field(const char *status, const char *key)
{
	const char *v = str_field(status, key);

	return v ? v : "";
}

/* The last number of "NSpid:\t4711\t12": the pid in the innermost namespace. */
static pid_t last_number(const char *s)
{
	pid_t pid = 0;

	while (*s >= '0' && *s <= '9') {
		char *end;

		pid = (pid_t)strtol(s, &end, 10);
		s = end + strspn(end, " \t");
	}
	return pid;
}

/* Without the zeros that a program leaves behind a title of its own, where its words were. */
static ssize_t without_padding(const char *text, ssize_t n)
{
	ssize_t end = n;

	while (end > 1 && !text[end - 1] && !text[end - 2])
		end--;
	return n - end > PADDING ? end : n;
}

static int argv_read(int fd, struct strv *argv)
{
	char text[CMDLINE_MAX];
	ssize_t n = file_read_small_at(fd, "cmdline", text, sizeof(text));
	int r = 0;

	n = without_padding(text, n);
	for (char *p = text; n > 0 && r == 0 && p < text + n; p += strlen(p) + 1)
		r = strv_add(argv, p);
	return r;
}

static int proc_fill(int fd, pid_t pid, struct fact_proc *p)
{
	char status[4096];

	if (file_read_small_at(fd, "status", status, sizeof(status)) <= 0)
		return -ESRCH;
	*p = (struct fact_proc){.pid = pid};
	sscanf(status, "Name:\t%63[^\n]", p->comm);
	p->state = *field(status, "State:");
	p->ppid = atoi(field(status, "PPid:"));
	p->inside = last_number(field(status, "NSpid:"));
	p->threads = (unsigned)atoi(field(status, "Threads:"));
	p->uid = (uint32_t)strtoul(field(status, "Uid:"), NULL, 10);
	return 0;
}

static int keep(struct facts_procs *l, int fd, struct fact_proc *p)
{
	if (l->n == FACTS_PROCS_KEPT)
		return 0;
	if (!l->v) {
		l->v = calloc(FACTS_PROCS_KEPT, sizeof(*l->v));
		if (!l->v)
			return -ENOMEM;
	}
	l->v[l->n] = *p;
	return argv_read(fd, &l->v[l->n++].argv);
}

static int member(struct facts *f, const struct target *t, int fd, pid_t pid)
{
	struct fact_proc p;

	if (proc_fill(fd, pid, &p) < 0)
		return 0; /* it ended meanwhile */
	f->procs.total++;
	f->procs.threads += p.threads;
	if (p.state == 'Z') {
		f->procs.zombies++;
		f->procs.orphans += p.ppid == t->pid;
	}
	return keep(&f->procs, fd, &p);
}

/* Remember a process that may belong to another container: the types of `flags` it has in common
 * with the target. */
static int outsider(struct facts *f, int proc_fd, pid_t pid, unsigned flags)
{
	struct fact_outsider o = {.pid = pid, .flags = flags};

	if (!flags || f->ns.n_outsiders == OUTSIDERS_MAX)
		return 0;
	if (!f->ns.outsiders) {
		f->ns.outsiders = calloc(OUTSIDERS_MAX, sizeof(o));
		if (!f->ns.outsiders)
			return -ENOMEM;
	}
	for (size_t i = 0; i < NS_COUNT; i++)
		o.home[i] = proc_ns_inode_at(proc_fd, pid, ns_types[i].name);
	f->ns.outsiders[f->ns.n_outsiders++] = o;
	return 0;
}

static int member_open(const struct rule *rule, int proc_fd, pid_t pid, bool zombies_only)
{
	_cleanup_close_ int fd = proc_dir_open(proc_fd, pid);
	struct proc_stat st;

	if (fd < 0)
		return 0; /* it ended meanwhile */
	if (zombies_only &&
	    (proc_stat_read(fd, &st) < 0 || st.state != 'Z' || st.ppid != rule->t->pid))
		return 0;
	return member(rule->f, rule->t, fd, pid);
}

/* The namespaces worth comparing: that another process has the same uts, cgroup or time namespace
 * helps nobody, and every link read costs microseconds for every process of the host. */
static const unsigned compared =
	CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUSER;

static int look(const struct rule *rule, int proc_fd, pid_t pid)
{
	const struct facts_ns *ns = &rule->f->ns;
	uint64_t in_pid = 0, in_mnt = 0;
	unsigned same = 0;
	int err = 0;

	for (size_t i = 0; i < NS_COUNT; i++) {
		uint64_t inode;

		if (!(ns_types[i].flag & compared) || ns->v[i].kind != NS_OWN)
			continue;
		inode = proc_ns_inode_at(proc_fd, pid, ns_types[i].name);
		if (inode == ns->v[i].inode)
			same |= ns_types[i].flag;
		if (ns_types[i].flag == CLONE_NEWPID)
			in_pid = inode;
		if (ns_types[i].flag == CLONE_NEWNS)
			in_mnt = inode;
	}
	if ((rule->pidns || rule->mntns) && (!rule->pidns || in_pid == rule->pidns) &&
	    (!rule->mntns || in_mnt == rule->mntns)) {
		err = member_open(rule, proc_fd, pid, false);
		/* with files of its own: a program's sandbox, or another container's */
		same = in_mnt && !(same & CLONE_NEWNS) ? same : 0;
	} else if (rule->mntns && !in_mnt) { /* zombies have no mount namespace any more */
		err = member_open(rule, proc_fd, pid, true);
	}
	return err < 0 ? err : outsider(rule->f, proc_fd, pid, same);
}

/* A pid namespace that is its own names the members. In one that is somebody else's (or the host's)
 * the mount namespace does; without either only the first process itself is known. */
static struct rule rule_of(const struct target *t, struct facts *f, pid_t inside)
{
	const struct fact_ns *pid = facts_ns_get(f, CLONE_NEWPID);
	const struct fact_ns *mnt = facts_ns_get(f, CLONE_NEWNS);
	struct rule rule = {.t = t, .f = f};

	if (pid->kind == NS_OWN)
		rule.pidns = pid->inode;
	if ((!rule.pidns || inside != 1) && mnt->kind == NS_OWN)
		rule.mntns = mnt->inode;
	return rule;
}

int facts_procs_read(const struct target_roots *r, const struct target *t, struct facts *f)
{
	_cleanup_dir_ DIR *dir = NULL;
	struct fact_proc first;
	struct dirent *d;
	struct rule rule;
	int err;

	err = proc_fill(t->proc_fd, t->pid, &first);
	if (err == 0)
		err = member(f, t, t->proc_fd, t->pid);
	if (err < 0)
		return err;
	rule = rule_of(t, f, first.inside);
	dir = dir_open(r->proc_fd, ".");
	if (!dir)
		return -errno;
	while (err == 0 && (d = readdir(dir))) {
		uint64_t pid;

		if (str_to_u64(d->d_name, 1, INT32_MAX, &pid) < 0 || (pid_t)pid == t->pid)
			continue;
		err = look(&rule, r->proc_fd, (pid_t)pid);
	}
	return err;
}
