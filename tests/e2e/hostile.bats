#!/usr/bin/env bats
# Bad input to porthole exec, targets that come and go, state files that lie. Targets that are odd or
# attack: hostile_targets.bats, hostile_attack.bats.
load ../lib/porthole

setup_file() {
	require runc plain kit
	export WEB WEB_PID
	WEB=$(uniq_name strangeserver)
	WEB_PID=$(target_start runc "$WEB" busybox)
}

teardown_file() {
	target_stop runc "$WEB"
}

# state NAME [JQ]: a state directory of runc's for NAME, its state.json like WEB's but for what JQ changes.
state() {
	mkdir "/run/runc/$1"
	jq --arg name "$1" '.id = $name | '"${2:-.}" "/run/runc/$WEB/state.json" >"/run/runc/$1/state.json"
}

teardown() {
	[[ -z ${FAKE:-} ]] || rm -rf "/run/runc/${FAKE:?}"
	[[ -z ${TWIN:-} ]] || target_stop crun "$WEB"
}

@test "no such target: the nearest names" {
	says 125 "nothing is named '${WEB/server/sevrer}'" "${WEB/server/sevrer}" true
	[[ $stderr == *"did you mean "*"$WEB"* ]]
	says 125 "nothing is named 'qqqqqqqqqqqqqqqq'" qqqqqqqqqqqqqqqq true
	[[ $stderr != *"did you mean"* ]]
	says 125 "there is no engine 'dokcer'" dokcer://web true
	says 125 "nothing is named" "crun://$WEB" true
	run -0 x "runc://$WEB" true
}

@test "what cannot be a name" {
	says 125 "name is empty" "" true
	says 125 "control character" $'web\e[31m' true
	says 125 "control character" $'web\nserver' true
	says 125 "cannot open ../../passwd: No such file" ../../passwd true # a path
	says 125 "there is no file 'nope.tar' here, and no container of that name" nope.tar true
	says 125 "there is no file 'nope.tgz' here" nope.tgz true
	says 125 "there is no directory 'nope/' here, and no container of that name" nope/ true
	says 125 "no engine on this host has an image 'nope'" image://nope true
	says 125 "nothing is named 'nope'" nope true
	run -125 "$PORTHOLE" sidekick "pid:$$" --image nope.tar
	[[ $output == *"there is no file 'nope.tar' here, and no image of that name"* ]] || die "$output"
	says 125 "cannot be a container's name" web/.. true
	says 125 "too many slashes" a/b/c/d true
	says 125 "longer than" "$(printf 'x%.0s' {1..5000})" true
	says 125 "names do not start with '-'" -- -web true
}

@test "an ambiguous name: the candidates, and each in full is understood" {
	require crun
	target_start crun "$WEB" busybox
	TWIN=1
	says 125 "'$WEB' is the name of 2 targets: " "$WEB" true
	[[ $stderr == *"crun://$WEB (pid $(target_pid crun "$WEB"))"* && $stderr == *"runc://$WEB (pid $WEB_PID)"* ]]
	[[ $(x "crun://$WEB" cat /proc/sys/kernel/hostname) == "$WEB" ]]
	[[ $(x "runc://$WEB" readlink /proc/1/ns/pid) == "$(readlink "/proc/$WEB_PID/ns/pid")" ]]
	[[ $(x "crun://$WEB" readlink /proc/1/ns/pid) == "$(readlink "/proc/$(target_pid crun "$WEB")/ns/pid")" ]]
	target_stop crun "$WEB"
	[[ $(x "$WEB" echo one) == one ]]
}

@test "PID 0, negative, huge, no number" {
	local p
	for p in 0 -1 -- 4194305 2147483648 4294967297 99999999999999999999 0x10 1e3; do
		says 125 "" "pid:$p" true
		[[ $p == -* ]] || says 125 "" "$p" true
	done
	run -0 x "pid:$WEB_PID" true
}

