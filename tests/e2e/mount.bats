#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets stderr
# porthole mount and unmount: the kit in the container itself, and gone without a trace.
load ../lib/porthole

setup_file() {
	require kit
}

teardown() {
	[[ -z ${ODD_NAME:-} ]] || odd_stop
	[[ -z ${T_NAME:-} ]] || target_stop "$T_ENGINE" "$T_NAME"
	[[ -z ${MASTER:-} ]] || umount_below "$MASTER"
}

m() {
	timeout -k 2 30 "$PORTHOLE" mount "$@"
}

u() {
	timeout -k 2 30 "$PORTHOLE" unmount "$@"
}

# start ENGINE [ARG...]: sets T_ENGINE, T_NAME, T_PID, and takes a snapshot.
start() {
	T_ENGINE=$1
	T_NAME=$(uniq_name vis)
	T_PID=$(target_start "$1" "$T_NAME" "${@:2}")
	residue_snapshot "$BATS_TEST_TMPDIR/before" "$T_PID"
}

# kit_rows PID: the kits in its mount table.
kit_rows() {
	grep -c ' - [a-z]* porthole ' "/proc/$1/mountinfo"
}

# refused WORDS ARG...: porthole mount ends with 125 and a sentence, and the target is as before.
refused() {
	run -125 --separate-stderr m "${@:2}"
	[[ $stderr == "porthole: "*"$1"* && -z $output ]] || die "not '$1': $stderr$output"
	refute grep -qP '[\x00-\x09\x0b-\x1f\x7f]' <<<"$stderr"
}

# gone: unmounted, and all is as it was.
gone() {
	run -0 u "${1:-$T_NAME}"
	[[ $output == "The kit is gone from "* ]]
	[[ $(kit_rows "${2:-$T_PID}") == 0 ]]
	residue_assert_same "$BATS_TEST_TMPDIR/before"
}

# Programs of the kit as the container's own engine starts them: loader, terminfo, python, gdb.
TOOLS='export PATH=/dev/p/b; python3 -c "import ssl, curses; curses.setupterm(\"xterm\"); print(6 * 7)"
	gdb -batch -ex "python print(6 * 9)"; stat -c %u:%g /dev/p/b/bash; touch /dev/p/x 2>/dev/null || echo read-only'

# by_engine EXEC...: what is there before, during and after, by the engine's own exec.
by_engine() {
	refute "$@" /dev/p/b/bash -c true
	run -0 m "$T_NAME"
	[[ $output == "The kit is at /dev/p in '$T_NAME' now"* ]]
	run -0 "$@" /dev/p/b/bash -c "$TOOLS"
	[[ $output == $'42\n54\n0:0\nread-only' ]] || die "$output"
	grep -qE '^[0-9]+ [0-9]+ [0-9:]+ / /dev/p ro,nosuid,nodev(,[a-z]+)* - erofs porthole ro' "/proc/$T_PID/mountinfo"
	refute grep -q ' - erofs porthole ' /proc/self/mountinfo
	gone
	refute "$@" /dev/p/b/bash -c true
}

@test "an image cannot be mounted into or waited for: said as it is" {
	local verb
	for verb in mount unmount catch; do
		run -125 --separate-stderr timeout 10 "$PORTHOLE" "$verb" image://x
		[[ $stderr == "porthole: 'image://x' is an image: this takes a container that was made of one"$'\n'*"porthole exec image://x"* ]] || die "$stderr"
	done
}

@test "docker exec: from scratch, read-only, user 1000, no capabilities" {
	require docker
	start docker --read-only --user 1000 --cap-drop ALL --security-opt no-new-privileges
	by_engine engine_cli docker exec "$T_NAME"
}

@test "docker with userns-remap: the kit is its root's" {
	require docker-userns
	start docker-userns
	by_engine engine_cli docker-userns exec "$T_NAME"
}

@test "podman" {
	require podman
	start podman --read-only
	by_engine engine_cli podman exec "$T_NAME"
}

@test "podman, a user's own" {
	require podman-rootless
	start podman-rootless --cap-drop all
	by_engine engine_cli podman-rootless exec "$T_NAME"
}

