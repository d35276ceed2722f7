#!/usr/bin/env bats
# porthole exec into targets that are broken, hostile by what they hold, or at their limits.
load ../lib/porthole

setup_file() {
	require plain kit
}

teardown() {
	[[ -z ${ODD_NAME:-} ]] || odd_stop
	[[ -z ${T_NAME:-} ]] || target_stop plain "$T_NAME"
}

# works [ARG...]: a session there runs programs of the kit and leaves nothing.
works() {
	local d=$BATS_TEST_TMPDIR/residue
	residue_snapshot "$d" "$ODD_PID"
	run --separate-stderr -0 x "$@" "$ODD_PID" bash -c 'python3 -c "print(6 * 7)"; readlink /proc/self/ns/net; test -c /dev/null && ls / /dev/p/b/gdb'
	[[ ${lines[0]} == 42 && ${lines[1]} == "$(readlink "/proc/$ODD_PID/ns/net")" && $output == */dev/p/b/gdb* ]]
	[[ -z $stderr ]]
	residue_assert_same "$d"
	run --separate-stderr -0 x --json --prove "$@" "$ODD_PID" true
	unchanged "$stderr"
}

# at_terminal: a terminal works there too.
at_terminal() {
	run -0 at_term 'expect:# $' 'send:tty; exit 0\r' 'expect:/dev/pts/\d' -- "$ODD_PID"
}

@test "a read-only root" {
	odd_start ro
	works
	[[ $(x "$ODD_PID" bash -c 'touch /x 2>&1') == *"Read-only"* ]]
	at_terminal
}

@test "its first thread has ended and another runs: it is entered through that one, listed, looked at" {
	local view
	odd_start zombie-leader
	wait_until 5 eval '[[ $(cut -d " " -f 3 "/proc/$ODD_PID/stat") == Z ]]'
	for view in live kit cow; do
		run -0 --separate-stderr x --view $view "$ODD_PID" sh -c 'id -un; readlink /proc/self/ns/mnt; jq -n 1+1; ls /app 2>/dev/null || ls /target/app'
		[[ ${lines[0]} == root && ${lines[1]} != "$(readlink /proc/self/ns/mnt)" && ${lines[2]} == 2 && ${lines[3]} == */app ]] || die "$view: $output"
	done
	run -0 --separate-stderr x --json --prove "$ODD_PID" true
	unchanged "$stderr"
	[[ $("$PORTHOLE" ps --json -f "pid=$ODD_PID" | jq -r '.[].state') == running ]]
	[[ $("$PORTHOLE" inspect --json "$ODD_PID" | jq .pid) == "$ODD_PID" ]]
	run -0 timeout 20 "$PORTHOLE" mount "$ODD_PID"
	[[ $(x --kit none "$ODD_PID" /dev/p/b/jq -n 1+1) == 2 ]]
	run -0 timeout 20 "$PORTHOLE" unmount "$ODD_PID"
	[[ $output == "The kit is gone"* ]]
}

@test "/dev missing, a link, read-only" {
	local k
	for k in no-dev dev-link dev-ro; do
		odd_start $k
		works
		works --view kit
		at_terminal
		[[ $(x "$ODD_PID" cat /proc/1/comm) == app ]]
		odd_stop
	done
}

@test "no /proc; neither /dev nor /proc" {
	local k
	for k in no-proc bare; do
		odd_start $k
		works
		works --view kit
		at_terminal
		# the session has one, of the target's processes
		[[ $(x "$ODD_PID" cat /proc/1/comm) == app ]]
		[[ -z $(ls -A "/proc/$ODD_PID/root/proc" 2>/dev/null) ]]
		odd_stop
	done
}

@test "a chroot in a mount namespace that is more than that" {
	T_NAME=$(uniq_name chroot)
	ODD_PID=$(target_start plain "$T_NAME" --chroot)
	ODD_NAME=
	works
	[[ $(x "$ODD_PID" ls /) == *app* && $(x "$ODD_PID" ls /) != *etc* ]]
	at_terminal
}

