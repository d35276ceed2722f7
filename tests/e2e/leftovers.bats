#!/usr/bin/env bats
# What the tests themselves leave: nothing, also when they, their engines or containers are killed, and nobody else's is touched.
load ../lib/porthole

setup() {
	ALIEN=()
}

teardown() {
	((${#ALIEN[@]} == 0)) || rmdir "${ALIEN[@]}"
	[[ -z ${P:-} ]] || kill -KILL "$P" 2>/dev/null || true
}

# in_cgroups WORD: how many have it in their path.
in_cgroups() {
	find /sys/fs/cgroup -type d -path "*$1*" 2>/dev/null | grep -c . || true
}

# alien PARENT: an empty one like an engine's container's, that nobody here has made.
alien() {
	local d
	for d in /sys/fs/cgroup/memory /sys/fs/cgroup/unified /sys/fs/cgroup; do
		[[ ! -e $d/cgroup.procs ]] || break
	done
	d=$d/$1/$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')
	mkdir -p "$d"
	ALIEN+=("$d")
}

# kill_with_engine ENGINE PID...: the daemons, their shims and these, at once: nobody is left who would clear up.
kill_with_engine() {
	local e=$1
	shift
	kill -KILL "$(engine_pid "$e" dockerd)" "$(engine_pid "$e" containerd)" "$@" \
		$(grep -lsz "^PT_MARK=$PT_RUN\$" /proc/[0-9]*/environ | cut -d/ -f3 | while IFS= read -r p; do
			[[ $(tr '\0' ' ' <"/proc/$p/cmdline") != *containerd-shim*"/$e/"* ]] || echo "$p"
		done)
}

@test "leftovers: the cgroups of killed engines' containers go at the end of a file, and nobody else's" {
	require docker
	local id other pid
	pid=$(target_start docker@left web)
	id=$(target_id docker@left web)
	other=$(engine_cli docker@left run -d --network none pt/scratch:1 /app) # not by the library
	alien docker
	[[ $(in_cgroups "$id") != 0 && $(in_cgroups "$other") != 0 ]]
	cgroups_sweep "$PT_RUN"
	[[ $(in_cgroups "$id") != 0 ]] || die "of one that runs"
	kill_with_engine docker@left "$pid" "$(engine_cli docker@left inspect -f '{{.State.Pid}}' "$other")"
	engine_stop docker@left
	[[ $(in_cgroups "$id") != 0 && $(in_cgroups "$other") != 0 ]] || die "nothing to clear up: the test tests nothing"
	cgroups_sweep "$PT_RUN"
	[[ $(in_cgroups "$id") == 0 && $(in_cgroups "$other") == 0 ]]
	[[ -d ${ALIEN[0]} ]]
}

@test "leftovers: of a run that was killed, the next one removes all: processes, mounts, cgroups, files, and bats's" {
	require docker
	local d=$BATS_TEST_TMPDIR id run script
	alien docker
	script='set -e; . tests/lib/porthole.bash; pt_run_start; echo "$PT_RUN" >"$1/run"; target_start docker web >"$1/pid"
		target_id docker web >"$1/id"; mktemp -d /tmp/bats-run-XXXXXX | tee "$PT_RUN/bats" >"$1/bats"; kill -KILL $$'
	run -137 env -C "$PORTHOLE_SRC" -u PT_RUN -u PT_RUN_OWNER -u PT_MARK -u BATS_VERSION bash -c "$script" bash "$d" 3>&-
	id=$(<"$d/id") run=$(<"$d/run")
	pid_alive "$(<"$d/pid")"
	[[ -d $run && -d $(<"$d/bats") && $(in_cgroups "$id") != 0 ]]
	env -C "$PORTHOLE_SRC" -u PT_RUN -u PT_RUN_OWNER -u PT_MARK -u BATS_VERSION bash -c '. tests/lib/porthole.bash; pt_run_start; pt_run_stop' 3>&-
	wait_until 5 test ! -e "$run" # another run may have been first
	pid_gone "$(<"$d/pid")"
	[[ ! -e $(<"$d/bats") && $(in_cgroups "$id") == 0 && -d ${ALIEN[0]} ]]
	refute grep -q "$run/" /proc/self/mountinfo
}

@test "leftovers: who only has copies of the run's mounts is none of its processes; who lives in them is" {
	local d
	d=$(test_dir)
	mkdir "$d/m" "$d/at"
	mount -t tmpfs none "$d/m"
	env -i unshare -m --propagation private sleep 60 3>&- &
	P=$!
	wait_until 5 grep -q sleep "/proc/$P/comm"
	grep -q "$d/m" "/proc/$P/mountinfo"
	[[ " $(pids_using "$d") " != *"$P"* ]]
	kill -KILL "$P"
	env -i unshare -m --propagation private sh -c "mount --bind $d/at /mnt && exec sleep 60" 3>&- &
	P=$!
	wait_until 5 grep -q sleep "/proc/$P/comm"
	[[ $(pids_using "$d") == "$P" ]]
	umount "$d/m"
}

@test "leftovers: what a process of the run has started is the run's, by whatever environment; we are spared" {
	local list mark=$PT_RUN/none
	PT_MARK=$mark sh -c 'env -i sleep 60 & echo $! >"$0"; wait' "$BATS_TEST_TMPDIR/child" 3>&- &
	P=$!
	wait_until 5 test -s "$BATS_TEST_TMPDIR/child"
	list=$(pids_using "$mark")
	[[ $'\n'$list$'\n' == *$'\n'"$(<"$BATS_TEST_TMPDIR/child")"$'\n'* && $'\n'$list$'\n' == *$'\n'"$P"$'\n'* ]] || die "$list"
	list=$(PT_MARK=$mark bash -c '. "$1/tests/lib/porthole.bash"; pids_using "$2"; echo "self $$"' bash "$PORTHOLE_SRC" "$mark")
	refute grep -qx "${list##*self }" <<<"${list%self *}"
	kill_users_of "$mark"
	pid_gone "$P"
	pid_gone "$(<"$BATS_TEST_TMPDIR/child")"
}

@test "leftovers: a run among processes that are not seen lives" {
	local d
	d=$(test_dir)
	echo '4194303 1' >"$d/owner"
	echo 'pid:[1]' >"$d/pidns"
	run_lives "$d"
	readlink /proc/self/ns/pid >"$d/pidns"
	refute run_lives "$d"
}
