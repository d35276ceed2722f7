#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets stderr
# host exec: commands of a host container that run on the host, by its launcher's leave.
load ../lib/porthole

hr() { hr_quiet "$@"; }

# at ARG...: tests/tools/term.py ARG..., the person at a terminal.
at() {
	TERM=xterm timeout -k 2 60 /usr/bin/python3 "$PORTHOLE_SRC/tests/tools/term.py" "$@"
}

setup() {
	require kit
	DIR=$(test_dir)
}

@test "it runs in the host's own namespaces, also from private ones; outside it did not" {
	local ns
	# shellcheck disable=SC2016
	run -0 hr --ns none sh -c 'for n in mnt pid net ipc uts; do readlink /proc/self/ns/$n; porthole host exec readlink /proc/self/ns/$n; done'
	for ns in mnt pid net ipc uts; do
		[[ $(grep -cxF "$(readlink /proc/self/ns/$ns)" <<<"$output") == 1 ]] || die "$ns: $output"
	done
	[[ $(sort -u <<<"$output" | wc -l) == 10 ]] || die "$output"
}

@test "a file, a mount and a user of the host's: what it does there is there" {
	run -0 hr sh -c "porthole host exec mkdir $DIR/m && porthole host exec mount -t tmpfs t $DIR/m && porthole host exec touch $DIR/m/x"
	[[ -e $DIR/m/x ]] || die "the mount is not on the host"
	umount "$DIR/m"
	# with the container's own mount it is the container's
	run hr sh -c "mount -t tmpfs t /host$DIR/m && touch /host$DIR/m/y"
	[[ ! -e $DIR/m/y ]] || die "the container's mount is on the host"
	run -0 hr porthole host exec -u nobody id -un
	[[ $output == nobody ]] || die "$output"
}

@test "exit codes, signals, arguments and input are exact" {
	run -7 hr porthole host exec sh -c 'exit 7'
	run -137 hr porthole host exec sh -c 'kill -9 $$'
	run -127 hr porthole host exec no-such-command
	[[ $output == *"no command 'no-such-command'"* ]] || die "$output"
	run -126 hr porthole host exec /etc
	run -0 hr porthole host exec printf '<%s>' 'a  b' '' '*' $'\n' '$x' "it's"
	[[ $output == $'<a  b><><*><\n><$x><it\'s>' ]] || die "$output"
	head -c 3000000 /dev/urandom >"$DIR/data"
	hr sh -c 'cat | porthole host exec cat' <"$DIR/data" >"$DIR/copy"
	cmp "$DIR/data" "$DIR/copy"
	hr sh -c "porthole host exec cat <'/host$DIR/data' >'/host$DIR/copy2'"
	cmp "$DIR/data" "$DIR/copy2"
	# a signal for who asks is one for the command
	run -0 hr sh -c 'porthole host exec sh -c "trap \"echo got; exit 3\" TERM; echo ready; while :; do sleep 0.05; done" >/tmp/o & p=$!
		until grep -q ready /tmp/o; do sleep 0.05; done; kill $p; wait $p; echo $?; cat /tmp/o'
	[[ $output == *3*got* ]] || die "$output"
}

@test "where it starts: the host's path of where one is" {
	run -0 hr sh -c 'cd /host/usr/bin && porthole host exec pwd; cd /usr && porthole host exec pwd; porthole host exec -w /var pwd'
	[[ $output == $'/usr/bin\n/usr\n/var' ]] || die "$output"
	run -0 hr sh -c 'mkdir /only-here && cd /only-here && porthole host exec pwd'
	[[ $output == *"/only-here is no directory of the host"*/ ]] || die "$output"
	run -126 hr porthole host exec -w /no/such pwd
}