@test "its own user namespace: root inside is root, the kit is root's" {
	odd_start userns
	works
	[[ $(x "$ODD_PID" bash -c 'id -u; stat -c %u:%g /dev/p/b/bash') == $'0\n0:0' ]]
	[[ $(x "$ODD_PID" bash -c 'touch /tmp/made; stat -c %u /tmp/made') == 0 ]]
	[[ $(stat -c %u "/proc/$ODD_PID/root/tmp/made") == 100000 ]]
	[[ $(x -u 1000 "$ODD_PID" id -u) == 1000 ]]
	says 125 "its user namespace does not map that id" -u 70000 "$ODD_PID" id
	[[ $(x --caps all "$ODD_PID" sed -n 's/^CapEff:\t//p' /proc/self/status) != 0000000000000000 ]]
	at_terminal
}

@test "docker: --cap-drop ALL, no-new-privileges, user 1000, read-only" {
	require docker
	odd_start nocaps
	works
	[[ $(x "$ODD_NAME" bash -c 'id -u; grep NoNewPrivs /proc/self/status') == *$'0\nNoNewPrivs:'*0 ]]
	[[ $(x -u target --caps target "$ODD_NAME" bash -c 'id -u; grep -E "CapEff|NoNewPrivs" /proc/self/status') == \
		$'1000\nCapEff:\t0000000000000000\nNoNewPrivs:\t1' ]]
	at_terminal
}

@test "shared network, shared processes, the host's processes" {
	odd_start shared-net
	works
	odd_stop
	odd_start shared-pid
	works
	[[ $(x "$ODD_PID" ps -eo comm | grep -c '^app$') == 2 ]]
	odd_stop
	odd_start host-pid
	works
	[[ $(x "$ODD_PID" readlink /proc/self/ns/pid) == "$(readlink /proc/self/ns/pid)" ]]
}

# marked_root: a target with a writable busybox root in whose /tmp traps lie: what loads or runs them
# leaves /tmp/sprung.
trapped() {
	local root
	T_NAME=$(uniq_name trapped)
	ODD_NAME=
	ODD_PID=$(target_start plain "$T_NAME" busybox --rw --user 0 --env LD_PRELOAD=/tmp/evil.so --env LD_LIBRARY_PATH=/tmp \
		--env LD_AUDIT=/tmp/evil.so --env BASH_ENV=/tmp/evil.sh --env ENV=/tmp/evil.sh --env PATH=/tmp/evil:/bin \
		--env 'PROMPT_COMMAND=: >/tmp/sprung' --env PYTHONSTARTUP=/tmp/evil.py --env PYTHONPATH=/tmp \
		--env 'BASH_FUNC_ls%%=() { : >/tmp/sprung; }' --env PERL5OPT=-M-evil --env PERL5LIB=/tmp \
		--env GIT_PAGER=/tmp/evil/ls --env LESSOPEN='|/tmp/evil/ls %s' --env GCONV_PATH=/tmp --env PS1='$(: >/tmp/sprung)' \
		--env GOOD=yes)
	root=/proc/$ODD_PID/root
	mkdir "$root/tmp/evil"
	printf '#include <fcntl.h>\n__attribute__((constructor)) static void f(void) { open("/tmp/sprung", O_CREAT, 0600); }\n' |
		cc -shared -fPIC -nostartfiles -o "$root/tmp/evil.so" -x c -
	cp "$root/tmp/evil.so" "$root/tmp/libc.so.6"
	cp "$root/tmp/evil.so" "$root/tmp/libtinfo.so.6"
	echo ': >/tmp/sprung' >"$root/tmp/evil.sh"
	echo 'open("/tmp/sprung", "w")' >"$root/tmp/evil.py"
	cp "$root/tmp/evil.py" "$root/tmp/sitecustomize.py"
	for f in ls bash cat python3 id env; do
		printf '#!/bin/sh\n: >/tmp/sprung\n' >"$root/tmp/evil/$f"
		chmod 755 "$root/tmp/evil/$f"
	done
}

