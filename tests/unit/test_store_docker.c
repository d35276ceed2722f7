/* What docker keeps of a container, and damage to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "store_tree.h"
#include "sys/caps.h"

#define DATA  "var/lib/docker"
#define STATE "/" DATA "/containers/" DOCKER_ID "/config.v2.json"
#define TOP   DATA "/overlay2/top"

static const char config[] =
	"{\"Name\":\"/web\",\"Driver\":\"overlay2\",\"Image\":\"sha256:1f\",\"Config\":{"
	"\"Hostname\":\"box\",\"User\":\"app\",\"WorkingDir\":\"/srv\",\"Entrypoint\":[\"/bin/"
	"sh\",\"-c\","
	"\"run it\"],\"Cmd\":[\"a\",\"b\"],\"Env\":[\"A=1\",\"B=2 3\"]},"
	"\"HostsPath\":\"/" DATA "/containers/" DOCKER_ID "/hosts\",\"ResolvConfPath\":\"/gone\","
	"\"MountPoints\":{"
	"\"/data/deep\":{\"Type\":\"bind\",\"Source\":\"/srv/deep\",\"Destination\":\"/data/"
	"deep\",\"RW\":false},"
	"\"/data\":{\"Type\":\"volume\",\"Name\":\"vol\",\"Source\":\"\",\"Destination\":\"/"
	"data\",\"RW\":true},"
	"\"/dev/x\":{\"Type\":\"bind\",\"Source\":\"/srv\",\"Destination\":\"/dev/x\",\"RW\":true},"
	"\"/lost\":{\"Type\":\"bind\",\"Source\":\"/no/such\",\"Destination\":\"/"
	"lost\",\"RW\":true},"
	"\"odd\":{\"Type\":\"bind\",\"Source\":\"/srv\",\"Destination\":\"odd\",\"RW\":true},"
	"\"/t\":{\"Type\":\"tmpfs\",\"Source\":\"\",\"Destination\":\"/up/../t/.\",\"RW\":true}}}";
static const char host[] =
	"{\"Memory\":1048576,\"PidsLimit\":9,\"NanoCpus\":500000000,\"ReadonlyRootfs\":true,"
	"\"CapDrop\":[\"CHOWN\"],\"CapAdd\":[\"CAP_SYS_PTRACE\"],\"Tmpfs\":{\"/"
	"run\":\"ro,size=1m\"},"
	"\"SecurityOpt\":[\"no-new-privileges\"]}";

static struct tree tree;
static struct store store;
static struct err e;

static int setup(void **state)
{
	(void)state;
	tree_init(&tree);
	store = STORE_INIT;
	docker_tree(&tree, DATA, config, host);
	tree_puts(&tree, DATA "/containers/" DOCKER_ID "/hosts", "127.0.0.1 box\n");
	tree_puts(&tree, DATA "/volumes/vol/_data/f", "x");
	tree_puts(&tree, DATA "/image/overlay2/imagedb/content/sha256/1f",
		  "{\"os\":\"linux\",\"architecture\":\"riscv64\"}");
	tree_puts(&tree, "srv/deep/f", "x");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	store_done(&store);
	tree_done(&tree);
	return 0;
}

static int read_web(void)
{
	store_done(&store);
	return read_store(&tree, "docker", DOCKER_ID, STATE, NULL, 0, &store, &e);
}

/* It fails so, and says `what`. */
static void fails(int num, const char *what)
{
	int r = read_web();

	if (r != -num || !strstr(e.msg, what))
		fail_msg("%d: %s", r, e.msg);
	assert_int_equal(store.n_layers, 0);
}

static void test_layers(void **state)
{
	static const char *const want[] = {"top", "top-init", "mid", "low"};

	(void)state;
	assert_int_equal(read_web(), 0);
	assert_string_equal(store.label, "web");
	assert_string_equal(store.kind, "docker overlay2");
	assert_int_equal(store.n_layers, ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		_cleanup_free_ char *path = str_fmt("/" DATA "/overlay2/%s/diff", want[i]);
		_cleanup_free_ char *file = str_fmt("at-%s", want[i]);

		assert_string_equal(store.layers[i].path, path);
		assert_int_equal(faccessat(store.layers[i].fd, file, F_OK, 0), 0);
	}
	assert_null(store.uid_map);
	assert_false(store.user_xattr);
}

