#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets stderr
# porthole busy: who keeps a mount, a file system or a file in use, in any namespace.
load ../lib/porthole

setup() {
	require unshare
	M=$BATS_TEST_TMPDIR/m
	mkdir "$M"
	mount -t tmpfs busy-test "$M"
	mkdir "$M/dir" "$M/sub"
	echo text >"$M/file"
}

teardown() {
	[[ -z ${P:-} ]] || { kill -9 "$P" && wait "$P"; } 2>/dev/null || true
	umount_below "$M"
	umount "$M" 2>/dev/null || true
	[[ -z ${T_NAME:-} ]] || target_stop "$T_ENGINE" "$T_NAME"
}

busy() {
	timeout -k 2 30 "$PORTHOLE" busy "$@"
}

# _runs PID FILE: that is the program it runs.
_runs() {
	[[ $(readlink "/proc/$1/exe") == "$2" ]]
}

# rows JQ: the uses for which this holds, counted.
rows() {
	busy --json "$M" | jq "[.uses[] | select($1)] | length"
}

@test "busy: nothing uses it, and umount agrees" {
	# others' mount namespaces may have had it copied into them: that keeps the device alone
	run busy "$M"
	[[ $output == *"Nothing keeps $M from being unmounted."* ]] || die "$output"
	run busy --json "$M"
	[[ $(jq -c '[.is_mount, (.uses | map(select(.keeps_mount)))]' <<<"$output") == '[true,[]]' ]]
	umount "$M"
	run -1 busy "$M"
	[[ $output == "Nothing uses $M." ]]
}

@test "busy: working directory, descriptor, program and mapped file, and umount is refused" {
	cp /bin/busybox "$M/busybox"
	(cd "$M/dir" && exec "$M/busybox" sleep 60) 3>&- 7<"$M/file" &
	P=$!
	wait_until 5 _runs "$P" "$M/busybox"
	refute umount "$M" 2>/dev/null
	run -0 busy "$M"
	[[ $output == *" cwd "*"$M/dir"* && $output == *" open "*" 7 "*"$M/file"* ]]
	[[ $output == *" program "*"$M/busybox"* && $output == *"cannot be unmounted while that one uses the mount."* ]]
	(($(rows ".pid == $P and .keeps_mount") == 3)) # a program's own pages are no second use
	run -0 busy -q "$M"
	[[ $output == "$P" ]]
	# one file alone
	run -0 busy "$M/file"
	[[ $output == *" open "* && $output != *" cwd "* ]]
	run -1 busy "$M/sub"
	kill -9 "$P"
	wait "$P" || true
	P=
	(($(rows .keeps_mount) == 0))
	umount "$M"
}

@test "busy: a mapped file whose descriptor is closed" {
	/usr/bin/python3 -c 'import mmap, sys, time
f = open(sys.argv[1], "rb")
m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
f.close()
time.sleep(60)' "$M/file" 3>&- &
	P=$!
	wait_until 5 grep -qF "$M/file" "/proc/$P/maps"
	# mmap of Python's keeps a descriptor of its own: two uses of one process
	(($(rows ".pid == $P and .how == \"map\"") == 1))
}

@test "busy: another mount namespace keeps its file system, not the mount" {
	unshare -m --propagation private sleep 60 3>&- &
	P=$!
	wait_until 5 _runs "$P" "$(readlink -f "$(type -P sleep)")" # unshare(1) is done
	run -0 busy "$M"
	[[ $output == *"$P "*"sleep "*" mount "*"$M "*" device"* ]] || die "$output"
	[[ $output == *"Nothing keeps $M from being unmounted."*"in use through other mounts"* ]]
	umount "$M" # as was said
	grep -qF "$M" "/proc/$P/mountinfo"
}

@test "busy: mounts below it, and loop devices" {
	mount -t tmpfs below "$M/sub"
	run -0 busy "$M"
	[[ $output == *" below "*"$M/sub"*" mount"* && $output == *"cannot be unmounted"* ]]
	umount "$M/sub"
	truncate -s 1M "$M/disk"
	local loop
	loop=$(loop_new "$M/disk")
	run -0 busy "$M"
	losetup -d "$loop"
	[[ $output == *"${loop#/dev/}"*" device "*"$M/disk"* ]] || die "$output"
}

@test "busy: a container of an engine by its name" {
	require docker
	T_ENGINE=docker T_NAME=$(uniq_name busy)
	target_start docker "$T_NAME" busybox -v "$M:/data" -w /data >/dev/null
	run -0 busy "$M"
	[[ $output == *" $T_NAME "*" cwd "*" /data "* ]] || die "$output"
	[[ $(busy --json "$M" | jq -r '.uses[] | select(.how == "mount") | .target') == "$T_NAME" ]]
}

@test "busy: bad input; names with escapes; without root" {
	run -125 --separate-stderr busy "$M/none"
	[[ $stderr == *"looking at '$M/none': No such file"* ]]
	run -2 busy
	local odd
	odd=$M/$'a\nb\e[31m'
	touch "$odd"
	sleep 60 3>&- 7<"$odd" &
	P=$!
	run -0 busy "$odd"
	refute grep -qP '[\x00-\x09\x0b-\x1f\x7f]' <<<"$output"
	[[ $output == *'a\x0ab\x1b[31m'* ]]
	run -0 --separate-stderr as_user "$(for_users "$PORTHOLE")" busy /
	[[ $stderr == *"could not be looked into: run with sudo to see all"* ]]
	# with this capability their directories open, and show nothing
	run --separate-stderr timeout 30 "$PORTHOLE" host run --profile inspect porthole busy "/host$M"
	[[ $stderr == *"does not see all of the host's processes: start it with --cap-add SYS_PTRACE" && $output != *"Nothing uses"* ]] ||
		die "$output$stderr"
	run --separate-stderr timeout 30 "$PORTHOLE" host run --profile inspect --cap-add SYS_PTRACE porthole busy "/host$M"
	[[ -z $stderr ]] || die "$output$stderr"
	# in a pid namespace of its own nothing of the host's is seen, and that is said
	run -1 --separate-stderr unshare -pmf --mount-proc "$PORTHOLE" busy "$M/file"
	[[ $output == "Nothing that may be looked at here uses $M/file." && $stderr == *"start it with --pid host" ]] || die "$output$stderr"
}
