#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets stderr
# porthole forward: ports of a container, and ports for it; each with what is not there without it.
load ../lib/porthole

PORTS="$PORTHOLE_SRC/tests/tools/ports.py"

setup_file() {
	require root plain
	export T T_PID BASE
	T=$(uniq_name fwd)
	T_PID=$(target_start plain "$T" busybox --rw)
	BASE=$(test_dir)
	mkdir -p "/proc/$T_PID/root/srv"
	serve_in "$T_PID" inside tcp:127.0.0.1:7001 'tcp:[::1]:7002' udp:127.0.0.1:7003 abstract:pt-abs \
		sink+tcp:127.0.0.1:7004 rude+tcp:127.0.0.1:7005 mute+tcp:127.0.0.1:7006 "unix:/proc/$T_PID/root/srv/app.sock"
}

teardown_file() {
	end_all "$BASE"
	target_stop plain "$T"
}

teardown() {
	end_all "$BATS_TEST_TMPDIR"
}

# serve_in PID NAME SPEC...: tests/tools/ports.py serves in that network namespace ("": in ours).
serve_in() {
	local net=()
	[[ -z $1 ]] || net=(nsenter -t "$1" -n --)
	spawn "$BASE/$2.pid" "$BASE/$2.log" "${net[@]}" /usr/bin/python3 "$PORTS" serve "${@:3}"
	wait_until 15 grep -q ready "$BASE/$2.log" || { cat "$BASE/$2.log" >&2; return 1; }
}

ports() {
	timeout -k 2 120 /usr/bin/python3 "$PORTS" "$@"
}

# inside COMMAND...: in the network namespace of the target.
inside() {
	timeout -k 2 60 nsenter -t "$T_PID" -n -- "$@"
}

f() {
	timeout -k 2 120 "$PORTHOLE" forward "$@"
}

# forward_start ARG...: in the background, until it listens at as many places as there are flags.
forward_start() {
	local n=0 a
	for a in "$@"; do
		[[ $a != -[LRD] ]] || ((n += 1))
	done
	FWD_LOG=$BATS_TEST_TMPDIR/forward.log
	spawn "$BATS_TEST_TMPDIR/forward.pid" "$FWD_LOG" "$PORTHOLE" forward -v "$@"
	FWD_PID=$(<"$BATS_TEST_TMPDIR/forward.pid")
	wait_until 20 _listens "$n" || { cat "$FWD_LOG" >&2; return 1; }
}

_listens() {
	(($(grep -c '^[^#].* -> ' "$FWD_LOG") == $1))
}

# port N: the one that the Nth flag got.
port() {
	sed -n "$1s/^[^ ]*:\([0-9]*\) .*/\1/p" "$FWD_LOG"
}

# shellcheck disable=SC2016 # the command's own
@test "TCP, IPv6, UDP, unix and abstract sockets; and none of them is there without" {
	local p i
	refute ports say tcp:127.0.0.1:7001 x
	forward_start "$T" -L 0:7001 -L '0:[::1]:7002' -L 0:7003/udp -L 0:/srv/app.sock -L 0:@pt-abs \
		-L "$BATS_TEST_TMPDIR/l.sock:7001" -L '[::1]:0:7001'
	for i in 1 2 4 5; do
		p=$(port $i)
		[[ $(ports say "tcp:127.0.0.1:$p" "by $i") == "by ${i}bye" ]] || die "$i: $(cat "$FWD_LOG")"
		refute inside /usr/bin/python3 "$PORTS" say "tcp:127.0.0.1:$p" x
	done
	[[ $(ports say "udp:127.0.0.1:$(port 3)" one) == one ]]
	[[ $(ports say "udp:127.0.0.1:$(port 3)" two) == two ]]
	[[ $(ports say "unix:$BATS_TEST_TMPDIR/l.sock" path) == pathbye ]]
	[[ $(stat -c %a "$BATS_TEST_TMPDIR/l.sock") == 600 ]]
	[[ $(ports say "tcp:[::1]:$(port 1)" six) == sixbye ]] # localhost is both
	end_spawned "$BATS_TEST_TMPDIR/forward.pid"
	refute ports say "tcp:127.0.0.1:$p" x
	[[ ! -e $BATS_TEST_TMPDIR/l.sock ]]
}

