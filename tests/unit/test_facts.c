/* facts/: the parsers, with what hostile targets may feed them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "facts/last.h"
#include "facts/parse.h"

static const struct {
	const char *key, *value;
	bool secret;
} secrets[] = {
	{"DB_PASSWORD", "x", true},
	{"PGPASSWORD", "hunter2", true},
	{"MYSQL_PWD", "hunter2", true},
	{"API_KEY", "abc", true},
	{"apiKey", "abc", true},
	{"GITHUB_TOKEN", "x", true},
	{"AUTH", "basic abc", true},
	{"DJANGO_SECRET", "s", true},
	{"SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/T0/B0/x", true},
	{"DATABASE_URL", "postgres://app:hunter2@db/prod", true},
	{"REDIS", "redis://:hunter2@cache:6379", true},
	{"REMOTE", "https://ghp_0123456789abcdef0123@github.com/x", true},
	{"WHATEVER", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.x", true},
	{"WHATEVER", "AKIAIOSFODNN7EXAMPLE", true},
	{"WHATEVER", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY9z", true},
	{"WHATEVER", "0123456789abcdef0123456789abcdef", true},
	{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin", false},
	{"PWD", "/srv", false},
	{"OLDPWD", "/", false},
	{"KEYBOARD", "us", false},
	{"MONKEY", "george", false},
	{"SSH_AUTH_SOCK", "/run/agent.sock", false},
	{"POSTGRES_PASSWORD_FILE", "/run/secrets/db", false},
	{"AUTH_ENABLED", "true", false},
	{"AUTH_URL", "http://auth:8080/", false},
	{"DB_PASSWORD", "", false},
	{"NGINX_VERSION", "1.25.3", false},
	{"PYTHON_SHA256", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	 false},
	{"HOME", "/root", false},
	{"URL", "http://host:80/path", false},
};

static void test_secrets(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		if (facts_is_secret(secrets[i].key, secrets[i].value) != secrets[i].secret)
			fail_msg("%s=%s should be %s", secrets[i].key, secrets[i].value,
				 secrets[i].secret ? "hidden" : "shown");
}

static void expect_masked(const char *value, const char *want)
{
	_cleanup_free_ char *s = facts_mask_value(value);

	assert_string_equal(s, want);
}

static void test_mask_value(void **state)
{
	(void)state;
	expect_masked("hunter2", "*** (7 characters)");
	expect_masked("postgres://app:hunter2@db/prod?sslmode=off",
		      "postgres://app:***@db/prod?sslmode=off");
	expect_masked("postgres://app:pa/ss@db/prod", "postgres://app:***@db/prod");
	expect_masked("https://u:p@h/?token=abc", "*** (24 characters)");
}

static void expect_args(const char *joined, const char *want)
{
	_cleanup_strv_ struct strv argv = {};
	_cleanup_free_ char *s = NULL;

	assert_int_equal(strv_split(&argv, joined, " "), 0);
	s = facts_mask_argv(&argv, false);
	assert_string_equal(s, want);
}

static void test_mask_argv(void **state)
{
	_cleanup_strv_ struct strv argv = {}, script = {};
	_cleanup_free_ char *shown = NULL, *hidden = NULL;

	(void)state;
	expect_args("app --port 80 -v", "app --port 80 -v");
	expect_args("app --password=hunter2 x", "app --password=*** x");
	expect_args("app --db-password hunter2 x", "app --db-password *** x");
	expect_args("app --api-key k --token", "app --api-key *** --token");
	expect_args("app DB_PASS=hunter2", "app DB_PASS=***");
	expect_args("app --dsn=pg://u:hunter2@h/x", "app --dsn=pg://u:***@h/x");
	expect_args("app pg://u:hunter2@h/x", "app pg://u:***@h/x");
	expect_args("app --token-ttl=true", "app --token-ttl=true");
	assert_int_equal(strv_add(&script, "sh"), 0);
	assert_int_equal(strv_add(&script, "PGPASSWORD=\"a b\" psql; x --password y & z --token=t;"
					   "curl u://a:hunter2@h -v"),
			 0);
	hidden = facts_mask_argv(&script, false);
	assert_string_equal(hidden, "sh 'PGPASSWORD=*** psql; x --password *** & z --token=***;"
				    "curl u://a:***@h -v'");
	assert_int_equal(strv_add(&argv, "sh"), 0);
	assert_int_equal(strv_add(&argv, "it's --password=x"), 0);
	assert_int_equal(strv_add(&argv, ""), 0);
	shown = facts_mask_argv(&argv, true);
	assert_string_equal(shown, "sh 'it'\\''s --password=x' ''");
}

static void env_free(struct facts_env *env)
{
	for (size_t i = 0; i < env->n; i++) {
		free(env->v[i].key);
		free(env->v[i].value);
	}
	free(env->v);
}

static void test_env(void **state)
{
	static const char block[] = "A=1\0nothing\0\0=x\0B=two=2\0PASSWORD=x\0LAST=cut";
	struct facts_env env = {}, empty = {};

	(void)state;
	assert_int_equal(facts_env_parse(block, sizeof(block) - 1, &env), 0);
	assert_int_equal(env.n, 5);
	assert_string_equal(env.v[0].value, "1");
	assert_string_equal(env.v[1].key, "");
	assert_string_equal(env.v[2].value, "two=2");
	assert_true(env.v[3].secret);
	assert_false(env.v[2].secret);
	assert_string_equal(env.v[4].value, "cut");
	env_free(&env);
	assert_int_equal(facts_env_parse("", 0, &empty), 0);
	assert_int_equal(empty.n, 0);
	env_free(&empty);
}

static void test_net(void **state)
{
	static const char tcp[] =
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   "
		"uid\n"
		"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 "
		"       0 4711 1 x\n"
		"   1: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000  1000 "
		"       0 4712 1 x\n"
		"   2: garbage\n"
		"   3: 0100007F 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1 1 x\n"
		"   4: 01:00 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1 1 x";
	static const char tcp6[] = "   0: 00000000000000000000000001000000:0050 "
				   "00000000000000000000000000000000:0000 0A 00000000:00000000 "
				   "00:00000000 00000000 0 0 9 1";
	static const char unix_[] =
		"Num       RefCount Protocol Flags    Type St Inode Path\n"
		"0000000000000000: 00000002 00000000 00010000 0001 01 77 /run/a b.sock\n"
		"0000000000000000: 00000002 00000000 00000000 0001 03 78 /run/c.sock\n"
		"0000000000000000: 00000002 00000000 00010000 0001 01 79\n"
		"0000000000000000: 00000002 00000000 00010000 0001 01 80 @abs\033[2J";
	struct facts_net net = {};

	(void)state;
	assert_int_equal(facts_net_parse("tcp", tcp, &net), 0);
	assert_int_equal(net.n, 1);
	assert_string_equal(net.v[0].addr, "127.0.0.1");
	assert_int_equal(net.v[0].port, 8080);
	assert_int_equal(net.v[0].inode, 4711);
	assert_int_equal(facts_net_parse("tcp6", tcp6, &net), 0);
	assert_int_equal(net.n, 2);
	assert_string_equal(net.v[1].addr, "::1");
	assert_int_equal(net.v[1].port, 80);
	assert_int_equal(facts_net_parse("udp", tcp, &net), 0); /* 0A is no state of UDP's */
	assert_int_equal(net.n, 2);
	assert_int_equal(facts_net_parse("unix", unix_, &net), 0);
	assert_int_equal(net.n, 4);
	assert_string_equal(net.v[2].addr, "/run/a b.sock");
	assert_string_equal(net.v[3].addr, "@abs\033[2J");
	free(net.v);
}

