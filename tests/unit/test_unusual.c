/* facts/unusual: each rule applies when it should, and none to an ordinary container; and the
 * limits it judges, read from captured control groups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "facts/unusual.h"
#include "sys/caps.h"
#include "sys/cgroup.h"

static struct mount_row rows[4];
static struct fact_mount mounts[4];
static struct fact_env env[1];
static struct target target;

static void set_ns(struct facts *f, unsigned flag, enum ns_kind kind)
{
	for (size_t i = 0; i < NS_COUNT; i++)
		if (ns_types[i].flag == flag)
			f->ns.v[i].kind = kind;
}

/* What `docker run` of a usual image gives. */
static struct facts usual(void)
{
	static const unsigned own =
		CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
	static char root[] = "/", proc[] = "/proc", sys[] = "/proc/sys", data[] = "/data";
	static char overlay[] = "overlay", type_proc[] = "proc", ext4[] = "ext4",
		    shell[] = "/bin/sh";
	static char volume[] = "/var/lib/docker/volumes/x/_data", user[] = "root";
	struct facts f = {};

	target = TARGET_INIT;
	target.state = TARGET_RUNNING;
	target.proc_fd = 0; /* never read: the rules do no I/O */
	for (size_t i = 0; i < NS_COUNT; i++)
		f.ns.v[i].kind = ns_types[i].flag & own ? NS_OWN : NS_HOST;
	f.init.state = 'S';
	f.init.fd_limit = 1024;
	f.init.fds = 10;
	f.rights.known = true;
	f.rights.user = user;
	f.rights.cred.cap_eff = f.rights.cred.cap_prm = f.rights.cred.cap_bnd = CAPS_DOCKER;
	f.rights.cred.seccomp = 2;
	f.rights.uid_map.n = 1;
	f.rights.uid_map.r[0] = (struct idmap_range){0, 0, UINT32_MAX};
	f.limits.memory = (struct fact_limit){true, 10, 100, 10, NULL};
	f.limits.pids = (struct fact_limit){true, 10, CGROUP_NONE, 10, NULL};
	f.limits.periods = 1000;
	rows[0] = (struct mount_row){.root = root, .target = root, .fstype = overlay};
	rows[1] = (struct mount_row){.root = root, .target = proc, .fstype = type_proc};
	rows[2] = (struct mount_row){.root = root, .target = sys, .fstype = type_proc};
	rows[3] = (struct mount_row){.root = volume, .target = data, .fstype = ext4};
	mounts[0] = (struct fact_mount){.row = &rows[0], .class = MOUNT_ROOT};
	mounts[1] = (struct fact_mount){.row = &rows[1], .class = MOUNT_SYSTEM};
	mounts[2] = (struct fact_mount){.row = &rows[2], .class = MOUNT_SYSTEM, .ro = true};
	mounts[3] = (struct fact_mount){.row = &rows[3], .class = MOUNT_OTHER, .host_path = volume};
	f.files.v = mounts;
	f.files.n = 4;
	f.files.root = &rows[0];
	f.files.size = 100;
	f.files.free = 50;
	f.files.looked = f.files.dev = f.files.dev_null = f.files.proc = true;
	f.files.shell = shell;
	f.files.libc = LIBC_GLIBC;
	f.engine.restarts = 1;
	return f;
}

/* Exactly the rules named in `want` ("a b"), and the last one's text holds `text`. */
static void expect(struct facts *f, const char *want, const char *text)
{
	_cleanup_unusuals_ struct unusuals u = {};
	_cleanup_buf_ struct buf b = {};

	assert_int_equal(unusual_find(&target, f, &u), 0);
	for (size_t i = 0; i < u.n; i++)
		buf_printf(&b, "%s%s", i ? " " : "", u.v[i].id);
	assert_string_equal(b.data ? b.data : "", want);
	if (text && !strstr(u.v[u.n - 1].text, text))
		fail_msg("'%s' is not in '%s'", text, u.v[u.n - 1].text);
}

static void test_usual(void **state)
{
	struct facts f = usual();

	(void)state;
	expect(&f, "", NULL);
}

