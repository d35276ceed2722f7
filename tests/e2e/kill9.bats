#!/usr/bin/env bats
# kill -9 of any of a session's processes, or of any two, at any moment: one second later nothing is left,
# whichever way the kit was mounted. tests/tools/kill9.py kills and looks.
load ../lib/porthole

setup_file() {
	local d=$BATS_FILE_TMPDIR p
	require runc
	export TARGET PID
	TARGET=$(uniq_name victim)
	PID=$(target_start runc "$TARGET" scratch)
	# a kit so small that unpacking it takes no time; a porthole that nobody else runs, on a tmpfs too,
	# from which the kernel mounts no image without a loop device
	mkdir -p "$d/kit/b" "$d/disk" "$d/tmpfs"
	cp "$(image_root busybox)/bin/busybox" "$d/kit/b/"
	for p in sh sleep setsid env true; do
		ln -s busybox "$d/kit/b/$p"
	done
	mkfs.erofs --quiet "$d/disk/kit.erofs" "$d/kit" >/dev/null
	cp "$PORTHOLE" "$d/disk/porthole"
	mount -t tmpfs pt-test "$d/tmpfs"
	cp "$d/disk/"* "$d/tmpfs/"
	residue_snapshot "$d/before" "$PID"
}

teardown_file() {
	umount "$BATS_FILE_TMPDIR/tmpfs"
	target_stop runc "$TARGET"
}

teardown() {
	residue_assert_same "$BATS_FILE_TMPDIR/before"
}

# What a session leaves if nobody clears up: in the background, in a session of its own, deaf to signals.
BUSY='trap "" TERM HUP; sleep 300 & setsid sleep 300 & env -i setsid sleep 300 & sleep 300'
NO_LOOP=ioctl/1=LOOP_CTL_GET_FREE:ENODEV

# killed RUNG STEP OPTION... : every pair and each alone, at moments STEP ms apart; supervisor and agent
# together only once there is a guard, which is 5 ms after the command's start.
killed() {
	local rung=$1 step=$2 roles cmd=("$BATS_FILE_TMPDIR/disk/porthole" exec)
	shift 2
	case $rung in
	loop) cmd=("$BATS_FILE_TMPDIR/tmpfs/porthole" exec) ;;
	unpack) cmd=("$PT_TOOLS/enosys" "$NO_LOOP" -- "$BATS_FILE_TMPDIR/tmpfs/porthole" exec) ;;
	classic) cmd=("$PT_TOOLS/enosys" mountapi -- "$BATS_FILE_TMPDIR/disk/porthole" exec) ;;
	esac
	# the session does stand in that time, and by that rung
	run -0 "${cmd[@]}" "$@" "runc://$TARGET" true
	for roles in supervisor agent guard supervisor,agent supervisor,guard agent,guard; do
		run timeout 60 /usr/bin/python3 "$PORTHOLE_SRC/tests/tools/kill9.py" "$roles" 0 20 "$step" \
			"${cmd[@]}" "$@" "runc://$TARGET" sh -c "$BUSY"
		[[ $status == 0 && $output == *"gone within"* ]] || die "$roles: $output"
		echo "# $rung $*, $roles: $output" >&3
	done
}

@test "kill9.py sees what is left" {
	local ms
	for ms in 20 200 2000; do # what is to be left must have begun by then
		run timeout 30 /usr/bin/python3 "$PORTHOLE_SRC/tests/tools/kill9.py" supervisor $ms $ms 1 \
			sh -c 'setsid sleep 301 & exec "$@"' sh "$BATS_FILE_TMPDIR/disk/porthole" exec "runc://$TARGET" sleep 300
		((status == 0)) || break
	done
	[[ $status == 1 && $output == *"one second later there is"*"sleep 301"* ]]
}

@test "the kit mounted from its file" { killed file 0.5; }
@test "with a cgroup of its own" { killed file 2 --cgroup own --memory 64m; }
@test "the kit mounted by a loop device" { killed loop 1; }
@test "the kit unpacked" { killed unpack 1; }
@test "without detached mounts" { killed classic 2; }

# at_call CALL N PORTHOLE...: whoever of a session makes that system call for the Nth time is killed on it.
at_call() {
	local call=$1 n=$2 code=0
	shift 2
	(timeout -k 1 5 strace -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:signal=KILL:when=$n" \
		"$@" exec "runc://$TARGET" sh -c "${BRIEF:-sleep 300 & setsid sleep 300 & exit 7}"; exit $?) >/dev/null 2>&1 || code=$?
	[[ $code != 124 ]] || die "$call $n: hangs"
	wait_until 1 nothing_left || die "$call $n: $(pgrep_exe)"
	case $code in
	137) hit=$((hit + 1)) ;;
	7 | 125 | 127 | 126) ;; # it was another process, or nobody
	*) die "$call $n: ended with $code" ;;
	esac
}

pgrep_exe() {
	find /proc/[0-9]*/exe -maxdepth 0 -lname "$BATS_FILE_TMPDIR/*" 2>/dev/null
	ns_sharers "$PID" | grep -v ' /app'
	return 0
}

nothing_left() {
	[[ -z $(pgrep_exe) ]]
}

@test "killed on each system call that makes or joins something" {
	local call hit=0
	require strace
	for call in socketpair pipe2 setns clone vfork fsopen fsconfig fsmount open_tree move_mount unshare mount mkdirat \
		chroot sendmsg recvmsg setsid dup2 signalfd4 setresuid execve close_range poll wait4; do
		at_call $call 1 "$BATS_FILE_TMPDIR/disk/porthole"
		at_call $call 2 "$BATS_FILE_TMPDIR/disk/porthole"
	done
	((hit > 20)) || die "only $hit were killed"
}

@test "killed while a loop device is made and mounted" {
	local call n hit=0
	require strace
	for call in ioctl fsconfig fsmount move_mount sendmsg; do
		for n in 1 2 3 4 5 6; do
			at_call $call $n "$BATS_FILE_TMPDIR/tmpfs/porthole"
		done
	done
	((hit > 5)) || die "only $hit were killed"
	[[ -z $(grep -F "$BATS_FILE_TMPDIR" /sys/block/loop*/loop/backing_file 2>/dev/null) ]]
}
