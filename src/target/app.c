/* Which process of a target is the program that a person means. */
#include <fcntl.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "sys/proc.h"
#include "target/target.h"

int target_app_open(const struct target *t)
{
	_cleanup_close_ int fd = -EBADF, proc = -EBADF;
	struct proc_stat st;
	char name[16];
	pid_t child;

	if ((!str_eq(t->engine, "bwrap") && !str_eq(t->engine, "flatpak")) ||
	    proc_stat_read(t->proc_fd, &st) < 0 || !str_eq(st.comm, "bwrap"))
		return -EBADF;
	proc = openat(t->proc_fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC); /* the same /proc */
	child = proc < 0 ? 0 : proc_first_child(proc, t->pid);
	if (!child)
		return -EBADF;
	snprintf(name, sizeof(name), "%d", (int)child);
	fd = openat(proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && proc_stat_read(fd, &st) == 0 && st.ppid == t->pid ? TAKE_FD(fd) : -EBADF;
}
