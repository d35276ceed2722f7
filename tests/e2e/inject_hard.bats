#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets stderr
# porthole inject and eject where something is in the way, does not fit, changes, or ends.
load ../lib/porthole
load ../lib/inject

setup() {
	export PORTHOLE_STATE=$BATS_TEST_TMPDIR/state
	inject_source
}

teardown() {
	inject_teardown
}

@test "a directory: modes, times, hard links, attributes; and all of it out again" {
	require docker
	inject_start docker
	run -0 i --from "$SRC" "$T_NAME"
	local r=/proc/$T_PID/root/opt/os
	[[ $(stat -c %a "$r/setuid") == 4755 && $(stat -c %h "$r/one") == 2 && -p $r/fifo ]]
	[[ $r/one -ef $r/deep/same && $(readlink "$r/deep/link") == ../one && -e $r/$'new\nline' ]]
	[[ $(stat -c %Y "$r/deep") == $(stat -c %Y "$SRC/opt/os/deep") ]]
	[[ $(/usr/bin/python3 -c 'import os, sys; print(os.getxattr(sys.argv[1], "user.mark").decode())' "$r/one") == here ]]
	run -0 j "$T_NAME"
	as_before
}

@test "what is in the way is listed; --keep leaves it; --force replaces it, and eject restores it" {
	require docker
	local r new
	inject_start docker busybox
	r=/proc/$T_PID/root
	ln -s /nowhere "$SRC/app"
	echo theirs >"$SRC/etc/passwd"
	refused "something else in 2 places" --from "$SRC" "$T_NAME"
	[[ $stderr == *"/etc/passwd: another file is there"* && $stderr == *"/app: a file is there"* ]]
	run -0 i --keep --from "$SRC" "$T_NAME"
	[[ $(head -n 1 "$r/etc/passwd") == root:* && -f $r/opt/os/one && ! -L $r/app ]]
	run -0 j "$T_NAME"
	as_before
	run -0 i --force --from "$SRC" "$T_NAME"
	[[ $output == *"2 of the container's own files are replaced, and kept to be restored."* ]] || die "$output"
	new=$(grep -oE '[0-9]+ files, links and directories that are new' <<<"$output")
	[[ $(<"$r/etc/passwd") == theirs && $(readlink "$r/app") == /nowhere ]]
	run -0 j "$T_NAME"
	[[ $output == *": ${new% that are new} removed, and 2 of the container's own are back."* ]] || die "$output, not $new"
	as_before
	rm "$SRC/app" "$SRC/etc/passwd"
	mkdir "$SRC/app"
	refused "something else in 1 place" --force --from "$SRC" "$T_NAME"
}

@test "bin is a link in one and a directory in the other: merged" {
	require docker
	local r
	inject_start docker busybox
	r=/proc/$T_PID/root
	mkdir -p "$SRC/usr/bin"
	echo tool >"$SRC/usr/bin/newtool"
	ln -s usr/bin "$SRC/bin"
	run -0 i --from "$SRC" "$T_NAME"
	[[ $(<"$r/usr/bin/newtool") == tool && $(readlink "$r/bin/newtool") == /usr/bin/newtool && ! -L $r/bin ]]
	run -0 j "$T_NAME"
	as_before
}

@test "changed files and what came later stay, and are named" {
	require docker
	local r
	inject_start docker
	r=/proc/$T_PID/root
	run -0 i --from "$SRC" "$T_NAME"
	echo more >>"$r/opt/os/setuid"
	touch "$r/opt/os/one" # its bytes are the same
	echo later >"$r/opt/os/deep/later"
	run -1 j "$T_NAME"
	[[ $output == *"changed since, and stays: /opt/os/setuid"* && $output == *"holds what came later, and stays: /opt/os/deep"* ]]
	[[ $output != *"/opt/os/one"* && $(<"$r/opt/os/setuid") == more && $(<"$r/opt/os/deep/later") == later && ! -e $r/etc/inject.conf ]]
	run -0 i --list
	[[ $output == *"partly taken out"* ]]
	run -125 i --from "$SRC" "$T_NAME"
	[[ $output == *"porthole eject --force"* ]]
	run -0 j --all "$T_NAME"
	as_before
}

@test "after a restart, and while it is stopped" {
	require docker
	inject_start docker
	run -0 i --from "$SRC" "$T_NAME"
	engine_cli docker restart -t 0 "$T_NAME" >/dev/null
	T_PID=$(engine_cli docker inspect -f '{{.State.Pid}}' "$T_NAME")
	[[ $(<"/proc/$T_PID/root/opt/os/one") == one ]]
	run -0 j "$T_NAME"
	as_before
	run -0 i --from "$SRC" "$T_NAME"
	engine_cli docker stop -t 0 "$T_NAME" >/dev/null
	run -0 j "$T_NAME"
	engine_cli docker start "$T_NAME" >/dev/null
	T_PID=$(engine_cli docker inspect -f '{{.State.Pid}}' "$T_NAME")
	as_before
}