@test "-R: ports and sockets of the host inside, and gone afterwards" {
	local p root=/proc/$T_PID/root
	serve_in "" outside "unix:$BASE/out.sock"
	forward_start "$T" -R "0:$BASE/out.sock" -R "/srv/given.sock:$BASE/out.sock" -R "@pt-given:$BASE/out.sock"
	p=$(port 1)
	[[ $(inside /usr/bin/python3 "$PORTS" say "tcp:127.0.0.1:$p" in) == inbye ]]
	refute ports say "tcp:127.0.0.1:$p" x
	[[ $(ports say "unix:$root/srv/given.sock" in) == inbye && $(stat -c %a "$root/srv/given.sock") == 666 ]]
	[[ $(inside /usr/bin/python3 "$PORTS" say abstract:pt-given in) == inbye ]]
	refute ports say abstract:pt-given x
	end_spawned "$BATS_TEST_TMPDIR/forward.pid"
	refute inside /usr/bin/python3 "$PORTS" say "tcp:127.0.0.1:$p" x
	[[ ! -e $root/srv/given.sock ]]
}

@test "-D: SOCKS 4, 4a and 5 from inside; names of the container's /etc/hosts" {
	local p
	mkdir -p "/proc/$T_PID/root/etc"
	echo '127.0.0.1 self web.local # a name' >"/proc/$T_PID/root/etc/hosts"
	app_in "$T_PID" "$BATS_TEST_TMPDIR"
	forward_start "$T" -D 0
	p=$(port 1)
	for way in socks4 socks4a socks5 socks5h; do
		[[ $(curl -sf -m 10 -x "$way://127.0.0.1:$p" "http://127.0.0.1:$APP_PORT") == "hello from scratch app" ]]
	done
	[[ $(curl -sf -m 10 -x "socks5h://127.0.0.1:$p" "http://web.local:$APP_PORT") == "hello from scratch app" ]]
	refute curl -sf -m 10 "http://127.0.0.1:$APP_PORT/" -o /dev/null
	run -97 curl -s -m 10 -x "socks5h://127.0.0.1:$p" "http://other.example:$APP_PORT"
	[[ $(<"$FWD_LOG") == *"'other.example' is no address, and is not in /etc/hosts of "* ]]
	rm "/proc/$T_PID/root/etc/hosts"
}

