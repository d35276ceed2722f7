/* How a container is held: what engines say of it, and seccomp profiles as the kernel takes them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/confine.h"
#include "sys/caps.h"
#include "sys/seccomp_filter.h"

static json_t *parse(const char *text)
{
	_cleanup_free_ char *copy = strdup(text);
	json_t *j = json_parse(copy, strlen(copy));

	assert_non_null(j);
	return j;
}

static void test_spec(void **state)
{
	_cleanup_json_ json_t *spec = parse(
		"{\"process\": {\"rlimits\": ["
		"  {\"type\": \"RLIMIT_NOFILE\", \"soft\": 12, \"hard\": 18446744073709551615},"
		"  {\"type\": \"RLIMIT_NOTHING\", \"soft\": 1, \"hard\": 1}],"
		"  \"user\": {\"additionalGids\": [5, -1, 4294967295, \"6\", 7]},"
		"  \"oomScoreAdj\": -3, \"apparmorProfile\": \"p\","
		"  \"selinuxLabel\": \"u:r:t:s0:c1,c2\"},"
		" \"mounts\": [{\"destination\": \"/dev/shm\", \"options\": [\"nodev\", "
		"\"size=64k\"]}],"
		" \"linux\": {\"mountLabel\": \"u:r:f:s0:c1,c2\", \"sysctl\": {\"net.a.b\": \"1\", "
		"\"net.c\": 2},"
		"  \"namespaces\": [{\"type\": \"network\"}],"
		"  \"devices\": [{\"path\": \"/dev/x\", \"type\": \"b\", \"major\": 7, \"minor\": "
		"3},"
		"   {\"path\": \"/etc/x\", \"type\": \"c\"}, {\"path\": \"/dev/y\", \"type\": "
		"\"p\"}]}}");
	struct confine c = {};

	assert_int_equal(confine_of_spec(spec, &c), 0);
	assert_int_equal(c.n_rlimits, 1);
	assert_int_equal(c.rlimits[0].resource, RLIMIT_NOFILE);
	assert_int_equal(c.rlimits[0].soft, 12);
	assert_true(c.rlimits[0].hard == UINT64_MAX);
	assert_int_equal(c.groups.n, 2);
	assert_string_equal(c.groups.v[1], "7");
	assert_true(c.oom_known && c.oom_score_adj == -3);
	assert_string_equal(c.apparmor.name, "p");
	assert_string_equal(c.selinux.name, "u:r:t:s0:c1,c2");
	assert_string_equal(c.selinux.files, "u:r:f:s0:c1,c2");
	assert_int_equal(c.shm_size, 65536);
	assert_int_equal(c.sysctls.n, 1);
	assert_string_equal(c.sysctls.v[0], "net.a.b=1");
	assert_int_equal(c.n_devices, 1);
	assert_true(c.devices[0].block && c.devices[0].major == 7 && c.devices[0].minor == 3);
	assert_true(c.lonely && c.seccomp_how == CONFINE_SECCOMP_NONE);
	confine_done(&c);
}

static void test_network(void **state)
{
	static const char *const shared[] = {
		"{}", "{\"linux\": {\"namespaces\": [{\"type\": \"network\", \"path\": \"/x\"}]}}",
		"{\"linux\": {\"namespaces\": [{\"type\": \"user\"}, {\"type\": \"network\"}]}}"};

	for (size_t i = 0; i < ARRAY_LEN(shared); i++) {
		_cleanup_json_ json_t *spec = parse(shared[i]);
		struct confine c = {};

		assert_int_equal(confine_of_spec(spec, &c), 0);
		assert_false(c.lonely);
		confine_done(&c);
	}
}

static void test_docker(void **state)
{
	_cleanup_json_ json_t *host = parse(
		"{\"Ulimits\": [{\"Name\": \"core\", \"Soft\": 0, \"Hard\": -1}], \"ShmSize\": "
		"4096,"
		" \"GroupAdd\": [\"mail\", \"7\"], \"NetworkMode\": \"bridge\", \"OomScoreAdj\": 9,"
		" \"Sysctls\": {\"net.ipv4.ip_unprivileged_port_start\": \"80\"},"
		" \"SecurityOpt\": [\"no-new-privileges\", \"seccomp=unconfined\"]}");
	_cleanup_json_ json_t *config = parse("{\"AppArmorProfile\": \"unconfined\"}");
	struct confine c = {};

	assert_int_equal(confine_of_docker(config, host, 0, &c), 0);
	assert_true(c.known && c.n_rlimits == 1 && c.rlimits[0].hard == UINT64_MAX);
	assert_true(c.groups.n == 2 && c.shm_size == 4096 && c.oom_score_adj == 9);
	assert_true(!c.lonely && !*c.apparmor.name && !*c.selinux.name &&
		    c.seccomp_how == CONFINE_SECCOMP_NONE);
	/* docker's own, but for what was told otherwise */
	assert_int_equal(c.sysctls.n, 2);
	assert_string_equal(c.sysctls.v[0], "net.ipv4.ping_group_range=0 2147483647");
	assert_string_equal(c.sysctls.v[1], "net.ipv4.ip_unprivileged_port_start=80");
	confine_done(&c);
	json_object_del(host, "SecurityOpt");
	assert_int_equal(confine_of_docker(config, host, 0, &c), 0);
	assert_int_equal(c.seccomp_how, CONFINE_SECCOMP_UNTOLD);
	confine_done(&c);
}

