/* The host that tests look at: captured state files, and the processes they speak of. */
#include "target_tree.h"

#include <stdio.h>

#define CTR(p, pp, c, s, ...)                                                                      \
	&(struct tree_proc)                                                                        \
	{                                                                                          \
		.pid = p, .ppid = pp, .comm = c, .start = s, .pid_ns = 2000 + p,                   \
		.mnt_ns = 3000 + p, __VA_ARGS__                                                    \
	}
#define HOST(p, pp, c, ...)                                                                        \
	&(struct tree_proc)                                                                        \
	{                                                                                          \
		.pid = p, .ppid = pp, .comm = c, __VA_ARGS__                                       \
	}

#define SHIM "/usr/bin/containerd-shim-runc-v2|-namespace|%s|-id|%s|-address|/run/x.sock"

static void docker(struct tree *t)
{
	char args[256];

	tree_copy(t, "var/lib/docker/containers/" ID_WEB "/config.v2.json", "docker/web.json",
		  NULL);
	tree_copy(t, "run/docker/runtime-runc/moby/" ID_WEB "/state.json", "docker/state.json",
		  NULL);
	tree_copy(t,
		  "var/lib/docker/containers/"
		  "3d55e2a2c82e91b048ff4ea6ef25bee720bd32e79dd9da24df058ee5b31fa7e0/config.v2.json",
		  "docker/done.json", NULL);
	snprintf(args, sizeof(args), SHIM, "moby", ID_WEB);
	tree_add(t, HOST(16250, 1, "containerd-shim", .args = args));
	tree_add(t, CTR(16276, 16250, "sleep", 199768, .nspid = "16276\t1",
			.cgroup = "8:pids:/docker/" ID_WEB "\n0::/docker/" ID_WEB "\n"));

	/* a second daemon, whose directories nobody knows: only its shim leads there */
	tree_copy(t, "srv/data/containers/" ID_CUSTOM "/config.v2.json", "docker/web.json",
		  "\"Name\":\"/web\"", "\"Name\":\"/custom\"", "16276", "5001", ID_WEB, ID_CUSTOM,
		  NULL);
	tree_copy(t, "srv/exec/moby/" ID_CUSTOM "/config.json", "docker/bundle.json",
		  "/var/lib/docker/containers/" ID_WEB, "/srv/data/containers/" ID_CUSTOM, NULL);
	snprintf(args, sizeof(args), SHIM, "moby-100000.100000", ID_CUSTOM); /* --userns-remap */
	tree_add(t, HOST(5000, 1, "containerd-shim", .args = args));
	tree_link(t, "proc/5000/cwd", "../../srv/exec/moby/" ID_CUSTOM);
	tree_link(t, "proc/5000/root", "../..");
	tree_add(t, CTR(5001, 5000, "app", 50, .nspid = "5001\t1",
			.cgroup = "0::/elsewhere/" ID_CUSTOM "\n"));

	/* docker in docker: its pids are those of another pid namespace */
	tree_copy(t, "nested/var/lib/docker/containers/" ID_NESTED "/config.v2.json",
		  "docker/web.json", "\"Name\":\"/web\"", "\"Name\":\"/inner\"", ID_WEB, ID_NESTED,
		  NULL);
	tree_copy(t, "nested/bundle/config.json", "docker/bundle.json",
		  "/var/lib/docker/containers/" ID_WEB, "/var/lib/docker/containers/" ID_NESTED,
		  NULL);
	snprintf(args, sizeof(args), SHIM, "moby", ID_NESTED);
	tree_add(t, CTR(5100, 16276, "containerd-shim", 1, .args = args, .nspid = "5100\t77"));
	tree_link(t, "proc/5100/cwd", "../../nested/bundle");
	tree_link(t, "proc/5100/root", "../../nested");
	tree_add(t, CTR(5101, 5100, "nested-app", 7, .nspid = "5101\t16276\t1"));
}

