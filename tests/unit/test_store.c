/* What podman, containerd, LXC, nspawn and plain runtimes keep of a container, and damage to it. */
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

#define GRAPH	 "var/lib/containers/storage"
#define USERDATA GRAPH "/overlay-containers/" PODMAN_ID "/userdata"
#define CTD	 "var/lib/containerd/io.containerd."
#define LXC	 "var/lib/lxc/web"

static struct tree tree;
static struct store store;
static struct err e;

static int setup(void **state)
{
	(void)state;
	tree_init(&tree);
	store = STORE_INIT;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	store_done(&store);
	tree_done(&tree);
	return 0;
}

static int reads(const char *engine, const char *id, const char *state_file, const char *bundle,
		 uid_t owner)
{
	store_done(&store);
	return read_store(&tree, engine, id, state_file, bundle, owner, &store, &e);
}

static void is(int r, int num, const char *says)
{
	if (r != num || (says && !strstr(e.msg, says)))
		fail_msg("%d: %s", r, e.msg);
}

static const struct store_mount *at(const char *dest)
{
	for (size_t i = 0; i < store.n_mounts; i++)
		if (str_eq(store.mounts[i].dest, dest))
			return &store.mounts[i];
	return NULL;
}

/* ---- containers/storage ---- */

static const char spec[] =
	"{\"process\":{\"args\":[\"/entry\",\"a\"],\"env\":[\"A=1\"],\"cwd\":\"/"
	"w\",\"user\":{\"uid\":5,\"gid\":6},"
	"\"capabilities\":{\"bounding\":[\"CAP_KILL\",\"CAP_NEW\"]},\"noNewPrivileges\":true},"
	"\"root\":{\"path\":\"/x/overlay/top/merged\",\"readonly\":true},\"hostname\":\"box\","
	"\"linux\":{\"resources\":{\"memory\":{\"limit\":4096},\"pids\":{\"limit\":3},\"cpu\":{"
	"\"quota\":5,\"period\":10}}},"
	"\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
	"{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\"},"
	"{\"destination\":\"/run\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"},"
	"{\"destination\":\"/data\",\"type\":\"bind\",\"source\":\"/"
	"srv\",\"options\":[\"rbind\",\"ro\"]},"
	"{\"destination\":\"/idm\",\"type\":\"bind\",\"source\":\"/srv\",\"options\":[\"idmap\"]},"
	"{\"destination\":\"/own\",\"type\":\"bind\",\"source\":\"/run/x/userdata/"
	"hosts\",\"options\":[\"bind\"]},"
	"{\"destination\":\"/lost\",\"type\":\"bind\",\"source\":\"/no\",\"options\":[\"bind\"]},"
	"{\"destination\":\"/net\",\"type\":\"nfs\",\"source\":\"h:/x\"},7]}";

static void podman_tree(const char *more)
{
	tree_puts(&tree, GRAPH "/overlay-containers/containers.json",
		  "[{\"id\":\"other\"},{\"id\":\"" PODMAN_ID
		  "\",\"layer\":\"top\",\"image\":\"abcd\"%s}]",
		  more);
	tree_puts(&tree, USERDATA "/config.json", "%s", spec);
	overlay_layer(&tree, GRAPH "/overlay", "top", "TTTT", "l/MMMM:l/LLLL");
	overlay_layer(&tree, GRAPH "/overlay", "mid", "MMMM", "l/LLLL");
	overlay_layer(&tree, GRAPH "/overlay", "low", "LLLL", NULL);
	tree_puts(&tree, "srv/f", "x");
}

static int read_podman(uid_t owner)
{
	return reads("podman", PODMAN_ID, "/" GRAPH "/overlay-containers/containers.json",
		     "/" USERDATA, owner);
}

/* The same, its bundle having another root. */
static void podman_root(const char *path)
{
	tree_puts(&tree, USERDATA "/config.json", "{\"root\":{\"path\":\"%s\"}}", path);
	is(read_podman(0), 0, NULL);
}

