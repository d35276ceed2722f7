#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets stderr
# porthole tap: what a process writes, and what it has open; and that it goes on as before.
load ../lib/porthole

# A program whose output is lost: its own lines with an escape, its children's (echo x >&2
# would write to descriptor 1), a deleted file, a FIFO.
LOST='exec >/dev/null 2>&1 3<>/tmp/gone 4<>/tmp/fifo; echo precious >&3; rm /tmp/gone
	while :; do printf "out \033[31mred\n"; /bin/busybox ls /err; /bin/busybox echo child; read -r -t 1 x <&4; done'

setup_file() {
	require root plain
	export T T_PID
	T=$(uniq_name tap)
	T_PID=$(target_start plain "$T" busybox --rw -- /bin/sh -c "mkfifo /tmp/fifo; $LOST")
	wait_until 20 test -e "/proc/$T_PID/root/tmp/fifo"
}

teardown_file() {
	target_stop plain "$T"
}

teardown() {
	end_all "$BATS_TEST_TMPDIR"
	[[ -z ${NAME:-} ]] || target_stop "${ENGINE:-plain}" "$NAME"
}

tap() {
	timeout -k 2 30 "$PORTHOLE" tap "$@"
}

# tap_start ARG...: in the background, until it reads along; standard output in OUT, error in ERR.
tap_start() {
	OUT=$BATS_TEST_TMPDIR/out ERR=$BATS_TEST_TMPDIR/err
	rm -f "$OUT" "$ERR" # of the one before
	# shellcheck disable=SC2016
	ERR=$ERR spawn "$BATS_TEST_TMPDIR/tap.pid" "$OUT" bash -c 'exec "$0" tap "$@" 2>"$ERR"' "$PORTHOLE" "$@"
	TAP_PID=$(<"$BATS_TEST_TMPDIR/tap.pid")
	wait_until 20 grep -q 'reading along\|"started"' "$OUT" "$ERR" || { cat "$OUT" "$ERR" >&2; return 1; }
}

# sees FILE REGEX...: all of them come.
sees() {
	local file=$1 x
	shift
	for x; do
		wait_until 30 grep -qP "$x" "$file" || { echo "no $x in:"; tail -n 20 "$file"; return 1; } >&2
	done
}

# lacks_all FILE WORD...: none of them is there.
lacks_all() {
	local file=$1 x
	shift
	for x; do
		refute grep -q "$x" "$file"
	done
}

tap_stop() {
	kill "$TAP_PID"
	wait_until 20 pid_gone "$TAP_PID"
}

# untraced PID: nobody traces it, and it is not stopped.
untraced() {
	grep -q $'^TracerPid:\t0$' "/proc/$1/status" && ! grep -q '^State:.*[tT]' "/proc/$1/status"
}

written() {
	awk '/^wchar/ { print $2 }' "/proc/$1/io"
}

# goes_on PID: it writes more than it has.
goes_on() {
	local before
	before=$(written "$1")
	wait_until 20 eval "(( \$(written $1) > $before ))"
}

@test "what is written to stdout and stderr is read along, on the same two; nothing without" {
	tap_start "$T"
	sees "$OUT" '^out \x1b\[31mred$'
	lacks_all "$OUT" err child
	[[ $(<"$ERR") == "porthole: reading along what process 1, $T_PID on the host, writes; "* ]]
	lacks_all "$ERR" out err
	tap_stop
	[[ ! -s $(readlink -f "/proc/$T_PID/fd/1") ]]
	wait_until 20 untraced "$T_PID"
	goes_on "$T_PID"
}

@test "--follow: children; what went to descriptor 2 is on ours" {
	tap_start -f "$T" sh
	sees "$OUT" '^out ' '^child$'
	sees "$ERR" '^ls: /err: ' 'ended with exit code 0$'
	lacks_all "$OUT" err
	lacks_all "$ERR" child
	tap_stop
	wait_until 20 untraced "$T_PID"
}