#define EXPECT(change, want, text)                                                                 \
	do {                                                                                       \
		struct facts f = usual();                                                          \
		change;                                                                            \
		expect(&f, want, text);                                                            \
	} while (0)

static void test_trouble(void **state)
{
	(void)state;
	EXPECT(f.limits.frozen = true, "frozen", "paused");
	EXPECT((target.state = TARGET_PAUSED, f.init.state = 'D'), "frozen", NULL);
	EXPECT((f.limits.frozen = true, f.init.state = 'D'), "frozen", NULL);
	EXPECT(f.init.state = 'T', "stopped", NULL);
	EXPECT((f.init.tracer = 7, strcpy(f.init.tracer_comm, "gdb")), "traced", "pid 7 (gdb)");
	EXPECT(f.init.state = 'D', "blocked", NULL);
	EXPECT(f.engine.health = (char *)"unhealthy", "unhealthy", NULL);
	EXPECT(f.engine.health = (char *)"healthy", "", NULL);
	EXPECT(f.engine.restarts = 12, "restarted", "12 times");
	EXPECT(f.limits.oom_kills = 1, "oom-killed", "1 process in");
	EXPECT(f.limits.oom_kills = 2, "oom-killed", "2 processes in");
	EXPECT(f.limits.memory.counted = 89, "", NULL);
	EXPECT(f.limits.memory.counted = 90, "memory-full", "90 % of its limit");
	EXPECT((f.limits.memory.counted = 95, f.limits.memory.at = (char *)"/pod"), "memory-full",
	       "95 % of the limit of /pod");
	EXPECT(f.limits.memory.known = false, "", NULL);
	EXPECT((f.limits.pids.limit = 10), "pids-full", "100 %");
	EXPECT(f.limits.throttled = 99, "", NULL);
	EXPECT(f.limits.throttled = 100, "cpu-throttled", "10 %");
	EXPECT((f.limits.throttled = 9, f.limits.periods = 10), "", NULL); /* too few to tell */
	EXPECT(f.limits.swap = 5 << 20, "swapped", "5 MiB");
	EXPECT(f.init.swap = 5 << 20, "swapped", "5 MiB");
	EXPECT(f.limits.swap = 4096, "", NULL);
	EXPECT(f.init.fds = 1000, "fds-full", "97 %");
	EXPECT(f.init.fd_limit = 0, "", NULL);
	EXPECT(f.files.free = 4, "disk-full", "96 %");
	EXPECT(f.procs.orphans = 3, "zombies", "(zombies): 3.");
	EXPECT(f.init.oom_score_adj = -1000, "unkillable", NULL);
}

