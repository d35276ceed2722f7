#!/usr/bin/env bats
# porthole catch: what a container leaves is held, its end is told, and it is in nobody's way.
load ../lib/porthole

# shellcheck disable=SC2016 # expanded by the target's shell
APP='echo mem >/dev/shm/s; echo layer >/tmp/l; [ ! -d /t ] || echo tmp >/t/x; deep() { deep; }; trap "exit 3" USR1
trap deep USR2; trap "exit 0" TERM; while :; do sleep 0.05; done'
APP=${APP//$'\n'/; }

# lives ENGINE [FLAG...]: such a target as NAME, with pid PID.
lives() {
	lives_with /tmp/l "$APP" "$@"
}

teardown() {
	[[ -z ${C:-} ]] || kill -KILL "$C" 2>/dev/null || true
	[[ -z ${NAME:-} ]] || target_stop "$ENGINE" "$NAME"
}

# catches [OPTION...] [TARGET CMD...]: armed in the background as $C.
catches() {
	: >"$ERR" # what an earlier one said
	"$PORTHOLE" catch "$@" >"$OUT" 2>"$ERR" <"${IN:-/dev/null}" 3>&- &
	C=$!
	wait_until 5 grep -q "armed on" "$ERR" || die "$(cat "$ERR")"
}

# caught CODE: it ended with that.
caught() {
	local code=0
	wait_until 15 pid_gone "$C"
	wait "$C" || code=$?
	C=
	[[ $code == "$1" ]] || die "ended with $code, not $1: $(cat "$OUT" "$ERR")"
}

has() { grep -qF -- "$2" "$1" || die "not '$2' in: $(cat "$1")"; }

SEE='cat /dev/shm/s /tmp/l; touch /tmp/new && echo written; id -u; readlink /proc/self/exe >/dev/null && echo proc'

# holds ENGINE FLAG...: report and session on what is left.
holds() {
	lives "$@"
	catches "$NAME" -- sh -c "$SEE; exit 9"
	kill -USR1 "$PID"
	caught 9
	[[ $(<"$OUT") == $'mem\nlayer\nwritten\n0\nproc' ]] || die "$(cat "$OUT" "$ERR")"
	has "$ERR" "'$NAME' ended with exit code 3"
	has "$ERR" "/dev/shm"
}

@test "catch: docker; docker itself has lost the memory, and its layer is as it was" {
	require docker kit
	holds docker --tmpfs /t
	engine_cli docker start "$NAME"
	PID=$(engine_cli docker inspect -f '{{.State.Pid}}' "$NAME")
	[[ ! -e /proc/$PID/root/tmp/new ]]
	catches "$NAME" -- cat /t/x /dev/shm/s
	echo second >"/proc/$PID/root/dev/shm/s"
	engine_cli docker stop -t 1 "$NAME"
	caught 0
	[[ $(<"$OUT") == $'tmp\nsecond' ]]
	# the control: what docker still has of it
	engine_cli docker cp "$NAME:/tmp/l" "$BATS_TEST_TMPDIR/l"
	run engine_cli docker cp "$NAME:/dev/shm/s" "$BATS_TEST_TMPDIR/s"
	[[ $status != 0 ]]
	run engine_cli docker cp "$NAME:/t/x" "$BATS_TEST_TMPDIR/x"
	[[ $status != 0 ]]
}

@test "catch: podman" {
	require podman kit
	holds podman
}

@test "catch: runc" {
	require runc kit
	holds runc '.root.readonly = false'
}

@test "catch: a process with namespaces of its own, and a user namespace" {
	require kit
	holds plain --rw --user 0
	target_stop plain "$NAME"
	holds plain --rw --userns --user 0 --caps
}

@test "catch: docker with user namespaces" {
	require docker-userns kit
	holds docker-userns
}

@test "catch: docker run --rm: nothing is left of it elsewhere" {
	require docker kit
	lives docker --rm
	catches "$NAME" -- sh -c 'sleep 1; cat /tmp/l /dev/shm/s; ls -d /bin/busybox /etc/passwd /tmp/l'
	kill -KILL "$PID"
	caught 0
	[[ $(<"$OUT") == $'layer\nmem\n/bin/busybox\n/etc/passwd\n/tmp/l' ]] || die "$(cat "$OUT" "$ERR")"
	has "$ERR" "was killed by signal 9 (KILL)"
	run engine_cli docker inspect "$NAME"
	[[ $status != 0 ]]
}

@test "catch: docker run --rm with what is too large to copy: that is named, the rest is kept and listed" {
	require docker kit
	lives docker --rm
	engine_cli docker exec "$NAME" sh -c 'mkdir -p /var/big; dd if=/dev/zero of=/var/big/file bs=1M count=20 2>/dev/null'
	catches "$NAME" -- sh -c 'sleep 1; ls -d /bin /tmp/l /var/big; ls / | grep -c .; ls /var/big; cat /tmp/l'
	kill -KILL "$PID"
	caught 0
	[[ $(<"$OUT") == $'/bin\n/tmp/l\n/var/big\n'[1-9]*$'\nlayer' ]] || die "$(cat "$OUT" "$ERR")"
	has "$ERR" "Lost, too large or too many to copy (--keep-max): /var/big/file"
	run engine_cli docker inspect "$NAME"
	[[ $status != 0 ]]
}

@test "catch: what was not copied is there as long as the engine does not remove it" {
	require docker kit
	lives docker
	engine_cli docker exec "$NAME" sh -c 'dd if=/dev/zero of=/file bs=1M count=20 2>/dev/null'
	catches "$NAME" -- sh -c 'stat -c %s /file; cat /tmp/l'
	kill -KILL "$PID"
	caught 0
	[[ $(<"$OUT") == $'20971520\nlayer' ]] || die "$(cat "$OUT" "$ERR")"
	has "$ERR" "Not copied (--keep-max), and lost when its engine removes it: /file"
}

@test "catch --keep-max: large files are copied, and there when the engine has removed the container" {
	require docker kit
	lives docker
	engine_cli docker exec "$NAME" sh -c 'dd if=/dev/zero of=/file bs=1M count=20 2>/dev/null'
	mkfifo "$BATS_TEST_TMPDIR/go"
	exec {go}<>"$BATS_TEST_TMPDIR/go"
	IN=$BATS_TEST_TMPDIR/go catches --keep-max 64m "$NAME" -- sh -c 'read x; stat -c %s /file; cat /tmp/l'
	kill -KILL "$PID"
	wait_until 15 grep -q "of its writable layer (2[0-9.]* MiB) copied" "$ERR" || die "$(cat "$ERR")"
	refute grep -q "Not copied" "$ERR"
	engine_cli docker rm -f "$NAME"
	echo >&"$go"
	exec {go}>&-
	caught 0
	[[ $(<"$OUT") == $'20971520\nlayer' ]] || die "$(cat "$OUT" "$ERR")"
}

@test "catch: docker rm -f while armed is not kept from its work" {
	require docker kit
	lives docker
	catches --no-session "$NAME"
	SECONDS=0
	engine_cli docker rm -f "$NAME"
	((SECONDS < 10))
	caught 0
	has "$OUT" "was killed by signal 9 (KILL)"
	run engine_cli docker inspect "$NAME"
	[[ $status != 0 ]]
}

@test "catch: killed for lack of memory" {
	require docker kit
	ENGINE=docker NAME=$(uniq_name oom) OUT=$BATS_TEST_TMPDIR/out ERR=$BATS_TEST_TMPDIR/err
	target_start docker "$NAME" busybox -m 16m -- /bin/sh -c \
		'trap "x=\$(head -c 100000000 /dev/zero | tr \"\\0\" a)" USR1; while :; do sleep 0.05; done' >/dev/null
	catches --json --no-session "$NAME"
	engine_cli docker kill -s USR1 "$NAME"
	caught 0
	jq -e '.oom_killed and .exit_code == 137 and .signal == 9 and .oom_kills >= 1 and .memory_peak > 10000000
		and .last.memory.limit == 16777216' "$OUT" >/dev/null || die "$(cat "$OUT" "$ERR")"
	has "$OUT" "for lack of memory: its limit is 16 MiB"
}

@test "catch: a child killed for lack of memory is not its end" {
	require docker kit
	lives docker -m 16m
	catches --no-session "$NAME"
	run -137 engine_cli docker exec "$NAME" sh -c 'x=$(head -c 100000000 /dev/zero | tr "\0" a)'
	pid_alive "$PID" || die "$(cat "$OUT" "$ERR")"
	kill -USR1 "$PID"
	caught 0
	has "$OUT" "ended with exit code 3"
	has "$OUT" "oom kills"
	refute grep -q "lack of memory" "$OUT"
}

@test "catch: a segmentation fault, with its core and without" {
	require docker kit
	[[ $(</proc/sys/kernel/core_pattern) != [/\|]* ]] || skip "core_pattern leads elsewhere"
	lives docker --ulimit core=-1 -w /tmp
	catches "$NAME" -- sh -c 'ls /tmp/core*'
	engine_cli docker kill -s USR2 "$NAME"
	caught 0
	has "$ERR" "was killed by signal 11 (SEGV)"
	has "$ERR" "segfault at"
	has "$ERR" "in /tmp, in its own files"
	has "$OUT" /tmp/core
	target_stop docker "$NAME"
	lives docker --ulimit core=0
	catches --no-session "$NAME"
	engine_cli docker kill -s USR2 "$NAME"
	caught 0
	has "$OUT" "its limit of core files is 0"
}

@test "catch: a restart policy of always goes on, and what was held is of before" {
	require docker kit
	lives docker --restart always
	catches "$NAME" -- sh -c 'sleep 1.5; cat /dev/shm/s /tmp/l; ls /second 2>&1'
	echo before >"/proc/$PID/root/tmp/l"
	kill -USR1 "$PID"
	again() {
		local now
		now=$(engine_cli docker inspect -f '{{.State.Pid}}' "$NAME")
		[[ $now != 0 && $now != "$PID" ]] && NEW=$now
	}
	wait_until 5 again
	echo after >"/proc/$NEW/root/tmp/l"
	echo >"/proc/$NEW/root/second"
	run caught 1
	[[ $(head -n 2 "$OUT") == $'mem\nbefore' ]] || die "$(cat "$OUT" "$ERR")"
	refute grep -qx /second "$OUT"
	pid_alive "$NEW"
	[[ $(<"/proc/$NEW/root/tmp/l") == after ]]
}

@test "catch: stop and restart take no longer" {
	require docker kit
	local a b t
	lives docker
	t=${EPOCHREALTIME/[.,]/}
	engine_cli docker restart -t 5 "$NAME"
	a=$((${EPOCHREALTIME/[.,]/} - t))
	catches --no-session "$NAME"
	t=${EPOCHREALTIME/[.,]/}
	engine_cli docker restart -t 5 "$NAME"
	b=$((${EPOCHREALTIME/[.,]/} - t))
	caught 0
	echo "# docker restart: $((a / 1000)) ms, with catch armed $((b / 1000)) ms" >&3
	((b < 2 * a + 500000))
}

@test "catch: Ctrl-C disarms and leaves nothing; so does kill -9" {
	require docker kit
	lives docker
	catches "$NAME"
	kill -INT "$C"
	caught 130
	has "$ERR" "disarmed: '$NAME' still runs"
	catches "$NAME" -- sleep 60
	kill -KILL "$C"
	caught 137
	catches "$NAME" -- sleep 61
	kill -USR1 "$PID"
	wait_until 5 pgrep -f "^sleep 61"
	kill -KILL "$C"
	caught 137
	wait_until 2 refute pgrep -f "^sleep 61"
	engine_cli docker rm -f "$NAME"
	refute grep -qF "$NAME" /proc/self/mountinfo
}

@test "catch: --timeout, --next, and what cannot be caught" {
	require docker kit
	lives docker
	run -124 timeout 10 "$PORTHOLE" catch --timeout 1 "$NAME"
	[[ $output == *"still runs after 1 second"* && $output != *"1 seconds"* ]]
	run -125 timeout 10 "$PORTHOLE" catch "$NAME" --timeout 1
	[[ $output == *"'--timeout' after the target would be the command"* ]] || die "$output"
	engine_cli docker stop -t 1 "$NAME"
	run -125 timeout 10 "$PORTHOLE" catch "$NAME"
	[[ $output == *"$NAME"* ]] || die "$output"
	run -124 timeout 10 "$PORTHOLE" catch --next --timeout 1 "$NAME"
	"$PORTHOLE" catch --next --json "$NAME" >"$OUT" 2>"$ERR" </dev/null 3>&- &
	C=$!
	wait_until 5 grep -q "waiting for '$NAME' to start" "$ERR"
	engine_cli docker start "$NAME"
	wait_until 5 grep -q "armed on" "$ERR"
	engine_cli docker kill "$NAME"
	caught 0
	[[ $(jq -r '.exit_code, .target.name' "$OUT") == $'137\n'"$NAME" ]]
	# one that was there, and is gone before it was held
	local was=0
	switches() { awk '/^voluntary/ { print $2 }' "/proc/$C/status"; }
	"$PORTHOLE" catch --next --timeout 8 "$NAME-x" >"$OUT" 2>"$ERR" </dev/null 3>&- &
	C=$!
	wait_until 5 grep -q "waiting for " "$ERR"
	engine_cli docker create --name "$NAME-x" pt/busybox:1 /bin/true
	was=$(switches)
	wait_until 5 eval '(($(switches) > was + 3))' # it has looked
	engine_cli docker rm "$NAME-x"
	caught 124
	has "$ERR" "'$NAME-x' was there, and is gone again: it was removed, or started and ended too fast to be held"
	run -125 timeout 10 "$PORTHOLE" catch "pid:$$"
	[[ $output == *"own namespaces"* || $output == *"no mounts of its own"* ]] || die "$output"
}

@test "catch: --next on one that ends at once: caught, or called too fast" {
	require docker kit
	local code=0
	ENGINE=docker NAME=$(uniq_name quick) OUT=$BATS_TEST_TMPDIR/out ERR=$BATS_TEST_TMPDIR/err
	engine_start docker
	"$PORTHOLE" catch --next --timeout 10 "$NAME" -- true >"$OUT" 2>"$ERR" </dev/null 3>&- &
	C=$!
	wait_until 5 grep -q "waiting for '$NAME' to start" "$ERR"
	target_start docker "$NAME" busybox -- /app --exit 4 >/dev/null || true
	wait_until 15 pid_gone "$C"
	wait "$C" || code=$?
	C=
	[[ $code$(<"$ERR") == 124*"'$NAME' started and ended too fast to be held"* || $code$(<"$ERR") == 0*"exit code 4"* ]] ||
		die "$code: $(<"$ERR")"
	# the life before, however short ago, is not the next one
	run -124 timeout 10 "$PORTHOLE" catch --next --timeout 1 "$NAME"
	[[ $output == *"'$NAME' did not start within 1 second"* ]] || die "$output"
}

@test "catch: a mount made after it was armed is held too" {
	require runc kit
	lives runc '.root.readonly = false | .process.capabilities.bounding += ["CAP_SYS_ADMIN"] |
		.process.capabilities.effective += ["CAP_SYS_ADMIN"] | .process.capabilities.permitted += ["CAP_SYS_ADMIN"]'
	catches "$NAME" -- cat /run/late
	engine_cli runc exec "$NAME" /bin/busybox mount -t tmpfs none /run
	echo late >"/proc/$PID/root/run/late"
	kill -USR1 "$PID"
	caught 0
	[[ $(<"$OUT") == late ]] || die "$(cat "$OUT" "$ERR")"
}

@test "catch: at a terminal, a shell" {
	require docker kit
	lives docker
	run -0 env TERM=xterm timeout -k 2 60 /usr/bin/python3 "$PORTHOLE_SRC/tests/tools/term.py" \
		'expect:armed on' "run:kill -USR1 $PID" 'expect:ended with exit code 3' 'expect:in what is left of' 'expect:# ' \
		'send:cat /dev/shm/s\r' 'expect:mem' 'send:exit\r' -- "$PORTHOLE" catch "$NAME"
}