@test "LD_PRELOAD, LD_LIBRARY_PATH, BASH_ENV, PATH and such in the target's environment" {
	local root
	trapped
	root=/proc/$ODD_PID/root
	run -0 x "$ODD_PID" bash -c 'ls / >/dev/null; cat /proc/1/comm; python3 -c "print(1)"; perl -e "print 2"; sh -c "id -u"; git --version; echo $GOOD'
	[[ $output == *yes ]]
	[[ ! -e $root/tmp/sprung ]]
	# a name that is there twice would be another to each program
	[[ $(tr '\0' '\n' <"/proc/$ODD_PID/environ" | grep -c ^PATH=) == 2 ]]
	[[ $(x "$ODD_PID" env | grep ^PATH=) == PATH=/dev/p/b:* ]]
	at_term 'expect:# $' 'send:ls /; python3 -c 1; echo over\r' 'expect:over\r' 'expect:# $' 'send:exit\r' -- "$ODD_PID"
	[[ ! -e $root/tmp/sprung ]]
	# these traps do work
	x -e BASH_ENV=/tmp/evil.sh "$ODD_PID" bash -c true
	[[ -e $root/tmp/sprung ]]
	rm "$root/tmp/sprung"
	x -e LD_PRELOAD=/tmp/evil.so "$ODD_PID" bash -c true
	[[ -e $root/tmp/sprung ]]
	rm "$root/tmp/sprung"
	run x "$ODD_PID" /tmp/evil/ls
	[[ -e $root/tmp/sprung ]]
	# and the plan says what was left out
	[[ $(x --explain "$ODD_PID" true) == *"not passed on: "*BASH_ENV*LD_PRELOAD* ]]
}

@test "files of the target that programs read by themselves: /etc/ld.so.preload, bashrc, inputrc, gdbinit" {
	local root
	trapped
	root=/proc/$ODD_PID/root
	echo /tmp/evil.so >"$root/etc/ld.so.preload"
	for f in profile bash.bashrc bashrc; do
		echo ': >/tmp/sprung' >"$root/etc/$f"
	done
	mkdir -p "$root/etc/gdb" "$root/etc/vim"
	echo 'shell touch /tmp/sprung' >"$root/etc/gdb/gdbinit"
	echo 'call system("touch /tmp/sprung")' >"$root/etc/vim/vimrc"
	run -0 x "$ODD_PID" bash -lc 'ls / >/dev/null; gdb --batch -ex quit; vim -es -c "qa!" /etc/passwd </dev/null; python3 -c 1'
	[[ ! -e $root/tmp/sprung ]]
	at_term 'expect:# $' 'send:exit\r' -- "$ODD_PID"
	[[ ! -e $root/tmp/sprung ]]
}

@test "a variable of 2 MB" {
	odd_start huge-env
	works
	[[ $(x "$ODD_PID" bash -c 'echo $GOOD $LAST ${#HUGE}') == "yes yes 0" ]]
	[[ $(x --explain "$ODD_PID" true) == *"not passed on: "*HUGE* ]]
	odd_stop
	odd_start hostile-env # 2 MB in many
	run x "$ODD_PID" bash -c 'echo $GOOD'
	[[ $status == 0 && $output == yes ]]
}

@test "/etc/passwd is a FIFO, a device, 1 GB: never waited for, never read whole" {
	local k before
	for k in passwd-fifo passwd-dev passwd-big; do
		odd_start $k
		run -0 --separate-stderr timeout 5 "$PORTHOLE" exec "$ODD_PID" bash -c 'echo $HOME $USER'
		[[ $output == "/ root" ]]
		says 125 "there is no user 'app' in the /etc/passwd" -u app "$ODD_PID" true
		[[ $(timeout 5 "$PORTHOLE" exec -u 1000 "$ODD_PID" bash -c 'echo $UID $HOME') == "1000 /" ]]
		odd_stop
	done
}