@test "SOCKS rubbish: a sentence, no harm" {
	local p
	forward_start "$T" -D 0
	p=$(port 1)
	[[ $(ports raw "tcp:127.0.0.1:$p" 474554202f20485454500d0a) == "" ]]
	[[ $(ports raw "tcp:127.0.0.1:$p" 050102) == 05ff* ]]
	[[ $(ports raw "tcp:127.0.0.1:$p" 05) == silence ]]
	[[ $(ports raw "tcp:127.0.0.1:$p" 05010005020001010101010050) == 050005070001* ]]
	[[ $(ports raw "tcp:127.0.0.1:$p" "050100050100030361006200500000") == 0500* ]]
	[[ $(ports raw "tcp:127.0.0.1:$p" "0401$(printf 'ff%.0s' {1..600})") == reset ]]
	[[ $(ports raw "tcp:127.0.0.1:$p" 0501000501000107f000010009) == 0500050[0-9]* ]]
	[[ $(curl -sf -m 10 -x "socks5://127.0.0.1:$p" http://127.0.0.1:8080) == "hello from scratch app" ]]
	[[ $(<"$FWD_LOG") == *"does not speak SOCKS"*"of SOCKS only CONNECT"* ]]
}

@test "100 MB there and back at once are exact, and a half that is closed leaves the other open" {
	forward_start "$T" -L 0:7001 -L 0:/srv/app.sock -L "$BATS_TEST_TMPDIR/l.sock:7001"
	run -0 ports exact "tcp:127.0.0.1:$(port 1)" 100
	[[ $output == exact ]]
	run -0 ports exact "tcp:127.0.0.1:$(port 2)" 100
	run -0 ports exact "unix:$BATS_TEST_TMPDIR/l.sock" 20
	grep -q '#1 closed: .*: 100 MiB there, 100 MiB back, ' "$FWD_LOG"
}

@test "the tail of a stream waits for nothing, whatever its size" {
	local n text
	forward_start "$T" -L 0:7001 -L 0:/srv/app.sock
	for n in 1 1447 65535 65537 120001; do
		printf -v text '%*s' "$n" ""
		[[ $(timeout 5 /usr/bin/python3 "$PORTS" say "tcp:127.0.0.1:$(port 1)" "$text") == "${text}bye" ]]
		[[ $(timeout 5 /usr/bin/python3 "$PORTS" say "tcp:127.0.0.1:$(port 2)" "$text") == "${text}bye" ]]
	done
}

@test "on loopback nothing of ours is paced, whatever the host's default is" {
	local p
	forward_start "$T" -L 0:7006
	p=$(port 1)
	exec 6<>"/dev/tcp/127.0.0.1/$p"
	wait_until 20 grep -q '#1 opened: ' "$FWD_LOG"
	[[ $(ss -tinH state established "( sport = :$p )") == *" reno "* ]]
	[[ $(inside ss -tinH state established "( dport = :7006 )") == *" reno "* ]]
	exec 6>&-
}

@test "a unix socket whose queue is full: tried again for a while, then said" {
	local root=/proc/$T_PID/root
	serve_in "$T_PID" queues "slow+unix:$root/srv/slow.sock" "deaf+unix:$root/srv/deaf.sock"
	forward_start "$T" -L 0:/srv/slow.sock -L 0:/srv/deaf.sock
	run -0 ports hold "tcp:127.0.0.1:$(port 1)" 20
	[[ $output == "20 held" ]]
	run timeout 2 /usr/bin/python3 "$PORTS" hold "tcp:127.0.0.1:$(port 2)" 4
	[[ $status == 124 ]]
	refute grep -q 'queue is full' "$FWD_LOG"
	wait_until 20 grep -q "connecting to /srv/deaf.sock in $T: who listens there does not accept, and its queue is full" "$FWD_LOG"
	[[ $(timeout 5 /usr/bin/python3 "$PORTS" hold "tcp:127.0.0.1:$(port 1)" 1) == "1 held" ]]
}

@test "10,000 connections are held at once, by one process" {
	local n=${PT_FORWARD_HELD:-10000} hard
	hard=$(ulimit -Hn)
	capsh --has-p=cap_sys_resource 2>/dev/null && hard=1048576
	((2 * n + 400 < hard)) || n=$(((hard - 400) / 2))
	((n == 10000)) || echo "# the hard limit of $hard descriptors allows $n connections" >&3
	forward_start "$T" -L 0:7001
	run -0 ports hold "tcp:127.0.0.1:$(port 1)" "$n"
	[[ $output == "$n held" ]]
	pid_alive "$FWD_PID"
	[[ $(grep -c ' opened: ' "$FWD_LOG") == "$n" ]]
	[[ $(cat "/proc/$FWD_PID/task/$FWD_PID/children" | wc -w) == 1 ]] # only who makes sockets
	(($(ls "/proc/$FWD_PID/task" | wc -l) == 1))
}

@test "no descriptors are left: that is said, and it goes on" {
	local p
	FWD_LOG=$BATS_TEST_TMPDIR/forward.log
	# shellcheck disable=SC2016
	spawn "$BATS_TEST_TMPDIR/forward.pid" "$FWD_LOG" setpriv --bounding-set=-sys_resource --inh-caps=-sys_resource \
		bash -c 'ulimit -n 100; exec "$0" forward -v "$1" -L 0:7001' "$PORTHOLE" "$T"
	wait_until 20 _listens 1
	p=$(port 1)
	run timeout 5 /usr/bin/python3 "$PORTS" hold "tcp:127.0.0.1:$p" 150
	[[ $status == 124 && $(grep -c 'no file descriptors are left' "$FWD_LOG") == 1 ]]
	[[ $(ports say "tcp:127.0.0.1:$p" again) == againbye ]]
}

@test "a peer that never reads holds its sender back; resets are passed on" {
	local p before
	forward_start "$T" -L 0:7006 -L 0:7005 -L 0:9 -L 0:/srv/none
	run timeout 3 /usr/bin/python3 "$PORTS" rate "tcp:127.0.0.1:$(port 1)" 400
	[[ $status == 124 ]]
	before=$(awk '/VmRSS/ { print $2 }' "/proc/$FWD_PID/status")
	((before < 30000)) || die "it holds $before kB"
	[[ $(ports raw "tcp:127.0.0.1:$(port 2)" 4141) == reset ]]
	[[ $(ports raw "tcp:127.0.0.1:$(port 3)" 41 2>&1) == *[Rr]eset* ]]
	wait_until 20 grep -q "nothing listens at localhost:9 in $T" "$FWD_LOG"
	refute ports say "tcp:127.0.0.1:$(port 4)" x
	wait_until 20 grep -q "connecting to /srv/none in $T: No such file" "$FWD_LOG"
}

@test "links of the container's never lead to a socket of the host's" {
	local root=/proc/$T_PID/root
	serve_in "" secret "unix:$BASE/secret.sock"
	ln -s "$BASE/secret.sock" "$root/srv/abs.sock"
	ln -s "../../../../../../..$BASE/secret.sock" "$root/srv/up.sock"
	ln -s "$BASE" "$root/srv/dir"
	ln -s /proc/1/root "$root/srv/magic"
	: >"$root/srv/file"
	[[ $(ports say "unix:$BASE/secret.sock" x) == xbye ]]
	forward_start "$T" -L 0:/srv/abs.sock -L 0:/srv/up.sock -L 0:/srv/dir/secret.sock \
		-L "0:/srv/magic$BASE/secret.sock" -L 0:/srv/file
	for i in 1 2 3 4 5; do
		refute ports say "tcp:127.0.0.1:$(port $i)" x
	done
	grep -q "connecting to /srv/file in $T: that is no socket" "$FWD_LOG"
	run -125 f "$T" -R "/srv/dir/made.sock:80"
	[[ ! -e $BASE/made.sock && $output == *"listening at /srv/dir/made.sock in $T: No such file or directory"* ]]
	run -125 f "$T" -R "/srv/abs.sock:80"
	[[ $output == *"/srv/abs.sock exists already in $T"* && -L $root/srv/abs.sock ]]
}

@test "kill -9 of either process: no process and no socket file stays" {
	local root=/proc/$T_PID/root maker
	forward_start "$T" -R /srv/k.sock:9 -L "$BATS_TEST_TMPDIR/k.sock:7001"
	[[ -S $root/srv/k.sock && -S $BATS_TEST_TMPDIR/k.sock ]]
	maker=$(cat "/proc/$FWD_PID/task/$FWD_PID/children")
	kill -9 "$FWD_PID"
	for pid in $maker; do
		wait_until 20 pid_gone "$pid"
	done
	[[ ! -e $root/srv/k.sock && ! -e $BATS_TEST_TMPDIR/k.sock ]]
	forward_start "$T" -L 0:7001
	kill -9 "$(cat "/proc/$FWD_PID/task/$FWD_PID/children")"
	wait_until 20 pid_gone "$FWD_PID"
	grep -q 'the process that makes sockets in .* was killed' "$FWD_LOG"
}

@test "-- CMD: PORTHOLE_PORT, its exit code, its end" {
	# shellcheck disable=SC2016
	run -7 --separate-stderr f "$T" -L 0:8080 -D 0 -- sh -c 'curl -s http://localhost:$PORTHOLE_PORT; set -- $PORTHOLE_PORTS; exit $(($# + 5))'
	[[ $output == "hello from scratch app" && -z $stderr ]]
	run -143 f "$T" -L 0:80 -- sh -c 'kill $$'
	run -127 f "$T" -L 0:80 -- /no/such
	[[ $output == *"cannot run '/no/such': No such file or directory"* ]]
}

# shellcheck disable=SC2016 # the command's own
@test "a connection that fails is told of: to a command too, and with -q" {
	local q say='"$0" "$@" "tcp:127.0.0.1:$PORTHOLE_PORT" x || :'
	for q in '' -q; do
		# shellcheck disable=SC2086 # none or one
		run --separate-stderr f $q "$T" -L 0:9 -- sh -c "$say" /usr/bin/python3 "$PORTS" say
		[[ $stderr == *"nothing listens at localhost:9 in $T"* ]] || die "$q: $stderr"
		# shellcheck disable=SC2086
		run --separate-stderr f $q "$T" -L 0:nosuch.example:80 -- sh -c "$say" /usr/bin/python3 "$PORTS" say
		[[ $stderr == *nosuch.example* ]] || die "$q: $stderr"
	done
	run --separate-stderr f "$T" -L 0:7001 -- sh -c "$say" /usr/bin/python3 "$PORTS" say
	[[ $stderr != *porthole:* ]] || die "$stderr"
}

@test "the container ends: said, and 125; CMD is ended too" {
	local name pid
	name=$(uniq_name fwdend)
	pid=$(target_start plain "$name")
	FWD_LOG=$BATS_TEST_TMPDIR/forward.log
	spawn "$BATS_TEST_TMPDIR/forward.pid" "$FWD_LOG" "$PORTHOLE" forward "$name" -L 0:8080 -- sleep 60
	wait_until 20 test -n "$(cat "$BATS_TEST_TMPDIR/forward.pid")"
	wait_until 20 pgrep -P "$(<"$BATS_TEST_TMPDIR/forward.pid")" -x sleep
	target_stop plain "$name"
	wait_until 20 pid_gone "$(<"$BATS_TEST_TMPDIR/forward.pid")"
	[[ $(<"$FWD_LOG") == "porthole: '$name' ended while its ports were forwarded" ]]
}

@test "docker, podman, runc, a user namespace, a user's own rootless container" {
	local engine name pid
	for engine in docker docker-userns podman runc; do
		require $engine
		name=$(uniq_name fwd)
		pid=$(target_start $engine "$name")
		# shellcheck disable=SC2016
		run -0 f "$name" -L 0:8080 -R 0:9 -- sh -c 'curl -sf http://localhost:$PORTHOLE_PORT' ||
			die "$engine: $output"
		[[ $output == "hello from scratch app" ]]
		target_stop $engine "$name"
	done
	require podman-rootless
	export BIN=$PT_RUN/forward
	install -m 755 "$PORTHOLE" "$BIN"
	name=$(uniq_name fwdless)
	pid=$(target_start podman-rootless "$name" busybox)
	# shellcheck disable=SC2016
	run -0 as_user timeout 20 "$BIN" forward "$name" -L 0:8080 -R /tmp/in.sock:9 -R 80:9 -- \
		sh -c 'curl -sf http://localhost:$PORTHOLE_PORT; stat -c %F "$0/tmp/in.sock"' "/proc/$pid/root" || die "$output"
	[[ $output == $'hello from scratch app\nsocket' && ! -e /proc/$pid/root/tmp/in.sock ]]
	target_stop podman-rootless "$name"
}

@test "one sentence for what cannot be; names are printed safely" {
	local p
	forward_start "$T" -L 0:7001
	p=$(port 1)
	run -125 --separate-stderr f "$T" -L "$p:80"
	[[ $stderr == "porthole: port $p is in use in the host (127.0.0.1:$p)"* && -z $output ]]
	run -125 f "$T"
	[[ $output == *"nothing to forward: give a port, -L, -R or -D"* ]]
	run -125 f "$T" -L "$p:web:http"
	[[ $output == *"a port is missing, or is no number"* ]]
	run -125 f "$T" -L 10.255.255.1:0:80
	[[ $output == *"10.255.255.1:0 is no address of the host"* ]]
	run -125 f "$T" -R "/srv/$(printf 'x\033[31m')/y:80"
	[[ $output == *'\x1b[31m'* ]]
	refute grep -qP '\x1b' <<<"$output"
	: >"$BATS_TEST_TMPDIR/there"
	run -125 f "$T" -L "$BATS_TEST_TMPDIR/there:80"
	[[ $output == *"$BATS_TEST_TMPDIR/there exists already in the host"* && -e $BATS_TEST_TMPDIR/there ]]
}

@test "--json: events" {
	local log=$BATS_TEST_TMPDIR/json
	# shellcheck disable=SC2016
	run -0 --separate-stderr f --json "$T" -L 0:7001 -- sh -c '/usr/bin/python3 "$0" say tcp:127.0.0.1:$PORTHOLE_PORT hello' "$PORTS"
	[[ $output == hellobye ]]
	cat >"$log" <<<"$stderr"
	[[ $(jq -r .event "$log" | tr '\n' ' ') == "listening opened closed " || $(jq -r .event "$log" | tr '\n' ' ') == "listening opened " ]]
	jq -es '.[0] | .in == "host" and .to == "target" and .connect.port == 7001 and .from.port > 0' "$log"
	jq -es '.[1] | .id == 1 and .protocol == "tcp" and (.who | startswith("127.0.0.1:"))' "$log"
}

@test "a terminal: connections are shown, Ctrl-C ends it" {
	local p
	run -0 timeout 60 /usr/bin/python3 "$PORTHOLE_SRC/tests/tools/term.py" -s 24x120 -t 20 \
		'expect:localhost:\d+ -> localhost:7001 in ' 'expect:0 connections open, 0 in all' \
		'send:\x03' 'expect:0 connections; 0 B there, 0 B back' -- "$PORTHOLE" forward "$T" -L 0:7001
}

@test "ports as kubectl takes them: PORT:PORT, PORT, :PORT, --address; then a command" {
	run -0 f "$T" :7001 -- sh -c 'exec /usr/bin/python3 "$0" say tcp:127.0.0.1:$PORTHOLE_PORT hello' "$PORTS"
	[[ $output == *hello* ]] || die "$output"
	run -0 f "$T" :7001 :7003/udp 0:7004 --address 127.0.0.9 -v -- sh -c 'echo "ports $PORTHOLE_PORTS"'
	[[ $output =~ ports\ [0-9]+\ [0-9]+\ [0-9]+ && $output == *127.0.0.9:* ]] || die "$output"
	run -125 f "$T" 0
	[[ $output == *"with port 0 say where"* ]] || die "$output"
	run -125 f "$T" 99999:80
	[[ $output == *"-L '99999:80'"* ]] || die "$output"
	run -125 f "$T" true
	[[ $output == *"nothing to forward: give a port"* ]] || die "$output"
	# what is no port is a command
	run -127 f "$T" :7001 7001x
	[[ $output == *"7001x"* ]] || die "$output"
}

@test "-f: in the background once it listens, told which process; what cannot listen is said before" {
	local port pid
	run -0 --separate-stderr f -fN "$T" -L 0:localhost:7001
	[[ $stderr =~ goes\ on\ in\ the\ background.*kill\ ([0-9]+) ]] || die "$stderr"
	pid=${BASH_REMATCH[1]}
	[[ $output =~ localhost:([0-9]+) ]] || die "$output"
	port=${BASH_REMATCH[1]}
	run -0 ports say "tcp:127.0.0.1:$port" hello
	[[ $output == *hello* ]] || die "$output"
	[[ $(readlink "/proc/$pid/fd/1") == /dev/null ]]
	# the port is taken: said, and nothing is in the background
	run -125 f -f "$T" "$port:7001"
	[[ $output == *"$port"* && $output != *"goes on"* ]] || die "$output"
	kill "$pid"
	wait_until 5 eval "! kill -0 $pid"
	refute ports say "tcp:127.0.0.1:$port" hello
	run -125 f -f "$T" :7001 -- true
	[[ $output == *"cannot run there"* ]] || die "$output"
}