static void test_podman(void **state)
{
	const struct store_config *c = &store.config;

	(void)state;
	podman_tree("");
	/* the file is called as the base64 of "sha256:abcd" */
	tree_puts(&tree, GRAPH "/overlay-images/abcd/=c2hhMjU2OmFiY2Q=",
		  "{\"architecture\":\"s390x\",\"config\":{\"Entrypoint\":[\"/"
		  "entry\"],\"User\":\"u\"}}");
	is(read_podman(0), 0, NULL);
	assert_string_equal(store.kind, "podman overlay");
	assert_int_equal(store.n_layers, 3);
	assert_string_equal(store.layers[2].path, "/" GRAPH "/overlay/low/diff");
	assert_false(store.layers[2].ids_inside);
	assert_string_equal(c->entrypoint.v[0], "/entry");
	assert_int_equal(c->cmd.n, 1);
	assert_string_equal(c->cmd.v[0], "a");
	assert_string_equal(c->user, "5:6");
	assert_string_equal(c->arch, "s390x");
	assert_string_equal(c->hostname, "box");
	assert_true(c->root_ro && c->no_new_privs && c->caps == CAPS_BIT(5));
	assert_true(c->memory == 4096 && c->pids == 3 && c->cpus == 0.5);
	assert_int_equal(store.n_mounts, 5);
	assert_true(at("/run")->tmpfs && at("/data")->ro && at("/idm")->ids_inside);
	assert_true(at("/lost")->missing && at("/net")->missing);
	assert_string_equal(at("/net")->source, "h:/x (nfs)");
	/* podman 5, with a user namespace: no place of its own; and one that was run with --rootfs
	 */
	podman_root("/var/tmp/intermediate-mountpoint-0.0");
	assert_int_equal(store.n_layers, 3);
	podman_root("/srv");
	assert_int_equal(store.n_layers, 1);
	assert_string_equal(store.layers[0].path, "/srv");
}

static void test_podman_never_started(void **state)
{
	_cleanup_free_ char *file = str_fmt("%s/root/" USERDATA "/config.json", tree.dir);

	(void)state;
	podman_tree("");
	assert_int_equal(unlink(file), 0);
	tree_puts(&tree, GRAPH "/overlay-images/abcd/=c2hhMjU2OmFiY2Q=",
		  "{\"config\":{\"Entrypoint\":[\"/entry\"],\"Cmd\":[\"b\"],\"User\":\"u\"}}");
	is(read_podman(0), 0, NULL);
	assert_string_equal(store.config.cmd.v[0], "b");
	assert_string_equal(store.config.user, "u");
	assert_int_equal(store.n_mounts, 0);
	/* the database knows better */
	bolt_put(&tree, GRAPH "/libpod/bolt_state.db",
		 (const char *const[][2]){
			 {"ctr|" PODMAN_ID "|config",
			  "{\"user\":\"app\",\"entrypoint\":[\"/"
			  "e\"],\"namedVolumes\":[{\"volumeName\":\"v\","
			  "\"dest\":\"/data\"}],\"spec\":{\"process\":{\"args\":[\"/e\",\"x\"]}}}"},
			 {NULL, NULL}});
	tree_puts(&tree, GRAPH "/volumes/v/_data/f", "x");
	is(read_podman(0), 0, NULL);
	assert_string_equal(store.config.entrypoint.v[0], "/e");
	assert_string_equal(store.config.cmd.v[0], "x");
	assert_string_equal(store.config.user, "app");
	assert_string_equal(at("/data")->source, "v");
	assert_true(at("/data")->fd >= 0);
}

#define MAP(in, out, n) "{\"container_id\":" #in ",\"host_id\":" #out ",\"size\":" #n "}"