@test "a thread, a kernel thread, ourselves, a zombie" {
	local tid
	odd_start zombie-leader
	wait_until 5 eval '[[ $(ls /proc/$ODD_PID/task | wc -l) == 2 ]]'
	tid=$(ls "/proc/$ODD_PID/task" | grep -vx "$ODD_PID")
	says 125 "$tid is a thread ('app') of process $ODD_PID" "$tid" true
	odd_stop
	says 125 "process 2 ('kthreadd') is a kernel thread" 2 true
	run -125 --separate-stderr sh -c 'exec timeout --foreground 10 "$1" exec $$ true' sh "$PORTHOLE"
	run -125 --separate-stderr sh -c 'exec "$1" exec $$ true' sh "$PORTHOLE"
	[[ $stderr == *"is porthole itself"* ]]
	odd_start zombie
	says 125 "has ended and was not reaped by its parent" "$ODD_PID" true
	odd_stop
}

@test "PID 1 and the host's own namespaces are refused" {
	run -125 --separate-stderr x 1 touch /tmp/porthole-entered # what it says depends on its rights and ours
	[[ $stderr == "porthole: "* && ! -e /tmp/porthole-entered ]]
	says 125 "is in the host's own namespaces, so there is nothing to enter" $$ true
}

@test "a target that is not running: its state and exit code" {
	require docker-default
	local name
	name=$(uniq_name ended)
	target_start docker-default "$name" -- /app --exit 3
	wait_until 10 eval '[[ $(engine_cli docker-default inspect -f "{{.State.Status}}" "$name") == exited ]]'
	run -125 --separate-stderr in_engine docker-default timeout 10 "$PORTHOLE" mount "$name"
	[[ $stderr == "porthole: docker '$name' is not running: it exited with code 3 at "*"exec, entrypoint, inspect, "*"work on what does not run, too"* ]]
	for verb in unmount sidekick tap 'forward -L 0:80'; do
		# shellcheck disable=SC2086 # words
		run -125 --separate-stderr in_engine docker-default timeout 10 "$PORTHOLE" $verb "$name"
		[[ $stderr == *"is not running: it exited with code 3"*"work on what does not run, too"* ]] || die "$verb: $stderr"
	done
	run -125 --separate-stderr in_engine docker-default timeout 10 "$PORTHOLE" exec --view live "$name" true
	[[ $stderr == "porthole: '$name' does not run"* ]]
	target_stop docker-default "$name"
	run -125 --separate-stderr in_engine docker-default timeout 10 "$PORTHOLE" exec "$name" true
	[[ $stderr == "porthole: nothing is named '$name'"* ]]
}

@test "a PID that another process has now is not entered" {
	local pid
	FAKE=$(uniq_name stale)
	# the number of a process of the host, the start time of the container's: what is left of a crash
	sleep 60 3>&- &
	pid=$!
	state "$FAKE" ".init_process_pid = $pid"
	says 125 "'$FAKE' does not run" --view live "$FAKE" true
	run -0 x "$FAKE" sh -c 'touch /tmp/entered && readlink /proc/self/ns/mnt' # its files, nobody's processes
	[[ ! -e /tmp/entered && ! -e /proc/$WEB_PID/root/tmp/entered ]]
	[[ $output != "$(readlink /proc/$pid/ns/mnt)" ]]
	kill $pid
	wait $pid || true
	says 125 "'$FAKE' does not run" --view live "$FAKE" true
	# and the right one is
	rm -r "/run/runc/$FAKE"
	state "$FAKE"
	[[ $(x "$FAKE" readlink /proc/1/ns/pid) == "$(readlink "/proc/$WEB_PID/ns/pid")" ]]
}