@test "--fd: other descriptors; threads; every call that writes" {
	local f=$BATS_TEST_TMPDIR/py
	cat >"$f" <<-'END'
		import os, socket, threading, time
		a, b = socket.socketpair(); os.dup2(os.open("/dev/null", os.O_WRONLY), 9)
		def thread():
		    while True: os.writev(9, [b"by a ", b"thread\n"]); time.sleep(0.2)
		threading.Thread(target=thread, daemon=True).start()
		while True:
		    os.write(1, b"one\n"); os.write(9, b"nine\n"); os.pwrite(9, b"placed\n", 5)
		    a.send(b"sent\n"); a.sendmsg([b"mess", b"age\n"]); b.recv(100); os.write(9, b"x" * 100000 + b"\n")
		    i = os.open("/etc/passwd", os.O_RDONLY); os.sendfile(9, i, 0, 10); os.close(i); time.sleep(0.2)
	END
	spawn "$BATS_TEST_TMPDIR/py.pid" "$BATS_TEST_TMPDIR/py.log" /usr/bin/python3 "$f"
	wait_until 20 grep -q one "$BATS_TEST_TMPDIR/py.log"
	tap_start --fd 3,9 "pid:$(<"$BATS_TEST_TMPDIR/py.pid")"
	sees "$OUT" '^nine$' '^placed$' '^sent$' '^message$' '^by a thread$' '^x{1000}'
	sees "$ERR" ' 10 bytes went to descriptor 9 from another one, unseen \(splice\)$'
	lacks_all "$OUT" one
	tap_stop
	[[ $(grep -m 1 ^x "$OUT" | wc -c) == 100001 ]]
}

@test "a terminal is not acted upon; --raw is; Ctrl-C leaves the process" {
	run timeout 30 /usr/bin/python3 "$PORTHOLE_SRC/tests/tools/term.py" -t 10 'expect:out \\x1b\[31mred' \
		'send:\x03' -- "$PORTHOLE" tap "$T"
	[[ $status == 130 ]] || die "$status $output"
	wait_until 20 untraced "$T_PID"
	goes_on "$T_PID"
}

@test "--json: events" {
	tap_start -f --json "$T"
	sees "$OUT" '"fd":2,' '"data":"out '
	tap_stop
	[[ $(head -n 1 "$OUT" | jq -r .event) == started && ! -s $ERR ]]
	jq -es "any(.[]; .event == \"data\" and .fd == 1 and .pid == $T_PID and .data == \"out \\u001b[31mred\\n\")" "$OUT"
	jq -es 'any(.[]; .fd == 2 and (.data | startswith("ls: /err")))' "$OUT"
}

@test "when it has ended nobody is traced any more, and the next one may begin at once" {
	local i sig
	for i in 1 2; do
		for sig in INT TERM HUP; do
			timeout -s "$sig" -k 20 0.5 "$PORTHOLE" tap -q -f "$T" >/dev/null || :
			untraced "$T_PID" || { grep ^TracerPid "/proc/$T_PID/status"; return 1; } >&2
		done
		timeout -k 2 20 "$PORTHOLE" tap -f "$T" 2>/dev/null | head -n 1 # it is read no more
		untraced "$T_PID"
	done
	goes_on "$T_PID"
}

@test "kill -9 of either process: the target goes on, no process stays" {
	local tracer
	tap_start "$T"
	tracer=$(cat "/proc/$TAP_PID/task/$TAP_PID/children")
	grep -q "^TracerPid:.${tracer% }$" "/proc/$T_PID/status"
	kill -9 "$TAP_PID"
	wait_until 20 pid_gone "${tracer% }"
	untraced "$T_PID"
	goes_on "$T_PID"
	tap_start "$T"
	kill -9 "$(cat "/proc/$TAP_PID/task/$TAP_PID/children")"
	wait_until 20 pid_gone "$TAP_PID"
	untraced "$T_PID"
	goes_on "$T_PID"
}

