#!/usr/bin/env bats
# porthole exec by every way of mounting, forced with tests/tools/enosys; and the binary where there is
# another distribution, or none.
load ../lib/porthole

setup_file() {
	require root plain kit
	export T T_PID KITS
	KITS=$BATS_FILE_TMPDIR/kits
	mkdir "$KITS"
	mount -t tmpfs pt-test "$KITS" # the kernel takes no file of a tmpfs: a loop device, or unpacking
	cp "${PORTHOLE_KIT:-$PORTHOLE_BUILD/kit.erofs}" "$KITS/kit.erofs"
	T=$(uniq_name rungs)
	T_PID=$(target_start plain "$T" busybox --rw)
}

teardown_file() {
	target_stop plain "$T"
	umount "$KITS"
}

NO_LOOP=ioctl/1=LOOP_CTL_GET_FREE:ENODEV

# by RULES EXEC-ARG...: exec on a kernel that lacks these calls ("-": lacks none).
by() {
	local pre=()
	[[ $1 == - ]] || pre=("$PT_TOOLS/enosys" "$1" --)
	timeout -k 2 60 "${pre[@]}" "$PORTHOLE" exec "${@:2}"
}

loops() {
	grep -lF "$KITS/" /sys/block/loop*/loop/backing_file 2>/dev/null
	true
}

no_loops() {
	[[ -z $(loops) ]]
}

# What the kit lies on, as the session's mount table has it.
type_of() {
	by "$@" "$T_PID" awk '$5 == "/dev/p" { for (i = 7; i < NF; i++) if ($i == "-") print $(i + 1), $(i + 2) }' /proc/self/mountinfo
}

# works RULES [EXEC-ARG...]: views, pipes, terminal, exit codes; nothing is left.
works() {
	residue_snapshot "$BATS_TEST_TMPDIR/r" "$T_PID"
	# pipes, binary-clean, and the target's own files
	head -c 100000 /dev/urandom >"$BATS_TEST_TMPDIR/in"
	by "$@" "$T_PID" cat <"$BATS_TEST_TMPDIR/in" | cmp - "$BATS_TEST_TMPDIR/in"
	[[ $(by "$@" "$T_PID" bash -c 'cat /etc/passwd; type -P ls') == *app:x:1000*/dev/p/b/ls ]]
	[[ $(by "$@" --view kit "$T_PID" bash -c 'cat /target/etc/passwd; readlink /bin') == *app:x:1000*dev/p/b ]]
	run -7 by "$@" "$T_PID" sh -c 'exit 7'
	run -0 by "$@" -u 1000 "$T_PID" id -u
	[[ $output == 1000 ]]
	# a terminal
	run -3 on_terminal "$@" "$T_PID" bash -c 'tty; test -t 0 && exit 3'
	[[ $output == *"/dev/pts/"* ]]
	run -4 on_terminal "$@" --view kit "$T_PID" bash -c 'tty; test -t 1 && exit 4'
	[[ $output == *"/dev/pts/"* ]]
	[[ ! -e /proc/$T_PID/root/dev/p ]]
	wait_until 1 no_loops
	residue_assert_same "$BATS_TEST_TMPDIR/r"
}

on_terminal() {
	local pre=()
	[[ $1 == - ]] || pre=("$PT_TOOLS/enosys" "$1" --)
	TERM=xterm timeout -k 2 60 /usr/bin/python3 "$PORTHOLE_SRC/tests/tools/term.py" -- "${pre[@]}" "$PORTHOLE" exec "${@:2}"
}

@test "the kit's file as it is" {
	[[ $(type_of -) == "erofs kit.erofs" ]]
	works -
}

@test "a loop device with autoclear" {
	[[ $(type_of - --kit "$KITS/kit.erofs") == "erofs /dev/loop"* ]]
	works - --kit "$KITS/kit.erofs"
}

@test "before LOOP_CONFIGURE" {
	[[ $(type_of ioctl/1=LOOP_CONFIGURE:EINVAL --kit "$KITS/kit.erofs") == "erofs /dev/loop"* ]]
	works ioctl/1=LOOP_CONFIGURE:EINVAL --kit "$KITS/kit.erofs"
}

