#!/usr/bin/env bats
# The test library itself: each engine really starts a container, and leaves nothing.
load ../lib/porthole

# started ENGINE: its target runs /app in namespaces of its own, and stops when told.
started() {
	local name pid
	require "$1"
	name=$(uniq_name web)
	pid=$(target_start "$1" "$name")
	[[ $(tr '\0' '\n' <"/proc/$pid/cmdline" | head -n 1) == /app ]]
	[[ $(readlink "/proc/$pid/ns/mnt") != "$(readlink /proc/self/ns/mnt)" ]]
	[[ $(readlink "/proc/$pid/ns/pid") != "$(readlink /proc/self/ns/pid)" ]]
	[[ -e /proc/$pid/root/app && ! -e /proc/$pid/root/etc/shadow ]]
	[[ $(target_pid "$1" "$name") == "$pid" ]]
	target_stop "$1" "$name"
	pid_gone "$pid"
}

@test "plain: a container without an engine" { started plain; }
@test "unshare(1)" { started unshare; }
@test "bubblewrap" { started bwrap; }
@test "docker" { started docker; }
@test "docker with userns-remap" { started docker-userns; }
@test "docker at its default paths" { started docker-default; }
@test "podman, rootful" { started podman; }
@test "podman, rootless" { started podman-rootless; }
@test "podman at its default paths" { started podman-default; }
@test "containerd" { started containerd; }
@test "CRI" { started cri; }
@test "runc" { started runc; }
@test "crun" { started crun; }
@test "LXC" { started lxc; }
@test "systemd-nspawn" { started nspawn; }
@test "systemd-nspawn, registered with machined" {
	require machined
	local name
	name=$(uniq_name web)
	target_start machined "$name"
	grep -q "^LEADER=$(target_pid machined "$name")$" "/run/systemd/machines/$name"
	target_stop machined "$name"
	wait_until 5 test ! -e "/run/systemd/machines/$name"
}

@test "an engine's state is in private directories, and a container that ended shows its code" {
	require docker docker-default
	odd_start exited
	[[ $(engine_cli docker inspect -f '{{.State.ExitCode}}' "$ODD_NAME") == 3 ]]
	[[ ! -e /var/lib/docker/containers/$(target_id docker "$ODD_NAME") ]]
	odd_stop
	odd_start ro
	local name
	name=$(uniq_name web)
	target_start docker-default "$name"
	in_engine docker-default test -e "/var/lib/docker/containers/$(target_id docker-default "$name")"
	[[ ! -e /var/lib/docker/containers/$(target_id docker-default "$name") ]]
	target_stop docker-default "$name"
	odd_stop
}

@test "a stopped engine leaves no process, mount or file" {
	require docker
	local d=$PT_RUN/e/docker@gone pid
	pid=$(target_start docker@gone web)
	pid_alive "$pid"
	[[ -n $(pids_using "$d") ]]
	grep -q "$d" /proc/self/mountinfo
	engine_stop docker@gone
	[[ -z $(pids_using "$d") ]]
	refute grep -q "$d" /proc/self/mountinfo
	[[ ! -e $d ]]
}

@test "an engine whose daemons were killed is cleaned up all the same" {
	require docker
	local d=$PT_RUN/e/docker@dead pid
	pid=$(target_start docker@dead web)
	kill -KILL "$(engine_pid docker@dead dockerd)" "$(engine_pid docker@dead containerd)"
	wait_until 5 pid_gone "$(engine_pid docker@dead dockerd)"
	pid_alive "$pid"
	engine_stop docker@dead
	pid_gone "$pid"
	[[ -z $(pids_using "$d") ]]
	[[ ! -e $d ]]
}

@test "every odd container starts" {
	local k
	require docker
	for k in ro user nocaps passwd-fifo passwd-dev passwd-big passwd-host no-dev dev-link dev-ro no-proc \
		bare hostile-name hostile-env huge-env frozen pids-limit memory-limit host-pid shared-net \
		shared-pid userns exited zombie zombie-leader attacker; do
		odd_start "$k" || die "$k: not started" || return 1
		[[ $ODD_PID == 0 || -e /proc/$ODD_PID ]] || die "$k: no process" || return 1
		odd_stop
	done
	refute odd_start no-such-kind
}

@test "residue: sees a file, a process and a mount, and nothing where there is none" {
	local pid d=$BATS_TEST_TMPDIR/before
	pid=$(target_start plain "$(uniq_name web)" --rw)
	residue_snapshot "$d" "$pid"
	residue_assert_same "$d"
	touch "/proc/$pid/root/left"
	refute residue_assert_same "$d"
	rm "/proc/$pid/root/left"
	residue_snapshot "$d" "$pid"
	nsenter -t "$pid" -n sleep 60 3>&- &
	wait_until 1 _has_sharers "$pid" 2
	refute residue_assert_same "$d"
	kill $!
	wait_until 1 _has_sharers "$pid" 1
	nsenter -t "$pid" -m --no-fork --root=/ -- /bin/sh -c : 2>/dev/null || true
	residue_assert_same "$d"
	nsenter -t "$pid" --net --uts true
	residue_assert_same "$d"
}

@test "require: a skip where the feature may be missing, a failure where it must exist" {
	PT_PROGRAMS[nonsense]=no-such-program
	PORTHOLE_MUST=docker run require nonsense
	[[ $output != *"must work here"* ]]
	PORTHOLE_MUST=docker,nonsense run require nonsense
	[[ $status == 1 && $output == *"nonsense must work here"* ]]
	PORTHOLE_MUST=all run require nonsense
	[[ $status == 1 && $output == *"no-such-program"* ]]
}

@test "images: each suite's shell runs, musl's program too" {
	local i
	for i in bookworm bullseye sid; do
		run chroot "$(image_root $i)" /bin/bash -c 'echo $BASH_VERSION'
		[[ $status == 0 && $output == [5]* ]] || return 1
	done
	run chroot "$(image_root musl)" /bin/hello
	[[ $output == "hello from musl" ]]
	[[ $(find "$(image_root scratch)" -type f) == */app ]]
}
