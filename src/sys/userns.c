#include "sys/userns.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "sys/exitcode.h"

enum { MAP_TEXT = 32 << 10 };

/* The numbers of a map, one blank between any two. */
static char *numbers(const char *map)
{
	_cleanup_buf_ struct buf b = {};

	for (const char *p = map + strspn(map, " \n"); *p; p += strspn(p, " \n")) {
		size_t n = strcspn(p, " \n");

		buf_printf(&b, "%s%.*s", b.len ? " " : "", (int)n, p);
		p += n;
	}
	return buf_take(&b);
}

static bool is_ours(const char *file, const char *map)
{
	_cleanup_free_ char *text = malloc(MAP_TEXT), *a = NULL, *b = map ? numbers(map) : NULL;

	if (!text || file_read_small_at(AT_FDCWD, file, text, MAP_TEXT) <= 0)
		return false;
	a = numbers(text);
	return a && str_eq(a, b);
}

bool userns_is_ours(const char *uid_map, const char *gid_map)
{
	return is_ours("/proc/self/uid_map", uid_map) && is_ours("/proc/self/gid_map", gid_map);
}

bool userns_is_first(void)
{
	return is_ours("/proc/self/uid_map", "0 0 4294967295");
}

/* Run `tool` PID INSIDE OUTSIDE COUNT ...: its exit code. */
static int run_tool(const char *tool, pid_t pid, const char *map)
{
	_cleanup_free_ char *text = numbers(map);
	_cleanup_strv_ struct strv argv = {}, words = {};
	_cleanup_free_ char *number = str_fmt("%d", (int)pid);
	int r = text && number ? strv_add(&argv, tool) ?: strv_add(&argv, number) : -ENOMEM;
	int status = 0;
	pid_t child;

	if (r == 0)
		r = strv_split(&words, text, " ");
	for (size_t i = 0; r == 0 && i < words.n; i++)
		r = strv_add(&argv, words.v[i]);
	child = r == 0 ? fork() : -1;
	if (child == 0) {
		execvp(tool, argv.v);
		_exit(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
	}
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_CANNOT_RUN;
}

static bool write_proc(const char *file, const char *text)
{
	_cleanup_close_ int fd = open(file, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && fd_write_all(fd, text, strlen(text)) == 0;
}

/* Our own id alone needs nobody's help. */
static bool write_own(const char *uid_map, const char *gid_map)
{
	return write_proc("/proc/self/setgroups", "deny") &&
	       write_proc("/proc/self/uid_map", uid_map) &&
	       write_proc("/proc/self/gid_map", gid_map);
}

static bool is_single(const char *map)
{
	const char *end = strchr(map, '\n');

	return !end || !end[1];
}

/* The helper, which stays outside: waits until we are inside, and maps. */
_Noreturn static void map_from_outside(int go, pid_t pid, const char *uids, const char *gids)
{
	char byte;
	int r;

	if (read(go, &byte, 1) != 1)
		_exit(EXIT_CANNOT_RUN);
	r = run_tool("newuidmap", pid, uids);
	_exit(r ?: run_tool("newgidmap", pid, gids));
}

static int mapped(int code, struct err *e)
{
	if (code == 0)
		return 0;
	err_say(e, EPERM, "mapping the ids of your containers into a user namespace failed");
	if (code == EXIT_NOT_FOUND)
		err_hint(e, "newuidmap is not there: install uidmap (shadow-utils), or run with "
			    "sudo");
	else
		err_hint(e, "newuidmap refused what /etc/subuid and /etc/subgid give you: run with "
			    "sudo");
	return -EPERM;
}

int userns_failed(int err, const char *making, struct err *e)
{
	/* the value that forbids, and whether only to users without root; the last is Ubuntu's */
	static const struct {
		const char *path, *name;
		char off;
		bool users;
	} switches[] = {
		{"/proc/sys/user/max_user_namespaces", "user.max_user_namespaces", '0', false},
		{"/proc/sys/kernel/unprivileged_userns_clone", "kernel.unprivileged_userns_clone",
		 '0', true},
		{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
		 "kernel.apparmor_restrict_unprivileged_userns", '1', true},
	};
	bool user = geteuid() != 0;
	char value[16];

	for (size_t i = 0; i < ARRAY_LEN(switches); i++) {
		if ((switches[i].users && !user) ||
		    file_read_small_at(AT_FDCWD, switches[i].path, value, sizeof(value)) != 2 ||
		    value[0] != switches[i].off)
			continue;
		err_say(e, err, "this needs a user namespace, which this system %s: %s is %c",
			user ? "does not let users have" : "forbids", switches[i].name,
			switches[i].off);
		err_hint(e, "%s",
			 user ? "run with sudo, or have root change that with sysctl(8)"
			      : "change that with sysctl(8)");
		return -err;
	}
	err_set(e, err, "%s", making);
	if (user)
		err_hint(e, "this system does not let users do that: run with sudo");
	return -err;
}

/* Ubuntu lets users make one, and then gives them no rights in it. */
static bool has_rights(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2] = {};

	return syscall(SYS_capget, &head, caps) < 0 || caps[0].effective >> CAP_SYS_ADMIN & 1;
}

int userns_enter(const char *uid_map, const char *gid_map, struct err *e)
{
	_cleanup_close_ int ours = -EBADF, theirs = -EBADF;
	pid_t self = getpid(), helper;
	int pair[2], status = 0;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_set(e, errno, "making a pipe");
	theirs = pair[0];
	ours = pair[1];
	helper = fork();
	if (helper == 0) {
		close(ours);
		map_from_outside(theirs, self, uid_map, gid_map);
	}
	if (helper < 0)
		return err_set(e, errno, "starting a process");
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) {
		userns_failed(errno, "making a user namespace", e);
	} else if (!has_rights()) {
		userns_failed(EPERM, "using a user namespace", e);
	} else if (is_single(uid_map) && is_single(gid_map)) {
		if (!write_own(uid_map, gid_map))
			userns_failed(errno, "mapping your own id into a user namespace", e);
	} else if (write(ours, "", 1) != 1) {
		err_set(e, errno, "mapping ids into a user namespace");
	}
	cleanup_close(&ours);
	ours = -EBADF;
	while (waitpid(helper, &status, 0) < 0 && errno == EINTR)
		;
	if (e->num || (is_single(uid_map) && is_single(gid_map)))
		return e->num ? -e->num : 0;
	return mapped(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_CANNOT_RUN, e);
}