@test "runc, crun" {
	local e
	require runc crun
	for e in runc crun; do
		start $e
		by_engine $e exec "$T_NAME"
		target_stop $e "$T_NAME"
	done
}

@test "LXC, nspawn, bwrap: every process there sees it" {
	local e
	require lxc nspawn bwrap
	for e in lxc nspawn bwrap; do
		start $e
		run -0 m "$T_PID"
		[[ $(x --kit none "$T_PID" /dev/p/b/jq -n 1+1) == 2 ]] || die "$e"
		gone "$T_PID" "$T_PID"
		target_stop $e "$T_NAME"
	done
}

@test "twice is once; gone twice is gone; and it is listed" {
	start plain
	run -0 m --list
	[[ $output != *"$T_PID"* ]]
	run -0 m "$T_PID"
	run -0 m "$T_PID"
	[[ $output == "The kit is at /dev/p in '$T_NAME' already." && $(kit_rows "$T_PID") == 1 ]]
	run -0 m --list
	[[ $output == *"$T_NAME "*" $T_PID "*" /dev/p "*erofs* ]]
	[[ $(m --list --json | jq -c --argjson pid "$T_PID" '.[] | select(.pid == $pid) | [.path, .way, .type, .host_path]') == \
		'["/dev/p","direct","erofs",null]' ]]
	gone "$T_PID"
	run -0 u "$T_PID"
	[[ $output == "There is no kit in '$T_NAME'." ]]
	run -0 m --list
	[[ $output != *"$T_PID"* ]]
}

# What is told of it, from several who start at the same moment.
@test "two and three at once: one mounts it, the others say that it is there already" {
	local round n i pids
	start plain
	for round in {1..8}; do
		n=$((2 + round % 2)) pids=()
		for ((i = 0; i < n; i++)); do
			m "$T_PID" >"$BATS_TEST_TMPDIR/said.$i" 2>&1 3>&- &
			pids+=($!)
		done
		for i in "${pids[@]}"; do
			wait "$i" || die "round $round: $(cat "$BATS_TEST_TMPDIR"/said.*)"
		done
		[[ $(cat "$BATS_TEST_TMPDIR"/said.* | grep -c "' now, for every process") == 1 ]] || die "$(cat "$BATS_TEST_TMPDIR"/said.*)"
		[[ $(cat "$BATS_TEST_TMPDIR"/said.* | grep -c ' already\.$') == $((n - 1)) && $(kit_rows "$T_PID") == 1 ]]
		rm "$BATS_TEST_TMPDIR"/said.*
		gone "$T_PID"
	done
}

@test "a target that holds the lock itself: waited for, and then done without" {
	local pid
	start plain
	flock "/proc/$T_PID/ns/mnt" sleep 300 3>&- &
	pid=$!
	wait_until 5 eval 'refute flock -n "/proc/$T_PID/ns/mnt" true'
	m -q "$T_PID"
	[[ $(kit_rows "$T_PID") == 1 ]]
	kill -KILL $(pgrep -P $pid) $pid
	gone "$T_PID"
}

@test "--explain and --json; nothing is said with -q" {
	start plain
	run -0 m --explain "$T_PID"
	[[ $output == *"kit          "*"how          a directory /dev/p"* ]]
	[[ $(m --explain --json "$T_PID" | jq -c '[.path, .way, .already, .pid]') == "[\"/dev/p\",\"direct\",false,$T_PID]" ]]
	residue_assert_same "$BATS_TEST_TMPDIR/before"
	[[ $(m --json "$T_PID" | jq -c '[.path, .rung, .already]') == '["/dev/p","file",false]' ]]
	[[ $(m --json "$T_PID" | jq -c '[.path, .rung, .already]') == '["/dev/p",null,true]' ]]
	run -0 u --explain "$T_PID"
	[[ $output == *"would be taken away."* && $(kit_rows "$T_PID") == 1 ]]
	[[ $(u --json "$T_PID" | jq -c '[.found, .path, .in_use_by]') == '[true,"/dev/p",0]' ]]
	[[ $(u --json "$T_PID" | jq -c '[.found, .path]') == '[false,null]' ]]
	[[ -z $(m -q "$T_PID"; u -q "$T_PID") ]]
	residue_assert_same "$BATS_TEST_TMPDIR/before"
}