static void test_podman_maps(void **state)
{
	(void)state;
	podman_tree(",\"uidmap\":[" MAP(0, 200000, 65536) "],\"gidmap\":[" MAP(0, 300000, 10) "]");
	is(read_podman(0), -EBADMSG, "layers.json");
	/* where the kernel shows layers as others', only what was made for it has its ids */
	tree_puts(&tree, GRAPH "/overlay-layers/layers.json",
		  "[{\"id\":\"top\"},{\"id\":\"mid\",\"uidmap\":[" MAP(
			  0, 200000, 65536) "]},{\"id\":\"low\"}]");
	is(read_podman(0), 0, NULL);
	assert_string_equal(store.uid_map, "0 200000 65536\n");
	assert_string_equal(store.gid_map, "0 300000 10\n");
	assert_false(store.layers[0].ids_inside);
	assert_false(store.layers[1].ids_inside);
	assert_true(store.layers[2].ids_inside);
	/* a user's: on top of the user's own */
	tree_puts(&tree, "etc/passwd", "joe:x:1500:1600::/home/joe:/bin/sh\n");
	tree_puts(&tree, "etc/subuid", "joe:700000:65536\n");
	podman_tree(
		",\"uidmap\":[" MAP(0, 1, 1500) "," MAP(1500, 0, 1) "," MAP(1501, 1501, 99999) "]");
	is(read_podman(1500), 0, NULL);
	assert_string_equal(store.uid_map, "0 700000 1500\n1500 1500 1\n1501 701500 64036\n");
	assert_true(store.user_xattr);
	podman_tree(",\"uidmap\":[" MAP(-1, 0, 5) "," MAP(0, 4294967295, 9223372036854775807) "]");
	is(read_podman(1500), 0, NULL);
	assert_string_equal(store.uid_map, "0 1500 1\n1 700000 65536\n");
}

static void test_podman_stores(void **state)
{
	(void)state;
	podman_tree("");
	tree_puts(&tree, GRAPH "/overlay/top/lower", "l/MMMM:l/AAAA");
	overlay_layer(&tree, "mnt/shared/overlay", "shared", "AAAA", NULL);
	is(read_podman(0), -EBADMSG, "l/AAAA");
	tree_puts(&tree, "etc/containers/storage.conf",
		  "[storage]\n[storage.options]\nadditionalimagestores = [\n# "
		  "\"/no\",\n\"/mnt/shared\",\n]\n");
	is(read_podman(0), 0, NULL);
	assert_string_equal(store.layers[2].path, "/mnt/shared/overlay/shared/diff");
	/* an absolute one is only what the configuration lists */
	tree_puts(&tree, GRAPH "/overlay/top/lower", "l/MMMM:/mnt/shared/overlay/l/AAAA");
	is(read_podman(0), 0, NULL);
	tree_puts(&tree, GRAPH "/overlay/top/lower", "l/MMMM:/mnt/other/overlay/l/AAAA");
	is(read_podman(0), -EBADMSG, "leads out");
	/* what a layer was before its owners were changed */
	podman_tree("");
	tree_puts(&tree, GRAPH "/overlay/mid/diff1/f", "x");
	is(read_podman(0), 0, NULL);
	assert_int_equal(store.n_layers, 4);
	assert_string_equal(store.layers[2].path, "/" GRAPH "/overlay/mid/diff1");
}

static void test_podman_damage(void **state)
{
	static const char *const lists[] = {"", "[", "{}", "[{\"id\":\"" PODMAN_ID "\"", "7"};

	(void)state;
	podman_tree("");
	tree_puts(&tree, USERDATA "/config.json", "{\"process\":");
	is(read_podman(0), -EBADMSG, "userdata/config.json is damaged");
	tree_puts(&tree, USERDATA "/config.json", "{}");
	is(read_podman(0), 0, NULL);
	tree_mkdir(&tree, GRAPH "/overlay/top/composefs-data");
	is(read_podman(0), -ENOTSUP, "composefs");
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		tree_puts(&tree, GRAPH "/overlay-containers/containers.json", "%s", lists[i]);
		is(read_podman(0), str_eq(lists[i], "{}") ? -ENOENT : -EBADMSG, NULL);
	}
	tree_puts(&tree, GRAPH "/overlay-containers/containers.json",
		  "[{\"id\":\"" PODMAN_ID "\",\"layer\":\"../../etc\"}]");
	is(read_podman(0), -EBADMSG, "cannot be a layer's name");
	tree_puts(&tree, GRAPH "/overlay-containers/containers.json",
		  "[{\"id\":\"" PODMAN_ID "\",\"layer\":\"nowhere\"}]");
	is(read_podman(0), -EBADMSG, "nowhere");
	tree_puts(&tree, GRAPH "/overlay-containers/containers.json", "[]");
	is(read_podman(0), -ENOENT, "was removed");
	is(reads("podman", PODMAN_ID, NULL, "/" GRAPH "/zfs-containers/" PODMAN_ID "/userdata", 0),
	   -ENOTSUP, "'zfs'");
}

