#!/usr/bin/env bats
# porthole exec: pipes, exit codes, who, where, with what. Terminals: exec_tty.bats; rights, namespaces,
# cgroups and views: exec_options.bats.
load ../lib/porthole

setup_file() {
	# a named target with users and an environment; one with nothing but its app
	web_and_bare '.root.readonly=false' '.process.cwd="/home/app"' \
		'.process.env=["PATH=/opt/bin:/bin","GREETING=hello world","HOME=/nowhere"]' \
		'.process.user={"uid":1000,"gid":1000,"additionalGids":[1001]}'
	cp "$(target_dir runc "$WEB")/rootfs/bin/busybox" "$BATS_FILE_TMPDIR/busybox"
}

teardown_file() {
	web_and_bare_stop
}

@test "pipes: 5 MB of noise through the session, both ways" {
	local f=$BATS_TEST_TMPDIR/noise sum
	head -c 5000000 /dev/urandom >"$f"
	sum=$(sha256sum <"$f")
	[[ $(x "$WEB" cat <"$f" | sha256sum) == "$sum" ]]
	[[ $(cat "$f" | x -i "$BARE_PID" cat | sha256sum) == "$sum" ]]
	[[ $(x "$WEB" sha256sum <"$f") == "$sum" ]]
	x "$WEB" sh -c 'head -c 5000000 /dev/zero; exit 9' >"$f" || [[ $? == 9 ]]
	[[ $(sha256sum <"$f") == "$(head -c 5000000 /dev/zero | sha256sum)" ]]
}

@test "pipes: output and errors stay apart" {
	run --separate-stderr -0 x "$WEB" sh -c 'echo out; echo err >&2'
	[[ $output == out && $stderr == err ]]
}

@test "pipes: a reader that leaves ends the writer by SIGPIPE" {
	run -0 bash -c 'set -o pipefail; timeout 10 "$1" exec "$2" yes | head -n 1; echo "${PIPESTATUS[0]}"' \
		sh "$PORTHOLE" "$WEB"
	[[ ${lines[0]} == y && ${lines[1]} == 141 ]]
}

@test "pipes: closed descriptors" {
	local t=$BATS_TEST_TMPDIR
	run -0 bash -c 'timeout 10 "$1" exec -i "$2" cat <&-; echo end' sh "$PORTHOLE" "$WEB"
	[[ $output == end ]]
	timeout 10 "$PORTHOLE" exec "$WEB" sh -c 'echo to the file >&2' >&- 2>"$t/err"
	[[ $(<"$t/err") == "to the file" ]]
	timeout 10 "$PORTHOLE" exec "$WEB" sh -c 'echo x; ls -l /proc/self/fd/ >&2' 2>&- >"$t/out"
	[[ $(<"$t/out") == x ]]
	timeout 10 "$PORTHOLE" exec -i "$WEB" sh -c 'echo x; exit 3' <&- >&- 2>&- || [[ $? == 3 ]]
}

@test "pipes: without -i a command that reads gets nothing, with a pipe all of it" {
	run -0 x -i "$WEB" cat </dev/null
	[[ -z $output ]]
	[[ $(echo data | x "$WEB" cat) == data ]]
	# no descriptor of ours is inherited
	exec 7<"$PORTHOLE"
	run -0 x "$BARE_PID" bash -c 'echo /proc/self/fd/*'
	exec 7<&-
	[[ $output == "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3" ]]
}

@test "exit codes: the command's own" {
	run -0 x "$WEB" true
	run -1 x "$WEB" false
	run -42 x "$WEB" sh -c 'exit 42'
	run -255 x "$WEB" sh -c 'exit 255'
}

@test "exit codes: 128+N of a signal" {
	run -137 x "$WEB" bash -c 'kill -KILL $$'
	run -143 x "$WEB" bash -c 'kill -TERM $$'
	run -139 x "$WEB" bash -c 'kill -SEGV $$'
}

@test "exit codes: 127 when it is not there, 126 when it cannot be run, and why" {
	says 127 "there is no command 'no-such-program' in the PATH of '$WEB'" "$WEB" no-such-program
	says 127 "there is no command '--json' in the PATH of '$WEB'"$'\n'"          is it an option? Those are written before the target" "$WEB" --json id
	says 127 "there is no '/no/such' in '$WEB'" "$WEB" /no/such
	says 126 "cannot run '/etc' in '$WEB': Permission denied"$'\n'"          it is a directory" "$WEB" /etc
	says 126 "it is not executable (mode 0644)" "$WEB" /etc/passwd
	x "$WEB" sh -c 'printf "#!/no/such/sh\n" >/tmp/s; echo no program >/tmp/n; chmod +x /tmp/s /tmp/n'
	says 127 "interpreter or loader is not there" "$WEB" /tmp/s
	says 126 "neither a program of this machine's kind nor a script" "$WEB" /tmp/n
	x "$WEB" rm /tmp/s /tmp/n
}