@test "state files that are corrupt, cut short, endless, or no files" {
	local f words
	FAKE=$(uniq_name corrupt)
	state "$FAKE"
	f=/run/runc/$FAKE/state.json
	head -c 300 "$f" >"$f.short"
	for words in 'printf "\0\1\377"' 'echo "{"' 'cat "$f.short"' 'echo "[[[[[[[["' ': ' 'echo "{\"id\": 5, \"init_process_pid\": \"x\"}"' \
		'head -c 200000 /dev/zero | tr "\0" "["' 'jq ".init_process_pid = -1" "/run/runc/$WEB/state.json"' \
		'jq ".init_process_pid = 1e300" "/run/runc/$WEB/state.json"' 'jq ".init_process_start = \"never\"" "/run/runc/$WEB/state.json"'; do
		eval "$words" >"$f.new"
		mv "$f.new" "$f"
		says 125 "$FAKE" --view live "$FAKE" true
		[[ $(x "$WEB" echo other) == other ]]
	done
	rm "$f"
	truncate -s 1T "$f"
	says 125 "$FAKE" --view live "$FAKE" true
	for words in 'mkfifo $f' 'ln -s /dev/zero $f' 'mkdir $f' 'ln -s $f $f' 'mknod $f c 1 5'; do
		rm -rf "$f"
		eval "$words"
		says 125 "$FAKE" --view live "$FAKE" true
		[[ $(x "$WEB" echo other) == other ]]
	done
}

@test "a state without a name, an id and a start time" {
	local f
	FAKE=$(uniq_name nameless)
	for f in '.id = "" | del(.init_process_start)' 'del(.id, .init_process_start)' '.init_process_start = 0 | .bundle = ""' \
		'.id = "/" | .init_process_start = 0 | .cgroup_paths = {"": ""}'; do
		state "$FAKE" "$f"
		timeout 10 "$PORTHOLE" ps -a >"$BATS_TEST_TMPDIR/ps" || die "$f"
		timeout 10 "$PORTHOLE" mount --list >/dev/null || die "$f"
		grep -q "$WEB" "$BATS_TEST_TMPDIR/ps"
		[[ $(x "$WEB" echo other) == other ]]
		rm -r "/run/runc/$FAKE"
	done
}

@test "names with newlines, slashes and escapes are never printed raw" {
	local evil=$'evil\e[31m\e]0;title\a\n\x9b1mname' out=$BATS_TEST_TMPDIR/out
	FAKE=$evil
	state "$evil"
	# listed among the nearest names, in messages, in the plan
	x evilname true >"$out" 2>&1 || true
	x "${evil:0:4}" true >>"$out" 2>&1 || true
	"$PORTHOLE" ps -a >>"$out" 2>&1 || true
	grep -q evil "$out"
	refute grep -qP '[\x00-\x08\x0b-\x1f\x7f]' "$out"
	refute grep -q $'\x9b' "$out"
	rm -r "/run/runc/$evil"
	FAKE=
}

@test "a hostile host name, command line and process name" {
	local out=$BATS_TEST_TMPDIR/out
	odd_start hostile-name
	x --explain "$ODD_PID" true >"$out"
	x "$ODD_PID" true 2>>"$out"
	x --prove "$ODD_PID" true 2>>"$out"
	x "$ODD_PID" /no/such 2>>"$out" || true
	x --explain --json "$ODD_PID" true >>"$out"
	x -u none "$ODD_PID" true 2>>"$out" || true
	refute grep -qP '[\x00-\x08\x0b-\x1f\x7f]' "$out"
	# at a terminal: the greeting, the prompt
	at_term 'expect:# $' 'send:exit\r' -- "$ODD_PID" >"$out"
	grep -q porthole: "$out"
	refute grep -qP '\x1b|\x07' "$out" # term.py leaves out what our own prompt has
	odd_stop
}

@test "a target that exits during the session: said, and everything ends" {
	local name pid sess out=$BATS_TEST_TMPDIR/out d=$BATS_TEST_TMPDIR/r
	residue_snapshot "$d"
	name=$(uniq_name brief)
	pid=$(target_start plain "$name")
	"$PORTHOLE" exec "$pid" bash -c 'echo ready; sleep 60' >"$out" 2>&1 3>&- &
	sess=$!
	wait_until 5 grep -q ready "$out"
	kill -KILL "$pid"
	ends 137 $sess
	[[ $(tail -n 1 "$out") == "porthole: "*"stopped, which ended the session with it" ]]
	residue_assert_same "$d"
}