static void test_config(void **state)
{
	const struct store_config *c = &store.config;

	(void)state;
	assert_int_equal(read_web(), 0);
	assert_int_equal(c->entrypoint.n, 3);
	assert_int_equal(c->cmd.n, 2);
	assert_true(c->shell_form);
	assert_string_equal(c->env.v[0],
			    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	assert_string_equal(c->env.v[1], "HOSTNAME=box");
	assert_string_equal(c->env.v[3], "B=2 3");
	assert_string_equal(c->user, "app");
	assert_string_equal(c->cwd, "/srv");
	assert_string_equal(c->hostname, "box");
	assert_string_equal(c->arch, "riscv64");
	assert_true(c->root_ro && c->no_new_privs && c->caps_known);
	assert_true(c->caps == ((CAPS_DOCKER | CAPS_BIT(19)) & ~CAPS_BIT(0)));
	assert_int_equal(c->memory, 1048576);
	assert_int_equal(c->pids, 9);
	assert_true(c->cpus == 0.5);
}

static void test_no_host_config(void **state)
{
	(void)state;
	tree_puts(&tree, DATA "/containers/" DOCKER_ID "/hostconfig.json", "{\"Privileged\":true}");
	assert_int_equal(read_web(), 0);
	assert_true(store.config.caps == caps_all());
	tree_puts(&tree, DATA "/containers/" DOCKER_ID "/hostconfig.json",
		  "{\"CapDrop\":[\"ALL\"],\"CapAdd\":[\"kill\"]}");
	assert_int_equal(read_web(), 0);
	assert_true(store.config.caps == CAPS_BIT(5));
	tree_puts(&tree, DATA "/containers/" DOCKER_ID "/hostconfig.json",
		  "{\"CapAdd\":[\"ALL\"],\"CapDrop\":[\"kill\"]}");
	assert_int_equal(read_web(), 0);
	assert_true(store.config.caps == (caps_all() & ~CAPS_BIT(5)));
	tree_puts(&tree, DATA "/containers/" DOCKER_ID "/hostconfig.json", "{");
	fails(EBADMSG, "hostconfig.json is damaged");
}

static const struct store_mount *at(const char *dest)
{
	for (size_t i = 0; i < store.n_mounts; i++)
		if (str_eq(store.mounts[i].dest, dest))
			return &store.mounts[i];
	return NULL;
}

static void test_mounts(void **state)
{
	(void)state;
	assert_int_equal(read_web(), 0);
	assert_int_equal(store.n_mounts, 6);
	assert_string_equal(at("/data")->source, "vol");
	assert_int_equal(faccessat(at("/data")->fd, "f", F_OK, 0), 0);
	assert_true(at("/data/deep") > at("/data"));
	assert_true(at("/data/deep")->ro && !at("/data")->ro);
	assert_true(at("/lost")->missing && at("/lost")->fd < 0);
	assert_true(at("/t")->tmpfs && at("/run")->tmpfs && at("/run")->ro && !at("/t")->ro);
	assert_non_null(at("/etc/hosts"));
	/* made anew at each start, and not there: no loss */
	assert_null(at("/etc/resolv.conf"));
	assert_null(at("/dev/x"));
	assert_null(at("odd"));
}

static void test_volume_of_another_kind(void **state)
{
	(void)state;
	tree_puts(&tree, DATA "/volumes/vol/opts.json",
		  "{\"MountType\":\"none\",\"MountOpts\":\"o=bind\",\"MountDevice\":\"/srv\"}");
	assert_int_equal(read_web(), 0);
	assert_string_equal(at("/data")->source, "vol (/srv)");
	assert_int_equal(faccessat(at("/data")->fd, "deep", F_OK, 0), 0);
	tree_puts(&tree, DATA "/volumes/vol/opts.json",
		  "{\"MountType\":\"nfs\",\"MountOpts\":\"addr=x\",\"MountDevice\":\":/srv\"}");
	assert_int_equal(read_web(), 0);
	assert_true(at("/data")->missing);
	tree_puts(&tree, DATA "/volumes/vol/opts.json",
		  "{\"MountType\":\"tmpfs\",\"MountDevice\":\"tmpfs\"}");
	assert_int_equal(read_web(), 0);
	assert_true(at("/data")->tmpfs);
}

static void test_maps(void **state)
{
	static const char data[] = DATA "/231072.231073";
	static const char file[] =
		"/" DATA "/231072.231073/containers/" DOCKER_ID "/config.v2.json";

	(void)state;
	docker_tree(&tree, data, config, "{}");
	assert_int_equal(read_store(&tree, "docker", DOCKER_ID, file, NULL, 0, &store, &e), 0);
	assert_string_equal(store.uid_map, "0 231072 65536\n");
	assert_string_equal(store.gid_map, "0 231073 65536\n");
	store_done(&store);
	tree_puts(&tree, "etc/subuid", "x:100000:65536\nrubbish\nremap:231072:1000\nremap:5:10\n");
	assert_int_equal(read_store(&tree, "docker", DOCKER_ID, file, NULL, 0, &store, &e), 0);
	assert_string_equal(store.uid_map, "0 231072 1000\n1000 5 10\n");
	store_done(&store);
	docker_tree(&tree, data, config, "{\"UsernsMode\":\"host\"}");
	assert_int_equal(read_store(&tree, "docker", DOCKER_ID, file, NULL, 0, &store, &e), 0);
	assert_null(store.uid_map);
	store_done(&store);
	tree_puts(&tree, "etc/passwd", "joe:x:1500:1600::/home/joe:/bin/sh\n");
	tree_puts(&tree, "etc/subuid", "joe:700000:65536\n1500:900000:1\n");
	assert_int_equal(read_store(&tree, "docker", DOCKER_ID, STATE, NULL, 1500, &store, &e), 0);
	assert_string_equal(store.uid_map, "0 1500 1\n1 700000 65536\n65537 900000 1\n");
	assert_string_equal(store.gid_map, "0 1600 1\n");
	assert_true(store.user_xattr);
}

static void test_half_deleted(void **state)
{
	_cleanup_free_ char *id = str_fmt(
		"%s/root/" DATA "/image/overlay2/layerdb/mounts/" DOCKER_ID "/mount-id", tree.dir);
	_cleanup_free_ char *file = str_fmt("%s/root" STATE, tree.dir);

	(void)state;
	assert_int_equal(unlink(id), 0);
	fails(EBADMSG, "mount-id");
	assert_non_null(strstr(e.hint, "half deleted"));
	assert_int_equal(unlink(file), 0);
	fails(ENOENT, "was removed");
}

static void test_lower(void **state)
{
	static const struct {
		const char *lower, *says;
	} bad[] = {
		{"l/MMMM:../../etc", "leads out"},
		{"l/../l/MMMM", "leads out"},
		{"/etc", "leads out"},
		{"l/MMMM:l/LLLL:l/MMMM", "twice"},
		{"l/NONE", "no layer is called"},
		{"l/TTTT", "twice"},
		{"l/", "leads out"},
		{"l/..", "leads out"},
		{"mid", "leads out"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		tree_puts(&tree, TOP "/lower", "%s", bad[i].lower);
		fails(EBADMSG, bad[i].says);
	}
	tree_puts(&tree, TOP "/lower", "/" DATA "/overlay2/l/MMMM:l/LLLL\n");
	assert_int_equal(read_web(), 0);
	assert_int_equal(store.n_layers, 3);
	tree_put(&tree, TOP "/lower", "l/MMMM\0:l/LLLL", 14);
	fails(EBADMSG, "NUL");
}

static void test_links(void **state)
{
	static const char *const bad[] = {
		"/etc",	    "../../../../etc", "../mid",      "../mid/diff/../../low",
		"..//diff", "../../diff",      "../../x/diff"};
	_cleanup_free_ char *link = str_fmt("%s/root/" DATA "/overlay2/l/MMMM", tree.dir);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		tree_link(&tree, DATA "/overlay2/l/MMMM", bad[i]);
		fails(EBADMSG, "l/MMMM");
	}
	/* lost in a crash */
	assert_int_equal(unlink(link), 0);
	assert_int_equal(read_web(), 0);
	assert_int_equal(store.n_layers, 4);
	assert_string_equal(store.layers[2].path, "/" DATA "/overlay2/mid/diff");
	tree_puts(&tree, DATA "/overlay2/l/MMMM", "no link");
	fails(EBADMSG, "l/MMMM");
}

static void test_layer_gone(void **state)
{
	_cleanup_free_ char *from = str_fmt("%s/root/" DATA "/overlay2/low", tree.dir);
	_cleanup_free_ char *to = str_fmt("%s/elsewhere", tree.dir);
	_cleanup_free_ char *diff = str_fmt("%s/root/" DATA "/overlay2/mid/diff", tree.dir);

	(void)state;
	assert_int_equal(rename(diff, to), 0);
	fails(EBADMSG, "mid/diff");
	tree_link(&tree, DATA "/overlay2/mid/diff", "../low/diff");
	fails(EBADMSG, "no directory");
	unlink(diff);
	tree_puts(&tree, DATA "/overlay2/mid/diff", "a file");
	fails(EBADMSG, "no directory");
	unlink(diff);
	assert_int_equal(rename(to, diff), 0);
	assert_int_equal(read_web(), 0);
	assert_int_equal(rename(from, to), 0);
	fails(EBADMSG, "low");
}

static void test_many_layers(void **state)
{
	struct buf lower = {};

	(void)state;
	for (int i = 0; i < 10000; i++) {
		char id[16], name[16];

		snprintf(id, sizeof(id), "x%d", i);
		snprintf(name, sizeof(name), "N%d", i);
		if (i < 600)
			overlay_layer(&tree, DATA "/overlay2", id, name, NULL);
		buf_printf(&lower, "%sl/N%d", i ? ":" : "", i);
	}
	tree_puts(&tree, TOP "/lower", "%s", lower.data);
	fails(EBADMSG, "more than 500");
	for (int i = 0; i < 400000; i++)
		buf_puts(&lower, "xxxx");
	tree_puts(&tree, TOP "/lower", "%s", lower.data);
	fails(EBADMSG, "larger");
	buf_done(&lower);
}

static void test_no_files(void **state)
{
	_cleanup_free_ char *lower = str_fmt("%s/root/" TOP "/lower", tree.dir);
	_cleanup_free_ char *file = str_fmt("%s/root" STATE, tree.dir);

	(void)state;
	assert_int_equal(unlink(lower), 0);
	assert_int_equal(mkfifo(lower, 0600), 0);
	fails(EBADMSG, "no regular file");
	assert_int_equal(unlink(file), 0);
	assert_int_equal(mkfifo(file, 0600), 0);
	fails(EBADMSG, "no regular file");
}

static void test_truncated(void **state)
{
	(void)state;
	for (size_t n = 0; n + 1 < sizeof(config) - 1; n += 7) {
		tree_put(&tree, DATA "/containers/" DOCKER_ID "/config.v2.json", config, n);
		fails(EBADMSG, "config.v2.json is damaged");
	}
	tree_puts(&tree, DATA "/containers/" DOCKER_ID "/config.v2.json", "[1,2]");
	fails(ENOTSUP, "driver ''");
	tree_puts(&tree, DATA "/containers/" DOCKER_ID "/config.v2.json",
		  "{\"Driver\":\"overlay2\",\"Config\":7,\"MountPoints\":[1,{}]}");
	assert_int_equal(read_web(), 0);
	tree_puts(&tree, DATA "/image/overlay2/layerdb/mounts/" DOCKER_ID "/mount-id", "../../x");
	fails(EBADMSG, "cannot be a layer's name");
}

static void test_drivers(void **state)
{
	(void)state;
	tree_puts(&tree, DATA "/containers/" DOCKER_ID "/config.v2.json",
		  "{\"Driver\":\"zfs\\u001b[1m\"}");
	fails(ENOTSUP, "zfs\\x1b[1m");
	tree_puts(&tree, DATA "/containers/" DOCKER_ID "/config.v2.json", "{\"Driver\":\"zfs\"}");
	tree_puts(&tree, DATA "/image/zfs/layerdb/mounts/" DOCKER_ID "/mount-id", "top");
	fails(ENOTSUP, "storage driver 'zfs'");
	assert_non_null(strstr(e.hint, "docker export '"));
	tree_puts(&tree, DATA "/containers/" DOCKER_ID "/config.v2.json", "{\"Driver\":\"../x\"}");
	fails(ENOTSUP, "'../x'");
	tree_puts(&tree, DATA "/containers/" DOCKER_ID "/config.v2.json", "{\"Driver\":\"vfs\"}");
	tree_puts(&tree, DATA "/image/vfs/layerdb/mounts/" DOCKER_ID "/mount-id", "top");
	fails(EBADMSG, "vfs");
	tree_puts(&tree, DATA "/vfs/dir/top/f", "x");
	assert_int_equal(read_web(), 0);
	assert_int_equal(store.n_layers, 1);
	assert_string_equal(store.layers[0].path, "/" DATA "/vfs/dir/top");
}

/* Where docker's images are containerd's. */
static void test_snapshots(void **state)
{
	static const char *const meta[][2] = {
		{"v1|moby|containers|" DOCKER_ID "|spec", ""},
		{"v1|moby|snapshots|overlayfs|" DOCKER_ID "|name", "moby/7/x"},
		{NULL, NULL},
	};
	static const char *const snap[][2] = {
		{"v1|snapshots|moby/1/base|id", "\x01"},
		{"v1|snapshots|moby/5/init|id", "\x85\x02"},
		{"v1|snapshots|moby/5/init|parent", "moby/1/base"},
		{"v1|snapshots|moby/7/x|id", "\x07"},
		{"v1|snapshots|moby/7/x|parent", "moby/5/init"},
		{NULL, NULL},
	};
#define ROOT "var/lib/containerd/io.containerd."
	(void)state;
	tree_puts(&tree, DATA "/containers/" DOCKER_ID "/config.v2.json",
		  "{\"Driver\":\"overlayfs\"}");
	fails(EBADMSG, "containerd");
	bolt_put(&tree, ROOT "metadata.v1.bolt/meta.db", meta);
	bolt_put(&tree, ROOT "snapshotter.v1.overlayfs/metadata.db", snap);
	fails(EBADMSG, "snapshots/7/fs");
	tree_puts(&tree, ROOT "snapshotter.v1.overlayfs/snapshots/7/fs/f", "x");
	tree_puts(&tree, ROOT "snapshotter.v1.overlayfs/snapshots/261/fs/f", "x");
	tree_puts(&tree, ROOT "snapshotter.v1.overlayfs/snapshots/1/fs/f", "x");
	assert_int_equal(read_web(), 0);
	assert_int_equal(store.n_layers, 3);
	assert_string_equal(store.layers[1].path,
			    "/" ROOT "snapshotter.v1.overlayfs/snapshots/261/fs");
#undef ROOT
}

static void test_elsewhere(void **state)
{
	(void)state;
	assert_int_equal(
		read_store(&tree, "docker", DOCKER_ID, "/run/docker.sock", NULL, 0, &store, &e),
		-EACCES);
	assert_non_null(strstr(e.hint, "sudo"));
	assert_int_equal(read_store(&tree, "flatpak", "x", NULL, NULL, 0, &store, &e), -ENOTSUP);
}

/* Reading leaves no trace, not even an access time. */
static void test_no_trace(void **state)
{
	_cleanup_free_ char *file = str_fmt("%s/root" STATE, tree.dir);
	struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};
	struct stat st;

	(void)state;
	assert_int_equal(utimensat(AT_FDCWD, file, old, 0), 0);
	assert_int_equal(read_web(), 0);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_atime, 1000);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_layers),
		TEST(test_config),
		TEST(test_no_host_config),
		TEST(test_mounts),
		TEST(test_volume_of_another_kind),
		TEST(test_maps),
		TEST(test_half_deleted),
		TEST(test_lower),
		TEST(test_links),
		TEST(test_layer_gone),
		TEST(test_many_layers),
		TEST(test_no_files),
		TEST(test_truncated),
		TEST(test_drivers),
		TEST(test_snapshots),
		TEST(test_elsewhere),
		TEST(test_no_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
