#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/pidfd.h"
#include "sys/proc.h"
#include "target/engine.h"

/* "3 minutes", rounded down; for messages only. */
static void span(char *out, size_t size, int64_t seconds)
{
	static const struct {
		const char *name;
		int64_t s;
	} unit[] = {{"day", 86400}, {"hour", 3600}, {"minute", 60}, {"second", 1}};
	size_t i = 0;
	int64_t n;

	while (i < ARRAY_LEN(unit) - 1 && seconds < unit[i].s)
		i++;
	n = seconds / unit[i].s;
	snprintf(out, size, "%lld %s%s", (long long)n, unit[i].name, n == 1 ? "" : "s");
}

static int refuse(const struct target *t, struct err *e)
{
	char when[96] = "", ago[40], stamp[24];
	struct tm tm;

	if (t->finished && localtime_r(&t->finished, &tm) &&
	    strftime(stamp, sizeof(stamp), "%F %T", &tm)) {
		span(ago, sizeof(ago), time(NULL) - t->finished);
		snprintf(when, sizeof(when), " at %s (%s ago)", stamp, ago);
	}
	if (t->state == TARGET_EXITED && t->exit_code >= 0)
		err_say(e, ESRCH, "%s '%s' is not running: it exited with code %d%s", t->engine,
			t->name, t->exit_code, when);
	else if (t->state == TARGET_EXITED)
		err_say(e, ESRCH, "%s '%s' is not running: it ended%s", t->engine, t->name,
			when[0] ? when : ", its exit code is not recorded");
	else if (t->state == TARGET_RESTARTING)
		err_say(e, ESRCH,
			"%s '%s' is not running: it exited with code %d%s and is being restarted",
			t->engine, t->name, t->exit_code, when);
	else if (t->state == TARGET_CREATED)
		err_say(e, ESRCH, "%s '%s' is not running: it was created and never started",
			t->engine, t->name);
	else if (t->state == TARGET_UNKNOWN)
		err_say(e, ESRCH,
			"%s '%s' is not running: it was never started, or it ended and its engine "
			"does not record how",
			t->engine, t->name);
	else
		err_say(e, ESRCH,
			"%s '%s' is not running: its process is gone, which %s does not "
			"tell (yet)",
			t->engine, t->name, t->state_file ? t->state_file : "?");
	err_hint(e, "exec, entrypoint, inspect, ls, cat, find, cp, edit, diff and inject work on "
		    "what does not run, too");
	return -ESRCH;
}

static int gone(const struct target *t, const char *how, struct err *e)
{
	err_say(e, ESRCH, "%s '%s' (process %d) %s", t->engine, t->name, (int)t->pid, how);
	err_hint(e, "'porthole ps -a' shows what is there now");
	return -ESRCH;
}

/* The pidfd goes first: what is opened while it shows the process alive is that process's. */
static int hold(const struct target_roots *r, struct target *t, struct err *e)
{
	int fd = pidfd_get(t->pid);
	struct proc_status st;

	if (fd < 0 && fd != -ENOSYS)
		return gone(t, fd == -EINVAL ? "is a thread, not a process" : "is gone", e);
	t->pidfd = fd >= 0 ? fd : -EBADF;
	fd = proc_dir_open(r->proc_fd, t->pid);
	if (fd < 0)
		return gone(t, "is gone", e);
	t->proc_fd = fd;
	if (t->pidfd >= 0 && pidfd_has_ended(t->pidfd))
		return gone(t, "has just ended", e);
	if (t->pidfd < 0 && (proc_status_read(fd, &st) < 0 || st.tgid != t->pid))
		return gone(t, "is a thread, not a process", e);
	return 0;
}

/* Its first thread has ended, which leaves that one without namespaces and files; others run. */
static int hold_thread(struct target *t, struct err *e)
{
	int thread = proc_thread_open(t->proc_fd);

	if (thread < 0)
		return gone(t, "has just ended", e);
	cleanup_close(&t->proc_fd);
	t->proc_fd = thread;
	return 0;
}

static int check_stat(struct target *t, struct err *e)
{
	struct proc_stat st;

	if (proc_stat_read(t->proc_fd, &st) < 0)
		return gone(t, "is gone", e);
	if (st.ended)
		return gone(t, "has ended and was not reaped by its parent", e);
	if (st.kthread)
		return gone(t, "is a kernel thread: it has no files or namespaces of its own", e);
	if (st.start != t->start)
		return gone(t, "is gone: another process has its number now", e);
	return st.state == 'Z' ? hold_thread(t, e) : 0;
}

int target_is_of(int proc_fd, uid_t owner)
{
	_cleanup_close_ int ns = openat(proc_fd, "ns/user", O_RDONLY | O_CLOEXEC);
	uint32_t inside, outside, count;
	uid_t uid;

	if (ns < 0)
		return -errno;
	if (ioctl(ns, NS_GET_OWNER_UID, &uid) == 0 && uid == owner)
		return 1;
	return proc_uid_map_first(proc_fd, &inside, &outside, &count) == 0 && inside == 0 &&
	       outside == owner;
}

/* What a user's engine names must be in a user namespace that is his, by its owner or by who is
 * root in it: his state files could name anybody's process. */
static int check_owner(struct target *t, struct err *e)
{
	int r;

	if (t->owner_uid == 0)
		return 0;
	r = target_is_of(t->proc_fd, t->owner_uid);
	if (r < 0)
		return err_set(e, r, "%s '%s': reading its user namespace", t->engine, t->name);
	if (r)
		return 0;
	return err_say(e, EPERM, "%s '%s' of user %s names process %d, which is not that user's",
		       t->engine, t->name, t->owner ? t->owner : "?", (int)t->pid);
}

int target_pin(const struct target_roots *r, struct target *t, struct err *e)
{
	_cleanup_look_ struct look l = LOOK_INIT(r);
	int ret;

	if (t->state != TARGET_RUNNING && t->state != TARGET_PAUSED)
		return refuse(t, e);
	if (t->start == 0 && !target_verify(&l, t, NULL, e))
		return -ESRCH;
	cleanup_close(&t->pidfd);
	cleanup_close(&t->proc_fd);
	t->pidfd = t->proc_fd = -EBADF;
	ret = hold(r, t, e);
	if (ret == 0)
		ret = check_stat(t, e);
	if (ret == 0)
		ret = check_owner(t, e);
	if (ret < 0) {
		cleanup_close(&t->pidfd);
		cleanup_close(&t->proc_fd);
		t->pidfd = t->proc_fd = -EBADF;
	}
	return ret;
}

int target_open(struct target_roots *roots, const char *spec, struct target *t, struct err *e)
{
	int r = target_roots_open(roots, e);

	if (r == 0)
		r = target_resolve(roots, spec, t, e);
	return r < 0 ? r : target_pin(roots, t, e);
}
