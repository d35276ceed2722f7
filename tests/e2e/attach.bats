#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets stderr
# porthole attach: at a container in the background, left, come back to, and its end.
load ../lib/porthole

setup() {
	require runc kit
	NAME=$(uniq_name att)
	SK=$NAME-sk
	PID=$(target_start runc "$NAME" busybox)
}

teardown() {
	"$PORTHOLE" kill "$SK" 2>/dev/null || true
	target_stop runc "$NAME"
}

# bg ARG...: a sidekick in the background.
bg() {
	run -0 timeout -k 2 30 "$PORTHOLE" sidekick "$NAME" -d --name "$SK" "$@"
	[[ $output == "$SK" ]] || die "$output"
}

# sit STEP... -- ARG...: porthole attach ARG..., with a person at a terminal.
sit() {
	local steps=()
	while [[ $1 != -- ]]; do
		steps+=("$1")
		shift
	done
	TERM=xterm timeout 60 /usr/bin/python3 "$PORTHOLE_SRC/tests/tools/term.py" "${steps[@]}" -- "$PORTHOLE" attach "${@:2}"
}

# gone: nothing is written of it any more, and no process that could keep it.
gone() {
	[[ ! -e /run/porthole/$SK ]] && refute pgrep -f "attach $SK"
}