@test "a target that exits during entry: a sentence or a session, never anything else" {
	local i pid code entered=0 said=0
	for i in {1..30}; do
		pid=$("$PT_TOOLS/scratch")
		{ sleep "0.00$((i / 3))$((i % 3 * 3))"; kill -KILL "$pid"; } 3>&- & # at another moment each time
		code=0
		timeout -k 1 10 "$PORTHOLE" exec "$pid" true >"$BATS_TEST_TMPDIR/out" 2>&1 || code=$?
		wait $!
		case $code in
		0) entered=$((entered + 1)) ;;
		125 | 137)
			said=$((said + 1))
			grep -qE "^porthole: .*($pid|'(app|scratch)')" "$BATS_TEST_TMPDIR/out" || die "$i: $(<"$BATS_TEST_TMPDIR/out")"
			[[ $(grep -c ^porthole: "$BATS_TEST_TMPDIR/out") == 1 ]]
			;;
		*) die "$i: ended with $code: $(<"$BATS_TEST_TMPDIR/out")" ;;
		esac
	done
	((entered + said == 30))
}

@test "not root: it says what is missing" {
	local bare
	run --separate-stderr -125 setpriv --reuid 65534 --regid 65534 --clear-groups "$(for_users "$PORTHOLE")" exec "pid:$WEB_PID" true
	[[ $stderr == "porthole: "*"needs root: run with sudo"* ]]
	run --separate-stderr -125 setpriv --reuid 65534 --regid 65534 --clear-groups "$(for_users "$PORTHOLE")" exec "$WEB" true
	[[ $stderr == "porthole: needs root to find '$WEB'"*"run with sudo"* ]]
	# root without the capabilities
	run --separate-stderr -125 setpriv --bounding-set=-sys_admin "$PORTHOLE" exec "$WEB" true
	[[ $stderr == "porthole: "*"you are root without CAP_SYS_ADMIN"*"as root of the host"* ]]
	run --separate-stderr -125 setpriv --bounding-set=-sys_chroot "$PORTHOLE" exec "$WEB" true
	[[ $stderr == "porthole: "*"you are root without CAP_SYS_CHROOT"*"as root of the host"* ]]
	run --separate-stderr -125 setpriv --bounding-set=-setuid,-setgid "$PORTHOLE" exec -u app "$WEB" true
	[[ $stderr == "porthole: "*"you are root without CAP_SETGID and CAP_SETUID"*"as root of the host"* ]]
	run --separate-stderr -125 setpriv --bounding-set=-setpcap "$PORTHOLE" exec --caps none "$WEB" true
	[[ $stderr == "porthole: "*"you are root without CAP_SETPCAP"*"as root of the host"* ]]
	run -0 setpriv --bounding-set=-sys_ptrace,-setpcap "$PORTHOLE" exec "$WEB" true
	bare=$(target_start plain "$(uniq_name bare)")
	run --separate-stderr -125 setpriv --bounding-set=-sys_ptrace "$PORTHOLE" exec "$bare" true
	[[ $stderr == "porthole: "*"you are root without CAP_SYS_PTRACE"* ]]
	# what has no name that could be read is not said not to be there
	run --separate-stderr -125 setpriv --bounding-set=-sys_ptrace "$PORTHOLE" exec pt-nosuch true
	[[ $stderr == "porthole: cannot look for 'pt-nosuch' everywhere without CAP_SYS_PTRACE"* ]]
	run --separate-stderr -125 unshare -Ur "$PORTHOLE" exec pt-nosuch true
	[[ $stderr == "porthole: cannot look for 'pt-nosuch'"*"user namespace"* ]]
	run --separate-stderr -0 unshare -Ur "$PORTHOLE" ps
	[[ $stderr == *"there may be more"* ]]
	run --separate-stderr -125 "$PORTHOLE" exec pt-nosuch true
	[[ $stderr == "porthole: nothing is named 'pt-nosuch'"* ]]
}

@test "the host's first process: refused, for what it is" {
	local how
	for how in 1 pid:1; do
		run --separate-stderr -125 "$PORTHOLE" exec $how true
		[[ $stderr == "porthole: process 1 "*"the host's own namespaces"* && $stderr != *sudo* ]]
	done
}