/* Parts of docker's profiles hold for some only. */
static void test_parts(void **state)
{
	_cleanup_json_ json_t *profile = parse(
		"{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": ["
		" {\"names\": [\"a\"], \"includes\": {\"caps\": [\"CAP_SYS_ADMIN\", \"CAP_BPF\"]}},"
		" {\"names\": [\"b\"], \"excludes\": {\"caps\": [\"CAP_SYS_ADMIN\"]}},"
		" {\"names\": [\"c\"], \"includes\": {\"arches\": [\"nothing\"]}},"
		" {\"names\": [\"d\"], \"includes\": {\"minKernel\": \"4.8\"}},"
		" {\"names\": [\"e\"], \"includes\": {\"minKernel\": \"99.0\"}},"
		" {\"names\": [\"f\"], \"excludes\": {\"minKernel\": \"4.8\"}},"
		" {\"names\": [\"g\"]}]}");
	const struct {
		uint64_t caps;
		const char *names;
	} cases[] = {{0, "bdg"},
		     {CAPS_BIT(CAP_SYS_ADMIN), "dg"},
		     {CAPS_BIT(CAP_SYS_ADMIN) | CAPS_BIT(CAP_BPF), "adg"}};

	for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
		_cleanup_json_ json_t *out = confine_profile(profile, cases[k].caps);
		json_t *v;
		size_t i;

		assert_int_equal(json_array_size(json_at(out, "syscalls")), strlen(cases[k].names));
		json_array_foreach (json_at(out, "syscalls"), i, v)
			assert_int_equal(*json_string_value(json_array_get(json_at(v, "names"), 0)),
					 cases[k].names[i]);
	}
}

/* What these calls give below the filter; 1: a value that is no error. */
static int below(const struct seccomp_filter *f, long nr, long a, long b)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		long r;

		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || seccomp_filter_load(f) < 0)
			_exit(99);
		r = syscall(nr, a, b, 0, 0, 0, 0);
		syscall(SYS_exit_group, r < 0 ? errno : 1);
	}
	assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void test_filter(void **state)
{
	_cleanup_json_ json_t *profile =
		parse("{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrnoRet\": 99,"
		      " \"architectures\": [\"SCMP_ARCH_X86_64\", \"SCMP_ARCH_X86\", "
		      "\"SCMP_ARCH_AARCH64\"],"
		      " \"syscalls\": [{\"names\": [\"exit_group\", \"getpid\", \"no_such_call\"],"
		      "  \"action\": \"SCMP_ACT_ALLOW\"},"
		      " {\"names\": [\"statx\"], \"action\": \"SCMP_ACT_KILL_PROCESS\"},"
		      " {\"names\": [\"getpriority\"], \"action\": \"SCMP_ACT_ALLOW\","
		      "  \"args\": [{\"index\": 0, \"value\": 0, \"op\": \"SCMP_CMP_EQ\"},"
		      "   {\"index\": 1, \"value\": 0, \"op\": \"SCMP_CMP_EQ\"}]},"
		      " {\"names\": [\"umask\"], \"action\": \"SCMP_ACT_ALLOW\","
		      "  \"args\": [{\"index\": 0, \"value\": 1, \"op\": \"SCMP_CMP_EQ\"},"
		      "   {\"index\": 0, \"value\": 2, \"op\": \"SCMP_CMP_EQ\"}]}]}");
	_cleanup_seccomp_filter_ struct seccomp_filter f = {};

	assert_int_equal(seccomp_filter_compile(profile, &f, NULL), 0);
	assert_int_equal(below(&f, SYS_getpid, 0, 0), 1);
	assert_int_equal(below(&f, SYS_getppid, 0, 0), 99);
	assert_int_equal(below(&f, SYS_getpriority, 0, 0), 1); /* all conditions */
	assert_int_equal(below(&f, SYS_getpriority, 0, 1), 99);
	assert_int_equal(below(&f, SYS_umask, 1, 0), 1); /* of one argument: any */
	assert_int_equal(below(&f, SYS_umask, 2, 0), 1);
	assert_int_equal(below(&f, SYS_umask, 3, 0), 99);
	assert_int_equal(below(&f, SYS_statx, 0, 0), -SIGSYS);
	/* newer than all that it names: there is no such call */
	assert_int_equal(below(&f, SYS_statx + 1000, 0, 0), ENOSYS);
}