@test "a kit in use goes all the same, and who uses it is named" {
	local pid
	start plain
	m -q "$T_PID"
	# a process of the target's: outside of any session's view
	nsenter -t "$T_PID" -m -p -- /dev/p/b/sleep 300 3>&- &
	pid=$!
	wait_until 5 eval 'pid=$(pgrep -x -P '"$pid"' sleep)'
	[[ $(readlink "/proc/$pid/exe") == /dev/p/b/* ]]
	run -0 u "$T_PID"
	[[ $output == "The kit is gone from /dev/p"*"in use by process $pid (sleep): "*"unseen by others"* ]]
	[[ $(kit_rows "$T_PID") == 0 && ! -e /proc/$T_PID/root/dev/p ]]
	pid_alive "$pid"
	kill -KILL "$pid"
	residue_assert_same "$BATS_TEST_TMPDIR/before"
}

@test "sessions and a visible kit do not mind each other" {
	start plain
	m -q "$T_PID"
	[[ $(x "$T_PID" jq -n 1+1) == 2 ]]
	proves x --prove "$T_PID" true
	in_session "$T_PID"
	u -q "$T_PID"
	[[ $(kit_rows "$T_PID") == 0 ]]
	refute grep -q ' /dev/p .* - erofs porthole ' "/proc/$S_CMD/mountinfo" # the session's own has another name
	[[ -x /proc/$S_CMD/root/dev/p/b/jq ]]
	end_session
	residue_assert_same "$BATS_TEST_TMPDIR/before"
}

@test "odd ones: read-only root, read-only /dev, /dev a link, user namespace, the host's processes" {
	local k
	for k in ro dev-ro dev-link userns host-pid; do
		odd_start $k
		residue_snapshot "$BATS_TEST_TMPDIR/before" "$ODD_PID"
		run -0 m "$ODD_PID"
		[[ $(x --kit none "$ODD_PID" /dev/p/b/bash -c '/dev/p/b/jq -n 1+1; /dev/p/b/stat -c %u /dev/p/b/jq') == $'2\n0' ]] || die "$k"
		gone "$ODD_PID" "$ODD_PID"
		odd_stop
	done
	ODD_NAME=
}

@test "where it cannot be: a sentence, and nothing is done" {
	local k
	for k in no-dev bare; do
		odd_start $k
		residue_snapshot "$BATS_TEST_TMPDIR/before" "$ODD_PID"
		refused "has no /dev in which to make the kit's directory" "$ODD_PID"
		residue_assert_same "$BATS_TEST_TMPDIR/before"
		odd_stop
	done
	ODD_NAME=
	refused "has the host's own mounts" $$
	start plain --rw
	refused "a kit works at /dev/p only" "$T_PID" /opt/kit
	refused "there is nothing to mount with --kit none" --kit none "$T_PID"
	run -125 --separate-stderr setpriv --bounding-set=-sys_admin "$PORTHOLE" mount "$T_PID"
	[[ $stderr == "porthole: "*"run with sudo"* ]] || die "$stderr"
	run -125 --separate-stderr setpriv --reuid 65534 --regid 65534 --clear-groups "$(for_users "$PORTHOLE")" mount "$T_PID"
	[[ $stderr == "porthole: "*"run with sudo"* ]]
	residue_assert_same "$BATS_TEST_TMPDIR/before"
	mkdir "/proc/$T_PID/root/dev/p"
	residue_snapshot "$BATS_TEST_TMPDIR/before" "$T_PID"
	refused "has something else at /dev/p already" "$T_PID"
	run -0 u "$T_PID"
	[[ $output == "There is no kit"* ]]
	residue_assert_same "$BATS_TEST_TMPDIR/before"
	run -2 m
	run -2 m --list "$T_PID"
	run -2 u
}

@test "a root that is read-only for good" {
	local d=$BATS_TEST_TMPDIR/root
	mkdir -p "$d/dev" "$d/proc" "$BATS_TEST_TMPDIR/mnt"
	cp "$(image_root scratch)/app" "$d/"
	mkfs.erofs --quiet "$BATS_TEST_TMPDIR/root.img" "$d" >/dev/null
	start plain
	target_stop plain "$T_NAME"
	MASTER=$BATS_TEST_TMPDIR/mnt
	mount -t erofs -o ro "$BATS_TEST_TMPDIR/root.img" "$MASTER"
	unshare -mp --fork --kill-child sh -c 'mount -t proc proc "$1/proc"; exec chroot "$1" /app' sh "$MASTER" 3>&- &
	wait_until 5 eval 'T_PID=$(pgrep -x -P '$!' app)'
	refused "read-only for good" "$T_PID"
	kill -KILL "$T_PID"
	wait_until 5 umount "$MASTER"
}

@test "the host's own /dev: not there" {
	require docker
	start docker -v /dev:/dev
	refused "/dev of '$T_NAME' is the host's own" "$T_NAME"
	[[ ! -e /dev/p ]]
	residue_assert_same "$BATS_TEST_TMPDIR/before"
}

@test "through a mount that receives from the host" {
	require docker
	MASTER=$(test_dir)
	mount --bind "$MASTER" "$MASTER"
	mount --make-private "$MASTER"
	mount --make-shared "$MASTER"
	start docker busybox --read-only --user 1000 -v "$MASTER:/dev/crashcart:rslave"
	run -0 m --explain "$T_NAME" /dev/crashcart
	[[ $output == *"mounted at $MASTER on the host"*"becomes a link"* ]]
	run -0 m "$T_NAME" /dev/crashcart
	[[ $output == "The kit is at /dev/crashcart in '$T_NAME' now"* ]]
	[[ $(readlink "/proc/$T_PID/root/dev/p") == /dev/crashcart ]]
	[[ $(engine_cli docker exec "$T_NAME" /dev/p/b/jq -n 1+1) == 2 ]]
	[[ $(kit_rows self) == 1 && $(kit_rows "$T_PID") == 1 ]]
	[[ $(m --list --json | jq -r --argjson pid "$T_PID" '.[] | select(.pid == $pid) | "\(.path) \(.way) \(.host_path)"') == \
		"/dev/crashcart propagated $MASTER" ]]
	run -0 m "$T_NAME" /dev/crashcart
	[[ $output == *already* ]]
	gone
	# without being asked, where it is at /dev/p itself
	target_stop docker "$T_NAME"
	start docker -v "$MASTER:/dev/p:rslave"
	run -0 m "$T_NAME"
	[[ $(engine_cli docker exec "$T_NAME" /dev/p/b/jq -n 1+1) == 2 ]]
	gone
	# and when the container is gone, there is a way to take it off the host
	m -q "$T_NAME"
	target_stop docker "$T_NAME"
	run -125 --separate-stderr u "$PT_RUN"
	[[ $stderr == *"no kit at"* ]]
	run -0 u "$MASTER"
	[[ $(kit_rows self) == 0 ]]
}

@test "a mount that receives from elsewhere than the host is no way" {
	start plain
	refused "nothing on the host reaches '/dev/pts'" "$T_PID" /dev/pts
}

# A small kit, and the ways to mount it on other kernels.
small_kit() {
	local d=$BATS_TEST_TMPDIR
	mkdir -p "$d/kit/b" "$d/tmpfs"
	cp "$(image_root busybox)/bin/busybox" "$d/kit/b/sh"
	mkfs.erofs --quiet "$d/kit.erofs" "$d/kit" >/dev/null
	MASTER=$d/tmpfs
	mount -t tmpfs pt-test "$d/tmpfs"
	cp "$d/kit.erofs" "$d/tmpfs/"
}

@test "by a loop device, unpacked, a directory" {
	local d=$BATS_TEST_TMPDIR e
	small_kit
	for e in plain docker-userns; do
		start $e
		[[ $(m --json --kit "$d/tmpfs/kit.erofs" "$T_NAME" | jq -r .rung) == loop ]]
		[[ $(cat /sys/block/loop*/loop/autoclear | sort -u) == 1 ]]
		[[ $(x --kit none "$T_NAME" /dev/p/b/sh -c 'echo $((6 * 7))') == 42 ]]
		gone
		refute grep -F "$d" /sys/block/loop*/loop/backing_file
		[[ $("$PT_TOOLS/enosys" ioctl/1=LOOP_CTL_GET_FREE:ENODEV -- "$PORTHOLE" mount --json --kit "$d/tmpfs/kit.erofs" "$T_NAME" |
			jq -r .rung) == unpack ]]
		[[ $(x --kit none "$T_NAME" /dev/p/b/sh -c 'echo $((6 * 7))') == 42 ]]
		gone
		[[ $(m --json --kit "$d/kit" "$T_NAME" | jq -r .rung) == dir ]]
		[[ $(x --kit none "$T_NAME" /dev/p/b/sh -c 'echo $((6 * 7))') == 42 ]]
		# nobody inside can write to the host's directory, whatever he may mount
		run x --kit none "$T_NAME" /dev/p/b/sh -c 'mount -o remount,bind,rw /dev/p; echo evil >/dev/p/b/evil'
		[[ ! -e $d/kit/b/evil ]]
		gone
		target_stop $e "$T_NAME"
	done
	run -125 --separate-stderr "$PT_TOOLS/enosys" mountapi -- "$PORTHOLE" mount --kit "$d/kit.erofs" $$
	[[ $stderr == "porthole: "* ]]
}