static void test_files(void **state)
{
	static char tmpfs[] = "tmpfs", dev[] = "/dev", shm[] = "/dev/shm";

	(void)state;
	EXPECT((f.init.exe = (char *)"/x", f.init.exe_deleted = true), "exe-deleted", "/x,");
	EXPECT(f.files.shell = NULL, "no-shell", NULL);
	EXPECT((f.files.shell = NULL, f.files.looked = false), "", NULL); /* could not look */
	EXPECT(f.files.libc = LIBC_NONE, "no-libc", NULL);
	EXPECT(f.files.libc = LIBC_MUSL, "musl", NULL);
	EXPECT(f.files.root_ro = true, "read-only-root", "only to /data.");
	EXPECT((f.files.root_ro = true, mounts[3].ro = true), "read-only-root", "nowhere else");
	/* memory that engines mount: root's, everybody's */
	EXPECT((f.files.root_ro = true, mounts[3].ro = true, rows[1].fstype = tmpfs,
		rows[1].target = dev),
	       "read-only-root", "only to /dev.");
	EXPECT((f.files.root_ro = true, mounts[3].ro = true, rows[1].fstype = tmpfs,
		rows[1].target = dev, f.rights.known = false),
	       "read-only-root", "nowhere else");
	EXPECT((f.files.root_ro = true, mounts[3].ro = true, rows[1].fstype = tmpfs,
		rows[1].target = shm, f.rights.known = false),
	       "read-only-root", "only to /dev/shm.");
	EXPECT(f.files.dev = false, "no-dev", NULL);
	EXPECT(f.files.dev_null = false, "no-dev-null", NULL);
	EXPECT(f.files.proc = false, "no-proc", NULL);
	EXPECT((f.rights.passwd = FILE_MISSING, f.rights.user = NULL), "no-passwd", NULL);
	EXPECT((f.rights.passwd = FILE_STRANGE, f.rights.user = NULL), "odd-passwd", NULL);
	EXPECT(f.rights.user = NULL, "no-user-name", "uid 0,");
	EXPECT((env[0] = (struct fact_env){(char *)"LD_PRELOAD", (char *)"/e.so", false},
		f.env.v = env, f.env.n = 1),
	       "ld-preload", "/e.so");
	EXPECT((env[0] = (struct fact_env){(char *)"LD_PRELOAD", (char *)"", false}, f.env.v = env,
		f.env.n = 1),
	       "", NULL);
	EXPECT(mounts[3].host_path = (char *)"/", "host-root", "/data (writable)");
	EXPECT((mounts[3].host_path = (char *)"/", mounts[3].ro = true), "host-root",
	       "(read-only)");
	EXPECT((mounts[3].host_path = (char *)"/", mounts[3].nested = true), "", NULL);
	EXPECT(mounts[3].host_path = (char *)"/etc", "host-directories", "/etc");
	EXPECT(mounts[3].host_path = (char *)"/etc/app", "", NULL);
	EXPECT(rows[3].root = (char *)"/docker.sock", "engine-socket", "/data");
	EXPECT(rows[3].root = (char *)"/docker.socket", "", NULL);
	EXPECT(mounts[2].ro = false, "proc-sys-writable", NULL);
	EXPECT((mounts[1].ro = true, mounts[2].ro = false), "", NULL);
}

static void test_rights(void **state)
{
	const uint64_t admin = CAPS_BIT(CAP_SYS_ADMIN);

	(void)state;
	EXPECT((f.rights.uid = f.rights.cred.euid = 5, f.rights.user = (char *)"app"), "not-root",
	       "uid 5 (app)");
	EXPECT((set_ns(&f, CLONE_NEWUSER, NS_OWN), f.rights.uid_map.r[0].outside = 100000),
	       "user-namespace", "uid 100000");
	EXPECT((set_ns(&f, CLONE_NEWUSER, NS_OWN), f.rights.uid_map.n = 0), "user-namespace",
	       "no root");
	EXPECT(f.rights.cred.no_new_privs = true, "no-new-privs", NULL);
	EXPECT(f.rights.cred.cap_eff = 0, "powerless-root", NULL);
	EXPECT(f.engine.privileged = true, "privileged", NULL);
	EXPECT((f.rights.cred.cap_bnd = UINT64_MAX, f.rights.cred.seccomp = 0), "privileged", NULL);
	EXPECT(f.rights.cred.cap_bnd |= admin, "more-caps", "sys_admin (");
	EXPECT((f.rights.cred.cap_bnd |= admin, set_ns(&f, CLONE_NEWUSER, NS_OWN)),
	       "user-namespace", NULL); /* they end at its user namespace */
	EXPECT((f.rights.cred.cap_bnd |= admin, f.rights.cred.no_new_privs = true,
		f.rights.uid = f.rights.cred.euid = 5),
	       "not-root no-new-privs", NULL); /* out of reach */
	EXPECT(f.rights.cred.seccomp = 0, "no-seccomp", NULL);
	EXPECT(f.rights.known = false, "", NULL);
}

static void test_namespaces(void **state)
{
	(void)state;
	EXPECT(set_ns(&f, CLONE_NEWNET, NS_HOST), "host-namespaces", "with the host: network.");
	EXPECT((set_ns(&f, CLONE_NEWNET, NS_HOST), set_ns(&f, CLONE_NEWPID, NS_HOST),
		set_ns(&f, CLONE_NEWUTS, NS_HOST)),
	       "host-namespaces", "network, processes and host name.");
	EXPECT(set_ns(&f, CLONE_NEWNS, NS_HOST), "host-mnt", NULL);
	EXPECT(set_ns(&f, CLONE_NEWNET, NS_UNREAD), "", NULL);
	EXPECT(for (size_t i = 0; i < NS_COUNT; i++) f.ns.v[i].kind = NS_HOST, "no-container",
	       NULL);
	EXPECT(set_ns(&f, CLONE_NEWNET, NS_SHARED), "shared-namespaces", "net with");
	EXPECT((set_ns(&f, CLONE_NEWNET, NS_SHARED), target.pod = (char *)"p"), "", NULL);
}