@test "another container of that name is another one, and one that is gone took it along" {
	require docker
	inject_start docker
	run -0 i --from "$SRC" "$T_NAME"
	target_stop docker "$T_NAME"
	run -0 i --list
	[[ $output == *"gone with its container"* ]]
	T_PID=$(target_start docker "$T_NAME")
	run -125 j "$T_NAME"
	[[ $output == *"it was into a container of that name which is gone"* && -z $(find "$PORTHOLE_STATE" -type f) ]]
	run -0 i --from "$SRC" "$T_NAME"
	target_stop docker "$T_NAME"
	run -0 j "$T_NAME"
	[[ $output == *"is gone, and with it what was put into it."* && -z $(find "$PORTHOLE_STATE" -type f) ]]
	T_NAME=
}

@test "a read-only root, the host's own files: refused" {
	require docker
	inject_start docker --read-only
	refused "is read-only: nothing can be put in" --from "$SRC" "$T_NAME"
	run -125 i --from "$SRC" "pid:$$"
	[[ $output == *"are the host's own"* ]]
}

# rooted: a process whose root is the mounted directory $SMALL: sets T_PID.
rooted() {
	install -m 755 "$PT_TOOLS/app" "$SMALL/app" || true
	unshare -m -- /bin/bash -c 'cd "$1" && mount --make-rprivate / && exec chroot . /app' bash "$SMALL" </dev/null >/dev/null 2>&1 3>&- &
	T_PID=$!
	wait_until 5 eval '[[ $(readlink "/proc/$T_PID/exe") == */app ]]'
	tree_print "/proc/$T_PID/root" >"$BATS_TEST_TMPDIR/before"
}

# small SIZE: on a tmpfs of that size.
small() {
	SMALL=$BATS_TEST_TMPDIR/small
	mkdir "$SMALL"
	mount -t tmpfs -o "size=$1,${2:-exec}" porthole-test "$SMALL"
	rooted
}

small_end() {
	kill -KILL "$T_PID"
	wait_until 5 umount "$SMALL"
}

@test "a quota: refused, and the sentence names it; at its limit, eject works" {
	require btrfs
	local disk=$BATS_TEST_TMPDIR/disk n
	SMALL=$BATS_TEST_TMPDIR/small
	mkdir "$SMALL"
	truncate -s 200M "$disk"
	mkfs.btrfs -q "$disk"
	mount -o loop "$disk" "$SMALL"
	btrfs quota enable "$SMALL"
	btrfs qgroup limit 5M "$SMALL"
	rooted
	touch -r "$SMALL" "$BATS_TEST_TMPDIR/root"
	for n in 1 2 3 4 5 6; do
		head -c 1M /dev/urandom >"$SRC/opt/os/big-$n"
	done
	for n in 1 2; do # room for it is on the disk
		refused "disk quota of the container's file system is used up: nothing was put in" --from "$SRC" "pid:$T_PID"
	done
	rm "$SRC"/opt/os/big-[1-5]
	run -0 i --from "$SRC" "pid:$T_PID"
	run dd if=/dev/urandom of="$SMALL/fill" bs=64k count=100
	[[ $status == 1 && $output == *"Disk quota exceeded"* ]] || die "$output"
	run -0 j "pid:$T_PID"
	rm "$SMALL/fill"
	touch -r "$BATS_TEST_TMPDIR/root" "$SMALL"
	as_before
	small_end
}

@test "what does not fit is refused before anything is done; what fails on the way is undone" {
	small 3m
	dd if=/dev/zero of="$SRC/opt/os/big" bs=64k count=60 status=none
	refused "has room for " --from "$SRC" "pid:$T_PID"
	rm "$SRC/opt/os/big"
	run -0 i --from "$SRC" "pid:$T_PID"
	run -0 j "pid:$T_PID"
	as_before
	dd if=/dev/zero of="$SRC/opt/os/zz" bs=64k count=10 status=none
	run -125 --separate-stderr bash -c 'trap "" XFSZ; ulimit -f 300; exec "$@"' bash "$PORTHOLE" inject --from "$SRC" "pid:$T_PID"
	[[ $stderr == *"opt/os/zz (nothing was changed)"* ]] || die "$stderr"
	as_before
	small_end
}

@test "noexec: refused" {
	small 8m exec
	mount -o remount,noexec "$SMALL"
	nsenter -t "$T_PID" -m -- mount -o remount,bind,noexec "$SMALL"
	refused "is mounted noexec" --from "$SRC" "pid:$T_PID"
	small_end
}

@test "volumes are not written to" {
	require docker
	local v=$BATS_TEST_TMPDIR/volume
	mkdir "$v"
	inject_start docker -v "$v:/opt"
	run -0 i --from "$SRC" "$T_NAME"
	[[ $output == *"left out     /opt: the container has a mount there"* && -z $(ls -A "$v") ]]
	[[ $(<"/proc/$T_PID/root/etc/inject.conf") == new ]]
	run -0 j "$T_NAME"
	as_before
}