static void podman(struct tree *t)
{
	static const char dir[] = "var/lib/containers/storage/overlay-containers";
	static const char run[] = "run/containers/storage/overlay-containers";
	char path[300];

#define AT(d, id, name) (snprintf(path, sizeof(path), "%s/" id "/userdata/" name, d), path)
#define PWEB		"eeb1dbac872321dce26999bcd7a63817c06ea4c49782056c1a1854d0a1e5d296"
#define PDONE		"d82d75a07ddebec4be5439ca4007e7208c49c8323bc71b0e47ecb25f52128851"
#define INFRA		"2179ef827e2c48b505b5112952f69d07bd8309a6c5f8cbb52badce0cb3dd24c5"
#define PINPOD		"6b1d77c33743b9c08c8910a431f868032c9726120812e286d92cf991d30f2582"
	snprintf(path, sizeof(path), "%s/containers.json", dir);
	tree_copy(t, path, "podman/containers.json", NULL);
	tree_copy(t, "var/lib/containers/storage/libpod/bolt_state.db", "podman/bolt_state.db",
		  NULL);
	tree_puts(t, AT(run, PWEB, "pidfile"), "13744");
	tree_puts(t, AT(dir, PWEB, "config.json"), "{}");
	tree_puts(t, AT(run, PDONE, "pidfile"), "13790"); /* stays behind */
	tree_puts(t, AT(dir, PDONE, "config.json"), "{}");
	tree_puts(t, AT(run, INFRA, "pidfile"), "13836\n");
	tree_copy(t, AT(dir, INFRA, "config.json"), "podman/infra.json", NULL);
	tree_puts(t, AT(run, PINPOD, "pidfile"), "13859");
	tree_copy(t, AT(dir, PINPOD, "config.json"), "podman/pinpod.json", NULL);
#undef AT
	tree_add(t, HOST(13730, 1, "conmon", .args = "conmon|-c|" PWEB "|-n|pweb"));
	tree_add(t, CTR(13744, 13730, "sleep", 271003, .nspid = "13744\t1"));
	tree_add(t, CTR(13836, 1, "sleep", 5, .nspid = "13836\t1",
			.cgroup = "0::/libpod_parent/x/libpod-" INFRA "\n"));
	tree_add(t, CTR(13859, 1, "sleep", 6, .nspid = "13859\t1",
			.cgroup = "0::/libpod_parent/x/libpod-" PINPOD "\n"));
	/* the number of the ended container is a stranger's now */
	tree_add(t, HOST(13790, 1, "cron", .start = 9));
}

/* A user's own, in his home. */
static void rootless(struct tree *t)
{
	static const char json[] =
		"[{\"id\":\"aaaa\",\"names\":[\"mine\"],\"image\":\"x\",\"metadata\":"
		"\"{\\\"image-name\\\":\\\"docker.io/library/alpine:3\\\"}\"}]";

	tree_puts(t, "etc/passwd",
		  "root:x:0:0:root:/root:/bin/sh\nann:x:1001:1001::/home/ann:/bin/sh\n");
	tree_puts(t, "home/ann/.local/share/containers/storage/vfs-containers/containers.json",
		  "%s", json);
	tree_puts(t, "run/user/1001/containers/vfs-containers/aaaa/userdata/pidfile", "6001\n");
	tree_add(t, HOST(6000, 1, "conmon", .uid = 1001, .args = "conmon|-c|aaaa|-n|mine"));
	tree_add(t, CTR(6001, 6000, "sh", 60, .nspid = "6001\t1", .uid = 1001, .user_ns = 1999));
}