/* What the filter says of a call: 0, the error it gives, or -SIGSYS. */
static int judged(const struct seccomp_filter *f, uint32_t arch, long nr, long a)
{
	const struct seccomp_data d = {.arch = arch, .nr = (int)nr, .args = {(uint64_t)a}};
	uint32_t acc = 0;

	for (const struct sock_filter *c = f->code; c < f->code + f->n; c++) {
		const uint32_t k = c->k;
		bool yes;

		switch (c->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&acc, (const char *)&d + k, sizeof(acc));
			continue;
		case BPF_JMP | BPF_JA:
			c += k;
			continue;
		case BPF_RET | BPF_K:
			return k == SECCOMP_RET_ALLOW	       ? 0
			       : k == SECCOMP_RET_KILL_PROCESS ? -SIGSYS
							       : (int)(k & SECCOMP_RET_DATA);
		}
		yes = c->code == (BPF_JMP | BPF_JEQ | BPF_K)   ? acc == k
		      : c->code == (BPF_JMP | BPF_JGT | BPF_K) ? acc > k
		      : c->code == (BPF_JMP | BPF_JGE | BPF_K) ? acc >= k
							       : acc & k;
		c += yes ? c->jt : c->jf;
	}
	fail_msg("the filter has no end");
	return -1;
}