static void test_net_many(void **state)
{
	_cleanup_buf_ struct buf b = {};
	struct facts_net net = {};

	(void)state;
	for (int i = 0; i < FACTS_SOCKETS_MAX + 10; i++)
		buf_printf(&b, "%d: 00000000:%04X 00000000:0000 0A 0:0 0:0 0 0 0 %d 1\n", i, i, i);
	assert_int_equal(facts_net_parse("tcp", b.data, &net), 0);
	assert_int_equal(net.n, FACTS_SOCKETS_MAX);
	assert_true(net.cut);
	free(net.v);
}

static void test_addresses(void **state)
{
	static const char fib[] = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n"
				  "        /0 universe UNICAST\n     |-- 127.0.0.1\n"
				  "        /32 host LOCAL\n     |-- 172.17.0.2\n"
				  "        /32 host LOCAL\n     |-- 172.17.255.255\n"
				  "        /32 link BROADCAST\nLocal:\n     |-- 172.17.0.2\n"
				  "        /32 host LOCAL\n";
	static const char inet6[] =
		"00000000000000000000000000000001 01 80 10 80       lo\n"
		"fe80000000000000020c29fffe6e2b01 02 40 20 80     eth0\n"
		"20010db8000000000000000000000002 02 40 00 80     eth0\nshort 02 40 00 80 x\n";
	static const char route[] = "Iface Destination Gateway Flags\n"
				    "eth0 000011AC 00000000 0001\neth0 00000000 010011AC 0003\n";
	_cleanup_strv_ struct strv v = {};
	char gateway[64];

	(void)state;
	assert_int_equal(facts_fib_parse(fib, &v), 0);
	assert_int_equal(facts_inet6_parse(inet6, &v), 0);
	assert_int_equal(v.n, 2);
	assert_string_equal(v.v[0], "172.17.0.2");
	assert_string_equal(v.v[1], "2001:db8::2");
	facts_route_parse(route, gateway, sizeof(gateway));
	assert_string_equal(gateway, "172.17.0.1");
	facts_route_parse("nothing\n", gateway, sizeof(gateway));
	assert_string_equal(gateway, "");
}

