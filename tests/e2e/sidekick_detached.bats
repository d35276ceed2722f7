#!/usr/bin/env bats
# bats file_tags=alone
# shellcheck disable=SC2154 # run sets stderr
# sidekick -d, ps, logs, kill: what runs in the background, and that it ends, whatever it did.
load ../lib/porthole

sk() {
	timeout -k 2 30 "$PORTHOLE" sidekick "$@"
}

setup() {
	require runc kit
	NAME=$(uniq_name det)
	SK=$NAME-sk
	PID=$(target_start runc "$NAME" busybox)
}

teardown() {
	"$PORTHOLE" kill "$SK" 2>/dev/null || true
	target_stop runc "$NAME"
}

# state KEY: of what is written of it.
state() {
	jq -r "$1" "/run/porthole/$SK/state"
}

# gone: nothing is written of it, and no process has its cookie.
gone() {
	[[ ! -e /run/porthole/$SK ]] && ! grep -lsz "^PORTHOLE_SESSION=$COOKIE" /proc/[0-9]*/environ
}

detached() {
	run -0 sk "$NAME" -d --name "$SK" "$@"
	[[ $output == "$SK" ]] || die "$output"
	COOKIE=$(state .id)
}

@test "it is listed, entered, inspected, and ended; nothing stays" {
	residue_snapshot "$BATS_TEST_TMPDIR/r" "$PID"
	detached
	run -0 "$PORTHOLE" ps
	[[ $output == *"$SK "*porthole*"beside $NAME"*running* ]] || die "$output"
	run -0 "$PORTHOLE" exec "$SK" ls /target /proc/self/root/usr
	[[ $output == *app* && $output == *share* ]] || die "$output"
	run -0 "$PORTHOLE" exec "porthole://$SK" cat "/proc/1/comm"
	[[ $output == app ]] || die "$output"
	run -0 "$PORTHOLE" inspect "$SK"
	[[ $output == *porthole* ]] || die "$output"
	run -0 "$PORTHOLE" kill "$SK"
	gone || die "still there"
	refute "$PORTHOLE" exec "$SK" true
	residue_assert_same "$BATS_TEST_TMPDIR/r"
}

@test "names: one each, the second is another, nonsense is refused" {
	detached
	run -125 sk "$NAME" -d --name "$SK"
	[[ $output == *"there is a container '$SK' already"* ]] || die "$output"
	run -0 sk "$NAME" -d
	[[ $output == "$NAME-sidekick" ]] || die "$output"
	run -0 sk "$NAME" -d
	[[ $output == "$NAME-sidekick-2" ]] || die "$output"
	run -0 "$PORTHOLE" kill "$NAME-sidekick" "$NAME-sidekick-2"
	local bad
	for bad in ../x a/b '' .x -- 12 $'a\nb' "$(printf 'x%.0s' {1..65})"; do
		run -125 sk "$NAME" -d --name "$bad"
		[[ $output == *"cannot be a container's name"* ]] || die "'$bad': $output"
	done
	run -127 sk "$NAME" -d --name "$SK-x" no-such-command
	[[ $output == *"no command 'no-such-command'"* && ! -e /run/porthole/$SK-x ]] || die "$output"
}

@test "logs: both streams, followed to the end, bounded" {
	detached sh -c 'echo out; echo err >&2; cat /dev/zero | head -c 4000000 | tr "\0" x; echo; echo last; until [ -e /tmp/go ]; do sleep 0.1; done; echo end'
	wait_until 30 eval '"$PORTHOLE" logs "$SK" | grep -q last'
	(($("$PORTHOLE" logs "$SK" | wc -c) < 2200000)) || die "not bounded"
	timeout 60 "$PORTHOLE" logs -f "$SK" >"$BATS_TEST_TMPDIR/log" 3>&- &
	wait_until 10 grep -q last "$BATS_TEST_TMPDIR/log"
	"$PORTHOLE" exec "$SK" touch /tmp/go
	wait $!
	[[ $(tail -n 1 "$BATS_TEST_TMPDIR/log") == end ]] || die "$(tail -n 1 "$BATS_TEST_TMPDIR/log")"
	wait_until 5 gone
	run -0 --separate-stderr "$PORTHOLE" logs "$SK"
	[[ $output == *$'last\nend' && $stderr == *"'$SK' ended with exit code 0 at "* ]] || die "$stderr"
	run -0 "$PORTHOLE" kill "$SK"
	run -125 "$PORTHOLE" logs "$SK"
	[[ $output == *"nothing is named"* ]] || die "$output"
}