/* As docker's: by capability, by argument, and nothing that came after it. */
static void test_default(void **state)
{
	static const struct {
		uint64_t caps; /* with any of these it is allowed; with 0 never */
		long nr, a;
		int not ; /* how it fails where it is not */
	} calls[] = {
		{0, SYS_keyctl, 0, EPERM},
		{0, SYS_add_key, 0, EPERM},
		{0, SYS_userfaultfd, 0, EPERM},
		{0, SYS_io_uring_setup, 0, EPERM},
		{0, SYS_personality, 0x40000, EPERM},
		{0, SYS_socket, AF_VSOCK, EPERM},
		{0, 457, 0, ENOSYS},
		{0, -1, 0, ENOSYS},
#if defined(__x86_64__)
		{0, 335, 0, ENOSYS},
		{0, 423, 0, ENOSYS},
		{~UINT64_C(0), 334, 0, 0},
		{~UINT64_C(0), 424, 0, 0},
#endif
		{CAPS_BIT(CAP_SYS_ADMIN), SYS_mount, 0, EPERM},
		{CAPS_BIT(CAP_SYS_ADMIN), SYS_unshare, 0, EPERM},
		{CAPS_BIT(CAP_SYS_ADMIN), SYS_clone, CLONE_NEWUSER | SIGCHLD, EPERM},
		{CAPS_BIT(CAP_SYS_ADMIN), SYS_clone3, 0, ENOSYS},
		{CAPS_BIT(CAP_SYS_ADMIN) | CAPS_BIT(CAP_BPF), SYS_bpf, 0, EPERM},
		{CAPS_BIT(CAP_SYS_ADMIN) | CAPS_BIT(CAP_SYSLOG), SYS_syslog, 0, EPERM},
		{CAPS_BIT(CAP_SYS_CHROOT), SYS_chroot, 0, EPERM},
		{~UINT64_C(0), SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0},
		{~UINT64_C(0), SYS_personality, 0xffffffff, 0},
		{~UINT64_C(0), SYS_socket, AF_UNIX, 0},
		{~UINT64_C(0), SYS_ptrace, 0, 0},
		{~UINT64_C(0), SYS_getpid, 0, 0},
		{~UINT64_C(0), SYS_execve, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		for (int c = -1; c <= CAP_LAST_CAP; c++) {
			_cleanup_seccomp_filter_ struct seccomp_filter f = {};
			const uint64_t caps = c < 0 ? 0 : CAPS_BIT(c);
			const bool may = calls[i].caps & caps;

			assert_int_equal(seccomp_filter_default(caps, false, &f), 0);
			assert_int_equal(judged(&f, seccomp_arch_native(), calls[i].nr, calls[i].a),
					 may ? 0 : calls[i].not );
			assert_int_equal(judged(&f, SCMP_ARCH_PPC, calls[i].nr, 0), -SIGSYS);
		}
}

/* What others have of queues, semaphores and shared memory can be looked at alone. */
static void test_ipc_ro(void **state)
{
	_cleanup_seccomp_filter_ struct seccomp_filter rw = {}, ro = {};
	static const struct {
		long nr, a;
		int not ;
	} calls[] = {
		{SYS_msgsnd, 1, EPERM},
		{SYS_msgrcv, 1, EPERM},
		{SYS_semop, 1, EPERM},
		{SYS_mq_unlink, 1, EPERM},
		{SYS_mq_timedreceive, 1, EPERM},
		{SYS_shmat, 1, EPERM},
		{SYS_shmget, 0, EPERM},
		{SYS_shmget, 1, 0},
		{SYS_semctl, 1, 0},
		{SYS_mq_open, 1, 0},
		{SYS_mq_getsetattr, 1, 0},
		{SYS_shmctl, 1, 0},
	};

	assert_int_equal(seccomp_filter_default(0, false, &rw), 0);
	assert_int_equal(seccomp_filter_default(0, true, &ro), 0);
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		assert_int_equal(judged(&rw, seccomp_arch_native(), calls[i].nr, calls[i].a), 0);
		assert_int_equal(judged(&ro, seccomp_arch_native(), calls[i].nr, calls[i].a),
				 calls[i].not );
	}
}

static void test_not_a_filter(void **state)
{
	static const struct {
		const char *text;
		int r;
	} bad[] = {
		{"{}", -EINVAL},
		{"{\"defaultAction\": \"SCMP_ACT_MAYBE\"}", -EINVAL},
		{"{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"read\"],"
		 " \"action\": \"SCMP_ACT_NOTIFY\"}]}",
		 -ENOTSUP},
		{"{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"read\"],"
		 " \"action\": \"SCMP_ACT_ERRNO\", \"args\": [{\"index\": 6, \"op\": "
		 "\"SCMP_CMP_EQ\"}]}]}",
		 -EINVAL},
		{"{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"read\"],"
		 " \"action\": \"SCMP_ACT_ERRNO\", \"args\": [{\"index\": 0, \"op\": "
		 "\"SCMP_CMP_IS\"}]}]}",
		 -EINVAL},
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		_cleanup_json_ json_t *profile = parse(bad[i].text);
		struct seccomp_filter f;
		struct err e = {};

		assert_int_equal(seccomp_filter_compile(profile, &f, &e), bad[i].r);
		assert_true(!f.code && *e.msg);
	}
}

#if defined(__x86_64__)
/* Programs of the 32-bit kind: the same, by their own numbers. */
static void test_default_32(void **state)
{
	_cleanup_seccomp_filter_ struct seccomp_filter f = {};
	const uint32_t i386 = SCMP_ARCH_X86;

	assert_int_equal(seccomp_filter_default(CAPS_DOCKER, false, &f), 0);
	assert_int_equal(judged(&f, i386, 20, 0), 0);			       /* getpid */
	assert_int_equal(judged(&f, i386, 11, 0), 0);			       /* execve */
	assert_int_equal(judged(&f, i386, 21, 0), EPERM);		       /* mount */
	assert_int_equal(judged(&f, i386, 22, 0), EPERM);		       /* umount */
	assert_int_equal(judged(&f, i386, 288, 0), EPERM);		       /* keyctl */
	assert_int_equal(judged(&f, i386, 120, CLONE_NEWNS), EPERM);	       /* clone */
	assert_int_equal(judged(&f, SCMP_ARCH_X86_64, 0x40000000, 0), ENOSYS); /* x32 */
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spec),
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_docker),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_ipc_ro),
		cmocka_unit_test(test_not_a_filter),
		cmocka_unit_test(test_default),
#if defined(__x86_64__)
		cmocka_unit_test(test_default_32),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