@test "a terminal of the host's: its name, its size, its end" {
	run -0 at -s 33x101 'expect:# $' \
		'send:porthole host exec sh -c "tty; stty size; ls -l \\$(tty); read x; echo got-\\$x"\r' 'expect:33 101' \
		'send:abc\r' 'expect:got-abc' 'expect:# $' 'send:exit 4\r' -- sh -c "$PORTHOLE host run -q sh; [ \$? = 4 ]"
	[[ $output == *" /dev/pts/"* ]] || die "$output"
	# a resize reaches it, and Ctrl-C only the command
	printf '#!/bin/sh\ntrap "stty size" WINCH\necho ready\nwhile :; do sleep 0.05; done\n' >"$DIR/watch"
	chmod 755 "$DIR/watch"
	run -0 at -s 20x80 'expect:# $' "send:porthole host exec $DIR/watch\r" 'expect:ready' resize:44x99 'expect:44 99' \
		'send:\x03' 'expect:# $' 'send:echo after-$?\r' 'expect:after-130' 'expect:# $' 'send:exit\r' -- \
		"$PORTHOLE" host run -q sh
}

@test "the kit's tools in the host's files" {
	run -0 hr porthole host exec -w /usr --with-tools sh -c "command -v gdb; ls -d $DIR; pwd"
	[[ $output == "/dev/p/b/gdb"$'\n'"$DIR"$'\n'/usr ]] || die "$output"
	run -9 hr porthole host exec --with-tools sh -c 'exit 9'
}

@test "without a way back, and from elsewhere: one sentence" {
	run -125 "$PORTHOLE" host exec true
	[[ $output == *"no way to a host from here"*"host run"* ]] || die "$output"
	run -125 hr --profile inspect porthole host exec true
	[[ $output == *"no way to a host from here"* ]] || die "$output"
	run -0 hr --profile inspect --allow true porthole host exec true
}

@test "--allow: these and no others, by whatever name" {
	local evil=$DIR/evil
	mkdir "$evil"
	ln -s /bin/sh "$evil/id"
	cp /bin/busybox "$evil/busybox" 2>/dev/null || cp /bin/sh "$evil/busybox"
	# shellcheck disable=SC2016
	run hr --allow 'id -u' --allow "stat -c %U *" bash -c '
		try() { echo "[$*]"; porthole host exec "$@" >/tmp/o 2>&1; echo "= $?"; cat /tmp/o; }
		try id -u; try /usr/bin/id -u; try stat -c %U /etc
		try id; try id -g; try id -u root; try stat -c %s /etc
		try sh -c "id -u"; try /usr/bin/env id -u; try /lib64/ld-linux-x86-64.so.2 /usr/bin/id -u
		try '"$evil"'/id -u; try /host/usr/bin/id -u; try '"$evil"'/busybox id -u; try /proc/self/root/bin/sh -c id
		try -e LD_PRELOAD=/tmp/x id -u; try -e PATH='"$evil"' id -u; try -e TERM=../x id -u; try -w '"$evil"' id -u
		try --with-tools id -u; try'
	[[ $(grep -c '^= 0' <<<"$output") == 3 && $(grep -c '^= 12[67]' <<<"$output") == 17 ]] || die "$output"
	[[ $output == *"not among what this container may run on the host"* ]] || die "$output"
}

