#!/usr/bin/env bats
# porthole exec A,B,C and exec --all: one command in several targets of several engines at once.
load ../lib/porthole

setup_file() {
	require docker podman runc plain bwrap kit
	export M D P R N B ALL
	M=$(uniq_name m) # in all their names, for --filter
	D=$M-docker P=$M-podman R=$M-runc N=$M-plain B=$M-bwrap
	ALL=$D,$P,$R,$N,$B
	target_start docker "$D" >/dev/null
	target_start podman "$P" busybox >/dev/null
	target_start runc "$R" busybox >/dev/null
	target_start plain "$N" >/dev/null
	target_start bwrap "$B" >/dev/null
}

teardown_file() {
	target_stop docker "$D"
	target_stop podman "$P"
	target_stop runc "$R"
	target_stop plain "$N"
	target_stop bwrap "$B"
}

@test "one command in containers of five engines, each line after its target's name" {
	local name engine
	run -0 --separate-stderr x "$ALL" bash -c 'echo out; echo "to err" >&2; readlink /proc/self/ns/net'
	for name in ${ALL//,/ }; do
		[[ $(grep -cE "^$name +\| out\$" <<<"$output") == 1 ]] || die "$name: $output"
		[[ $(grep -cE "^$name +\| to err\$" <<<"$stderr") == 1 ]] || die "$name: $stderr"
		engine=${name##*-}
		grep -qE "^$name +\| $(readlink "/proc/$(target_pid "$engine" "$name")/ns/net" | sed 's/[][]/\\&/g')\$" \
			<<<"$output" || die "$name is elsewhere: $output"
	done
	[[ $(grep -c . <<<"$output") == 10 && $(grep -c . <<<"$stderr") == 5 ]]
	[[ $(grep -oE 'net:.*' <<<"$output" | sort -u | wc -l) == 5 ]]
	# the bars are one below the other
	[[ $(grep -oE '^[^|]*\|' <<<"$output" | awk '{ print length }' | sort -u | wc -l) == 1 ]]
}

@test "--all with ps's filters" {
	run -0 --separate-stderr x --all --filter "name=$M-" -- echo here
	[[ $(grep -c ' | here$' <<<"$output") == 5 && $(wc -l <<<"$output") == 5 ]]
	run -0 --separate-stderr x --all --filter "name=$M-" --filter engine=runc --filter engine=docker echo here
	[[ $(cut -d' ' -f1 <<<"$output" | sort | tr '\n' ' ') == "$D $R " ]]
	says 125 "nothing that runs passes the filters" --all --filter "name=$M-none" -- true
	says 125 "--filter has no key 'nme'" --all --filter nme=x -- true
	says 125 "--filter takes KEY=VALUE, not 'web'" --all --filter web -- true
}

@test "a target that cannot be entered stops no other; the highest exit code, and a summary" {
	run -125 --separate-stderr x "$R,$M-nosuch,$N" sh -c 'echo ran'
	[[ $(grep -c ' | ran$' <<<"$output") == 2 && $(wc -l <<<"$output") == 2 ]]
	grep -qE "^$M-nosuch +\| porthole: nothing is named '$M-nosuch'" <<<"$stderr"
	[[ $stderr == *"porthole: failed in 1 of 3: $M-nosuch (not run)" ]]
	# shellcheck disable=SC2016
	run -7 --separate-stderr x "$R,$N,$B" bash -c '[[ $HOSTNAME == *plain ]] && exit 3; [[ $HOSTNAME == *runc ]] && exit 7; :'
	[[ $stderr == "porthole: failed in 2 of 3: $R (exit code 7), $N (exit code 3)" ]]
	run -127 --separate-stderr x "$R,$N" no-such-program
	[[ $(grep -c "there is no command 'no-such-program'" <<<"$stderr") == 2 ]]
	run -0 --separate-stderr x "$R,$N" true
	[[ -z $output && -z $stderr ]]
}

@test "lines are whole, however fast they come" {
	local name
	x "$R,$N,$B" sh -c 'seq 50000; seq 50000 >&2' >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err"
	for name in "$R" "$N" "$B"; do
		cmp <(sed -n "s/^$name *| //p" "$BATS_TEST_TMPDIR/out") <(seq 50000)
		cmp <(sed -n "s/^$name *| //p" "$BATS_TEST_TMPDIR/err") <(seq 50000)
	done
	# one that never ends, and one that ends without a newline
	x "$R,$N" bash -c 'head -c 200000 /dev/zero | tr "\0" x' >"$BATS_TEST_TMPDIR/out"
	[[ $(tr -cd x <"$BATS_TEST_TMPDIR/out" | wc -c) == 400000 && $(wc -l <"$BATS_TEST_TMPDIR/out") == 8 ]]
	refute grep -vE "^($R|$N) +\| x+\$" "$BATS_TEST_TMPDIR/out"
}

@test "at the same time, and no more than --parallel" {
	# each says when it begins and ends; awk counts how many there are at once
	local most
	most() {
		awk '/begin$/ { if (++n > most) most = n } /end$/ { n-- } END { print most }'
	}
	# a busy machine may not begin all within the first second
	[[ $(x "$ALL" bash -c 'echo begin; sleep 1; echo end' | most) == 5 || $(x "$ALL" bash -c 'echo begin; sleep 10; echo end' | most) == 5 ]]
	[[ $(x --parallel 1 "$R,$N,$B" bash -c 'echo begin; sleep 0.2; echo end' | most) == 1 ]]
	[[ $(x --parallel 2 "$ALL" bash -c 'echo begin; sleep 0.5; echo end' | most) == 2 ]]
}

@test "no input, no terminal" {
	run -0 x "$R,$N" cat <<<"not for them"
	[[ -z $output ]]
	run -0 x "$R,$N" sh -c 'test -t 0 || test -t 1 || echo none'
	[[ $(grep -c '| none$' <<<"$output") == 2 ]]
	says 125 "-t is for one target" -t "$R,$N" true
	says 125 "-i is for one target" -i "$R,$N" true
	says 125 "--follow is for one target" --follow --all --filter "name=$M" true
	says 125 "several targets need a command" "$R,$N"
	says 125 "several targets need a command" --all
	says 125 "a name is missing in '$R,,$N'" "$R,,$N" true
	says 125 "a name is missing in '$R,'" "$R," true
	says 125 "--filter goes with --all" --filter name=x "$R" true
}

@test "--json: an object a target" {
	run -125 --separate-stderr x --json "$R,$M-nosuch,$N" sh -c 'echo "a b"; printf "\0\377x" >&2; exit 3'
	[[ -z $stderr ]]
	jq -e --arg r "$R" --arg n "$N" '(map(.target) == [$r, $ARGS.named.nosuch, $n]) and
		(.[0] | .exit_code == 3 and .stdout == "a b\n" and .stderr == "\\x00\\xffx" and .error == null
			and .truncated == false) and
		(.[1] | .exit_code == 125 and .stdout == "" and (.error.message | test("nothing is named")))' \
		--arg nosuch "$M-nosuch" <<<"$output"
	run -0 --separate-stderr x --json "$R,$N" sh -c 'seq 100000'
	jq -e 'map(.truncated and (.stdout | length) <= 262144 and (.stdout | startswith("1\n2\n"))) | all' <<<"$output"
}

@test "a name with a comma is one target" {
	local name=$M,comma pid
	pid=$(target_start plain "$name")
	run -0 x "$name" hostname
	[[ $output == "$name" ]]
	run -125 --separate-stderr x "$M,$M-comma" hostname # neither is there
	[[ $(grep -c 'nothing is named' <<<"$stderr") == 2 ]]
	target_stop plain "$name"
}

@test "colours on a terminal only, and not against NO_COLOR" {
	local cmd=("$PORTHOLE" exec "$R,$N" hostname)
	TERM=xterm script -qec "${cmd[*]}" /dev/null </dev/null | grep -q $'^\e\\[[0-9]*m'"$R"
	refute grep -q $'\e' < <(NO_COLOR=1 TERM=xterm script -qec "${cmd[*]}" /dev/null </dev/null)
	refute grep -q $'\e' < <("${cmd[@]}")
	[[ $(TERM=xterm script -qec "${cmd[*]}" /dev/null </dev/null | grep -oE $'\e\\[[0-9]+m' | sort -u | wc -l) -ge 3 ]]
}

# many ARG...: exec ARG... in the background, as S_PID; waits until every target runs sleep.
many() {
	S_MARK=PT_FIND=m$BASHPID.$RANDOM
	"$PORTHOLE" exec -e "$S_MARK" "$@" </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	S_PID=$!
	wait_until 10 runs 3
}

# runs N: so many of the marked commands sleep.
runs() {
	local pid n=0
	for pid in $(marked "$S_MARK"); do
		[[ $(cat "/proc/$pid/comm" 2>/dev/null) != sleep ]] || ((n += 1))
	done
	((n == $1))
}

@test "Ctrl-C ends all, and starts no more" {
	residue_snapshot "$BATS_TEST_TMPDIR/r" "$(target_pid runc "$R")"
	many "$R,$N,$B" sleep 60
	kill -INT "$S_PID"
	ends 130 "$S_PID"
	grep -q "failed in 3 of 3" "$BATS_TEST_TMPDIR/out"
	wait_until 1 runs 0
	# those that ignore it end at the second
	many "$R,$N,$B" bash -c 'trap "" INT; sleep 60'
	kill -INT "$S_PID"
	sleep 0.3
	runs 3
	wait_until 5 asked "$S_PID" INT
	ends 137 "$S_PID"
	wait_until 1 runs 0
	# what waits for its turn is not begun
	S_MARK=PT_FIND=one$RANDOM
	"$PORTHOLE" exec -e "$S_MARK" --parallel 1 "$R,$N,$B" sleep 60 </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	S_PID=$!
	wait_until 10 runs 1
	kill -INT "$S_PID"
	ends 130 "$S_PID"
	[[ $(grep -c "interrupted before its turn came" "$BATS_TEST_TMPDIR/out") == 2 ]]
	residue_assert_same "$BATS_TEST_TMPDIR/r"
}

@test "Ctrl-C at a terminal" {
	run -130 at_term 'expect:begun' 'send:\x03' -- "$R,$N" bash -c 'echo begun; sleep 60'
	[[ $output == *"failed in 2 of 2"* ]]
}

@test "kill -9 of the one that started them all leaves nothing; of one session, the others go on" {
	local pid
	residue_snapshot "$BATS_TEST_TMPDIR/r" "$(target_pid runc "$R")"
	many "$R,$N,$B" sleep 60
	kill -KILL "$S_PID"
	ends 137 "$S_PID"
	wait_until 1 runs 0
	residue_assert_same "$BATS_TEST_TMPDIR/r"
	many "$R,$N,$B" sleep 2
	pid=$(pgrep -P "$S_PID" | head -n 1)
	kill -KILL "$pid"
	ends 137 "$S_PID"
	grep -q "was killed by signal 9; what it had started is killed too" "$BATS_TEST_TMPDIR/out"
	grep -q "failed in 1 of 3" "$BATS_TEST_TMPDIR/out"
	residue_assert_same "$BATS_TEST_TMPDIR/r"
}

@test "--explain does nothing in any of them" {
	run -0 x --explain "$R,$N" touch /tmp/never
	[[ $(grep -cE '\| command +touch /tmp/never$' <<<"$output") == 2 ]]
	[[ ! -e /proc/$(target_pid runc "$R")/root/tmp/never ]]
}

@test "output that goes nowhere is an error, and a reader that goes away ends it" {
	run -125 bash -c '"$1" exec "$2" echo x >/dev/full' - "$PORTHOLE" "$R,$N"
	[[ $output == *"cannot write to standard output"* ]]
	set +o pipefail
	timeout 20 "$PORTHOLE" exec "$R,$N" sh -c 'while echo x; do :; done' 2>/dev/null | head -n 3 >/dev/null
	[[ ${PIPESTATUS[0]} == 141 ]]
	wait_until 2 eval '[[ $(ns_sharers "$(target_pid plain "$N")" | wc -l) == 1 ]]'
}