static void test_podman_vfs(void **state)
{
	(void)state;
	tree_puts(&tree, GRAPH "/vfs-containers/volatile-containers.json",
		  "[{\"id\":\"" PODMAN_ID "\",\"layer\":\"top\"}]");
	tree_puts(&tree, GRAPH "/vfs/dir/top/f", "x");
	is(reads("crio", PODMAN_ID, NULL, "/" GRAPH "/vfs-containers/" PODMAN_ID "/userdata", 0), 0,
	   NULL);
	assert_string_equal(store.kind, "crio vfs");
	assert_string_equal(store.layers[0].path, "/" GRAPH "/vfs/dir/top");
}

/* ---- containerd ---- */

static int read_ctd(void)
{
	return reads("containerd", "c1", "/" CTD "metadata.v1.bolt/meta.db", NULL, 0);
}

static void ctd_tree(const char *snapshotter, const char *parent)
{
	static const char json[] = "{\"process\":{\"args\":[\"/app\"]},\"linux\":{\"uidMappings\":"
				   "[{\"containerID\":0,\"hostID\":9,\"size\":5}]}}";
	/* a protobuf Any: its type (1) is "t", its value (2) the JSON */
	_cleanup_free_ char *any = str_fmt("\n\001t\022%c%s", (int)sizeof(json) - 1, json);
	const char *const meta[][2] = {
		{"v1|default|containers|c1|snapshotKey", "k1"},
		{"v1|default|containers|c1|snapshotter", snapshotter},
		{"v1|default|containers|c1|spec", any},
		{"v1|default|snapshots|overlayfs|k1|name", "default/2/k1"},
		{NULL, NULL},
	};
	const char *const snap[][2] = {
		{"v1|snapshots|base|id", "\001"},
		{"v1|snapshots|base|parent", parent},
		{"v1|snapshots|default/2/k1|id", "\002"},
		{"v1|snapshots|default/2/k1|parent", "base"},
		{NULL, NULL},
	};

	bolt_put(&tree, CTD "metadata.v1.bolt/meta.db", meta);
	bolt_put(&tree, CTD "snapshotter.v1.overlayfs/metadata.db", snap);
	tree_puts(&tree, CTD "snapshotter.v1.overlayfs/snapshots/1/fs/f", "x");
	tree_puts(&tree, CTD "snapshotter.v1.overlayfs/snapshots/2/fs/f", "x");
}

static void test_containerd(void **state)
{
	(void)state;
	ctd_tree("overlayfs", "");
	is(read_ctd(), 0, NULL);
	assert_string_equal(store.kind, "containerd overlayfs");
	assert_int_equal(store.n_layers, 2);
	assert_string_equal(store.layers[1].path,
			    "/" CTD "snapshotter.v1.overlayfs/snapshots/1/fs");
	assert_string_equal(store.config.cmd.v[0], "/app");
	assert_string_equal(store.uid_map, "0 9 5\n");
	/* in circles, and to what is not there */
	ctd_tree("overlayfs", "default/2/k1");
	is(read_ctd(), -EBADMSG, "more than 500");
	ctd_tree("overlayfs", "nobody");
	is(read_ctd(), -EBADMSG, "'nobody'");
	ctd_tree("stargz", "");
	is(read_ctd(), -ENOTSUP, "'stargz'");
}

