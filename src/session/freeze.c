#include "session/freeze.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "sys/proc.h"
#include "target/target.h"

enum { PROCS_MAX = 65536, NEST_MAX = 32, WAIT_MS = 3000 };

/* A process is written down before it is stopped. */
struct stopped {
	pid_t pid;	/* in the host's /proc */
	uint64_t start; /* so that a pid used again is left alone */
};

struct freeze_table {
	atomic_bool armed; /* set before the first change, cleared after the last */
	atomic_uint n;
	struct stopped v[PROCS_MAX];
};

void freeze_done(struct freeze *f)
{
	freezer_done(&f->freezer);
	*f = FREEZE_INIT;
}

void freeze_end(struct freeze *f)
{
	if (f->table)
		munmap(f->table, sizeof(*f->table));
	*f = FREEZE_INIT;
}

/* --- who belongs to the target --- */

struct members {
	uint64_t pid_ns, mnt_ns; /* of the target; 0: those are ours too, and tell nothing */
	uint64_t our_pid_ns;
	int proc;
};

static int members_of(const struct target *t, int proc, struct members *m)
{
	_cleanup_close_ int self = openat(proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint64_t mnt;

	*m = (struct members){.proc = proc};
	if (self < 0)
		return -errno;
	m->our_pid_ns = proc_ns_inode(self, "pid");
	m->pid_ns = proc_ns_inode(t->proc_fd, "pid");
	mnt = proc_ns_inode(t->proc_fd, "mnt");
	m->mnt_ns = mnt == proc_ns_inode(self, "mnt") ? 0 : mnt;
	if (m->pid_ns == m->our_pid_ns)
		m->pid_ns = 0;
	return m->pid_ns || m->mnt_ns ? 0 : -EPERM;
}

/* A container in the target: its pid namespace is below the target's. */
static bool is_below(int dir, const struct members *m)
{
	int fd = openat(dir, "ns/pid", O_RDONLY | O_CLOEXEC);
	bool found = false;

	for (int i = 0; fd >= 0 && i < NEST_MAX && !found; i++) {
		int up = ioctl(fd, NS_GET_PARENT);
		struct stat st;

		close(fd);
		fd = up;
		found = fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == m->pid_ns;
	}
	cleanup_close(&fd);
	return found;
}

static bool is_member(int dir, const struct members *m)
{
	uint64_t pid_ns = proc_ns_inode(dir, "pid");

	if (m->pid_ns && pid_ns == m->pid_ns)
		return true;
	if (m->mnt_ns && proc_ns_inode(dir, "mnt") == m->mnt_ns)
		return true;
	return m->pid_ns && pid_ns && pid_ns != m->our_pid_ns && is_below(dir, m);
}

/* For freezer_each(): stops at the first process of somebody else's. */
static int foreign(int pid, void *data)
{
	const struct members *m = data;
	_cleanup_close_ int dir = proc_dir_open(m->proc, pid);
	struct proc_stat st;

	if (dir < 0 || proc_stat_read(dir, &st) < 0 || st.ended)
		return 0;
	return is_member(dir, m) ? 0 : 1;
}

int freeze_plan(struct freeze *f, const struct target *t, const char *label, struct err *e)
{
	_cleanup_cgroup_hiers_ struct cgroup_hiers hiers = {};
	_cleanup_close_ int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int self = openat(proc, "self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct members m;
	int r = proc < 0 || self < 0 ? -errno : members_of(t, proc, &m);

	if (r == -EPERM)
		return err_say(e, EPERM,
			       "process %d (%s) is in the host's own namespaces: to freeze it "
			       "would be to freeze the host",
			       t->pid, label);
	if (r == 0)
		r = cgroup_hiers_read(self, &hiers);
	if (r < 0)
		return err_set(e, r, "finding out how '%s' can be frozen", label);
	f->how = FREEZE_SIGNALS;
	if (freezer_open(&hiers, t->proc_fd, self, &f->freezer) < 0)
		return 0;
	if (freezer_is_on(&f->freezer))
		f->how = FREEZE_ALREADY;
	else if (freezer_each(&f->freezer, foreign, &m) == 0)
		f->how = FREEZE_CGROUP;
	else
		freezer_done(&f->freezer);
	return 0;
}

int freeze_begin(struct freeze *f, const struct freeze *planned, struct err *e)
{
	*f = *planned;
	if (f->how == FREEZE_NO || f->how == FREEZE_ALREADY)
		return 0;
	f->table = mmap(NULL, sizeof(*f->table), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (f->table != MAP_FAILED)
		return 0;
	f->table = NULL;
	return err_set(e, errno, "making room to note what is stopped");
}

/* --- by signals --- */

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static bool noted(const struct freeze_table *table, pid_t pid, uint64_t start)
{
	for (unsigned i = 0; i < table->n; i++)
		if (table->v[i].pid == pid && table->v[i].start == start)
			return true;
	return false;
}

/* What still runs of one process: 1, else 0; stops it when that was not done yet. -errno when it
 * cannot be. */
static int stop_one(struct freeze_table *table, const struct members *m, pid_t pid)
{
	_cleanup_close_ int dir = proc_dir_open(m->proc, pid);
	struct proc_stat st;
	int r;

	if (dir < 0 || !is_member(dir, m) || proc_stat_read(dir, &st) < 0 ||
	    strchr("ZXTt", st.state))
		return 0; /* gone, not one of them, or stopped; maybe by somebody else */
	if (noted(table, pid, st.start))
		return st.state !=
		       'D'; /* in D it runs no further than the end of its system call */
	if (table->n == PROCS_MAX)
		return -E2BIG;
	table->v[table->n] = (struct stopped){.pid = pid, .start = st.start};
	atomic_fetch_add(&table->n, 1);
	r = proc_signal(m->proc, dir, SIGSTOP);
	return r < 0 && r != -ESRCH ? r : 1;
}

/* One look at all processes. How many still run, or -errno. */
static int stop_round(struct freeze_table *table, const struct members *m, pid_t spare)
{
	_cleanup_dir_ DIR *d = dir_open(m->proc, ".");
	struct dirent *de;
	int running = 0;

	if (!d)
		return -errno;
	while ((de = readdir(d))) {
		pid_t pid = atoi(de->d_name);
		int r = pid > 0 && pid != spare ? stop_one(table, m, pid) : 0;

		if (r < 0)
			return r;
		running += r;
	}
	return running;
}

/* Until two looks in a row find nothing that runs: what is born during one is seen by the next. */
static int stop_all(struct freeze_table *table, const struct members *m, pid_t spare)
{
	for (int round = 0, still = 0; round < WAIT_MS; round++) {
		int r = stop_round(table, m, spare);

		if (r < 0)
			return r;
		still = r == 0 ? still + 1 : 0;
		if (still == 2)
			return 0;
		if (r > 0)
			nap();
	}
	return -ETIMEDOUT;
}

static void go_on(const struct stopped *s, int proc)
{
	_cleanup_close_ int dir = proc_dir_open(proc, s->pid);
	struct proc_stat st;

	if (dir >= 0 && proc_stat_read(dir, &st) == 0 && st.start == s->start)
		proc_signal(proc, dir, SIGCONT);
}

/* --- both --- */

int freeze_now(struct freeze *f, const struct target *t, const char *label, int host_proc,
	       pid_t spare, struct err *e)
{
	struct members m;
	int r = 0;

	if (!f->table)
		return 0;
	f->table->armed = true;
	if (f->how == FREEZE_CGROUP)
		r = freezer_freeze(&f->freezer, WAIT_MS);
	else if ((r = members_of(t, host_proc, &m)) == 0)
		r = stop_all(f->table, &m, spare);
	if (r == 0)
		return 0;
	freeze_thaw(f, host_proc);
	if (r == -ETIMEDOUT) {
		err_say(e, ETIMEDOUT,
			"'%s' could not be frozen within %d seconds, and goes on as before", label,
			WAIT_MS / 1000);
		err_hint(e, "most often a process of it waits in the kernel (state D in ps) for a "
			    "disk or a network file system; look without --freeze");
		return -ETIMEDOUT;
	}
	return err_set(e, r, "freezing '%s'", label);
}

void freeze_thaw(const struct freeze *f, int host_proc)
{
	if (!f->table || !f->table->armed)
		return;
	if (f->how == FREEZE_CGROUP)
		freezer_thaw(&f->freezer);
	for (unsigned i = 0; i < f->table->n && i < PROCS_MAX; i++)
		go_on(&f->table->v[i], host_proc);
	f->table->armed = false;
}

bool freeze_holds(const struct freeze *f, int host_proc)
{
	if (!f->table || !f->table->armed)
		return true;
	if (f->how == FREEZE_CGROUP)
		return freezer_is_on(&f->freezer);
	for (unsigned i = 0; i < f->table->n && i < PROCS_MAX; i++) {
		_cleanup_close_ int dir = proc_dir_open(host_proc, f->table->v[i].pid);
		struct proc_stat st;

		if (dir >= 0 && proc_stat_read(dir, &st) == 0 && st.start == f->table->v[i].start &&
		    strchr("RS", st.state))
			return false;
	}
	return true;
}
