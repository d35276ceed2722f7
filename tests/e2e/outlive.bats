#!/usr/bin/env bats
# exec --outlive: the session goes on when the target's first process ends; --follow: it is run again after
# the target's restart.
load ../lib/porthole

# shellcheck disable=SC2016 # expanded by the target's shell
APP='echo kept >/tmp/kept; trap "exit 3" USR1; trap "exit 0" TERM; while :; do sleep 0.05; done'

# lives ENGINE [FLAG...]: such a target as NAME, with pid PID.
lives() {
	lives_with /tmp/kept "$APP" "$@"
}

teardown() {
	[[ -z ${NAME:-} ]] || target_stop "$ENGINE" "$NAME"
}

# session OPTION... CMD...: in the background, as $S.
session() {
	: >"$OUT" >"$ERR" # what an earlier one said
	timeout -k 2 30 "$PORTHOLE" exec "$@" >"$OUT" 2>"$ERR" </dev/null 3>&- &
	S=$!
}

out_has() { grep -q "$1" "$OUT"; }
err_has() { grep -q "$1" "$ERR"; }

# stays ENGINE: a session lives through its target's end, whose code it tells, and has its files.
stays() {
	session --outlive "$NAME" sh -c 'echo in; while [ -e /dev/target-proc/1/stat ]; do sleep 0.05; done
		sleep 0.3; cat /tmp/kept; ls /proc/self/fd >/dev/null && echo proc; exit 7'
	wait_until 5 out_has in
	kill -USR1 "$PID"
	ends 7 "$S"
	[[ $(<"$OUT") == $'in\nkept\nproc' ]] || die "$(cat "$OUT" "$ERR")"
	err_has "'$NAME' ended with exit code 3 after" || die "$(cat "$ERR")"
}

@test "outlive: docker; without it the session ends with the target" {
	require docker kit
	lives docker
	stays
	engine_cli docker start "$NAME"
	PID=$(engine_cli docker inspect -f '{{.State.Pid}}' "$NAME")
	session "$NAME" sh -c 'echo in; sleep 20'
	wait_until 5 out_has in
	kill -USR1 "$PID"
	ends 137 "$S"
	err_has "stopped, which ended the session"
}

@test "outlive: podman" {
	require podman kit
	lives podman
	stays
}

@test "outlive: runc" {
	require runc kit
	lives runc '.root.readonly = false'
	stays
}

@test "outlive: plain, with a user namespace" {
	require kit
	lives plain --rw --userns --user 0 --caps
	stays
}

@test "outlive: docker run --rm, removed while the session goes on" {
	require docker kit
	lives docker --rm
	echo shared >"/proc/$PID/root/dev/shm/s"
	mkfifo "$BATS_TEST_TMPDIR/go"
	x --outlive "$NAME" sh -c 'echo in; read x; cat /dev/shm/s; ls /bin/busybox; exit 5' \
		<"$BATS_TEST_TMPDIR/go" >"$OUT" 2>"$ERR" 3>&- &
	S=$!
	exec 7>"$BATS_TEST_TMPDIR/go"
	wait_until 5 out_has in
	kill -KILL "$PID"
	wait_until 5 err_has "was killed by signal 9 (KILL)"
	wait_until 10 refute engine_cli docker inspect "$NAME"
	echo go >&7
	exec 7>&-
	ends 5 "$S"
	[[ $(<"$OUT") == $'in\nshared\n/bin/busybox' ]] || die "$(cat "$OUT")"
	[[ $(grep -c "'$NAME' was removed by its engine" "$ERR") == 1 ]] || die "$(cat "$ERR")"
}

@test "outlive: --diff tells what the session changed, and nothing of its removal" {
	require docker kit
	lives docker --rm
	session --outlive --view cow --diff "$NAME" sh -c 'echo in; echo x >>/etc/hosts; echo y >/mine; while [ -e /dev/target-proc/1/stat ]; do sleep 0.05; done
		sleep 1.5'
	wait_until 5 out_has in
	kill -KILL "$PID"
	ends 0 "$S"
	run engine_cli docker inspect "$NAME"
	[[ $status != 0 && $(grep '^[ACD] ' "$ERR") == $'C /etc/hosts\nA /mine' ]] || die "$(cat "$ERR")"
	err_has "'$NAME' was removed by its engine" || die "$(cat "$ERR")"
}

@test "outlive: exec in a crash loop: entered, or what is left is opened; never refused" {
	require docker kit
	local i
	ENGINE=docker NAME=$(uniq_name loop)
	target_start docker "$NAME" busybox --restart always -- /bin/sh -c 'sleep 0.3; exit 1' >/dev/null
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		run timeout 20 "$PORTHOLE" exec "$NAME" /bin/true
		# killed with the target's own end, or in the moment before: that says what to do
		[[ $status == 0 || $output == *"stopped, which ended the session"* ||
			$output == *"exited while it was being entered (the same again opens"* ]] || die "$i: $status $output"
		[[ $output != *leftover* ]] || die "$output"
		sleep 0.11
	done
}