static void test_containerd_damage(void **state)
{
	_cleanup_free_ char *fs =
		str_fmt("%s/root/" CTD "snapshotter.v1.overlayfs/snapshots/1/fs/f", tree.dir);

	(void)state;
	ctd_tree("overlayfs", "");
	assert_int_equal(unlink(fs), 0);
	fs[strlen(fs) - 2] = '\0';
	assert_int_equal(rmdir(fs), 0);
	is(read_ctd(), -EBADMSG, "snapshots/1/fs");
	tree_puts(&tree, CTD "snapshotter.v1.overlayfs/metadata.db", "rubbish");
	is(read_ctd(), -EBADMSG, "no database");
	bolt_put(&tree, CTD "metadata.v1.bolt/meta.db",
		 (const char *const[][2]){{"v1|default|containers|c1|spec", "\022\177{"},
					  {NULL, NULL}});
	is(read_ctd(), -EBADMSG, "no spec");
	bolt_put(&tree, CTD "metadata.v1.bolt/meta.db",
		 (const char *const[][2]){{"v1|default|containers|c2|spec", "x"}, {NULL, NULL}});
	is(read_ctd(), -ENOENT, "was removed");
}

/* ---- directories ---- */

static void test_bundle(void **state)
{
	(void)state;
	tree_puts(&tree, "b/config.json",
		  "{\"root\":{\"path\":\"rootfs\"},\"mounts\":[{\"destination\":\"/m\","
		  "\"source\":\"data\",\"options\":[\"bind\"]}]}");
	is(reads("runc", "x", NULL, "/b", 0), -ENOENT, "/b/rootfs");
	tree_puts(&tree, "b/rootfs/f", "x");
	tree_puts(&tree, "b/data/f", "x");
	is(reads("runc", "x", NULL, "/b", 0), 0, NULL);
	assert_string_equal(store.layers[0].path, "/b/rootfs");
	assert_string_equal(at("/m")->source, "/b/data");
	assert_false(at("/m")->missing);
	tree_puts(&tree, "b/config.json", "{}");
	is(reads("crun", "x", NULL, "/b", 0), -EBADMSG, "root.path");
	is(reads("crun", "x", NULL, NULL, 0), -ENOENT, "bundle");
}

static int read_lxc(const char *config)
{
	tree_puts(&tree, LXC "/config", "%s", config);
	return reads("lxc", NULL, "/" LXC, NULL, 0);
}

static void test_lxc(void **state)
{
	const struct store_config *c = &store.config;

	(void)state;
	tree_puts(&tree, LXC "/rootfs/f", "x");
	tree_puts(&tree, LXC "/delta/f", "x");
	tree_puts(&tree, "srv/a b/f", "x");
	tree_puts(&tree, "inc/1.conf", "lxc.environment = I=1\nlxc.include = /inc\n");
	is(read_lxc("# x\n lxc.rootfs.path = dir:/" LXC "/rootfs \nlxc.uts.name=box\n"
		    "lxc.idmap = u 0 100000 10\nlxc.idmap = b 10 5 1\nlxc.cap.drop = kill chown\n"
		    "lxc.rootfs.options = noatime,ro\nlxc.init.cmd = /init -x\nlxc.include = /inc\n"
		    "lxc.mount.entry = /srv/a\\040b x/y none bind,ro 0 0\n"
		    "lxc.mount.entry = /no opt none bind,optional 0 0\n"
		    "lxc.mount.entry = proc proc proc nodev 0 0\n"
		    "lxc.cgroup2.memory.max = 1M\nlxc.cgroup2.cpu.max = 50000 100000\nrubbish\n"),
	   0, NULL);
	assert_string_equal(store.layers[0].path, "/" LXC "/rootfs");
	assert_string_equal(store.uid_map, "0 100000 10\n10 5 1\n");
	assert_string_equal(store.gid_map, "10 5 1\n");
	assert_true(c->caps == (caps_all() & ~(CAPS_BIT(5) | CAPS_BIT(0))));
	assert_true(c->root_ro && c->memory == 1 << 20 && c->cpus == 0.5);
	assert_string_equal(c->cmd.v[1], "-x");
	assert_int_equal(store.n_mounts, 1);
	assert_true(at("/x/y")->ro && !at("/x/y")->missing);
	assert_string_equal(c->env.v[0], "I=1");
	/* files that include themselves come to an end */
	assert_true(c->env.n < 100);
	is(read_lxc("lxc.rootfs.path = overlay:/" LXC "/rootfs:/" LXC
		    "/delta\nlxc.cap.keep = kill\n"),
	   0, NULL);
	assert_string_equal(store.layers[0].path, "/" LXC "/delta");
	assert_string_equal(store.layers[1].path, "/" LXC "/rootfs");
	assert_true(c->caps == CAPS_BIT(5));
	assert_string_equal(c->cmd.v[0], "/sbin/init");
}