@test "without the mount calls by descriptor: a sentence" {
	start plain
	run -125 --separate-stderr "$PT_TOOLS/enosys" mountapi -- "$PORTHOLE" mount "$T_PID"
	[[ $stderr == "porthole: a visible kit needs Linux 5.2 or later"* ]]
	residue_assert_same "$BATS_TEST_TMPDIR/before"
}

@test "a forged kit is no kit" {
	start plain busybox --rw
	# elsewhere, without programs, not read-only: none
	nsenter -t "$T_PID" -m -p sh -c 'mkdir -p /tmp/b /dev/p && mount -t tmpfs -o ro porthole /tmp && mount -t tmpfs -o ro porthole /dev/p &&
		mount -t tmpfs porthole /etc && mkdir /etc/b'
	[[ $(kit_rows "$T_PID") == 3 ]]
	run -0 m --list
	[[ $output != *"$T_PID"* ]]
	run -0 u "$T_PID"
	[[ $output == "There is no kit in"* && $(kit_rows "$T_PID") == 3 ]]
	# one that looks like ours in every way: taken away, and nothing else
	nsenter -t "$T_PID" -m -p sh -c 'mount -o remount,rw /dev/p && mkdir /dev/p/b && mount -o remount,ro /dev/p'
	run -0 u "$T_PID"
	[[ $output == "The kit is gone"* && $(kit_rows "$T_PID") == 2 && ! -e /proc/$T_PID/root/dev/p ]]
}

@test "a paused target" {
	odd_start frozen
	residue_snapshot "$BATS_TEST_TMPDIR/before" "$ODD_PID"
	m -q "$ODD_PID"
	[[ $(kit_rows "$ODD_PID") == 1 ]]
	gone "$ODD_PID" "$ODD_PID"
}

@test "a container that ends takes the kit with it; a new one starts without" {
	require docker
	start docker
	m -q "$T_NAME"
	engine_cli docker restart -t 0 "$T_NAME" >/dev/null
	T_PID=$(engine_cli docker inspect -f '{{.State.Pid}}' "$T_NAME")
	[[ $(kit_rows "$T_PID") == 0 && ! -e /proc/$T_PID/root/dev/p ]]
	run -0 u "$T_NAME"
	[[ $output == "There is no kit in"* ]]
	m -q "$T_NAME"
	engine_cli docker kill "$T_NAME" >/dev/null
	wait_until 5 pid_gone "$T_PID"
	run -125 --separate-stderr u "$T_NAME"
	[[ $stderr == "porthole: "* ]]
}