static void test_glibc(void **state)
{
	static const char good[] =
		"\0\0GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\n";
	static const char odd[] = "GNU C Library version ";
	char out[8];

	(void)state;
	assert_true(facts_glibc_version(good, sizeof(good), out, sizeof(out)));
	assert_string_equal(out, "2.36");
	assert_false(facts_glibc_version(odd, sizeof(odd), out, sizeof(out)));
	assert_false(facts_glibc_version("", 0, out, sizeof(out)));
}

static void expect_os(const char *text, const char *want)
{
	_cleanup_free_ char *s = facts_os_name(text);

	if (want)
		assert_string_equal(s, want);
	else
		assert_null(s);
}

static void test_os(void **state)
{
	(void)state;
	expect_os("NAME=\"x\"\nPRETTY_NAME=\"Alpine Linux v3.18\"\n", "Alpine Linux v3.18");
	expect_os("NAME='Arch Linux'", "Arch Linux");
	expect_os("PRETTY_NAME=\n", NULL);
	expect_os("PRETTY_NAME=\"", "\"");
	expect_os("", NULL);
}

static const char table[] =
	"100 50 0:50 / / ro,relatime master:1 - overlay overlay "
	"rw,lowerdir=/l/A:/l/B:/l/C,upperdir=/var/lib/u\\,x,workdir=/w\n"
	"101 100 0:51 / /proc rw,nosuid - proc proc rw\n"
	"102 101 0:51 /sys /proc/sys ro - proc proc rw\n"
	"103 100 8:1 /srv/a\\040b /data rw shared:7 - ext4 /dev/sda1 rw\n"
	"104 100 8:1 / /host ro - ext4 /dev/sda1 rw\n"
	"105 100 8:1 /var/lib/docker/containers/x/hosts /etc/hosts rw - ext4 /dev/sda1 rw\n"
	"garbage\n"
	"106 100 0:60 / /empty rw -\n"
	"107 100 0:61 / /tmp rw,noexec unbindable - tmpfs  rw,size=1k\n";

static void test_mounts(void **state)
{
	static const char host_text[] = "20 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
					"21 20 8:1 /srv /mnt/srv rw - ext4 /dev/sda1 rw\n";
	struct facts_files files = {};
	_cleanup_mountinfo_ struct mountinfo host = {};

	(void)state;
	assert_int_equal(mountinfo_parse(strdup(table), &files.table), 0);
	assert_int_equal(files.table.n, 7);
	assert_int_equal(facts_mounts_sort(&files), 0);
	assert_true(files.root_ro);
	assert_int_equal(files.lowers, 3);
	assert_string_equal(files.upper, "/var/lib/u\\,x");
	assert_int_equal(files.v[0].class, MOUNT_ROOT);
	assert_int_equal(files.v[0].row->master, 1);
	assert_int_equal(files.v[1].class, MOUNT_SYSTEM);
	assert_false(files.v[1].ro);
	assert_true(files.v[2].ro);
	assert_int_equal(files.v[3].class, MOUNT_OTHER);
	assert_string_equal(files.v[3].row->root, "/srv/a b");
	assert_int_equal(files.v[3].row->shared, 7);
	assert_int_equal(files.v[5].class, MOUNT_ENGINE);
	assert_string_equal(files.v[6].row->source, "");
	assert_true(files.v[6].row->unbindable);

	assert_int_equal(mountinfo_parse(strdup(host_text), &host), 0);
	files.v[3].host_path = mountinfo_host_path(&host, files.v[3].row);
	files.v[4].host_path = mountinfo_host_path(&host, files.v[4].row);
	assert_string_equal(files.v[3].host_path, "/srv/a b");
	assert_string_equal(files.v[4].host_path, "/");
	assert_null(mountinfo_host_path(&host, files.v[6].row));
	free(files.v[3].host_path);
	free(files.v[4].host_path);
	free(files.v);
	free(files.upper);
	mountinfo_done(&files.table);
}

static void engine_free(struct facts_engine *n)
{
	struct facts f = {.engine = *n};

	facts_done(&f);
}

