#!/usr/bin/env bats
# exec --freeze: the target stands still while one looks, and goes on afterwards, whoever of us was killed.
# And targets that somebody else froze: sessions work there, and leave them so.
load ../lib/porthole

# shellcheck disable=SC2016 # expanded by the target's shell
# A target that counts: its /n grows as long as it runs.
COUNT='while :; do echo >>/n; done'
# Twice the same size, half a second apart.
STILL='a=$(wc -c </n); sleep 0.5; b=$(wc -c </n); echo "$a $b"; [ "$a" = "$b" ]'
# It grows, at the latest in 10 s.
GROWS='a=$(wc -c </n); for i in $(seq 200); do [ "$a" = "$(wc -c </n)" ] || exit 1; sleep 0.05; done'

# counting ENGINE [FLAG...]: start such a target as NAME, with pid PID.
counting() {
	local engine=$1
	shift
	NAME=$(uniq_name still)
	PID=$(target_start "$engine" "$NAME" busybox "$@" -- /bin/sh -c "$COUNT")
	ENGINE=$engine
	goes_on
}

teardown() {
	[[ -z ${NAME:-} ]] || target_stop "$ENGINE" "$NAME"
	[[ -z ${CG:-} ]] || wait_until 5 rmdir "$CG"
}

count() {
	stat -c %s "/proc/$PID/root/n"
}

# The target's count grows, within a tenth of a second.
grows() {
	local a b
	a=$(count) && sleep 0.1 && b=$(count)
	[[ -n $a && $a != "$b" ]]
}

goes_on() {
	wait_until 5 grows
}

stands_still() {
	local a
	a=$(count)
	sleep 0.3
	[[ $a == "$(count)" ]]
}

# looks HOW: a session sees it stand still, without --freeze it does not; HOW --explain says it is done.
looks() {
	run -1 x "$NAME" sh -c "$GROWS"
	run -0 x --freeze "$NAME" sh -c "$STILL"
	goes_on
	run -0 x --freeze --explain "$NAME" true
	[[ $output == *"freeze "*"$1"* ]] || die "$output"
	# the exit code is the command's, and a command that cannot be run leaves it running too
	run -7 x --freeze "$NAME" sh -c 'exit 7'
	run -127 x --freeze "$NAME" /no/such
	goes_on
}

@test "freeze: docker, by its cgroup" {
	require docker kit
	counting docker
	looks "by its cgroup"
}

@test "freeze: podman, by its cgroup" {
	require podman kit
	counting podman
	looks "by its cgroup"
}

@test "freeze: runc, by its cgroup" {
	require runc kit
	counting runc '.root.readonly = false'
	looks "by its cgroup"
}

@test "freeze: a target without a cgroup of its own, by signals" {
	require kit
	counting plain --rw --user 0
	looks SIGSTOP
}

@test "freeze: by version 2 of the cgroups" {
	require kit cgroup2
	counting plain --rw --user 0
	CG=$(v2_cgroup)
	echo "$PID" >"$CG/cgroup.procs"
	looks "by its cgroup"
	grep -q 'frozen 0' "$CG/cgroup.events"
}

# A version 2 cgroup of our own.
v2_cgroup() {
	local base=/sys/fs/cgroup
	[[ -d $base/unified ]] && base=$base/unified
	mkdir "$base/${PT_RUN##*/}-$NAME" && echo "$base/${PT_RUN##*/}-$NAME"
}

@test "freeze: a cgroup that others are in too is not frozen" {
	require kit
	local other
	counting plain --rw --user 0
	CG=$(cgroup_new freezer "$NAME")
	spawn "$BATS_TEST_TMPDIR/other" /dev/null sleep 60
	other=$(<"$BATS_TEST_TMPDIR/other")
	echo "$PID" >"$CG/cgroup.procs"
	looks "by its cgroup"
	echo "$other" >"$CG/cgroup.procs"
	looks SIGSTOP
	end_spawned "$BATS_TEST_TMPDIR/other"
}

