#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets stderr
# porthole exec into a really running container of every engine: the kit's tools there, the target's files
# and namespaces, and nothing left.
load ../lib/porthole

# x ARG...: porthole exec ARG..., never for long.
x() {
	timeout -k 2 30 "$PORTHOLE" exec "$@"
}

# ns PID WHAT: inode of a namespace, seen from here.
ns() {
	readlink "/proc/$1/ns/$2"
}

# entered KIND: go in by name, with tools the target does not have.
entered() {
	require "$1" kit
	local name pid n before=$BATS_TEST_TMPDIR/before out
	name=$(uniq_name in)
	pid=$(target_start "$1" "$name")
	residue_snapshot "$before" "$pid"
	# programs of the kit, linked dynamically, which no image here has
	out=$(x "$name" bash -c 'echo "$BASH_VERSION"; jq -n 1+1; gdb -batch -ex "python print(6*7)"')
	[[ $out == 5.*$'\n2\n42' ]] || die "$1: $out"
	# the target's namespaces, all of them
	for n in mnt pid net ipc uts cgroup user; do
		[[ $n == mnt ]] && continue # the session's own, a copy
		[[ $(x "$name" readlink "/proc/self/ns/$n") == "$(ns "$pid" "$n")" ]] || die "$1: not its $n namespace"
	done
	[[ $(x "$name" readlink /proc/self/ns/mnt) != "$(ns "$pid" mnt)" ]]
	[[ $(x "$name" readlink /proc/self/ns/mnt) != "$(ns self mnt)" ]]
	# its root is /, live, seen from both sides
	[[ $(x "$name" stat -c %d:%i /) == "$(stat -c %d:%i "/proc/$pid/root/")" ]]
	# the kit belongs to root there, also in a user namespace, and cannot be written
	[[ $(x "$name" stat -c %u:%g /dev/p/b/bash) == 0:0 ]] || die "$1: whose is the kit?"
	run ! x "$name" touch /dev/p/x
	[[ ! -e /proc/$pid/root/dev/p ]]
	# its first process can be looked at
	x "$name" strace -V >/dev/null
	[[ $(x "$name" ps -o pid= -p 1 | tr -d ' ') == 1 ]]
	run -7 x "$name" sh -c 'sleep 300 & exit 7'
	residue_assert_same "$before"
	# of the host's mounts others may make and remove some meanwhile
	run -0 --separate-stderr x --json --prove "$name" true
	unchanged "$stderr"
	target_stop "$1" "$name"
}

@test "docker" { entered docker; }
@test "docker at its default paths" {
	require docker-default kit
	local name pid
	name=$(uniq_name in)
	pid=$(target_start docker-default "$name")
	run -0 in_engine docker-default timeout 30 "$PORTHOLE" exec "$name" jq -n 1+1
	[[ $output == 2 ]]
	target_stop docker-default "$name"
}
@test "docker with userns-remap" { entered docker-userns; }
@test "podman" { entered podman; }
@test "podman, a user's own" { entered podman-rootless; }
@test "containerd" { entered containerd; }
@test "CRI" { entered cri; }
@test "runc" { entered runc; }
@test "crun" { entered crun; }
@test "LXC" { entered lxc; }
@test "systemd-nspawn" { entered nspawn; }
@test "systemd-nspawn, registered with machined" { entered machined; }
@test "bubblewrap" { entered bwrap; }
@test "no engine" { entered plain; }