@test "unpacked to a tmpfs" {
	[[ $(type_of $NO_LOOP --kit "$KITS/kit.erofs") == tmpfs* ]]
	works $NO_LOOP --kit "$KITS/kit.erofs"
}

@test "unpacked, it is whole" {
	run -0 by "$NO_LOOP" --kit "$KITS/kit.erofs" "$T_PID" python3 -c 'import ssl, sqlite3; print("whole")'
	[[ $output == whole ]]
}

@test "without the newer mount calls: a loop device" {
	[[ $(type_of mountapi) == "erofs "*loop* ]]
	works mountapi
}

@test "without the newer mount calls and without loop devices" {
	[[ $(type_of "mountapi,$NO_LOOP") == tmpfs* ]]
	works "mountapi,$NO_LOOP"
}

@test "without pidfd, openat2, close_range, clone3" {
	local call
	for call in pidfd_open openat2 close_range clone3 pidfd_open,openat2,close_range,clone3; do
		works "$call"
	done
}

@test "the older mount calls and a root of the session's own: each of the target's directories is its own" {
	local bare name want
	name=$(uniq_name bare)
	bare=$(target_start plain "$name" busybox --rw --no-dev)
	mkdir "/proc/$bare/root/aaa" && touch "/proc/$bare/root/aaa/mine" # the first that is found
	want=$(cd "/proc/$bare/root" && ls -d ./*/* | grep -vE '^./(proc|dev)/' | sort)
	for rules in - mountapi "mountapi,$NO_LOOP"; do
		diff <(echo "$want") <(by "$rules" "$bare" bash -c 'cd /; ls -d ./*/* | grep -vE "^./(proc|dev)/" | sort')
		diff <(echo "$want") <(by "$rules" --view kit "$bare" bash -c 'cd /target; ls -d ./*/* | grep -vE "^./(proc|dev)/" | sort')
	done
	target_stop plain "$name"
}

@test "kill -9 on each: no loop device, no mount, no process" {
	local rules
	for rules in - "$NO_LOOP" mountapi "mountapi,$NO_LOOP"; do
		wait_until 2 residue_snapshot "$BATS_TEST_TMPDIR/r" "$T_PID" # what it looks at may just be ending
		S_MARK=PT_FIND=r$RANDOM$RANDOM
		by "$rules" -e "$S_MARK" --kit "$KITS/kit.erofs" "$T_PID" sleep 60 </dev/null 3>&- &
		S_PID=$!
		wait_until 20 _session_runs || die "$rules: no session"
		kill -KILL "$(pgrep -f "^$PORTHOLE exec -e $S_MARK" | head -n 1)"
		wait $S_PID || true
		wait_until 1 eval '[[ -z $(marked "$S_MARK") ]]'
		wait_until 1 no_loops
		residue_assert_same "$BATS_TEST_TMPDIR/r"
	done
}

# elsewhere IMAGE EXEC-ARG...: with that image's files instead of ours.
elsewhere() {
	local root=$BATS_TEST_TMPDIR/$1/rootfs
	shift
	unshare -m sh -c 'mount --rbind /proc "$1/proc" && shift && exec chroot "$@"' sh "$root" "$root" /porthole "$@" </dev/null
}

@test "the binary with another distribution's files, or with busybox alone" {
	local image
	for image in bullseye sid musl busybox; do
		target_root "$BATS_TEST_TMPDIR/$image" "$image"
		mkdir -p "$BATS_TEST_TMPDIR/$image/rootfs/proc"
		ln "$PORTHOLE" "$BATS_TEST_TMPDIR/$image/rootfs/porthole" 2>/dev/null ||
			cp "$PORTHOLE" "$BATS_TEST_TMPDIR/$image/rootfs/porthole"
		cp --reflink=auto "$KITS/kit.erofs" "$BATS_TEST_TMPDIR/$image/rootfs/kit.erofs"
		[[ $(elsewhere $image version) == "$("$PORTHOLE" version)" ]]
		run -0 elsewhere $image exec "$T_PID" bash -c 'hostname; python3 -c "print(6 * 7)"'
		[[ ${lines[0]} == "$T" && ${lines[1]} == 42 ]] || die "$image: $output"
		run -0 elsewhere $image inspect "$T_PID"
		[[ $output == *"/app"* ]]
		umount "$BATS_TEST_TMPDIR/$image/rootfs"
	done
}
