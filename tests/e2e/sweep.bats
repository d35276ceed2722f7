#!/usr/bin/env bats
# kill -9 at every point of a command at which something may be another way than before (killat), in
# whichever of its processes: a second later host and target are as before. Sampled; `make sweep` does
# every system call (SWEEP_STEP=1), also where nothing can be another way. tests/tools/sweep.py looks.
load ../lib/porthole

setup_file() {
	local d=$BATS_FILE_TMPDIR p
	require plain
	export MARK=swept.$BASHPID TARGET PID OURS=$BATS_FILE_TMPDIR/disk/porthole
	TARGET=$(uniq_name swept)
	# one that waits for its children: thousands of zombies would make each look at all processes longer
	PID=$(target_start plain "$TARGET" scratch -- /app --reap)
	cgroups_own "$PID"
	# a kit so small that every rung is quick; a porthole that nobody else runs, on a tmpfs too, from
	# which the kernel mounts no image without a loop device
	mkdir -p "$d/kit/b" "$d/disk" "$d/tmpfs"
	cp "$(image_root busybox)/bin/busybox" "$d/kit/b/$MARK"
	for p in sh sleep setsid env true touch; do
		ln -s "$MARK" "$d/kit/b/$p"
	done
	mkfs.erofs --quiet "$d/disk/kit.erofs" "$d/kit" >/dev/null
	cp "$PORTHOLE" "$d/disk/porthole"
	mount -t tmpfs pt-test "$d/tmpfs"
	cp "$d/disk/"* "$d/tmpfs/"
}

teardown_file() {
	umount -l "$BATS_FILE_TMPDIR/tmpfs"
	target_stop plain "$TARGET"
}

# What a session leaves if nobody clears up.
BRIEF='sleep 300 & setsid sleep 300 & env -i setsid sleep 300 & exit 7'

# cgroups_own PID (0: this shell): where sessions make theirs on version 1, and nobody else's do.
cgroups_own() {
	local c d
	for c in cpu memory pids; do
		[[ ! -d /sys/fs/cgroup/$c ]] || { d=$(cgroup_new "$c" swept) && echo "$1" >"$d/cgroup.procs"; } || return 1
	done
}

# looks ARG...: sweep.py.
looks() {
	cgroups_own 0 || return 1
	timeout "${LIMIT:-60}" /usr/bin/python3 "$PORTHOLE_SRC/tests/tools/sweep.py" --program "$OURS" "$@"
}

# swept WHAT STEP ARG...: sweep.py ARG..., every call or each STEPth point; says how many of how many.
swept() {
	local what=$1 step=${SWEEP_STEP:-$2}
	((step > 1)) || export KILLAT_CALLS=1
	shift 2
	LIMIT=9000 run looks --step "$step" --mark "$MARK" "$@"
	[[ $status == 0 && $output == *" clean, of "* ]] || die "$what: $output"
	echo "# $what: ${lines[-1]}" >&3
}

@test "the sweep sees what is left" {
	local left=/proc/$PID/root/dev/left cg=/sys/fs/cgroup/porthole-left
	[[ ! -d /sys/fs/cgroup/pids ]] || cg=$(cgroup_new pids swept)/porthole-left
	run looks --step 100000 --pid "$PID" \
		sh -c 'mkdir -p "$1"; exec "$2" version' sh "$left" "$OURS"
	[[ $status == 1 && $output == *"+/dev/left "*"0 of 1 clean"* ]] || die "$output"
	rmdir "$left"
	run looks --step 100000 sh -c 'mkdir -p "$1"; exec "$2" version' sh "$cg" "$OURS"
	[[ $status == 1 && $output == *"+$cg"*"0 of 1 clean"* ]] || die "$output"
	rmdir "$cg"
	run looks --step 100000 --pid "$PID" \
		sh -c 'rm -f "$3"; setsid nsenter -t "$1" -p sh -c "echo >$3; sleep 60" & until [ -s "$3" ]; do sleep 0.01; done
			exec "$2" version' sh "$PID" "$OURS" "$BATS_TEST_TMPDIR/there"
	[[ $status == 1 && $output == *"+process of the target"*"sleep 60"*"0 of 1 clean"* ]] || die "$output"
	ns_sharers "$PID" | sed -n 's/ .*sleep 60.*//p' | xargs kill -KILL
	wait_until 5 eval '[[ $(ns_sharers "$PID" | wc -l) == 1 ]]'
}

@test "exec" {
	swept "exec live" 3 --pid "$PID" "$OURS" exec "$PID" -- sh -c "$BRIEF"
}

@test "exec, the kit by a loop device" {
	OURS=$BATS_FILE_TMPDIR/tmpfs/porthole
	swept "exec live, loop device" 7 --pid "$PID" "$OURS" exec "$PID" -- sh -c "$BRIEF"
}

@test "exec, with a cgroup of its own" {
	swept "exec live, own cgroup" 7 --pid "$PID" "$OURS" exec --cgroup own --pids 50 "$PID" -- sh -c "$BRIEF"
}

@test "exec, a view that forgets" {
	swept "exec cow" 7 --pid "$PID" "$OURS" exec --view cow "$PID" -- sh -c "touch /written; $BRIEF"
}

@test "mount" {
	swept mount 3 --pid "$PID" --kit --after "$OURS unmount -q $PID" "$OURS" mount "$PID"
}

@test "mount, by a loop device" {
	OURS=$BATS_FILE_TMPDIR/tmpfs/porthole
	swept "mount, loop device" 5 --pid "$PID" --kit --after "$OURS unmount -q $PID" "$OURS" mount "$PID"
}

@test "unmount" {
	swept unmount 3 --pid "$PID" --kit --before "$OURS mount -q $PID" --after "$OURS unmount -q $PID" "$OURS" unmount "$PID"
}

# The target ends as soon as catch says that it is armed, or has ended itself.
@test "catch" {
	# shellcheck disable=SC2016 # for the other shell
	swept catch 7 --fresh "$PT_TOOLS/scratch </dev/null" bash -c '"$1" catch "$2" -- sh -c "$3" 2> >(grep -q "armed on"; kill -KILL "$2")' \
		bash "$OURS" @PID@ "$BRIEF"
}