@test "whoever reads us does not read: the target goes on, and it is said what was left out" {
	local pid fifo=$BATS_TEST_TMPDIR/fifo
	NAME=$(uniq_name tapfast)
	pid=$(target_start plain "$NAME" busybox -- /bin/sh -c 'exec yes 0123456789abcdef0123456789abcdef >/dev/null')
	mkfifo "$fifo"
	exec 7<>"$fifo"
	spawn "$BATS_TEST_TMPDIR/tap.pid" "$BATS_TEST_TMPDIR/err" bash -c '"$0" tap "$1" >"$2"' "$PORTHOLE" "$NAME" "$fifo"
	wait_until 20 grep -q 'reading along' "$BATS_TEST_TMPDIR/err"
	for _ in 1 2 3; do
		goes_on "$pid"
		wait_until 20 eval "(( \$(written $pid) > $(written "$pid") + 4000000 ))"
	done
	timeout 20 cat <"$fifo" >/dev/null 7>&- &
	wait_until 20 grep -q '[0-9] bytes were left out' "$BATS_TEST_TMPDIR/err"
	exec 7>&-
}

@test "a process that is stopped, and one that ends by a signal or a code" {
	local pid
	NAME=$(uniq_name tapend)
	pid=$(target_start plain "$NAME" busybox -- /bin/sh -c 'sleep 1000 & trap "echo bye; exit 7" TERM; wait')
	tap_start "$NAME"
	kill -STOP "$pid"
	wait_until 20 grep -q '^State:.*[tT]' "/proc/$pid/status"
	kill -CONT "$pid"
	kill -TERM "$pid"
	sees "$ERR" "^porthole: process [0-9]*, $pid on the host, ended with exit code 7$"
	grep -qx bye "$OUT"
	wait_until 20 pid_gone "$TAP_PID"
}

@test "one sentence for what cannot be" {
	tap_start "$T"
	run -125 tap "$T"
	[[ $output == "porthole: process $T_PID is traced already, by process "* ]]
	run -125 tap "$T" 4711
	[[ $output == "porthole: '$T' has no process 4711"* ]]
	run -125 tap "$T" nobody
	[[ $output == *"has no process called nobody"* ]]
	run -125 tap --recover 4 "$T"
	[[ $output == "porthole: descriptor 4 is no file"* ]]
	run -125 tap --tcp 1 "$T"
	[[ $output == "porthole: descriptor 1 is no TCP socket"* ]]
	run -125 tap --tcp 99 "$T"
	[[ $output == "porthole: it has no descriptor 99"* ]]
	run -2 tap --list --tcp 1 "$T"
	export BIN=$PT_RUN/tap.bin
	install -m 755 "$PORTHOLE" "$BIN"
	run -125 as_user timeout 10 "$BIN" tap "pid:$T_PID"
	[[ $output == "porthole: "* && $output != *"reading along"* ]]
}

@test "--list: files, deleted ones, pipes and who is at the other end, sockets" {
	run -0 tap --list "$T"
	[[ $output == "process 1 (sh), $T_PID on the host"* ]]
	[[ $output == *"3  file    rw     9 B  /tmp/gone (deleted), still holds "* ]] || die "$output"
	NAME=$(uniq_name tapfds)
	ENGINE=docker
	require docker
	target_start docker "$NAME" >/dev/null
	run -0 tap --list "$NAME"
	[[ $output == *"tcp listens on 127.0.0.1:8080, 0 waiting to be accepted"* ]] || die "$output"
	[[ $output == *"pipe:["*"read by process "*"(containerd-shim"*") fd "* ]] || die "$output"
	run -0 tap --list --json "$NAME"
	jq -e 'any(.[]; .kind == "pipe" and .writes and .peer.comm == "containerd-shim")' <<<"$output"
	refute jq -e 'any(.[]; .deleted)' <<<"$output"
	fd=$(jq '.[] | select(.kind == "socket") | .fd' <<<"$output")
	run -0 tap --tcp "$fd" "$NAME"
	[[ $output == "socket       127.0.0.1:8080, listens"* ]]
	run -0 tap --json --tcp "$fd" "$NAME"
	[[ $(jq -r '.state, .local' <<<"$output") == $'LISTEN\n127.0.0.1:8080' ]]
}

