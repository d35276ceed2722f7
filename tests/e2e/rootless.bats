#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets stderr
# A user's own rootless containers, entered by that user without root; and by root.
load ../lib/porthole

setup_file() {
	require podman-rootless kit
	export BIN=$PT_RUN/rootless RL RL_PID
	mkdir -p "$BIN"
	cp "$PORTHOLE" "$BIN/porthole"
	cp "${PORTHOLE_KIT:-$PORTHOLE_BUILD/kit.erofs}" "$BIN/kit.erofs"
	chmod 755 "$BIN" "$BIN/porthole"
	chmod 644 "$BIN/kit.erofs"
	RL=$(uniq_name rl)
	RL_PID=$(target_start podman-rootless "$RL" busybox)
	p exec "$RL" true # the kit is unpacked
}

teardown_file() {
	target_stop podman-rootless "$RL"
	rm -rf "$BIN"
}

# p ARG...: porthole as the user whose containers they are.
p() {
	as_user timeout -k 2 60 "$BIN/porthole" "$@"
}

# says_user CODE WORDS ARG...: as says.
says_user() {
	run --separate-stderr "-$1" p "${@:3}"
	[[ $stderr == "porthole: "*"$2"* && -z $output ]] || die "not '$2': $stderr$output"
	refute grep -qP '[\x00-\x09\x0b-\x1f\x7f]' <<<"$stderr"
}

cache() {
	echo "$PT_RUN/home/.cache/porthole"
}