# keeper: the pid of its keeper.
keeper() {
	local p
	for p in $(pgrep -f '^ph-keeper'); do
		[[ $(readlink "/proc/$p"/fd/*) == *"/run/porthole/$SK"* ]] && echo "$p"
	done
}

# attached N: so many are.
attached() {
	local p
	p=$(keeper) && (($(readlink "/proc/$p"/fd/* | grep -c ^socket) == $1 + 1))
}

@test "a shell of its own terminal: typed into, left, come back to; its size, its prompt, its exit code" {
	residue_snapshot "$BATS_TEST_TMPDIR/r" "$PID"
	bg -t -i
	run -0 sit -s 30x90 "expect:attached to '$SK'; Ctrl-P Ctrl-Q" 'expect:# $' 'send:tty; here=1$(stty size)\r' 'expect:/dev/pts/' \
		'expect:# $' 'send:\x10\x11' "expect:'$SK' goes on" mode -- "$SK"
	[[ $output == *'[cooked]'* ]] || die "$output"
	# it goes on, and is what it was; the prompt is there before anything is typed
	run -7 sit 'expect:# $' mode 'resize:41x101' 'send:echo $here; stty size\r' 'expect:130 90' 'expect:41 101' 'send:exit 7\r' -- "$SK"
	[[ $output == *'[raw]'* ]] || die "$output"
	wait_until 5 gone
	run -125 sit -- "$SK"
	[[ $output == *"'$SK' has ended"*"porthole logs $SK"* ]] || die "$output"
	"$PORTHOLE" kill "$SK" # what is kept of it
	residue_assert_same "$BATS_TEST_TMPDIR/r"
}

@test "keys: the first is not lost when the second does not come; others, or none" {
	bg -t -- sh -c 'stty raw -echo; echo ready; dd bs=1 count=4 2>/dev/null | od -An -tx1; sleep 60'
	wait_until 10 eval '"$PORTHOLE" logs "$SK" | grep -q ready'
	# Ctrl-P twice, x; then Ctrl-P alone is held back
	run -0 sit 'expect:attached' 'send:\x10\x10x\x10y' 'expect:10 10 78 10' 'send:\x10\x11' -- "$SK"
	run -0 sit 'expect:attached' 'send:\x1d' 'expect:goes on' -- --detach-keys 'ctrl-]' "$SK"
	run -0 sit 'expect:attached' 'send:a' 'send:d' 'expect:goes on' -- --detach-keys 'ctrl-x,a' --detach-keys a,d "$SK"
	run -125 "$PORTHOLE" attach --detach-keys ctrl-1 "$SK"
	[[ $output == *"'ctrl-1' are no keys"* ]] || die "$output"
	# a terminal that is closed leaves it, too
	run -0 sit 'expect:attached' 'hangup' -- --detach-keys '' "$SK"
	"$PORTHOLE" ps -q | grep -qxF "$SK"
}

@test "two at once see the same; --no-stdin only looks" {
	local out=$BATS_TEST_TMPDIR/out pid
	bg -t -i
	sit 'expect:# $' 'send:no-such\r' 'expect:seen-[b]y-both' 'send:\x10\x11' -- --no-stdin "$SK" >"$out" 2>&1 3>&- &
	pid=$!
	wait_until 10 attached 1
	run -0 sit 'expect:# $' 'send:echo seen-by""-both\r' 'expect:seen-by-both' 'send:\x10\x11' -- "$SK"
	wait "$pid"
	run -0 "$PORTHOLE" logs "$SK"
	[[ $output != *no-such* ]] || die "$output"
}

@test "without a terminal: input that goes on when ours ends, output, signals, exit code" {
	# shellcheck disable=SC2016
	bg -i -- sh -c 'trap "echo int; exit 5" INT; echo up; while read -r l || :; do echo "got $l"; [ "$l" != end ] || exit 9; done'
	"$PORTHOLE" attach --sig-proxy false "$SK" <<<one >/dev/null 2>&1 3>&- &
	wait_until 10 eval '"$PORTHOLE" logs "$SK" | grep -q "got one"'
	kill -TERM $!
	wait $!
	run -9 eval 'printf "two\nend\n" | timeout 20 "$PORTHOLE" attach "$SK"'
	[[ $output == *"got two"*"got end"* && $output != *"got one"* ]] || die "$output"
	wait_until 5 gone
}

@test "signals go to its command; with --sig-proxy false they leave it" {
	local out=$BATS_TEST_TMPDIR/out pid
	# shellcheck disable=SC2016
	bg -- sh -c 'trap "echo was int; exit 5" INT; echo up; while :; do sleep 0.1; done'
	"$PORTHOLE" attach --sig-proxy false "$SK" </dev/null >"$out" 2>&1 3>&- &
	pid=$!
	wait_until 10 attached 1
	kill -INT "$pid" # of a shell's background job it is ignored otherwise
	wait "$pid"
	"$PORTHOLE" ps -q | grep -qxF "$SK"
	run -5 sit 'expect:attached' 'send:\x03' -- "$SK"
	[[ $output == *"was int"* ]] || die "$output"
}

@test "it is killed: said, with its code; nothing stays" {
	local out=$BATS_TEST_TMPDIR/out pid code=0
	bg -- sh -c 'echo up; sleep 100'
	wait_until 10 eval '"$PORTHOLE" logs "$SK" | grep -q up'
	timeout 30 "$PORTHOLE" attach "$SK" </dev/null >"$out" 2>&1 3>&- &
	pid=$!
	wait_until 10 attached 1
	run -0 "$PORTHOLE" kill "$SK"
	wait "$pid" || code=$?
	[[ $code == 137 ]] || die "$code: $(<"$out")"
	wait_until 5 gone
	# not by its own: what Porthole was, too, is gone
	"$PORTHOLE" sidekick "$NAME" -d --name "$SK" -- sleep 100
	timeout 30 "$PORTHOLE" attach "$SK" </dev/null >"$out" 2>&1 3>&- &
	pid=$!
	wait_until 10 attached 1
	kill -9 "$(jq .supervisor.pid "/run/porthole/$SK/state")"
	code=0
	wait "$pid" || code=$?
	[[ $code == 137 && $(<"$out") == "porthole: '$SK' was killed" ]] || die "$code: $(<"$out")"
	wait_until 5 gone
}

@test "who does not read does not hold it up for long" {
	local pid at
	bg -- sh -c 'while [ ! -e /tmp/go ]; do sleep 0.1; done; head -c 3000000 /dev/zero; echo done-"now"; sleep 100'
	"$PORTHOLE" attach "$SK" </dev/null 2>/dev/null 3>&- | sleep 100 3>&- &
	wait_until 10 attached 1
	"$PORTHOLE" exec "$SK" touch /tmp/go
	wait_until 30 eval '"$PORTHOLE" logs "$SK" | tail -c 100 | grep -qa done-now'
	kill %1 2>/dev/null || true
}

@test "the keeper is killed: the container at its terminal ends, and nothing stays" {
	local keeper
	bg -t -i
	keeper=$(keeper)
	[[ $keeper ]] || die "no keeper"
	kill -9 "$keeper"
	wait_until 10 gone
}

@test "others are their engines'; where it has no terminal it has none" {
	run -125 "$PORTHOLE" attach "$NAME"
	[[ $output == *"'$NAME' is runc's: only what Porthole has started"*"porthole exec $NAME"* ]] || die "$output"
	bg -- sleep 100
	run -0 "$PORTHOLE" exec "$SK" sh -c 'readlink /proc/*/fd/0 | sort | uniq -c'
	[[ $output == */dev/null* ]] || die "$output"
}
