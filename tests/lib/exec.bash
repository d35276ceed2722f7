# shellcheck shell=bash
# porthole exec: run, refused, at a terminal, in the background.

# x ARG...: porthole exec ARG..., never for long.
x() {
	timeout -k 2 20 "$PORTHOLE" exec "$@"
}

# web_and_bare JQ...: for all tests of a file: WEB, runc's, with a busybox and these changes; BARE, with nothing but its app.
web_and_bare() {
	require runc plain kit
	export WEB BARE WEB_PID BARE_PID
	WEB=$(uniq_name web)
	BARE=$(uniq_name bare)
	WEB_PID=$(target_start runc "$WEB" busybox "$@")
	BARE_PID=$(target_start plain "$BARE")
}

web_and_bare_stop() {
	target_stop runc "$WEB"
	target_stop plain "$BARE"
}

# hr ARG...: porthole host run ARG..., never for long.
hr() {
	timeout -k 2 "${HR_LIMIT:-30}" "$PORTHOLE" host run "$@"
}

# hr_quiet ARG...: the same, without what it lacks of rights on this machine.
hr_quiet() {
	timeout -k 2 60 "$PORTHOLE" host run -q "$@" 2> >(grep -v 'capabilities asked for' >&2)
}

# lives_with FILE APP ENGINE [FLAG...]: a target that runs this line of shell, as NAME, with pid PID, once its FILE is there. OUT
# and ERR are for what porthole says.
lives_with() {
	local file=$1 app=$2
	ENGINE=$3
	NAME=$(uniq_name lives)
	PID=$(target_start "$ENGINE" "$NAME" busybox "${@:4}" -- /bin/sh -c "$app")
	wait_until 5 test -e "/proc/$PID/root$file"
	OUT=$BATS_TEST_TMPDIR/out ERR=$BATS_TEST_TMPDIR/err
}

# says CODE WORDS ARG...: it ends with that code, nothing on stdout, and a sentence on stderr that has the
# words, without control characters.
# shellcheck disable=SC2154 # run sets stderr
says() {
	local code=$1 words=$2
	shift 2
	run --separate-stderr "-$code" x "$@"
	[[ $stderr == "porthole: "*"$words"* && -z $output ]] || die "not '$words': $stderr$output" || return 1
	refute grep -qP '[\x00-\x09\x0b-\x1f\x7f]' <<<"$stderr"
}

# asked PID [SIGNAL]: has it ended? It is asked to.
asked() {
	pid_alive "$1" || return 0
	kill "-${2:-TERM}" "$1"
	return 1
}

# ends CODE PID: our child PID ends with it.
ends() {
	local code=0
	wait "$2" || code=$?
	[[ $code == "$1" ]] || die "ended with $code, not $1"
}

# at_term [-0|-1|-2] STEP... -- ARG...: these steps (tests/tools/term.py) at a terminal in which porthole
# exec ARG... runs.
at_term() {
	local args=()
	while [[ $1 != -- ]]; do
		args+=("$1")
		shift
	done
	shift
	TERM=xterm timeout -k 2 60 /usr/bin/python3 "$PORTHOLE_SRC/tests/tools/term.py" "${args[@]}" -- \
		"$PORTHOLE" exec "$@"
}

# in_session ARG...: a session of `sleep 60` in the background; S_PID is Porthole's pid, S_CMD the
# command's here, S_MARK what the command carries in its environment.
in_session() {
	S_MARK=PT_FIND=m$BASHPID.$RANDOM$RANDOM
	"$PORTHOLE" exec -e "$S_MARK" "$@" sleep 60 </dev/null 3>&- &
	S_PID=$!
	wait_until 5 _session_runs || die "no session"
}

_session_runs() {
	S_CMD=$(marked "$S_MARK" | head -n 1)
	[[ -n $S_CMD && $(<"/proc/$S_CMD/comm") == sleep ]]
}

# marked NAME=VALUE: processes that have it in their environment.
marked() {
	grep -lsz "^$1" /proc/[0-9]*/environ | cut -d/ -f3
	return 0
}

end_session() {
	kill -TERM "$S_PID"
	wait "$S_PID" || true
}

# unchanged JSON: what --prove --json says of the target is that nothing has changed. (Of the host's mounts
# and loop devices others may change some meanwhile.)
unchanged() {
	[[ $(jq -c '[.mounts, .processes, .cgroup, .root, .dev] | map(.changed)' <<<"$1") == '[[],[],[],[],[]]' ]] || die "$1"
}

# proves COMMAND...: such a visit with --prove ends with that nothing at all has changed, at one of several
# tries for what others do to the host.
proves() {
	wait_until 20 _proves "$@" || { "$@"; die "something changed, every time"; }
}

_proves() {
	local said
	said=$("$@" 2>&1 >/dev/null) && [[ ${said##*$'\n'} == "proof: nothing changed" ]]
}