@test "--tcp: a connection whose program does not read" {
	local f=$BATS_TEST_TMPDIR/py
	cat >"$f" <<-'END'
		import socket, sys, time
		s = socket.create_server(("127.0.0.1", 0))
		c = socket.create_connection(s.getsockname()); d = s.accept()[0]
		c.sendall(b"x" * 777); c.shutdown(socket.SHUT_WR)
		print(d.fileno(), flush=True); time.sleep(60)
	END
	spawn "$BATS_TEST_TMPDIR/py.pid" "$BATS_TEST_TMPDIR/py.log" /usr/bin/python3 "$f"
	wait_until 20 grep -q . "$BATS_TEST_TMPDIR/py.log"
	run -0 tap --tcp "$(<"$BATS_TEST_TMPDIR/py.log")" "pid:$(<"$BATS_TEST_TMPDIR/py.pid")"
	[[ $output == *"queues       777 bytes unread by the program"*"so           the program has not read all that came"* ]]
	[[ $output == *CLOSE-WAIT*"the peer has closed its half, and the program has not closed the socket"* ]]
}

@test "--recover and --deleted: exact, with holes, never over a file" {
	local d=$BATS_TEST_TMPDIR pid
	run -0 tap --recover 3 "$T"
	[[ $output == precious ]]
	run -0 tap --deleted "$T"
	[[ $output == *"/tmp/gone (deleted)"* && $output != *fifo* ]]
	run -0 tap --deleted -o "$d/back" "$T"
	[[ $output == "porthole: descriptor 3 of process $T_PID: 9 B, now in $d/back" && $(<"$d/back") == precious ]]
	run -125 tap --deleted -o "$d/back" "$T"
	[[ $output == "porthole: $d/back is there already"* && $(<"$d/back") == precious ]]
	run -125 tap --recover 4 -o "$d/none" "$T"
	[[ ! -e $d/none ]]
	dd if=/dev/urandom of="$d/a" bs=64k count=4 status=none
	dd if=/dev/urandom of="$d/a" bs=64k count=1 seek=800 status=none
	cp --sparse=always "$d/a" "$d/b"
	# shellcheck disable=SC2016
	spawn "$d/hold.pid" "$d/hold.log" bash -c 'exec 5<"$0"; rm "$0"; echo ready; exec sleep 60' "$d/b"
	wait_until 20 grep -q ready "$d/hold.log"
	pid=$(<"$d/hold.pid")
	run -0 tap -q --deleted -o "$d/c" "pid:$pid"
	cmp "$d/a" "$d/c"
	(($(stat -c %b "$d/c") < 2000)) || die "no holes: $(stat -c %b "$d/c") blocks"
	tap --recover 5 "pid:$pid" | cmp - "$d/a"
}

@test "docker, podman, runc, a user namespace, a user's own rootless container" {
	local pid
	for ENGINE in docker docker-userns podman runc; do
		require $ENGINE
		NAME=$(uniq_name tap)
		target_start $ENGINE "$NAME" busybox -- /bin/sh -c 'while :; do echo hi >/dev/null; echo hello; sleep 0.2; done' >/dev/null
		tap_start "$NAME"
		sees "$OUT" '^hello$'
		tap_stop
		target_stop $ENGINE "$NAME"
	done
	require podman-rootless
	ENGINE=podman-rootless NAME=$(uniq_name tapless)
	export BIN=$PT_RUN/tap.bin
	install -m 755 "$PORTHOLE" "$BIN"
	pid=$(target_start podman-rootless "$NAME" busybox -- /bin/sh -c 'while :; do echo hello; sleep 0.2; done')
	run -124 as_user timeout 8 "$BIN" tap -q "$NAME"
	[[ $output == *hello* ]] || die "$output"
	run -0 as_user timeout 20 "$BIN" tap --list "$NAME"
	[[ $output == *"process 1 (sh), $pid on the host"* ]]
}
