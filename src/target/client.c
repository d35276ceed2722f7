#include "target/client.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "target/api.h"
#include "target/scan.h"

#define DOCKER_SOCK "run/docker.sock"
#define UNIX_SCHEME "unix://"

enum { DAEMON_ARGS_MAX = 64 << 10 };

/* A look for a daemon: where `prefix` (of paths for the client) is the root `fd`. */
struct place {
	int fd;
	char prefix[32];
};

/* 1 when the daemon behind the socket has the container: the client's options are appended. 0 when
 * not, or -ENOMEM. */
static int try_socket(const struct target_roots *r, const struct place *at, const char *sock,
		      const struct target *t, struct strv *argv)
{
	struct target_roots roots = {.root_fd = at->fd, .no_sockets = r->no_sockets};
	_cleanup_look_ struct look l = LOOK_INIT(&roots);
	_cleanup_free_ char *ask = str_fmt("/containers/%s/json", t->id), *body = NULL;
	char *host;
	size_t len;
	int got;

	if (!ask)
		return -ENOMEM;
	while (*sock == '/')
		sock++;
	got = api_get(&l, sock, ask, &body, &len);
	if (got < 0)
		return got == -ENOMEM ? got : 0;
	host = str_fmt(UNIX_SCHEME "%s/%s", at->prefix, sock);
	if (strv_add(argv, "-H") < 0 || strv_push(argv, host) < 0)
		return -ENOMEM;
	return 1;
}

static bool same_mnt(const struct target_roots *r, pid_t pid)
{
	uint64_t ours = proc_ns_inode_at(r->proc_fd, getpid(), "mnt");

	return ours && ours == proc_ns_inode_at(r->proc_fd, pid, "mnt");
}

/* The sockets that a daemon was told to listen at, seen from its root. */
static int try_daemon(const struct target_roots *r, pid_t pid, const struct target *t,
		      struct strv *argv)
{
	_cleanup_free_ char *args = malloc(DAEMON_ARGS_MAX);
	ssize_t n = args ? proc_cmdline_read(r->proc_fd, pid, args, DAEMON_ARGS_MAX) : 0;
	_cleanup_close_ int root = proc_link_open(r->proc_fd, pid, "root");
	struct place at = {.fd = root};
	int got = 0;

	if (root < 0 || n <= 0)
		return 0;
	if (!same_mnt(r, pid))
		snprintf(at.prefix, sizeof(at.prefix), "/proc/%d/root", (int)pid);
	for (const char *p = args; p < args + n && got == 0; p += strlen(p) + 1) {
		const char *unix_at = strstr(p, UNIX_SCHEME);

		if (unix_at)
			got = try_socket(r, &at, unix_at + strlen(UNIX_SCHEME), t, argv);
	}
	return got ? got : try_socket(r, &at, DOCKER_SOCK, t, argv);
}

/* A daemon of the host's that could have the target: its root's or its owner's. What runs in
 * another pid namespace is in a container, and nobody to be believed. */
static bool is_daemon_for(const struct target_roots *r, pid_t pid, const struct target *t)
{
	struct proc_status st;

	return proc_status_read_at(r->proc_fd, pid, &st) == 0 && st.nspids == 1 &&
	       (st.euid == 0 || st.euid == t->owner_uid);
}

static int docker_client(const struct target_roots *r, const struct target *t, struct strv *argv)
{
	_cleanup_look_ struct look l = LOOK_INIT(r);
	struct place at = {.fd = r->root_fd};
	const struct proc_stat *st;
	char own[64];
	size_t i = 0;
	int got;

	if (strv_add(argv, "docker") < 0)
		return -ENOMEM;
	got = try_socket(r, &at, DOCKER_SOCK, t, argv);
	if (got == 0 && t->owner_uid) {
		snprintf(own, sizeof(own), "run/user/%u/docker.sock", (unsigned)t->owner_uid);
		got = try_socket(r, &at, own, t, argv);
	}
	if (got != 0)
		return got;
	l.scan = scan_make(&l);
	if (!l.scan)
		return -ENOMEM;
	while (got == 0 && (st = scan_named(&l, "dockerd", &i)))
		if (is_daemon_for(r, st->pid, t))
			got = try_daemon(r, st->pid, t, argv);
	return got;
}