@test "freeze: many processes, what was stopped already stays so, children born meanwhile stand still" {
	require kit
	local stopped state COUNT='sleep 1000 & while :; do (echo >>/n); done'
	counting plain --rw --user 0
	stopped=$(pgrep_in sleep)
	kill -STOP "$stopped"
	run -0 x --freeze "$NAME" sh -c "$STILL"
	goes_on
	state=$(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$stopped/status")
	[[ $state == T ]]
	kill -CONT "$stopped"
}

# The pid of a process of the target by its name.
pgrep_in() {
	local p
	for p in $(ns_sharers "$PID" | cut -d' ' -f1); do
		[[ $(<"/proc/$p/comm") == "$1" ]] && echo "$p"
	done
	return 0
}

# What every engine's are called while they are held.
@test "freeze: ps calls it paused while it lasts, and running afterwards" {
	require docker podman kit
	local e
	for e in docker podman; do
		counting $e
		coproc HELD { x --freeze "$NAME" sh -c 'echo here; read -r _' 2>&1; }
		read -r -u "${HELD[0]}" -t 20 _
		[[ $("$PORTHOLE" ps --json -f "pid=$PID" | jq -r '.[].state') == paused ]] || die "$e"
		echo >&"${HELD[1]}"
		wait "$HELD_PID" || true
		[[ $("$PORTHOLE" ps --json -f "pid=$PID" | jq -r '.[].state') == running ]] || die "$e"
		target_stop $e "$NAME"
	done
}

@test "freeze: refused where it would freeze the session or the host" {
	require docker kit
	counting docker
	says 125 "would freeze the session" --freeze --cgroup target "$NAME" true
	says 125 "to freeze the host" --freeze --force --ns mnt "pid:$$" true
	goes_on
}

@test "freeze: a paused target is looked at and stays paused" {
	require docker kit
	counting docker
	engine_cli docker pause "$NAME"
	stands_still
	run -0 x "$NAME" sh -c "$STILL"
	run -0 x --freeze "$NAME" sh -c "$STILL"
	run -0 x --freeze --explain "$NAME" true
	[[ $output == *"stays so"* ]]
	stands_still
	[[ $(engine_cli docker inspect -f '{{.State.Paused}}' "$NAME") == true ]]
	says 125 "is paused" --cgroup target "$NAME" true
	run -0 "$PORTHOLE" ps --format '{{.Name}} {{.State}}' --filter "name=$NAME"
	[[ $output == "$NAME paused" ]] || die "$output"
	run -0 "$PORTHOLE" inspect "$NAME"
	[[ $output == *"frozen (paused)"* ]] || die "$output"
	engine_cli docker unpause "$NAME"
	goes_on
}

@test "freeze: paused by podman, by runc, by version 2, and stopped by signals" {
	require podman runc kit cgroup2
	counting podman
	engine_cli podman pause "$NAME"
	run -0 x "$NAME" sh -c "$STILL"
	engine_cli podman unpause "$NAME"
	target_stop podman "$NAME"
	counting runc '.root.readonly = false'
	engine_cli runc pause "$NAME"
	run -0 x "$NAME" sh -c "$STILL"
	[[ $("$PORTHOLE" ps --format '{{.State}}' --filter "name=$NAME") == paused ]]
	engine_cli runc resume "$NAME"
	target_stop runc "$NAME"
	counting plain --rw --user 0
	kill -STOP "$PID"
	run -0 x "$NAME" sh -c "$STILL"
	run -0 x --freeze "$NAME" sh -c "$STILL"
	stands_still
	kill -CONT "$PID"
	goes_on
	CG=$(v2_cgroup)
	echo "$PID" >"$CG/cgroup.procs"
	echo 1 >"$CG/cgroup.freeze"
	run -0 x "$NAME" sh -c "$STILL"
	run -0 x --freeze "$NAME" sh -c "$STILL"
	stands_still
	echo 0 >"$CG/cgroup.freeze"
}

@test "freeze: somebody else thaws it: the session says so" {
	require runc kit
	counting runc '.root.readonly = false'
	x --freeze "$NAME" sleep 1 2>"$BATS_TEST_TMPDIR/err" 3>&- &
	wait_until 5 stands_still
	engine_cli runc resume "$NAME"
	ends 0 $!
	grep -q "somebody else thawed '$NAME'" "$BATS_TEST_TMPDIR/err"
}

@test "freeze: a tracer is warned that it will wait" {
	require docker kit
	counting docker
	engine_cli docker pause "$NAME"
	run --separate-stderr -0 x "$NAME" strace -V
	# shellcheck disable=SC2154
	[[ $stderr == *"is paused: strace attaches to it only once it is resumed"* ]]
	engine_cli docker unpause "$NAME"
	run --separate-stderr -0 x "$NAME" strace -V
	[[ -z $stderr ]]
}

# killed STEP OPTION...: each of the three, and any two, killed at moments STEP ms apart; the target goes on.
killed() {
	local step=$1 roles
	shift
	cp "$PORTHOLE" "$BATS_TEST_TMPDIR/porthole"
	ln -sf "$PORTHOLE_BUILD/kit.erofs" "$BATS_TEST_TMPDIR/kit.erofs"
	for roles in supervisor agent guard supervisor,agent supervisor,guard agent,guard; do
		run timeout 60 /usr/bin/python3 "$PORTHOLE_SRC/tests/tools/kill9.py" "$roles" 0 25 "$step" \
			"$BATS_TEST_TMPDIR/porthole" exec --freeze "$@" "$NAME" sleep 60
		[[ $status == 0 && $output == *"gone within"* ]] || die "$roles: $output"
		wait_until 1 grows || die "$roles: it stays frozen"
	done
}

@test "freeze: kill -9 of any of its processes, by cgroup" {
	require runc kit
	counting runc '.root.readonly = false'
	killed 1
	killed 3 --cgroup own
}

@test "freeze: kill -9 of any of its processes, by signals" {
	require kit
	counting plain --rw --user 0
	killed 1.5
}

@test "freeze: kill -9 on the system calls that freeze and thaw" {
	require runc kit strace
	local call n
	counting runc '.root.readonly = false'
	for call in pwrite64 sendmsg recvmsg mmap; do
		for n in 1 2 3; do
			timeout 5 strace -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:signal=KILL:when=$n" \
				"$PORTHOLE" exec --freeze "$NAME" true || true
			wait_until 1 grows || die "killed on $call $n: it stays frozen"
		done
	done
}
