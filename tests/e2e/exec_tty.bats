#!/usr/bin/env bats
# porthole exec at a terminal; tests/tools/term.py is the person in front of it.
load ../lib/porthole

setup_file() {
	web_and_bare
}

# term COMMAND...: at a terminal, from a shell: only who leads no session can make a group of its own.
term() {
	TERM=xterm timeout -k 2 60 /usr/bin/python3 "$PORTHOLE_SRC/tests/tools/term.py" -- sh -c '"$@"; exit $?' - "$@"
}

teardown_file() {
	web_and_bare_stop
}

@test "a shell: greeting of two lines, a prompt with the target's name, its exit code" {
	run -7 at_term 'expect:# $' 'send:exit 7\r' -- "$WEB"
	[[ ${lines[0]} == *porthole:*" in "*"$WEB"*"runc"*"pid $WEB_PID"*"as root"* ]]
	[[ ${lines[1]} == *"Tools: /dev/p/b, first in PATH"*"nothing stays"* ]]
	[[ ${lines[2]} == *"$WEB"*:*/*"# "* ]]
	run -0 at_term 'expect:# $' 'send:\x04' -- -q "$WEB"
	[[ $output != *Tools* && ${lines[0]} == *"$WEB"* ]]
	# a command alone is not greeted
	run -0 at_term -- "$WEB" echo only
	[[ $output == $'only\r' ]]
}

@test "the prompt tells the target, in each bash, also below another shell or tmux; no escapes of bash's in another shell" {
	run -0 at_term "expect:$WEB.*# \$" 'send:sh\r' 'expect:\n\r?# $' 'send:bash\r' "expect:\n.*$WEB.*# \$" \
		'send:exit\r' 'expect:\n\r?# $' 'send:exit\r' "expect:\n.*$WEB.*# \$" 'send:exit\r' -- -q "$WEB"
	[[ $output != *'\['* && $output != *bash-* ]] || die "$output"
	run -0 at_term "expect:$WEB.*# \$" 'send:exit\r' -- -q "$WEB" bash # as a command
	run -0 at_term "expect:$WEB.*# \$" \
		'send:tmux -L porthole-ps1 new -d; until tmux -L porthole-ps1 capture-pane -p | grep "#"; do sleep 0.05; done; exit\r' \
		"expect:\n\r?$WEB:.*#" -- -q -e TMUX_TMPDIR=/dev/shm "$WEB"
	rm -rf "/proc/$WEB_PID/root/dev/shm/"tmux-0
	[[ $output != *bash-* ]] || die "$output"
	# the target's own shell, and a prompt that was asked for
	run -0 at_term "expect:$WEB:/.*# \$" 'send:cd /proc\r' "expect:$WEB:/proc# \$" 'send:exit\r' -- -q --kit none "$WEB"
	run -0 at_term 'expect:mine> $' 'send:exit\r' -- -q -e PS1='mine> ' "$WEB"
}

@test "the prompt of a user who is not root" {
	run -0 at_term 'expect:\$ $' 'send:id -u; exit\r' -- -u 1000 "$WEB"
	[[ $output == *"as app"* && $output == *$'\r1000\r'* ]]
}

@test "--ns without mnt: the host's own shell, with what it is inside of before its prompt" {
	local own
	SHELL=/bin/bash HOME=/nonexistent at_term "expect:[(]host tools, $WEB's net,uts[)] .*# " 'send:bash\r' \
		"expect:[(]host tools, $WEB's net,uts[)] [^(]*# " 'send:exit\r' 'send:exit\r' -- --ns net,uts "$WEB" >"$BATS_TEST_TMPDIR/t"
	grep -q "The tools and files are the host's" "$BATS_TEST_TMPDIR/t"
	# another shell, and none in the environment (a service, a cron job): the user's own
	SHELL=/bin/dash at_term "expect:[(]host tools, $WEB's net[)] /.*# " 'send:readlink /proc/$$/exe; exit\r' -- \
		-w / --ns net "$WEB" | grep -qa /dash
	own=$(getent passwd root | cut -d: -f7)
	env -u SHELL "$PORTHOLE" exec --ns net --explain -t "$WEB" | grep -qF "$own"
}

@test "without -i and -t it does what the terminal suggests" {
	# all three are the terminal: a terminal
	run -0 at_term -- "$WEB" sh -c 'test -t 0 && test -t 1 && test -t 2 && echo all'
	[[ $output == all* ]]
	# input or output is not: pipes
	run -0 at_term -0 -- "$WEB" sh -c 'test -t 0 || test -t 1 || echo none; cat'
	[[ $output == none* ]]
	run -0 at_term -1 -- "$WEB" sh -c 'test -t 0 || test -t 1 || echo none'
	[[ $output == none ]]
	# in the background of the terminal it would be stopped, and stay so: neither (timeout makes a group of its own)
	run -0 term timeout -k 2 20 "$PORTHOLE" exec "$WEB" sh -c 'test -t 0 || test -t 1 || echo none; cat'
	[[ $output == none* ]] || die "$output"
	run -0 term timeout --foreground 20 "$PORTHOLE" exec "$WEB" sh -c 'test -t 0 && test -t 1 && echo both'
	[[ $output == both* ]] || die "$output"
	local start=$SECONDS
	run -124 term timeout -k 30 1 "$PORTHOLE" exec "$WEB" sleep 1000
	((SECONDS - start < 20)) || die "ended by force"
	# errors alone may go elsewhere
	run -0 at_term -2 -- "$WEB" sh -c 'test -t 0 && test -t 1 && echo both'
	[[ $output == both* ]]
}

@test "-t and -i mean what docker's mean" {
	# -t alone: a terminal, but our input is not passed on
	run -0 timeout 10 "$PORTHOLE" exec -t "$WEB" sh -c 'test -t 0 && test -t 1 && tty' <<<ignored
	[[ $output == /dev/pts/*$'\r' && $output != *ignored* ]]
	# -i alone: input is passed on, even from a terminal, and there is none inside
	run -0 at_term 'send:typed\r\x04' -- -i "$WEB" sh -c 'test -t 0 || test -t 1 || sed s/^/got-/'
	[[ $output == *got-typed* ]]
	# both, with a pipe for input: its end is ^D
	run -0 bash -c 'echo piped | timeout 10 "$1" exec -it "$2" sed s/^/got-/' sh "$PORTHOLE" "$WEB"
	[[ $output == *got-piped* ]]
	run -0 timeout 10 "$PORTHOLE" exec -it "$WEB" tty </dev/null
	[[ $output == /dev/pts/* ]]
}

@test "tty: a pty of the target's own devpts" {
	local tty
	run -0 at_term 'expect:(/dev/pts/\d+)' "run:ls /proc/$BARE_PID/root/dev/pts >$BATS_TEST_TMPDIR/pts" 'send:\r' \
		-- "$BARE_PID" bash -c 'tty; read x'
	tty=$(grep -o '/dev/pts/[0-9]*' <<<"$output" | head -n 1)
	grep -qx "${tty##*/}" "$BATS_TEST_TMPDIR/pts"
	wait_until 1 test ! -e "/proc/$BARE_PID/root$tty"
	# it is the controlling terminal: /dev/tty opens, job control works
	run -0 at_term -- "$BARE_PID" bash -c 'echo to-the-tty >/dev/tty; ps -o tty= -p $$'
	[[ $output == *to-the-tty*pts/* ]]
	# it belongs to the user
	run -0 at_term -- -u 1000 "$WEB" sh -c 'stat -c %u "$(tty)"; echo writable >"$(tty)"'
	[[ $output == 1000*writable* ]]
}

@test "tmux runs at it" {
	run -0 at_term 'expect:# $' 'send:tmux -L porthole-test new -d "echo in-tmux >/dev/shm/seen; sleep 9"; while ! test -s /dev/shm/seen; do sleep 0.05; done; cat /dev/shm/seen; rm /dev/shm/seen; exit\r' \
		'expect:in-tmux\r\n' -- -e TMUX_TMPDIR=/dev/shm "$WEB"
	x=$(grep -lz '^PORTHOLE_TARGET='"$WEB" /proc/[0-9]*/environ 2>/dev/null || true)
	[[ -z $x ]]
	rm -rf "/proc/$WEB_PID/root/dev/shm/"tmux-0
}

@test "the size of the window, and its changes" {
	run -0 at_term -s 33x77 'expect:33 77' resize:40x120 'expect:winch 40 120' 'send:\r' -- "$WEB" \
		bash -c 'trap "echo winch \$(stty size)" WINCH; stty size; while ! read -t 0.05 x; do :; done'
	[[ $output == *"winch 40 120"* ]]
	run -0 at_term -s 33x77 -- "$WEB" sh -c 'stty size'
	[[ $output == "33 77"* ]]
}

@test "our terminal is raw during the session, and as before afterwards" {
	run -0 at_term mode 'expect:# $' mode 'send:exit\r' 'expect:exit\r\n' -- "$WEB"
	[[ $output == *'[raw]'* ]]
	run -0 /usr/bin/python3 "$PORTHOLE_SRC/tests/tools/term.py" 'expect:after' mode 'send:\r' -- \
		sh -c 'stty -a >'"$BATS_TEST_TMPDIR"'/1; "$1" exec "$2" sh -c "exit 3"; stty -a >'"$BATS_TEST_TMPDIR"'/2; echo after; read x' \
		sh "$PORTHOLE" "$WEB"
	[[ $output == *'[cooked]'* ]]
	cmp "$BATS_TEST_TMPDIR/1" "$BATS_TEST_TMPDIR/2"
	# also when the target goes away, and when the command cannot be run
	run -0 /usr/bin/python3 "$PORTHOLE_SRC/tests/tools/term.py" 'expect:after' mode 'send:\r' -- \
		sh -c '"$1" exec "$2" /no/such; echo after; read x' sh "$PORTHOLE" "$WEB"
	[[ $output == *'[cooked]'* && $output == *"there is no '/no/such'"* ]]
}

@test "Ctrl-C interrupts the command alone; the shell goes on" {
	run -5 at_term 'expect:# $' 'send:sleep 60\r' 'expect:sleep 60' 'run:sleep 0.2' 'send:\x03' 'expect:# $' \
		'send:echo still $((6*7))\r' 'expect:still 42' 'send:exit 5\r' -- "$WEB"
	# without a shell the command is what it interrupts
	run -130 at_term 'expect:ready' 'send:\x03' -- "$WEB" bash -c 'echo ready; exec sleep 60'
	# Ctrl-Z and Ctrl-\ work inside
	run -0 at_term 'expect:# $' 'send:sleep 60\r' 'expect:sleep 60' 'run:sleep 0.2' 'send:\x1a' 'expect:Stopped' \
		'send:fg\r' 'expect:sleep 60' 'run:sleep 0.1' 'send:\x03' 'expect:# $' 'send:exit 0\r' -- "$WEB" bash --norc
	run -131 at_term 'send:a\r' 'expect:got-a' 'send:\x1c' -- "$WEB" sed -u s/^/got-/
}

@test "^D ends the shell, and a command's input" {
	run -0 at_term 'expect:# $' 'send:\x04' -- "$WEB"
	run -0 at_term 'send:line\r' 'expect:got-line' 'send:\x04' -- "$WEB" sed -u s/^/got-/
}

@test "a paste of 100 KB arrives, and blocks nothing when it is not read" {
	run -0 at_term 'expect:ready' paste:100000 'send:\x04\x04' 'expect:\n *100000' -- "$WEB" \
		sh -c 'stty -echo; echo ready; wc -c'
	# echoed too: both directions full at once
	run -0 at_term 'expect:ready' paste:100000 'send:\rend\r\x04' 'expect:END' -- "$WEB" \
		sh -c 'echo ready; tr a-z A-Z >/dev/null; echo END'
	# into a program that does not read: it can still be interrupted
	run -130 at_term -t 20 'expect:ready' 'run:sleep 0.1' paste:3000 'send:\x03' -- "$WEB" \
		bash -c 'echo ready; exec sleep 60'
}

@test "much output to a terminal arrives whole" {
	run -0 at_term -- "$WEB" seq 1 50000
	[[ ${#lines[@]} == 50000 && ${lines[-1]} == $'50000\r' ]]
}

@test "signals to Porthole at a terminal" {
	run -143 at_term 'expect:ready' signal:TERM -- "$WEB" bash -c 'echo ready; exec sleep 60'
	run -3 at_term 'expect:ready' signal:USR1 -- "$WEB" bash -c 'trap "exit 3" USR1; echo ready; while :; do sleep 0.05; done'
}

@test "a terminal that goes away ends the session" {
	local d=$BATS_TEST_TMPDIR/r
	residue_snapshot "$d" "$BARE_PID"
	run at_term 'expect:# $' 'send:trap "" HUP TERM; sleep 77 & nohup sleep 77 >/dev/null 2>&1 &\r' 'expect:# $' hangup -- "$BARE_PID"
	[[ $status != 99 && $status != 124 ]]
	residue_assert_same "$d"
}

@test "vim and less draw on it" {
	run -0 at_term 'expect:root:x:0:0' 'send::q!\r' -- "$WEB" vim /etc/passwd
	run -0 at_term 'expect:root:x:0:0' 'send:q' -- "$WEB" less -S /etc/passwd
}