@test "links of the target's lead nowhere else" {
	require docker
	local canary=$BATS_TEST_TMPDIR/canary r
	mkdir "$canary"
	inject_start docker
	r=/proc/$T_PID/root
	ln -s "$canary" "$r/opt"
	[[ $r/opt -ef $canary ]]
	run -125 i --from "$SRC" "$T_NAME"
	[[ $output == *"something else in 1 place"* && -z $(ls -A "$canary") ]]
	run -125 i --force --from "$SRC" "$T_NAME"
	[[ -z $(ls -A "$canary") && -L $r/opt ]]
}

@test "a directory that became a link to where it is now: what is in it stays, and can be taken out later" {
	require docker
	local r n
	inject_start docker busybox
	r=/proc/$T_PID/root
	run -0 i --from "$SRC" "$T_NAME"
	mv "$r/opt" "$r/moved"
	ln -s moved "$r/opt"
	for n in "" --force; do
		run -1 j $n "$T_NAME"
		[[ $output == *"behind a link or a mount now, and stays: /opt/os"* && -e $r/moved/os/one ]] || die "$output"
	done
	rm "$r/opt"
	mv "$r/moved" "$r/opt"
	run -0 j "$T_NAME"
	[[ ! -e $r/opt && -z $(find "$PORTHOLE_STATE" -type f) ]]
}

# swap A B: the two names change places all the time, but for a moment now and then.
swap() {
	exec /usr/bin/python3 -c '
import ctypes, random, sys, time
libc = ctypes.CDLL(None)
a, b = (x.encode() for x in sys.argv[1:])
while libc.renameat2(-100, a, -100, b, 2) == 0:
    if random.random() < 0.00001: time.sleep(0.3)' "$@"
}

@test "a target that swaps a directory for a link all the time: nothing is written elsewhere" {
	require docker
	local canary=$BATS_TEST_TMPDIR/canary r pid n done=0
	mkdir "$canary"
	inject_start docker
	r=/proc/$T_PID/root
	mkdir "$r/opt"
	ln -s "$canary" "$r/opt.link"
	[[ $r/opt.link -ef $canary ]] # that is where it leads when it is followed from outside
	swap "$r/opt" "$r/opt.link" 3>&- &
	pid=$!
	for n in {1..30}; do
		timeout 60 "$PORTHOLE" inject -q --from "$SRC" "$T_NAME" </dev/null >/dev/null 2>&1 && ((++done))
		timeout 60 "$PORTHOLE" eject -q "$T_NAME" </dev/null >/dev/null 2>&1 || true
		[[ -z $(ls -A "$canary") ]] || die "run $n wrote to the canary"
	done
	kill "$pid"
	wait "$pid" || true
	echo "# $done of 30 were put in" >&3
	((done > 0))
	[[ -L $r/opt.link ]] || timeout 1 /usr/bin/python3 -c '
import ctypes, sys
ctypes.CDLL(None).renameat2(-100, sys.argv[1].encode(), -100, sys.argv[2].encode(), 2)' "$r/opt" "$r/opt.link"
	run j --all "$T_NAME"
	run find "$r/" -xdev -name '.porthole-*'
	[[ -z $output ]] || die "left: $output"
	run find "$r/opt/" -mindepth 1
	[[ -z $output ]] || die "left: $output"
}

@test "a journal that another porthole is at work on, or that is damaged, is not touched" {
	local file before
	require docker
	inject_start docker
	run -0 i --from busybox "$T_NAME"
	file=$(echo "$PORTHOLE_STATE"/inject/*.journal)
	before=$(sha256sum <"$file")
	run -125 flock "$file" timeout 60 "$PORTHOLE" inject --from busybox "$T_NAME"
	[[ $output == *"another porthole is at work on this container"* ]] || die "$output"
	[[ $(sha256sum <"$file") == "$before" ]]
	cp "$file" "$BATS_TEST_TMPDIR/whole"
	sed -i '1s/^./X/' "$file"
	before=$(sha256sum <"$file")
	run -125 i --from busybox "$T_NAME"
	[[ $output == *"the journal $file cannot be used: "* ]] || die "$output"
	[[ $(sha256sum <"$file") == "$before" ]]
	cp "$BATS_TEST_TMPDIR/whole" "$file"
	run -0 j "$T_NAME"
	as_before
}

@test "Ctrl-C half-way: nothing is left, and it can be done again" {
	require docker
	local n pid code r
	inject_start docker
	r=/proc/$T_PID/root
	for n in {1..40}; do
		head -c 4M /dev/urandom >"$SRC/opt/os/big-$n"
	done
	for n in INT TERM; do
		# of a shell's background job SIGINT is ignored, which env undoes
		env --default-signal=INT timeout --foreground -k 5 100 "$PORTHOLE" inject --from "$SRC" "$T_NAME" \
			</dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
		pid=$!
		wait_until 30 compgen -G "$r/.porthole-*"
		pkill -"$n" -P "$pid"
		code=0
		wait "$pid" || code=$?
		((code > 0)) || die "$n: it was too fast"
		grep -q "interrupted: nothing was put in" "$BATS_TEST_TMPDIR/out" || die "$n: $code $(<"$BATS_TEST_TMPDIR/out")"
		as_before
	done
	run -0 i --from "$SRC" "$T_NAME"
	run -0 j "$T_NAME"
	as_before
}