@test "FIFOs, sockets and devices where names are looked up: empty files in the session's own view, said in one line" {
	local root f how
	local said="porthole: in this session only, /etc/passwd (a FIFO), /etc/group (a FIFO), /etc/nsswitch.conf (a FIFO), /etc/hosts (a device), /etc/services (a socket)*are empty files: whatever looks names up would hang on them"
	odd_start passwd-fifo
	root=/proc/$ODD_PID/root
	rm -f "$root"/etc/{group,nsswitch.conf,hosts,services,resolv.conf,localtime}
	mkfifo "$root"/etc/{group,nsswitch.conf,localtime}
	mknod "$root/etc/hosts" c 1 5
	python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$root/etc/services"
	echo nameserver 192.0.2.7 >"$root/etc/resolv.real"
	ln -s resolv.real "$root/etc/resolv.conf"
	residue_snapshot "$BATS_TEST_TMPDIR/r" "$ODD_PID"
	for how in "" "--view cow" "--view kit"; do
		# shellcheck disable=SC2086,SC2016
		run -0 --separate-stderr timeout 20 "$PORTHOLE" exec $how "$ODD_PID" bash -c 'id -un; ls -ld / >/dev/null && getent hosts nobody.invalid
			wc -c </etc/passwd; cat /etc/resolv.conf; ls -A /dev | grep empty; bash -ic "echo interactive" 2>/dev/null'
		[[ $output == *$'\n0\nnameserver 192.0.2.7\ninteractive' && $stderr == *$said* ]] || die "$how: $output / $stderr"
	done
	# on kernels without the mount calls by descriptor
	run -0 --separate-stderr timeout 20 "$PT_TOOLS/enosys" fsopen,open_tree,move_mount,mount_setattr -- \
		"$PORTHOLE" exec "$ODD_PID" sh -c 'wc -c </etc/passwd; ls -ld / >/dev/null'
	# shellcheck disable=SC2053
	[[ $output == 0 && $stderr == *$said* ]] || die "$output / $stderr"
	residue_assert_same "$BATS_TEST_TMPDIR/r"
	[[ -p $root/etc/passwd && -c $root/etc/hosts && -S $root/etc/services ]]
	rm "$root/etc/passwd" && ln -s /dev/null "$root/etc/passwd" && rm "$root"/etc/{group,nsswitch.conf,hosts,services,localtime}
	run -0 --separate-stderr timeout 20 "$PORTHOLE" exec "$ODD_PID" stat -Lc %t /etc/passwd
	[[ $output == 1 && $stderr != *"this session"* ]] || die "$output / $stderr"
	odd_stop
}

@test "/etc/passwd is a link that leads to the host's: never followed there" {
	local user
	user=$(test_user) # exists on the host alone
	grep -q "^$user:" /etc/passwd
	odd_start passwd-host
	says 125 "there is no user '$user' in the /etc/passwd" -u "$user" "$ODD_PID" id
	rm "/proc/$ODD_PID/root/etc/passwd"
	echo "$user:x:77:77::/:/bin/sh" >"/proc/$ODD_PID/root/etc/passwd"
	[[ $(x -u "$user" "$ODD_PID" id -u) == 77 ]]
	# the same with a directory on the way
	mv "/proc/$ODD_PID/root/etc" "/proc/$ODD_PID/root/etc.real"
	ln -s ../../../../../../../../etc "/proc/$ODD_PID/root/etc"
	says 125 "there is no user '$user'" -u "$user" "$ODD_PID" id
}

@test "frozen: a session opens, and the target stays frozen" {
	odd_start frozen
	works
	[[ $(x "$ODD_PID" cat /proc/1/comm) == app ]]
	grep -qE 'FROZEN|frozen 1' "$ODD_CGROUP"/{freezer.state,cgroup.events} 2>/dev/null
}

@test "at its limit of processes: the session is not charged to it" {
	odd_start pids-limit
	works
	# and where it is asked to be, it says why not
	run --separate-stderr x --cgroup target "$ODD_PID" sh -c 'sleep 0 | sleep 0'
	[[ $status != 0 && -n $stderr ]]
	[[ $(x "$ODD_PID" bash -c 'sleep 0 | sleep 0; echo fine') == fine ]]
}

@test "at its limit of memory: the session takes from the host, and the target lives" {
	odd_start memory-limit
	works
	[[ $(x "$ODD_PID" python3 -c 'x = bytearray(50000000); print(len(x))') == 50000000 ]]
	pid_alive "$ODD_PID"
}