static void test_docker(void **state)
{
	_cleanup_json_ json_t *config = json_loads(
		"{\"Config\":{\"Entrypoint\":[\"/e\"],\"Cmd\":\"sh\",\"User\":\"app\",\"Labels\":"
		"{\"maintainer\":\"m\",\"other\":\"x\"}},\"RestartCount\":4,\"State\":{\"Health\":"
		"{\"Status\":\"unhealthy\"}},\"NetworkSettings\":{\"Ports\":{\"80/"
		"tcp\":[{\"HostIp\":"
		"\"0.0.0.0\",\"HostPort\":\"8080\"}],\"81/tcp\":null}}}",
		0, NULL);
	_cleanup_json_ json_t *host =
		json_loads("{\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":3},"
			   "\"NetworkMode\":\"default\",\"Privileged\":true}",
			   0, NULL);
	_cleanup_json_ json_t *odd = json_loads(
		"{\"Config\":[1],\"NetworkSettings\":{\"Ports\":[1,{}]},\"RestartCount\":\"x\"}", 0,
		NULL);
	struct facts_engine n = {}, bare = {};

	(void)state;
	assert_int_equal(facts_docker_parse(config, host, &n), 0);
	assert_string_equal(n.entrypoint.v[0], "/e");
	assert_string_equal(n.cmd.v[0], "sh");
	assert_string_equal(n.user, "app");
	assert_string_equal(n.restart, "on-failure, at most 3 times");
	assert_string_equal(n.network, "bridge");
	assert_string_equal(n.health, "unhealthy");
	assert_string_equal(n.ports.v[0], "0.0.0.0:8080->80/tcp");
	assert_int_equal(n.ports.n, 1);
	assert_int_equal(n.labels.n, 1);
	assert_int_equal(n.restarts, 4);
	assert_true(n.privileged);
	engine_free(&n);
	assert_int_equal(facts_docker_parse(odd, NULL, &bare), 0);
	assert_int_equal(bare.restarts, -1);
	assert_int_equal(bare.ports.n, 0);
	assert_false(bare.privileged);
	engine_free(&bare);
}

static void test_oci(void **state)
{
	_cleanup_json_ json_t *config =
		json_loads("{\"process\":{\"args\":[\"/app\",1,\"x\"],\"cwd\":\"/"
			   "w\",\"user\":{\"uid\":5,\"gid\":6}},"
			   "\"hostname\":\"h\",\"annotations\":{\"io.kubernetes.container."
			   "restartCount\":\"7\","
			   "\"io.kubernetes.cri.sandbox-name\":\"pod\"}}",
			   0, NULL);
	struct facts_engine n = {};

	(void)state;
	assert_int_equal(facts_oci_parse(config, &n), 0);
	assert_int_equal(n.cmd.n, 2);
	assert_string_equal(n.workdir, "/w");
	assert_string_equal(n.user, "5:6");
	assert_int_equal(n.restarts, 7);
	assert_string_equal(n.labels.v[0], "io.kubernetes.cri.sandbox-name=pod");
	engine_free(&n);
}

/* What the kernel says of one process and its cgroup, and nothing that only looks like it. */
static void test_messages(void **state)
{
	struct last l = LAST_INIT;

	(void)state;
	l.mem_path = strdup("/docker/aa");
	last_message(&l, 77,
		     "oom-kill:constraint=X,oom_memcg=/docker/ab,task_memcg=/docker/"
		     "ab,task=sh,pid=77,uid=0");
	last_message(&l, 77, "oom-kill:constraint=X,task_memcg=/docker/aa/b,task=sh,pid=77,uid=0");
	last_message(&l, 77, "x oom-kill:,task_memcg=/docker/aa,task=sh,pid=77,uid=0");
	last_message(&l, 77, "sh[177]: segfault at 0");
	assert_int_equal(l.oom_told, 0);
	assert_string_equal(l.told, "");
	last_message(&l, 77,
		     "oom-kill:constraint=X,oom_memcg=/docker/aa,task_memcg=/docker/"
		     "aa,task=a,pid=77,uid=,pid=78,uid=0");
	assert_int_equal(l.oom_told, 1);
	assert_false(l.oom_first_told);
	last_message(&l, 77,
		     "oom-kill:constraint=X,oom_memcg=/docker/aa,task_memcg=/docker/"
		     "aa,task=a,pid=77,uid=0");
	assert_int_equal(l.oom_told, 2);
	assert_true(l.oom_first_told);
	last_message(&l, 77, "sh[77]: segfault at 0 ip 1");
	last_message(&l, 77, "sh[77]: again");
	assert_string_equal(l.told, "sh[77]: segfault at 0 ip 1");
	last_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secrets),	  cmocka_unit_test(test_mask_value),
		cmocka_unit_test(test_mask_argv), cmocka_unit_test(test_env),
		cmocka_unit_test(test_net),	  cmocka_unit_test(test_net_many),
		cmocka_unit_test(test_addresses), cmocka_unit_test(test_glibc),
		cmocka_unit_test(test_os),	  cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_docker),	  cmocka_unit_test(test_oci),
		cmocka_unit_test(test_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