@test "outlive: its processes are its own, the target's are shown beside" {
	require docker kit
	lives docker
	run -0 x --outlive "$NAME" sh -c 'ps -e | grep -c "sh$"; tr '\''\\0'\'' " " </dev/target-proc/1/cmdline; readlink /proc/self/ns/pid'
	[[ $output == *"trap"* && $output != *"$(readlink "/proc/$PID/ns/pid")"* ]]
	# a number of the target's reaches nobody
	run -137 x --outlive "$NAME" sh -c 'kill -9 1; kill -9 $$'
	pid_alive "$PID"
	run -0 x "$NAME" sh -c 'readlink /proc/self/ns/pid; ls /dev'
	[[ $output == *"$(readlink "/proc/$PID/ns/pid")"* && $output != *target-proc* ]]
	says 125 "ends with it" --outlive --ns mnt,pid "$NAME" true
	run -0 x --outlive --explain "$NAME" true
	[[ $output == *"a pid namespace of the session's own"* ]]
}

@test "outlive: at a terminal, one line, and the terminal is as it was" {
	require docker kit
	lives docker
	run -0 at_term 'expect:# ' 'send:echo a$((1+1))\r' 'expect:a2' "run:kill -USR1 $PID" "expect:ended with exit code 3" \
		'send:cat /tmp/kept\r' 'expect:kept' 'send:exit\r' -- --outlive "$NAME"
}

@test "outlive: kill -9 of any of its processes leaves nothing" {
	require runc kit
	local roles
	lives runc '.root.readonly = false'
	cp "$PORTHOLE" "$BATS_TEST_TMPDIR/porthole"
	ln -s "$PORTHOLE_BUILD/kit.erofs" "$BATS_TEST_TMPDIR/kit.erofs"
	for roles in supervisor agent guard supervisor,agent supervisor,guard; do
		run timeout 60 /usr/bin/python3 "$PORTHOLE_SRC/tests/tools/kill9.py" "$roles" 0 25 2 \
			"$BATS_TEST_TMPDIR/porthole" exec --outlive "$NAME" sh -c 'setsid sleep 60 & sleep 60'
		[[ $status == 0 && $output == *"gone within"* ]] || die "$roles: $output"
	done
}

# runs_as PID...: the target runs, with none of these pids.
runs_anew() {
	local now
	now=$(engine_cli "$ENGINE" inspect -f '{{.State.Pid}}' "$NAME")
	[[ -n $now && $now != 0 && $now != "$1" ]] && NEW=$now
}

# follows RESTART...: the command is run again after each restart, by its name.
follows() {
	session "$@" "$NAME" sh -c 'echo "in $PORTHOLE_TARGET"; tail -f /dev/null'
	wait_until 5 out_has "in $NAME"
	kill -USR1 "$PID"
	wait_until 5 err_has "ended with exit code 3"
	wait_until 5 err_has "waiting for it to start again"
	[[ $(grep -c in "$OUT") == 1 ]]
	engine_cli "$ENGINE" start "$NAME"
	wait_until 10 err_has "'$NAME' runs again"
	twice() { [[ $(grep -c "in $NAME" "$OUT") == 2 ]]; }
	wait_until 5 twice
	runs_anew "$PID"
	# the command's own end is the end
	kill -TERM "$S"
	kill -TERM "$S" || true
	wait "$S" || [[ $? -ge 128 ]]
	pid_alive "$NEW"
}

@test "follow: docker" {
	require docker kit
	lives docker
	follows --follow
}

@test "follow: podman" {
	require podman kit
	lives podman
	follows --follow
}

@test "follow: a restart policy of always, and the command's own end ends it" {
	require docker kit
	lives docker --restart always
	session --follow "$NAME" sh -c 'echo in; [ -e /tmp/last ] && exit 9; touch /tmp/last; sleep 20'
	wait_until 5 out_has in
	kill -USR1 "$PID"
	ends 9 "$S"
	[[ $(<"$OUT") == $'in\nin' ]]
	run -4 x --follow "$NAME" sh -c 'exit 4'
}

@test "follow: with --outlive it is the one who leaves who moves on" {
	require docker kit
	lives docker
	session --outlive --follow "$NAME" sh -c 'echo in; [ -e /tmp/last ] && exit 9; touch /tmp/last
		while [ -e /dev/target-proc/1/stat ]; do sleep 0.05; done; echo left'
	wait_until 5 out_has in
	kill -USR1 "$PID"
	wait_until 5 err_has "waiting for it to start again"
	[[ $(<"$OUT") == $'in\nleft' ]]
	engine_cli docker start "$NAME"
	ends 9 "$S"
	[[ $(<"$OUT") == $'in\nleft\nin' ]]
}

@test "follow: Ctrl-C while it waits" {
	require docker kit
	lives docker
	session --follow "$NAME" sh -c 'echo in; sleep 20'
	wait_until 5 out_has in
	engine_cli docker stop -t 5 "$NAME"
	wait_until 5 err_has "waiting for it"
	kill -INT "$S"
	ends 130 "$S"
	engine_cli docker rm "$NAME"
}

@test "follow: a container that is removed ends the waiting" {
	require docker kit
	lives docker
	session --follow "$NAME" sh -c 'echo in; sleep 20'
	wait_until 5 out_has in
	engine_cli docker rm -f "$NAME"
	wait_until 10 err_has "waiting for it"
	wait_until 20 err_has "'$NAME' was removed, and has not come back for 10 seconds"
	ends 125 "$S"
}

@test "follow: a process without a name" {
	require kit
	ENGINE=plain NAME=$(uniq_name anon)
	PID=$(target_start plain "$NAME")
	says 125 "--follow needs a container's name" --follow "pid:$PID" true
}