/* OpenShift's: CRI-O's entries are in the same kind of file. */
static void crio(struct tree *t)
{
	static const char json[] = "[{\"id\":\"c1c1\",\"names\":[\"k8s_app_front_prod_uid-1_0\","
				   "\"k8s_app\"],\"metadata\":"
				   "\"{\\\"pod-name\\\":\\\"k8s_POD_front_prod_uid-1_0\\\","
				   "\\\"image-name\\\":\\\"quay.io/front:2\\\"}\"},"
				   "{\"id\":\"c2c2\",\"names\":[\"k8s_POD_front_prod_uid-1_0\"]},"
				   "{\"id\":\"c3c3\",\"names\":[\"k8s_job_front_prod_uid-1_0\"]}]";
	tree_puts(t, "var/lib/containers/storage/overlay-containers/volatile-containers.json", "%s",
		  json);
	tree_puts(t, "run/containers/storage/overlay-containers/c1c1/userdata/pidfile", "6101");
	tree_puts(t, "run/containers/storage/overlay-containers/c2c2/userdata/pidfile", "6102");
	tree_puts(t, "var/lib/containers/storage/overlay-containers/c3c3/userdata/config.json",
		  "{}");
	tree_puts(t, "var/lib/containers/storage/overlay-containers/c3c3/userdata/state.json",
		  "{\"exitCode\":7,\"finished\":\"2026-11-22T01:00:00.5Z\"}");
	tree_add(t, CTR(6101, 1, "front", 61, .nspid = "6101\t1",
			.cgroup = "0::/kubepods.slice/crio-c1c1.scope/container/c1c1\n"));
	tree_add(t, CTR(6102, 1, "pause", 62, .nspid = "6102\t1", .cgroup = "0::/x/c2c2\n"));
}

static void containerd(struct tree *t)
{
#define TASK "run/containerd/io.containerd.runtime.v2.task/"
#define CRI  "6fe0d810f23737969eae557f318a483eb735e107647ebd152242de06e026932d"
#define CSB  "f16bd62184d7276861c6b0c926329ab985800ffb56d603400b42666608e46e1f"
	tree_copy(t, TASK "default/cweb/config.json", "containerd/cweb.json", NULL);
	tree_puts(t, TASK "default/cweb/init.pid", "27989");
	tree_puts(t, "run/containerd/runc/default/cweb/state.json",
		  "{\"id\":\"cweb\",\"init_process_pid\":27989,\"init_process_start\":299018,");
	tree_add(t, CTR(27989, 1, "sleep", 299018, .nspid = "27989\t1",
			.cgroup = "8:pids:/default/cweb\n"));
	tree_copy(t, "var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db",
		  "containerd/meta.db", NULL);

	tree_puts(t, TASK "work/n1/config.json",
		  "{\"annotations\":{\"nerdctl/name\":\"nerd\",\"nerdctl/namespace\":\"work\"}}");
	tree_puts(t, TASK "work/n1/init.pid", "6201");
	tree_add(t, CTR(6201, 1, "app", 5, .nspid = "6201\t1", .cgroup = "0::/work/n1\n"));

	tree_copy(t, TASK "k8s.io/" CRI "/config.json", "containerd/cri.json", NULL);
	tree_puts(t, TASK "k8s.io/" CRI "/init.pid", "4813");
	tree_copy(t, TASK "k8s.io/" CSB "/config.json", "containerd/cri-sandbox.json", NULL);
	tree_puts(t, TASK "k8s.io/" CSB "/init.pid", "4761");
	tree_add(t, CTR(4813, 1, "app", 5, .nspid = "4813\t1",
			.cgroup = "8:pids:/kubepods/besteffort/pod3a3b/" CRI "\n"));
	tree_add(t, CTR(4761, 1, "pause", 5, .nspid = "4761\t1",
			.cgroup = "8:pids:/kubepods/besteffort/pod3a3b/" CSB "\n"));
}

static void oci(struct tree *t)
{
	tree_copy(t, "run/runc/tg-runc/state.json", "runc/state.json", NULL);
	tree_add(t, CTR(28057, 1, "sleep", 378935, .nspid = "28057\t1"));
	tree_copy(t, "run/runc/fresh/state.json", "runc/state.json", "28057", "28071", NULL);
	tree_puts(t, "run/runc/fresh/exec.fifo", "%s", "");
	tree_add(t, CTR(28071, 1, "runc:[2:INIT]", 378935, .nspid = "28071\t1"));
	tree_copy(t, "run/crun/tg-crun/status", "crun/status", NULL);
	tree_add(t, CTR(28081, 1, "sleep", 378944, .nspid = "28081\t1"));
	/* left by a crash: the number is another process's, with another start */
	tree_copy(t, "run/crun/stale/status", "crun/status", "378944", "1234", NULL);
}