@test "the kit is unpacked once, and tools work: gdb on its first process, python, jq" {
	local kit
	rm -rf "$(cache)"
	residue_snapshot "$BATS_TEST_TMPDIR/r" "$RL_PID"
	run -0 --separate-stderr p exec "$RL" bash -c 'id -u; python3 -c "import ssl; print(6 * 7)"; gdb -batch -p 1 -ex "info proc" 2>/dev/null | grep "cmdline"; stat -c %u:%g /dev/p/b/bash'
	[[ ${lines[0]} == 0 && ${lines[1]} == 42 && ${lines[2]} == *"'/app'"* && ${lines[3]} == 0:0 && -z $stderr ]] || die "$output$stderr"
	kit=$(echo "$(cache)"/kit-*)
	[[ -d $kit/b && $(stat -c %a "$kit") == 755 ]]
	# the namespaces are the target's, and the user's own mount namespace is not
	local n
	for n in pid net ipc uts user; do
		[[ $(p exec "$RL" readlink "/proc/self/ns/$n") == "$(readlink "/proc/$RL_PID/ns/$n")" ]] || die "not its $n namespace"
	done
	[[ $(p exec "$RL" stat -c %d:%i /) == "$(stat -c %d:%i "/proc/$RL_PID/root/")" ]]
	# not again
	[[ $(echo "$(cache)"/*) == "$kit" ]]
	run -7 p exec "$RL" sh -c 'sleep 300 & setsid sleep 300 & exit 7'
	residue_assert_same "$BATS_TEST_TMPDIR/r"
}

@test "users, --kit none, --ns, --prove, --view kit, pipes, a terminal" {
	[[ $(p exec --kit none "$RL" sh -c 'id -u; ls /dev/p 2>&1') == $'0\n'*"No such file"* ]]
	[[ $(p exec -u 1000 "$RL" id -u) == 1000 ]]
	[[ $(p exec -u target --caps target "$RL" sed -n 's/^CapEff:\t//p' /proc/self/status) == "$(sed -n 's/^CapEff:\t//p' "/proc/$RL_PID/status")" ]]
	[[ $(p exec --ns net "$RL" readlink /proc/self/ns/net /proc/self/ns/pid) == "$(readlink "/proc/$RL_PID/ns/net")"$'\n'"$(readlink /proc/self/ns/pid)" ]]
	proves p exec --prove "$RL" true
	[[ $(p exec --view kit "$RL" ls /target/app) == /target/app ]]
	[[ $(echo 'in and out' | p exec "$RL" cat) == 'in and out' ]]
	run -0 as_user TERM=xterm timeout 30 /usr/bin/python3 "$(for_users "$PORTHOLE_SRC/tests/tools/term.py")" 'expect:# $' 'send:tty; exit 3\r' 'expect:/dev/pts/\d' \
		-- sh -c '"$@"; [ $? = 3 ]' sh "$BIN/porthole" exec "$RL"
}

# Files of other ids than the user's own, which he can neither read nor remove.
WRITES='set -e
	echo changed >>/etc/passwd; rm /etc/hostname; rm -r /home; mkdir -m 700 /home /mine; echo 1 >/home/new
	echo secret >/theirs; chmod 600 /theirs; chown 5:5 /theirs /home; echo shm >/dev/shm/s; id -u'

@test "--view cow: all can be written to, nothing reaches the container, --diff and --keep tell" {
	local want kept=$PT_RUN/home/kept
	want=$'A /dev/shm/s\nD /etc/hostname\nC /etc/passwd\nC /home\nD /home/app\nA /home/new\nA /mine\nA /theirs'
	residue_snapshot "$BATS_TEST_TMPDIR/r" "$RL_PID"
	run -0 --separate-stderr p exec --view cow --diff "$RL" sh -c "$WRITES"
	[[ $output == 0 && $(grep -v '^C /etc$' <<<"$stderr") == "$want" ]] || die "$stderr"
	run -0 p exec --view cow --keep "$kept" "$RL" sh -c "$WRITES"
	[[ $(cat "$kept/files/theirs" "$kept/files/home/new") == $'secret\n1' && $(stat -c %U "$kept/files/theirs") == "$(test_user)" ]]
	grep -qx /etc/hostname "$kept/deleted"
	rm -rf "$kept"
	residue_assert_same "$BATS_TEST_TMPDIR/r"
	[[ ! -e /proc/$RL_PID/root/theirs && -d /proc/$RL_PID/root/home ]]
	refute grep -q changed "/proc/$RL_PID/root/etc/passwd"
	# with a terminal, another user, and the kit as the root
	[[ $(p exec --view cow -u 1000 "$RL" sh -c 'echo 1 >/tmp/x; id -u') == 1000 ]]
	run -0 as_user TERM=xterm timeout 30 /usr/bin/python3 "$(for_users "$PORTHOLE_SRC/tests/tools/term.py")" 'expect:# $' 'send:>/new; tty; exit 3\r' 'expect:/dev/pts/\d' \
		-- sh -c '"$@"; [ $? = 3 ]' sh "$BIN/porthole" exec --view cow "$RL"
	[[ ! -e /proc/$RL_PID/root/new ]]
}

@test "--view cow: volumes, read-only roots, other user namespaces" {
	local flag name pid vol=$PT_RUN/home/vol
	as_user mkdir -p "$vol"
	for flag in "--tmpfs /t -v $vol:/vol" --userns=keep-id "--read-only --user=1000 --cap-drop=all"; do
		name=$(uniq_name rl)
		# shellcheck disable=SC2086
		pid=$(target_start podman-rootless "$name" busybox $flag)
		residue_snapshot "$BATS_TEST_TMPDIR/r" "$pid"
		run -0 --separate-stderr p exec --view cow --diff "$name" sh -c 'echo 1 >/q; for d in /t /vol; do [ ! -d $d ] || echo 1 >$d/x; done'
		[[ $stderr == *"A /q" || $flag == *vol* && $stderr == *$'A /q\nA /t/x\nA /vol/x' ]] || die "$flag: $stderr"
		residue_assert_same "$BATS_TEST_TMPDIR/r"
		[[ ! -e $vol/x && ! -e /proc/$pid/root/q ]]
		target_stop podman-rootless "$name"
	done
}

# Files that only the container's root can read, and only he could remove.
OWNS='echo secret >/theirs; chmod 600 /theirs; chown 5:5 /theirs; mkdir /gone; rm -r /home'

@test "a stopped container of one's own: exec, --diff, --keep, entrypoint, a rehearsal" {
	local name dir kept=$PT_RUN/home/kept
	name=$(uniq_name rl)
	target_start podman-rootless "$name" busybox -e A=B -w /usr -v "$PT_RUN/home:/vol" >/dev/null
	engine_cli podman-rootless exec "$name" sh -c "$OWNS"
	engine_cli podman-rootless kill "$name" >/dev/null
	wait_until 10 eval 'p ps -a | grep -q "$name .*exited (137)"'
	dir=$(echo "$PT_RUN"/home/.local/share/containers/storage/overlay)
	engine_cli podman-rootless unshare sh -c 'cd "$1" && find . -path "*/diff*" -printf "%p %U %s %T@ %m\n" 2>/dev/null | sort' sh "$dir" >"$BATS_TEST_TMPDIR/before"
	run -0 --separate-stderr p exec --diff "$name" bash -c 'id -u; pwd; echo $A; cat /theirs; stat -c %u /theirs; [ -e /home ] || jq -n 1+1; echo 1 >/new; rm -rf /etc; mkdir /etc; echo $$'
	[[ $output == $'0\n/usr\nB\nsecret\n5\n2\n2' ]] || die "$output"
	[[ $stderr == *"exited with code 137"*"forgotten"*"D /etc/passwd"*"A /new" ]] || die "$stderr"
	run -0 p exec --keep "$kept" "$name" sh -c 'cp /theirs /mine; ls -A /vol'
	[[ $(<"$kept/files/mine") == secret && $(stat -c %U "$kept/files/mine") == "$(test_user)" && $output == *.cache* ]]
	rm -rf "$kept"
	run -0 p entrypoint "$name"
	[[ $output == *"137: killed by SIGKILL"*"command      /app"*"Nothing that its files tell"* ]] || die "$output"
	run -124 --separate-stderr p entrypoint --run --timeout 1 "$name"
	[[ $stderr == *"it does start"* ]]
	engine_cli podman-rootless unshare sh -c 'cd "$1" && find . -path "*/diff*" -printf "%p %U %s %T@ %m\n" 2>/dev/null | sort' sh "$dir" >"$BATS_TEST_TMPDIR/after"
	diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
	target_stop podman-rootless "$name"
}

# no_userns ARG...: p, where users may make no user namespaces.
no_userns() {
	as_user unshare --user --map-current-user --keep-caps sh -c 'echo 0 >/proc/sys/user/max_user_namespaces &&
		exec setpriv --ambient-caps=-all --inh-caps=-all timeout -k 2 60 "$@"' sh "$BIN/porthole" "$@"
}

@test "where users may make no user namespaces, the switch that forbids it is named" {
	local dir
	dir=$(test_dir)
	chmod 755 "$dir"
	mkdir "$dir/a"
	echo word >"$dir/a/b"
	run -125 no_userns exec -q "$dir/" true
	[[ $output == "porthole: this needs a user namespace, which this system does not let users have: user.max_user_namespaces is 0"$'\n'*"run with sudo, or have root change that"* ]] || die "$output"
	[[ ${#lines[@]} == 2 && $(</proc/sys/user/max_user_namespaces) != 0 ]]
	run -0 p exec -q "$dir/" cat /a/b
	[[ $output == word ]] || die "$output"
}

@test "one's own images, archives and directories" {
	[[ $(p exec image://docker.io/pt/busybox:1 sh -c 'echo 1 >/etc/x; stat -c %u /app; jq -n 1+1') == $'0\n2' ]]
	run -0 p entrypoint image://docker.io/pt/busybox:1
	[[ $output == *"command      /app"* ]]
	cp "$(image_archive busybox)" "$PT_RUN/home/busybox.tar"
	chmod 644 "$PT_RUN/home/busybox.tar"
	[[ $(p exec "$PT_RUN/home/busybox.tar" sh -c 'echo 1 >/x; ls /x /app') == $'/app\n/x' ]]
	as_user mkdir -p "$PT_RUN/home/files"
	as_user sh -c 'echo 1 >"$1"' sh "$PT_RUN/home/files/x"
	[[ $(p exec "$PT_RUN/home/files/" sh -c 'cat /x; echo 2 >/x; cat /x') == $'1\n2' && $(<"$PT_RUN/home/files/x") == 1 ]]
}

@test "without newuidmap it is said" {
	run -125 --separate-stderr as_user PATH="$BIN" "$BIN/porthole" exec image://docker.io/pt/busybox:1 true
	[[ $stderr == *"newuidmap is not there"*"sudo"* ]] || die "$stderr"
}

@test "--outlive goes on when its container has ended" {
	local name out=$BATS_TEST_TMPDIR/out
	name=$(uniq_name rl)
	target_start podman-rootless "$name" busybox >/dev/null
	p exec --outlive "$name" sh -c 'echo in; until [ -e /tmp/on ]; do sleep 0.1; done; [ -e /app ] && echo still' </dev/null >"$out" 2>&1 3>&- &
	wait_until 10 grep -q in "$out"
	engine_cli podman-rootless kill "$name" >/dev/null
	wait_until 10 grep -q "was killed by signal 9" "$out"
	kill %% 2>/dev/null || true
	target_stop podman-rootless "$name"
}

@test "what is missing is said" {
	run -0 p exec --explain "$RL" true
	[[ $output == *"rights       not root's: "*"--cgroup own"* && $output == *"unpacked into"* ]]
	[[ $(p exec --explain --json "$RL" true | jq .rootless) == true ]]
	[[ $("$PORTHOLE" exec --explain --json "pid:$RL_PID" true | jq .rootless) == false ]]
	says_user 125 "run with sudo, or leave out --cgroup own" exec --cgroup own --memory 64m "$RL" true
	says_user 125 "run with sudo" mount "$RL"
	says_user 125 "needs root" catch --timeout 1 "$RL" true
	run -0 p mount --list
	refute grep -q "$RL" <<<"$output"
	# root's, and another user's
	local root_pid
	root_pid=$(target_start runc "$(uniq_name roots)")
	says_user 125 "run with sudo" exec "pid:$root_pid" true
}

@test "exec --all enters the user's own, and counts the others" {
	require lxc
	local other
	other=$(uniq_name others)
	target_start lxc "$other" >/dev/null
	run -0 p ps
	[[ $output == *"$other "* ]] # to be seen is not to be his
	run -0 --separate-stderr p exec --all --filter name="$RL" --filter name="$other" id -u
	[[ $output == *"$RL"*" | 0" && $stderr == *"porthole: left out: 1 that is not yours" ]] || die "$output$stderr"
	says_user 125 "none of them is yours to enter" exec --all --filter name="$other" true
	target_stop lxc "$other"
}

@test "ps and inspect show the user's own" {
	run -0 p ps
	[[ $output == *"$RL "*podman*" $RL_PID "* ]]
	[[ $(p ps --json 2>/dev/null | jq -r --arg n "$RL" '.[] | select(.name == $n) | .pid') == "$RL_PID" ]]
	run -0 p inspect "$RL"
	[[ $output == *"$RL  podman"*"uids"*" is $(id -u "$(test_user)") on the host"* ]]
}

@test "podman --userns=keep-id, --pid=host, --network=host; a pod" {
	local flag name pid
	for flag in --userns=keep-id --pid=host --network=host "--cap-drop=all --read-only --user=1000"; do
		name=$(uniq_name rl)
		# shellcheck disable=SC2086
		pid=$(target_start podman-rootless "$name" busybox $flag)
		residue_snapshot "$BATS_TEST_TMPDIR/r$flag" "$pid"
		[[ $(p exec "$name" jq -n 1+1) == 2 ]] || die "$flag"
		[[ $(x "$name" jq -n 1+1) == 2 ]] || die "$flag, as root"
		residue_assert_same "$BATS_TEST_TMPDIR/r$flag"
		target_stop podman-rootless "$name"
	done
}

# A container of the user's that no engine knows: sets U_PID.
user_container() {
	local root pid
	root=$(test_dir)
	cp -a "$(image_root busybox)/." "$root/"
	chmod 755 "$root"
	chown -R "$(test_user):" "$root"
	user_words || return 1
	U_BEFORE=$(pgrep -x -u "$(id -u "$(test_user)")" app || true) # others, which may be about to end
	# no function in the background: that would be a shell which holds what bats waits for
	("${USER_WORDS[@]}" "${@//@ROOT@/$root}" >/dev/null 2>&1 & echo $! >"$BATS_TEST_TMPDIR/outer") 3>&-
	wait_until 10 _user_app "$root" || die "$*: does not run"
}

_user_app() {
	local d
	for d in $(pgrep -x -u "$(id -u "$(test_user)")" app); do
		[[ " "${U_BEFORE//$'\n'/ }" " != *" $d "* && $(readlink "/proc/$d/ns/user") != "$(readlink "/proc/$RL_PID/ns/user")" ]] && U_PID=$d && return 0
	done
	return 1
}

@test "unshare -Ur and bwrap" {
	require unshare bwrap
	local kind
	for kind in unshare bwrap; do
		case $kind in
		unshare) user_container unshare -Urmpnu --fork --kill-child --root=@ROOT@ --mount-proc /app ;;
		bwrap) user_container bwrap --unshare-all --bind @ROOT@ / --proc /proc --dev /dev --as-pid-1 /app ;;
		esac
		residue_snapshot "$BATS_TEST_TMPDIR/$kind" "$U_PID"
		[[ $(p exec "pid:$U_PID" bash -c 'jq -n 1+1; readlink /proc/self/ns/net') == $'2\n'"$(readlink "/proc/$U_PID/ns/net")" ]] || die "$kind"
		[[ $(x "pid:$U_PID" jq -n 1+1) == 2 ]] || die "$kind, as root"
		[[ $(p exec --view cow --diff "pid:$U_PID" sh -c 'echo 1 >/q' 2>&1) == "A /q" && ! -e /proc/$U_PID/root/q ]] || die "$kind, cow"
		residue_assert_same "$BATS_TEST_TMPDIR/$kind"
		kill -KILL "$U_PID"
		wait_until 5 pid_gone "$U_PID"
	done
}

@test "the container's root cannot write to the user's kit" {
	local kit
	kit=$(echo "$(cache)"/kit-*)
	p exec "$RL" bash -c 'mount -o remount,rw,bind /dev/p; mount --bind /dev/p /tmp; mount -o remount,rw,bind /tmp; mount -t tmpfs t /mnt
		echo evil >/dev/p/b/bash; echo evil >/tmp/b/evil; true' 2>/dev/null || true
	[[ ! -e $kit/b/evil && $(head -c 4 "$kit/b/bash" | tail -c 3) == ELF ]]
	[[ $(p exec "$RL" jq -n 1+1) == 2 ]]
}

@test "the cache: killed half-way, two at once, no home, no room, not ours" {
	local d=$BATS_TEST_TMPDIR c pid i
	c=$(test_dir)
	chown "$(test_user):" "$c"
	# killed while it unpacks: nothing is taken for whole, and the rest goes next time
	for i in 0.2 0.5; do
		as_user XDG_CACHE_HOME="$c" timeout -s KILL $i "$BIN/porthole" exec "$RL" true || true
	done
	[[ -n $(ls -d "$c"/porthole/partial-* 2>/dev/null) && -z $(ls -d "$c"/porthole/kit-* 2>/dev/null) ]]
	# two at once wait for each other
	as_user XDG_CACHE_HOME="$c" timeout 60 "$BIN/porthole" exec "$RL" jq -n 1+1 >"$d/one" 3>&- &
	pid=$!
	[[ $(as_user XDG_CACHE_HOME="$c" timeout 60 "$BIN/porthole" exec "$RL" jq -n 1+1) == 2 ]]
	wait $pid
	[[ $(<"$d/one") == 2 && $(ls "$c/porthole") == kit-* && $(ls "$c/porthole" | wc -l) == 1 ]]
	# one that others may write to is not taken
	chmod 777 "$c"/porthole/kit-*
	run -125 --separate-stderr as_user XDG_CACHE_HOME="$c" timeout 60 "$BIN/porthole" exec "$RL" true
	[[ $stderr == "porthole: the unpacked kit "*" is not as it should be"* ]]
	run -125 --separate-stderr as_user HOME= XDG_CACHE_HOME= timeout 60 "$BIN/porthole" exec "$RL" true
	[[ $stderr == "porthole: there is no directory to unpack the kit into"*"--kit none"* ]] || die "$stderr"
	mount -t tmpfs -o "size=1m,mode=777" porthole-test "$c"
	run -125 --separate-stderr as_user XDG_CACHE_HOME="$c" timeout 60 "$BIN/porthole" exec "$RL" true
	umount "$c"
	[[ $stderr == "porthole: "*"No space left"*"--kit none"* ]] || die "$stderr"
	rm -rf "${c:?}"
}

@test "kill -9 of any of its processes leaves nothing" {
	local who victim
	residue_snapshot "$BATS_TEST_TMPDIR/r" "$RL_PID"
	for who in supervisor agent; do
		as_user "$BIN/porthole" exec "$RL" sh -c 'sleep 300 & setsid sleep 300 & sleep 300' </dev/null >/dev/null 2>&1 3>&- &
		wait_until 5 eval '(($(ns_sharers "$RL_PID" | grep -c "sleep 300") >= 3))'
		victim=$(ns_sharers "$RL_PID" | awk '/porthole: session/ { print $1 }')
		[[ $who == agent ]] || victim=$(sed -n 's/^PPid:\t//p' "/proc/$victim/status")
		kill -KILL "$victim"
		wait $! || true
		residue_assert_same "$BATS_TEST_TMPDIR/r"
	done
}

@test "beside, for good, against its image: what can be had without root is, and what cannot is said" {
	says_user 125 "or with --engine podman" sidekick "$RL" true
	says_user 125 "changed for good by root only" inject --from busybox "$RL"
	says_user 125 "changed for good by root only" eject "$RL"
	# its own engine can
	run -0 --separate-stderr p sidekick --engine podman "$RL" ps -e -o comm=
	[[ ${lines[0]} == app && $output == *ps* ]] || die "$output"
	p exec -q "$RL" touch /made-since
	run -0 --separate-stderr p diff "$RL"
	p exec -q "$RL" rm /made-since
	[[ $output == *"A /made-since"* && -z $stderr ]] || die "$output$stderr"
}