@test "--allow: what is refused is told with the pattern that allows it, and no more" {
	local words=(sh -c "id -u; printf %s 'a\\b*'" '' é) pattern
	run hr --allow id porthole host exec "${words[@]}"
	[[ $status == 126 && $output == *"add --allow '"* ]] || die "$output"
	pattern=${output##*add --allow \'} pattern=${pattern%\'}
	run -0 hr --allow "$pattern" porthole host exec "${words[@]}"
	[[ $output == *"0"*"a\\b*" ]] || die "$pattern: $output"
	run hr --allow "$pattern" porthole host exec sh -c id
	[[ $status == 126 ]] || die "$pattern: $output"
}

@test "--deny: every link and path of it, and nothing else" {
	ln -s /bin/cat "$DIR/dog"
	run -0 hr --deny cat --deny 'id -g' bash -c '
		try() { porthole host exec "$@" >/tmp/o 2>&1; echo "= $*: $?"; }
		try cat /etc/passwd; try /usr/../bin/cat /etc/passwd; try '"$DIR/dog"' /etc/passwd; try id -g
		try id -u; try head -c1 /etc/passwd'
	[[ $(grep -c ': 126' <<<"$output") == 4 && $(grep -c ': 0' <<<"$output") == 2 ]] || die "$output"
	run -126 hr --deny '*' porthole host exec true
}

@test "--ask: on the launcher's terminal, escaped, no by default; nobody there is a no" {
	local cmd='porthole host exec printf "%s\\n" yes-it-ran "$(printf "\\033[2Jx")"'
	run -0 at -t 20 'expect:# $' "send:$cmd\\r" 'expect:wants to run on this host.*y/N\] ' \
		'send:y\r' 'expect:\nyes-it-ran' 'expect:# $' "send:$cmd; echo code=\$?\\r" 'expect:y/N\] ' 'send:yes please\r' \
		'expect:did not say yes' 'expect:code=126' 'send:exit\r' -- "$PORTHOLE" host run -q --ask 'printf *' sh
	[[ $output == *'\x1b[2Jx'* ]] || die "$output"
	run -126 setsid -w "$PORTHOLE" host run -q --ask true porthole host exec true </dev/null
	[[ $output == *"no terminal to be asked on"* ]] || die "$output"
	run -125 hr -d --ask true
	[[ $output == *"nobody for --ask"* ]] || die "$output"
}

@test "--ask: what is typed by who asks is no answer" {
	local type='import fcntl, os, sys, termios, time
for i in range(40):
    for path in ["/dev/tty", "/dev/console"] + ["/dev/pts/%d" % n for n in range(64)]:
        try:
            fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            [fcntl.ioctl(fd, termios.TIOCSTI, c) for c in (b"y", b"\n")]
        except OSError:
            pass
    time.sleep(0.02)
open("/out/done", "w")'
	mkdir "$DIR/out"
	echo "$type" >"$DIR/type.py"
	run -0 at -t 30 'expect:# $' "send:python3 /type.py & echo y | porthole host exec touch $DIR/typed; echo code=\$?\r" \
		'expect:wants to run on this host.*y/N\] ' "run:timeout 20 sh -c 'until [ -e $DIR/out/done ]; do sleep 0.05; done'" \
		'send:\r' 'expect:code=126' 'expect:y: (command )?not found' 'send:exit 0\r' -- \
		"$PORTHOLE" host run -q --profile net --cap-add SYS_ADMIN -v "$DIR/type.py:/type.py:ro" -v "$DIR/out:/out" \
		--ask 'touch *' sh
	[[ ! -e $DIR/typed ]] || die "$output"
}

@test "--log: who, what and how it ended, hostile bytes escaped; what cannot be written is not run" {
	run hr --deny cat --log "$DIR/log" sh -c 'porthole host exec sh -c "exit 6" "$(printf "\033[2J\377")"; porthole host exec cat'
	jq -s . "$DIR/log" >/dev/null
	refute grep -q $'\033\|\377' "$DIR/log"
	[[ $(jq -r 'select(.event == "start") | .argv[2], .uid, .comm' "$DIR/log") == $'exit 6\n0\nporthole' ]] || die "$(<"$DIR/log")"
	[[ $(jq -r 'select(.call == 1 and .event == "end") | .exit' "$DIR/log") == 6 ]] || die "$(<"$DIR/log")"
	[[ $(jq -r 'select(.event == "refused") | .argv[0]' "$DIR/log") == *cat ]] || die "$(<"$DIR/log")"
	# a refused one ends as it was told, also where who asked has gone by then
	rm "$DIR/log"
	run hr --allow true --log "$DIR/log" sh -c 'for i in $(seq 100); do porthole host exec cat; done'
	[[ $(jq -r 'select(.event == "end") | .exit' "$DIR/log" | sort | uniq -c | xargs) == "100 126" ]] || die "$(<"$DIR/log")"
	run -125 hr --log /dev/full porthole host exec touch "$DIR/x"
	[[ $output == *"without which nothing is run"* && ! -e $DIR/x ]] || die "$output"
}

@test "who is not root in the container is on the host who he is" {
	run -0 hr -u 65534:65534 porthole host exec id
	[[ $output == "uid=65534(nobody) gid=65534(nogroup) groups=65534(nogroup)" ]] || die "$output"
	run -125 hr -u 65534:65534 porthole host exec -u root id
	[[ $output == *"as itself only"* ]] || die "$output"
}

@test "a process that is not the container's is not served, though it reaches the socket" {
	local pid
	spawn "$DIR/pid" "$DIR/out" "$PORTHOLE" host run -q --ns none sh -c 'echo up; exec sleep 1000'
	wait_until 10 grep -q up "$DIR/out"
	pid=$(pgrep -P "$(pgrep -P "$(<"$DIR/pid")" | head -1)" | head -1)
	[[ -S /proc/$pid/root/.porthole/host.sock ]] || die "no socket"
	run -0 python3 - "/proc/$pid/root/.porthole/host.sock" <<-'PY'
		import socket, struct, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		s.connect(sys.argv[1])
		s.send(b"PHx1" + struct.pack("<IIIIHH", 0, 1, 0, 0, 0, 0) + b"\0/\0true\0")
		print(s.recv(4096)[8:])
	PY
	[[ $output == *"not served"* ]] || die "$output"
	end_pid "$(<"$DIR/pid")"
}

@test "the end of who asked, of the container and of its launcher ends what runs on the host" {
	local pid
	# shellcheck disable=SC2016
	local script='trap "" HUP TERM INT; sh -c "trap \"\" HUP TERM; echo \$\$ >'"$DIR"'/pid; exec sleep 1000"; :'
	running() { [[ -s $DIR/pid ]] && pid_alive "$(<"$DIR/pid")"; }
	gone() { ! pid_alive "$(<"$DIR/pid")"; }
	# who asked is killed
	run -0 hr sh -c "porthole host exec sh -c '$script' & until [ -s /host$DIR/pid ]; do sleep 0.05; done; kill -9 \$!; sleep 30 & wait \$! & until ! porthole host exec kill -0 \$(cat /host$DIR/pid) 2>/dev/null; do sleep 0.1; done"
	gone
	# the container ends
	rm "$DIR/pid"
	run -0 hr sh -c "porthole host exec sh -c '$script' & until [ -s /host$DIR/pid ]; do sleep 0.05; done"
	wait_until 10 gone
	# its launcher is killed
	rm "$DIR/pid"
	spawn "$DIR/launcher" "$DIR/out" "$PORTHOLE" host run -q porthole host exec sh -c "$script"
	wait_until 10 running
	kill -9 "$(<"$DIR/launcher")"
	wait_until 10 gone
}

@test "a thousand at once are served" {
	# shellcheck disable=SC2016
	run -0 hr sh -c 'for i in $(seq 1000); do { porthole host exec sh -c "exit 3"; echo $? >/tmp/r.$i; } & done; wait
		cat /tmp/r.* | sort | uniq -c'
	[[ $output == *" 1000 3" ]] || die "$output"
}

@test "in the background: it serves, and ends with its container" {
	local name
	name=$(uniq_name back)
	hr -d --name "$name" --allow 'id -u' sh -c 'porthole host exec id -u >/tmp/o; exec sleep 1000' >/dev/null
	wait_until 10 bash -c "'$PORTHOLE' exec '$name' grep -qx 0 /tmp/o"
	run -0 "$PORTHOLE" kill "$name"
}