@test "exit codes: 125 when Porthole fails" {
	says 125 "nothing is named 'no-such-target'" no-such-target true
	says 125 "--memory, --cpus and --pids need --cgroup own" --cgroup host --memory 10m "$WEB" true
	says 125 "--memory takes 512k or more" --memory 1k "$WEB" true
	says 127 "the command is an empty word" "$WEB" ""
	says 127 "the command is an empty word" --kit none "$WEB" ""
	says 125 "--cpus takes a number such as 0.5, not 'many'" --cpus many "$WEB" true
	says 125 "--pids takes a number from 1 on, not '0'" --pids 0 "$WEB" true
	says 125 "--memory takes a size such as 64m, not '0'" --memory 0 "$WEB" true
	says 125 "no-such-option" --no-such-option "$WEB" true
	says 125 "" --view upside-down "$WEB" true
	run --separate-stderr -125 x
	[[ $stderr == "porthole: "* ]]
}

@test "errors as JSON" {
	run --separate-stderr -125 x --json no-such-target true
	[[ $(jq -r .error <<<"$stderr") == *"nothing is named 'no-such-target'"* ]]
}

@test "the target's files are /, live, and the kit is at /dev/p" {
	run -0 x "$WEB" sh -c 'echo inside >/tmp/new; cat /etc/passwd; ls /dev/p/b/bash; df -P / | tail -n 1'
	[[ $output == *"app:x:1000:1000"* && $output == */dev/p/b/bash* ]]
	[[ $(<"/proc/$WEB_PID/root/tmp/new") == inside ]]
	echo outside >"/proc/$WEB_PID/root/tmp/new"
	[[ $(x "$WEB" cat /tmp/new) == outside ]]
	x "$WEB" rm /tmp/new
	[[ ! -e /proc/$WEB_PID/root/tmp/new ]]
	[[ ! -e /proc/$WEB_PID/root/dev/p && ! -e /dev/p ]]
	refute grep -q ' /dev/p ' "/proc/$WEB_PID/mountinfo"
}