static void test_lxc_damage(void **state)
{
	(void)state;
	is(read_lxc(""), -EBADMSG, "no lxc.rootfs.path");
	is(read_lxc("lxc.rootfs.path = zfs:pool/x\n"), -ENOTSUP, "'zfs'");
	is(read_lxc("lxc.rootfs.path = overlay:/x\n"), -EBADMSG, "two directories");
	is(read_lxc("lxc.rootfs.path = /no/where\n"), -EBADMSG, "/no/where");
	tree_puts(&tree, "a/file", "x");
	is(read_lxc("lxc.rootfs.path = /a/file\n"), -EBADMSG, "no directory");
	is(reads("incus", NULL, NULL, NULL, 0), -ENOENT, "was removed");
	tree_puts(&tree, "var/lib/incus/containers/web/backup.yaml",
		  "x:\n  volatile.last_state.idmap: "
		  "'[{\"Isuid\":true,\"Isgid\":false,\"Hostid\":1000000,"
		  "\"Nsid\":0,\"Maprange\":7},{\"Isuid\":false,\"Isgid\":true,\"Hostid\":5,"
		  "\"Nsid\":0,"
		  "\"Maprange\":9}]'\n");
	is(reads("incus", NULL, NULL, NULL, 0), -ENOTSUP, "storage pool");
	tree_puts(&tree, "var/lib/incus/containers/web/rootfs/f", "x");
	is(reads("incus", NULL, NULL, NULL, 0), 0, NULL);
	assert_string_equal(store.uid_map, "0 1000000 7\n");
	assert_string_equal(store.gid_map, "0 5 9\n");
}

static void test_nspawn(void **state)
{
	struct target t = TARGET_INIT;

	(void)state;
	tree_puts(&tree, "var/lib/machines/m1/etc/os-release", "x");
	tree_puts(&tree, "var/lib/machines/m2.raw", "x");
	tree_puts(&tree, "var/lib/machines/leftover/x", "x");
	tree_puts(&tree, "etc/systemd/nspawn/m1.nspawn",
		  "[Exec]\nBoot=no\nParameters=/bin/x y\nUser = app\n[Files]\nReadOnly=yes\n"
		  "Bind=/etc:/e:idmap\nBind=-/no:/n\nBindReadOnly=/no\nTemporaryFileSystem=/"
		  "t:mode=1\n[X]\nBind=/z\n");
	is(target_resolve(&tree.roots, "m1", &t, &e), 0, NULL);
	assert_int_equal(t.state, TARGET_EXITED);
	is(store_of_target(&tree.roots, &t, &store, &e), 0, NULL);
	assert_string_equal(store.layers[0].path, "/var/lib/machines/m1");
	assert_string_equal(store.config.cmd.v[1], "y");
	assert_string_equal(store.config.user, "app");
	assert_true(store.config.root_ro);
	assert_int_equal(store.n_mounts, 3);
	assert_true(at("/e")->ids_inside && at("/t")->tmpfs && at("/no")->missing && at("/no")->ro);
	target_done(&t);
	is(target_resolve(&tree.roots, "m2", &t, &e), 0, NULL);
	is(store_of_target(&tree.roots, &t, &store, &e), -ENOTSUP, "disk image");
	target_done(&t);
	assert_int_equal(target_resolve(&tree.roots, "leftover", &t, &e), -ENOENT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_podman),	  TEST(test_podman_never_started), TEST(test_podman_maps),
		TEST(test_podman_stores), TEST(test_podman_damage),	   TEST(test_podman_vfs),
		TEST(test_containerd),	  TEST(test_containerd_damage),	   TEST(test_bundle),
		TEST(test_lxc),		  TEST(test_lxc_damage),	   TEST(test_nspawn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