/* The options that conmon, by its command line, runs podman with to clean up after the container,
 * as far as they tell where things are. 0 or -ENOMEM. */
static int podman_options(const char *args, size_t len, struct strv *argv)
{
	static const char mark[] = "--exit-command-arg";
	static const char *const known[] = {
		"--root",
		"--runroot",
		"--tmpdir",
		"--storage-driver",
		"--storage-opt",
		"--runtime",
		"--cgroup-manager",
		"--volumepath",
		"--network-config-dir",
		"--network-backend",
		"--events-backend",
		"--db-backend",
		"--imagestore",
	};
	const char *option = NULL, *end = args + len;
	int r = 0;

	for (const char *p = args; p < end && r == 0; p += strlen(p) + 1) {
		if (!str_eq(p, mark))
			continue;
		p += sizeof(mark);
		if (p >= end || str_eq(p, "container"))
			break;
		if (option && *p)
			r = strv_add(argv, option) ?: strv_add(argv, p);
		if (option) {
			option = NULL;
			continue;
		}
		for (size_t i = 0; i < ARRAY_LEN(known) && !option; i++)
			option = str_eq(p, known[i]) ? known[i] : NULL;
	}
	return r;
}

static int podman_client(const struct target_roots *r, const struct target *t, const char *label,
			 struct strv *argv, struct err *e)
{
	struct monitor m = {};
	struct proc_stat st;
	int got = 0;

	if (t->owner_uid != geteuid()) {
		err_say(e, EPERM, "'%s' is a container of %s's, whose podman only that user runs",
			label, t->owner ? t->owner : "root");
		err_hint(e, t->owner ? "run porthole as that user, or leave out --engine"
				     : "run with sudo");
		return -EPERM;
	}
	if (strv_add(argv, "podman") < 0)
		return -ENOMEM;
	if (proc_stat_read_at(r->proc_fd, t->pid, &st) < 0 ||
	    proc_stat_read_at(r->proc_fd, st.ppid, &st) < 0 ||
	    monitor_read(r->proc_fd, &st, &m) != MONITOR_CONMON)
		return 0; /* it was killed: podman's usual places, then */
	if (str_eq(m.id, t->id) && m.uid == geteuid())
		got = m.uid || same_mnt(r, m.pid)
			      ? podman_options(m.args, m.len, argv)
			      : err_say(e, ENXIO,
					"the podman that has '%s' runs in another mount namespace "
					"than we, where its storage is",
					label);
	free(m.args);
	return got;
}

int target_client(const struct target_roots *r, const struct target *t, struct strv *argv,
		  struct err *e)
{
	_cleanup_free_ char *label = str_printable_dup(t->name);
	int got;

	if (!label)
		return err_set(e, ENOMEM, "finding the engine");
	if (!t->id || !id_is_full(t->id))
		return err_say(e, ENOTSUP, "'%s' has no id that its engine would know it by",
			       label);
	if (str_eq(t->engine, "podman")) {
		got = podman_client(r, t, label, argv, e);
	} else if (str_eq(t->engine, "docker")) {
		got = docker_client(r, t, argv);
		if (got == 0) {
			err_say(e, ENXIO, "no dockerd of this host answers for '%s'", label);
			err_hint(e, "it may be stopped, or another user's; without --engine a "
				    "sidekick needs none");
			return -ENXIO;
		}
	} else {
		return err_say(e, ENOTSUP, "'%s' is of the engine %s, not of docker or podman",
			       label, t->engine);
	}
	if (got == -ENOMEM)
		return err_set(e, ENOMEM, "finding the engine");
	return got < 0 ? got : 0;
}