/* ---- limits of captured trees ---- */

static char dir[] = "/tmp/porthole-test.XXXXXX";

static void put(int fd, const char *path, const char *text)
{
	char copy[256];
	int f;

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *p = strchr(copy, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		mkdirat(fd, copy, 0700);
		*p = '/';
	}
	f = openat(fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(f >= 0);
	assert_int_equal(fd_write_all(f, text, strlen(text)), 0);
	close(f);
}

static void read_limits(int fd, struct facts *f)
{
	struct target_roots r = {.root_fd = -EBADF, .proc_fd = fd, .no_sockets = true};
	struct target t = TARGET_INIT;
	_cleanup_close_ int proc = openat(fd, "7", O_PATH | O_DIRECTORY | O_CLOEXEC);

	t.proc_fd = proc;
	assert_int_equal(facts_limits_read(&r, &t, f), 0);
}

static void test_limits_v2(void **state)
{
	_cleanup_close_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *info = str_fmt("2 1 0:5 / %s/v2 rw - cgroup2 cgroup2 rw\n", dir);
	_cleanup_facts_ struct facts f = {};
	struct facts_limits *l = &f.limits;

	(void)state;
	put(fd, "self/mountinfo", info);
	put(fd, "self/cgroup", "0::/\n");
	put(fd, "7/cgroup", "0::/pod/ctr/init.scope\n");
	put(fd, "v2/pod/memory.max", "1000000\n");
	put(fd, "v2/pod/memory.current", "960000\n");
	put(fd, "v2/pod/memory.stat", "anon 1\ninactive_file 60000\n");
	put(fd, "v2/pod/cpu.max", "50000 100000\n");
	put(fd, "v2/pod/ctr/memory.max", "max\n");
	put(fd, "v2/pod/ctr/memory.current", "500000\n");
	put(fd, "v2/pod/ctr/memory.stat", "anon 1\ninactive_file 100000\n");
	put(fd, "v2/pod/ctr/memory.events", "oom 9\noom_kill 2\n");
	put(fd, "v2/pod/ctr/memory.swap.current", "4096\n");
	put(fd, "v2/pod/ctr/memory.swap.max", "8192\n");
	put(fd, "v2/pod/ctr/pids.current", "9\n");
	put(fd, "v2/pod/ctr/pids.max", "10\n");
	put(fd, "v2/pod/ctr/cpu.max", "max 100000\n");
	put(fd, "v2/pod/ctr/cpu.stat", "usage_usec 77\nnr_periods 100\nnr_throttled 50\n");
	put(fd, "v2/pod/ctr/cpuset.cpus", "0-3\n");
	put(fd, "v2/pod/ctr/cgroup.events", "populated 1\nfrozen 1\n");
	put(fd, "v2/pod/ctr/io.stat",
	    "8:0 rbytes=10 wbytes=20 rios=1\n8:16 rbytes=1 wbytes=2\nx\n");
	read_limits(fd, &f);
	assert_string_equal(l->paths[0].path, "/pod/ctr");
	assert_true(l->paths[0].own);
	assert_int_equal(l->memory.used, 400000);
	assert_int_equal(l->memory.limit, 1000000);
	assert_string_equal(l->memory.at, "/pod");
	assert_int_equal(l->memory.counted, 900000);
	assert_int_equal(l->cache, 100000);
	assert_int_equal(l->swap, 4096);
	assert_int_equal(l->swap_limit, 8192);
	assert_int_equal(l->oom_kills, 2);
	assert_int_equal(l->pids.used, 9);
	assert_int_equal(l->pids.limit, 10);
	assert_null(l->pids.at);
	assert_true(l->cpus > 0.49 && l->cpus < 0.51);
	assert_int_equal(l->cpu_usec, 77);
	assert_int_equal(l->throttled, 50);
	assert_string_equal(l->cpuset, "0-3");
	assert_true(l->frozen);
	assert_int_equal(l->io_read, 11);
	assert_int_equal(l->io_written, 22);
}

static void test_limits_v1(void **state)
{
	_cleanup_close_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *info = str_fmt("2 1 0:5 / %s/m rw - cgroup cgroup rw,memory\n"
					    "3 1 0:6 / %s/c rw - cgroup cgroup rw,cpu,cpuacct\n"
					    "4 1 0:7 / %s/f rw - cgroup cgroup rw,freezer\n"
					    "5 1 0:8 / %s/b rw - cgroup cgroup rw,blkio\n",
					    dir, dir, dir, dir);
	_cleanup_facts_ struct facts f = {};
	struct facts_limits *l = &f.limits;

	(void)state;
	put(fd, "self/mountinfo", info);
	put(fd, "self/cgroup", "1:memory:/d/y\n3:freezer:/d/x\n");
	put(fd, "7/cgroup", "4:blkio:/d/x\n3:freezer:/d/x\n2:cpu,cpuacct:/d/x\n1:memory:/d/x\n");
	put(fd, "m/d/x/memory.usage_in_bytes", "500\n");
	put(fd, "m/d/x/memory.limit_in_bytes", "1000\n");
	put(fd, "m/d/x/memory.memsw.limit_in_bytes", "3000\n");
	put(fd, "m/d/x/memory.stat", "total_inactive_file 100\ntotal_swap 50\n");
	put(fd, "m/d/x/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n");
	put(fd, "c/d/x/cpu.cfs_quota_us", "150000\n");
	put(fd, "c/d/x/cpu.cfs_period_us", "100000\n");
	put(fd, "c/d/x/cpu.stat", "nr_periods 10\nnr_throttled 1\n");
	put(fd, "c/d/x/cpuacct.usage", "5000000\n");
	put(fd, "f/d/x/freezer.state", "FROZEN\n"); /* not its own: we are in it too */
	put(fd, "b/d/x/blkio.throttle.io_service_bytes_recursive",
	    "8:0 Read 10\n8:0 Write 20\n8:0 Sync 30\n8:0 Total 30\nTotal 30\n");
	read_limits(fd, &f);
	assert_int_equal(l->memory.used, 400);
	assert_int_equal(l->memory.counted, 400);
	assert_int_equal(l->memory.limit, 1000);
	assert_null(l->memory.at);
	assert_int_equal(l->swap, 50);
	assert_int_equal(l->swap_limit, 2000);
	assert_int_equal(l->oom_kills, 4);
	assert_true(l->cpus > 1.49 && l->cpus < 1.51);
	assert_int_equal(l->cpu_usec, 5000);
	assert_false(l->frozen);
	assert_false(l->pids.known);
	assert_int_equal(l->io_read, 10);
	assert_int_equal(l->io_written, 20);
}

static void test_limits_hostile(void **state)
{
	_cleanup_close_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *info = str_fmt("2 1 0:5 / %s/v2 rw - cgroup2 cgroup2 rw\n", dir);
	_cleanup_facts_ struct facts f = {};

	(void)state;
	put(fd, "self/mountinfo", info);
	put(fd, "self/cgroup", "0::/\n");
	put(fd, "7/cgroup", "0::/../../etc\n1:memory\n::\n");
	read_limits(fd, &f);
	assert_false(f.limits.memory.known);
	assert_int_equal(f.limits.pids.used, 0);
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	_cleanup_free_ char *cmd = str_fmt("rm -rf %s", dir);

	(void)state;
	return system(cmd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usual),	   cmocka_unit_test(test_trouble),
		cmocka_unit_test(test_files),	   cmocka_unit_test(test_rights),
		cmocka_unit_test(test_namespaces), cmocka_unit_test(test_limits_v2),
		cmocka_unit_test(test_limits_v1),  cmocka_unit_test(test_limits_hostile),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