@test "the target's processes, network and host name" {
	[[ $(x "$WEB" hostname) == "$WEB" && $(hostname) != "$WEB" ]]
	[[ $(x "$BARE_PID" cat /proc/1/comm) == app ]]
	[[ $(x "$BARE_PID" bash -c 'echo $PPID') != "$$" ]]
	run -0 x "$BARE_PID" curl -s http://127.0.0.1:8080/
	[[ $output == "hello from scratch app" ]]
	run -0 x "$BARE_PID" ps -e
	[[ $output == *" 1 "*app* && ${#lines[@]} -le 4 ]]
}

@test "PATH: the kit's programs, then the target's" {
	[[ $(x "$WEB" sh -c 'echo $PATH') == /dev/p/b:/opt/bin:/bin ]]
	[[ $(x "$WEB" sh -c 'command -v ls') == /dev/p/b/ls ]]
	# what only the target has is found too
	x "$WEB" sh -c 'mkdir -p /opt/bin && printf "#!/bin/sh\necho its own\n" >/opt/bin/mine && chmod +x /opt/bin/mine'
	[[ $(x "$WEB" mine) == "its own" ]]
	# without a PATH of its own it has docker's default
	[[ $(x "$BARE_PID" sh -c 'echo $PATH') == /dev/p/b:/usr/local/* ]]
}

@test "environment: the target's, without what is not ours to take" {
	run -0 env SECRET=of-the-host "$PORTHOLE" exec "$WEB" env
	[[ $output == *$'\nGREETING=hello world\n'* || ${lines[0]} == "GREETING=hello world" ]]
	[[ $output != *SECRET* ]]
	[[ $output == *"PORTHOLE_TARGET=$WEB"* ]]
	[[ $output == *HISTFILE=/dev/null* ]]
}

@test "a kit without a shell, and no command: said, with what to do" {
	local d=$BATS_TEST_TMPDIR/kit
	mkdir -p "$d/b"
	says 127 "there is no command 'bash' in the PATH of '$WEB'"$'\n'"          this kit has no shell: name a command, or leave out --kit" \
		--kit "$d" "$WEB"
}

@test "-e NAME=VALUE, -e NAME and --env-file" {
	local f=$BATS_TEST_TMPDIR/env
	printf '# comment\n\n  FROM_FILE=a b\r\nGREETING=file\nOURS\nNOT_SET\n' >"$f"
	run -0 env OURS=ours EQ=x=y "$PORTHOLE" exec -e A=1 -e EMPTY= -e EQ -e UNSET --env-file "$f" \
		-e GREETING=last "$WEB" env
	local v
	for v in A=1 EMPTY= EQ=x=y 'FROM_FILE=a b' OURS=ours GREETING=last; do
		grep -qxF "$v" <<<"$output" || die "no $v"
	done
	[[ $output != *UNSET* && $output != *NOT_SET* ]]
	[[ $(grep -c '^GREETING=' <<<"$output") == 1 ]]
	[[ $(x --env-file <(echo PIPED=1) "$WEB" sh -c 'echo $PIPED') == 1 ]]
	[[ $(x -e PATH=/only "$WEB" /bin/sh -c 'echo $PATH') == /dev/p/b:/only ]]
	says 125 "not '=x'" -e =x "$WEB" true
	says 125 "$BATS_TEST_TMPDIR/none" --env-file "$BATS_TEST_TMPDIR/none" "$WEB" true
	[[ $(echo PIPED=2 | x --env-file /dev/stdin "$WEB" sh -c 'echo $PIPED') == 2 ]]
	x --env-file /dev/null "$WEB" true
	says 125 "/dev/zero: File too large" --env-file /dev/zero "$WEB" true
	# rubbish: the file and the line are named
	printf 'A=1\n\nB=\0x\n' >"$f"
	says 125 "the environment file $f, line 3: there is a byte of 0 in it" --env-file "$f" "$WEB" true
	printf '# c\nA=1\n =x\n' >"$f"
	says 125 "$f, line 3: there is no name before the =" --env-file "$f" "$WEB" true
	printf 'A=1\ntwo words=x' >"$f"
	says 125 "$f, line 2: the name has a blank or a control character" --env-file "$f" "$WEB" true
	printf 'A\033[31mB\n' >"$f"
	says 125 "$f, line 1: the name has a blank or a control character" --env-file "$f" "$WEB" true
	says 125 "/bin/true, line 1: " --env-file /bin/true "$WEB" true
	# what could be waited for without end
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	says 125 "is not a regular file" --env-file "$BATS_TEST_TMPDIR/fifo" "$WEB" true
}

@test "-e: what would be hostile in the target's environment is not when asked for" {
	[[ $(x -e BASH_ENV=/tmp/mine "$WEB" sh -c 'echo $BASH_ENV') == /tmp/mine ]]
}

@test "-w, and the target's directory" {
	[[ $(x "$WEB" pwd) == /home/app ]]
	[[ $(x -w /etc "$WEB" pwd) == /etc ]]
	[[ $(x "$BARE_PID" pwd) == / ]]
	says 126 "working directory '/no/such'" -w /no/such "$WEB" pwd
	says 126 "working directory '/etc/passwd'" -w /etc/passwd "$WEB" pwd
}

@test "user: root unless asked, with the home of its passwd" {
	[[ $(x "$WEB" sh -c 'echo $(id -u):$(id -g) $HOME $USER') == "0:0 /root root" ]]
	[[ $(x "$BARE_PID" sh -c 'echo $(id -u):$(id -g) $HOME') == "0:0 /" ]]
}

@test "-u by name, id, name:group, id:id, target" {
	[[ $(x -u app "$WEB" sh -c 'echo $(id -u):$(id -g) $(id -G) $HOME $USER') == \
		"1000:1000 1000 1001 /home/app app" ]]
	[[ $(x -u 1000 "$WEB" sh -c 'echo $(id -u):$(id -g) $HOME') == "1000:1000 /home/app" ]]
	[[ $(x -u app:extra "$WEB" sh -c 'echo $(id -u):$(id -g)') == 1000:1001 ]]
	[[ $(x -u 77:88 "$WEB" sh -c 'echo $(id -u):$(id -g) $HOME') == "77:88 /" ]]
	[[ $(x -u 77 "$WEB" sh -c 'echo $(id -u):$(id -g)') == 77:0 ]]
	[[ $(x -u :1001 "$WEB" sh -c 'echo $(id -u):$(id -g)') == 0:1001 ]]
	[[ $(x -u target "$WEB" sh -c 'echo $(id -u):$(id -g) $(id -G)') == "1000:1000 1000 1001" ]]
	[[ $(x -u target "$BARE_PID" id -u) == 1000 ]]
	[[ $(x -u app:1234 "$WEB" id -g) == 1234 ]]
}

@test "-u: an unknown user or group" {
	says 125 "there is no user 'nobody-here' in the /etc/passwd of '$WEB'" -u nobody-here "$WEB" id
	says 125 "there is no group 'none' in the /etc/group of '$WEB'" -u app:none "$WEB" id
	says 125 "there is no user 'app'" -u app "$BARE_PID" id
	[[ $(x -u root "$BARE_PID" id -u) == 0 ]]
	says 125 "" -u 4294967295 "$WEB" id
	says 125 "" -u -- "$WEB" id
}

@test "files that the user makes are the user's" {
	x -u 1000 "$WEB" touch /tmp/mine
	[[ $(stat -c %u:%g "/proc/$WEB_PID/root/tmp/mine") == 1000:1000 ]]
	x "$WEB" rm /tmp/mine
	run -1 x -u 1000 "$WEB" touch /etc/new
	[[ ! -e /proc/$WEB_PID/root/etc/new ]]
}

@test "signals are passed on to the command" {
	local s pid out
	for s in TERM INT HUP QUIT USR1 USR2; do
		out=$BATS_TEST_TMPDIR/$s
		"$PORTHOLE" exec "$WEB" bash -c "trap 'echo got $s; exit 5' $s; echo ready; while :; do sleep 0.02; done" \
			>"$out" &
		pid=$!
		wait_until 5 grep -q ready "$out"
		kill -$s $pid
		ends 5 $pid
		[[ $(tail -n 1 "$out") == "got $s" ]] || die "$s: $(<"$out")"
	done
}

@test "a command that a signal kills ends the session with 128+N" {
	local pid out=$BATS_TEST_TMPDIR/out
	"$PORTHOLE" exec "$WEB" bash -c 'echo ready; exec sleep 60' >"$out" &
	pid=$!
	wait_until 5 grep -q ready "$out"
	kill -TERM $pid
	ends 143 $pid
}

@test "two signals at once, as timeout(1) sends them, are one request to end" {
	local pid out=$BATS_TEST_TMPDIR/out
	"$PORTHOLE" exec "$WEB" bash -c 'trap "sleep 0.2; echo bye; exit 5" TERM; echo ready; while :; do sleep 0.02; done' \
		>"$out" &
	pid=$!
	wait_until 5 grep -q ready "$out"
	kill -TERM $pid
	sleep 0.05 # long enough for the first to have been taken
	kill -TERM $pid
	ends 5 $pid
	[[ $(tail -n 1 "$out") == bye ]]
}

@test "a command that ignores signals: the second one ends the session" {
	local pid out=$BATS_TEST_TMPDIR/out d=$BATS_TEST_TMPDIR/r
	residue_snapshot "$d" "$BARE_PID"
	"$PORTHOLE" exec "$BARE_PID" bash -c 'trap "echo no" TERM; echo ready; while :; do sleep 0.02; done' >"$out" &
	pid=$!
	wait_until 5 grep -q ready "$out"
	kill -TERM $pid
	wait_until 5 grep -q no "$out"
	pid_alive $pid
	wait_until 5 asked $pid
	ends 137 $pid
	residue_assert_same "$d"
}

@test "a command deaf to SIGTERM or SIGHUP: 10 seconds later the session is ended" {
	local s pids=() pid start=$SECONDS out=$BATS_TEST_TMPDIR/out d=$BATS_TEST_TMPDIR/r
	residue_snapshot "$d" "$BARE_PID"
	for s in TERM HUP INT; do
		"$PORTHOLE" exec "$BARE_PID" bash -c 'trap "" TERM HUP INT; echo ready; while :; do sleep 0.1; done' >"$out.$s" &
		pids+=($!)
		wait_until 5 grep -q ready "$out.$s"
		kill -"$s" $!
	done
	for pid in "${pids[@]:0:2}"; do
		ends 137 "$pid"
	done
	((SECONDS - start >= 10))
	pid_alive "${pids[2]}" # Ctrl-C is the command's own affair
	kill -TERM "${pids[2]}"
	ends 137 "${pids[2]}"
	residue_assert_same "$d"
}

@test "what runs in the background ends with the session" {
	local d=$BATS_TEST_TMPDIR/r
	residue_snapshot "$d" "$BARE_PID"
	run -3 x "$BARE_PID" bash -c 'sleep 60 & nohup sleep 60 >/dev/null 2>&1 & setsid -f sleep 60; (trap "" TERM HUP; exec setsid sleep 60) & disown -a; exit 3'
	residue_assert_same "$d"
	# also under nohup on our side
	run -0 timeout 10 nohup "$PORTHOLE" exec "$BARE_PID" bash -c 'sleep 60 & echo started'
	[[ $output == *started* ]]
	residue_assert_same "$d"
}

@test "a command line: --, options of the command, empty arguments" {
	[[ $(x "$WEB" -- echo a) == a ]]
	[[ $(x "$WEB" echo -u root -- --kit) == "-u root -- --kit" ]]
	[[ $(x "$WEB" bash -c 'echo "$#:$1:$2"' sh '' 'a b') == "2::a b" ]]
	[[ $(x -- "$WEB" echo b) == b ]]
}

@test "without a command: a shell that reads commands" {
	run -4 bash -c 'printf "echo from the shell\nexit 4\n" | timeout 10 "$1" exec -i "$2"' sh "$PORTHOLE" "$WEB"
	[[ $output == "from the shell" ]]
}