static void system_containers(struct tree *t)
{
	tree_puts(t, "var/lib/lxc/box/config", "lxc.uts.name = box\n");
	tree_puts(t, "var/lib/lxc/off/config", "lxc.uts.name = off\n");
	tree_puts(t, "sys/fs/cgroup/lxc.payload.box/cgroup.procs", "6310\n6301\n");
	tree_add(t, HOST(6300, 1, "lxc-start", .args = "[lxc monitor] /var/lib/lxc box"));
	tree_add(t, CTR(6301, 6300, "init", 63, .nspid = "6301\t1",
			.cgroup = "0::/lxc.payload.box\n"));
	tree_add(t, &(struct tree_proc){.pid = 6310,
					.ppid = 6301,
					.comm = "sshd",
					.start = 64,
					.nspid = "6310\t9",
					.pid_ns = 2000 + 6301,
					.mnt_ns = 3000 + 6301,
					.cgroup = "0::/lxc.payload.box\n"});
	tree_puts(t, "var/lib/incus/containers/prod_db/backup.yaml",
		  "container:\n  config:\n    image.description: 'Debian \"trixie\" amd64'\n"
		  "  created_at: 2026-11-22T17:57:58.9Z\n");
	tree_add(t, HOST(6320, 1, "incusd",
			 .args = "[lxc monitor] /var/lib/incus/containers prod_db"));
	tree_add(t, CTR(6321, 6320, "systemd", 65, .nspid = "6321\t1"));

	tree_copy(t, "run/systemd/machines/mach-ine", "nspawn/machine", "machine-m1",
		  "machine-mach\\\\x2dine", "NAME=m1", "NAME=mach-ine", NULL);
	tree_link(t, "run/systemd/machines/unit:machine-x.scope", "mach-ine");
	tree_add(t,
		 CTR(4938, 6330, "app", 66, .nspid = "4938\t1",
		     .cgroup =
			     "1:name=systemd:/machine.slice/machine-mach\\x2dine.scope/payload\n"));
	tree_add(t, HOST(6340, 1, "systemd-nspawn",
			 .args = "systemd-nspawn|-q|--register=no|-D|/srv/trees/deb12|/init"));
	tree_add(t, CTR(6341, 6340, "init", 67, .nspid = "6341\t1"));
}

static void sandboxes(struct tree *t)
{
	tree_add(t, HOST(6400, 1, "bwrap", .args = "bwrap|--unshare-all|--hostname|jail|sh"));
	tree_add(t, CTR(6401, 6400, "bwrap", 70, .nspid = "6401\t1"));
	tree_add(t, &(struct tree_proc){.pid = 6402,
					.ppid = 6401,
					.comm = "sh",
					.start = 71,
					.nspid = "6402\t2",
					.pid_ns = 2000 + 6401,
					.mnt_ns = 3000 + 6401});
	tree_puts(t, "run/user/1001/.flatpak/77/info",
		  "[Application]\nname=org.example.App\n\n[Instance]\nname=no\n");
	tree_puts(t, "run/user/1001/.flatpak/77/bwrapinfo.json", "{\n \"child-pid\": 6501\n}\n");
	tree_puts(t, "run/user/1001/.flatpak/77/pid", "6500");
	tree_add(t, HOST(6500, 1, "bwrap", .uid = 1001, .args = "bwrap|--args|9"));
	tree_add(t, CTR(6501, 6500, "bwrap", 72, .nspid = "6501\t1", .uid = 1001));
	/* unshare --fork: itself outside of the pid namespace that it made */
	tree_add(t, &(struct tree_proc){.pid = 6600,
					.ppid = 1,
					.comm = "unshare",
					.start = 80,
					.mnt_ns = 3999,
					.net_ns = 3998});
	tree_add(t, CTR(6601, 6600, "plain-app", 81, .nspid = "6601\t1", .net_ns = 3998));
	/* a service of systemd's with its own mounts and network */
	tree_add(t, &(struct tree_proc){.pid = 6700,
					.ppid = 1,
					.comm = "served",
					.start = 82,
					.mnt_ns = 3997,
					.net_ns = 3996,
					.cgroup = "0::/system.slice/served.service\n"});
}

void tree_fill(struct tree *t)
{
	docker(t);
	podman(t);
	rootless(t);
	crio(t);
	containerd(t);
	oci(t);
	system_containers(t);
	sandboxes(t);
}