@test "kill -s: a signal for its command; what is another's to end is said" {
	# shellcheck disable=SC2016
	detached sh -c 'trap "echo hup" HUP; trap "exit 3" TERM; while :; do sleep 0.1; done'
	run -0 "$PORTHOLE" kill -s hup "$SK"
	wait_until 5 eval '"$PORTHOLE" logs "$SK" | grep -q hup'
	run -0 "$PORTHOLE" kill -s SIGTERM "$SK"
	wait_until 5 gone
	run -125 "$PORTHOLE" kill "$NAME"
	[[ $output == *"runc made it"*"runc kill $NAME KILL"* ]] || die "$output"
	run -2 "$PORTHOLE" kill -s NOSUCH "$NAME"
	pid_alive "$PID"
}

# ends_storm FLAG...: a thousand that keep forking are gone once the kill returns. How long it takes is bench/run's.
ends_storm() {
	detached "$@" sh -c "$(forkers 1000)"
	storm_kill "$SK"
	gone || die "something is left"
}

@test "kill: a thousand that keep forking, in the target's pid namespace" {
	ends_storm
}

@test "kill: a thousand that keep forking, in a pid namespace of their own" {
	ends_storm --share net
}

@test "kill -9 of supervisor, agent or keeper, at any moment: nothing stays" {
	local who pid
	residue_snapshot "$BATS_TEST_TMPDIR/r" "$PID"
	for who in supervisor agent supervisor,agent keeper keeper,supervisor keeper,supervisor,agent; do
		detached sh -c 'trap "" TERM HUP; sleep 300 & setsid sleep 300 & sleep 300'
		pid=$(state .supervisor.pid)
		# first: it goes elsewhere with the supervisor, which ends with the agent
		if [[ $who == *keeper* ]]; then
			wait_until 10 eval '[[ -n $(keeper_of "$pid") ]]' # it has its title a moment after it began
			kill -KILL "$(keeper_of "$pid")"
		fi
		[[ $who != *agent* ]] || kill -KILL "$(state .agent.pid)"
		[[ $who != *supervisor* ]] || kill -KILL "$pid"
		[[ $who == keeper ]] && "$PORTHOLE" kill "$SK"
		wait_until 5 looked_gone || die "$who: something is left"
		residue_assert_same "$BATS_TEST_TMPDIR/r"
	done
}

# The next look finds out when all who could have cleared up are gone.
looked_gone() {
	"$PORTHOLE" ps >/dev/null
	"$PORTHOLE" kill "$SK" 2>/dev/null || true
	gone
}

keeper_of() {
	local p
	for p in $(pgrep -P "$1"); do
		[[ $(tr -d '\0' <"/proc/$p/cmdline") == ph-keeper* ]] && echo "$p"
	done
}

@test "kill -9 while it starts: nothing stays" {
	local ms i
	residue_snapshot "$BATS_TEST_TMPDIR/r" "$PID"
	for ms in 1 3 5 8 12 20; do
		COOKIE=none
		"$PORTHOLE" sidekick "$NAME" -d --name "$SK" sleep 300 >/dev/null 2>&1 3>&- &
		i=$!
		/usr/bin/python3 -c "import time; time.sleep($ms / 1000)"
		kill -KILL "$i" 2>/dev/null || true
		wait "$i" || true
		# who was started goes on, or not: both are whole
		wait_until 5 settled
		"$PORTHOLE" kill "$SK" 2>/dev/null || true
		wait_until 5 gone
	done
	residue_assert_same "$BATS_TEST_TMPDIR/r"
}

# It has begun, or there is nothing.
settled() {
	"$PORTHOLE" ps >/dev/null
	[[ ! -e /run/porthole/$SK/state ]] || [[ $(state .agent.pid) != 0 ]]
}

@test "the end of the target ends it where pid is shared; elsewhere it goes on" {
	detached
	run -0 sk "$NAME" -d --name "$SK-2" --share net
	kill -KILL "$PID"
	wait_until 5 gone
	run -0 "$PORTHOLE" exec "$SK-2" true
	wait_until 5 eval '"$PORTHOLE" logs "$SK-2" | grep -q "goes on"'
	run -0 "$PORTHOLE" kill "$SK-2"
}
