#!/usr/bin/env bats
# kit check: every program of a kit with nothing else there; and it does find what is wrong.
load ../lib/porthole

setup_file() {
	cd "$BATS_FILE_TMPDIR"
	"$PORTHOLE" kit build -q -o good/ bash coreutils jq
}

setup() {
	cd "$BATS_TEST_TMPDIR"
	cp -a "$BATS_FILE_TMPDIR/good" kit
}

# finds PROGRAM TEXT: the check of `kit` fails, and says this of that program.
finds() {
	run -1 --separate-stderr "$PORTHOLE" kit check --json kit
	jq -e --arg p "$1" --arg t "$2" \
		'.results[] | select(.program == $p and (.ok | not)) | .why | contains($t)' <<<"$output"
}

@test "kit check: the default kit has every tool of the list, and all of them work" {
	local tool
	[[ -e $PORTHOLE_BUILD/kit.erofs ]] || make -s -C "$PORTHOLE_SRC" kit BUILD="$PORTHOLE_BUILD"
	(($(stat -c %s "$PORTHOLE_BUILD/kit.erofs") < 150000000))
	run -0 --separate-stderr "$PORTHOLE" kit check --json "$PORTHOLE_BUILD/kit.erofs"
	jq -r '.results[].program' <<<"$output" >programs
	"$PORTHOLE" kit list --json "$PORTHOLE_BUILD/kit.erofs" >list
	for tool in bash ls find grep sed awk diff less vim nano ps top killall htop lsof file tree tar gzip \
		xz zstd strace ltrace gdb tcpdump ip ss ping traceroute mtr dig curl wget openssl nc socat \
		nmap iperf3 jq python3 perl tmux sqlite3 psql redis-cli mysql objdump readelf xxd lsns \
		ethtool conntrack rsync git; do
		grep -q "\"$tool\"" list || die "no $tool in the kit"
	done
	for tool in gdb python3 vim git tmux curl nmap psql mysql redis-cli; do
		grep -qx "$tool" programs || die "$tool is not checked for what it does"
	done
}

@test "kit check: a good kit passes; one program alone; the table" {
	run -0 "$PORTHOLE" kit check kit
	[[ $output == *" 0 failed" ]]
	run -0 "$PORTHOLE" kit check -v -p jq kit
	[[ $output == *jq*function*ok* && $output == *"1 checks"* ]]
	run -125 "$PORTHOLE" kit check -p no-such kit
	[[ $output == *"the kit has no program no-such"* ]]
}

@test "kit check: finds a missing library" {
	rm kit/l/*/libjq.so.1*
	finds jq "error while loading shared libraries"
}

@test "kit check: finds a program that was not relocated" {
	rm kit/b/factor
	cp /usr/bin/factor kit/b/factor
	finds factor "cannot run"
}

@test "kit check: finds a file opened outside, whether it is there or not" {
	printf '#!/dev/p/b/bash\nread -r x </usr/share/terminfo/x/xterm\n' >kit/b/peek
	chmod 755 kit/b/peek
	finds peek "tries to open /usr/share/terminfo/x/xterm of the target"
}

@test "kit check: finds a program that calls one outside" {
	printf '#!/dev/p/b/bash\n/usr/bin/id\n' >kit/b/call
	chmod 755 kit/b/call
	finds call "tries to run /usr/bin/id of the target"
}

@test "kit check: finds a wrong script interpreter, a crash, and wrong output" {
	printf '#!/bin/sh\n' >kit/b/wrong
	printf '#!/dev/p/b/bash\nkill -SEGV $$\n' >kit/b/crash
	printf '#!/dev/p/b/bash\necho nonsense\n' >kit/b/jq.new
	chmod 755 kit/b/wrong kit/b/crash kit/b/jq.new
	mv kit/b/jq.new kit/b/jq
	finds wrong "cannot run"
	finds crash "died of signal 11"
	finds jq "its output has nothing like '^42$'"
}

@test "kit check: a program that never ends, or leaves others behind, is ended" {
	printf '#!/dev/p/b/bash\nexec sleep 1000\n' >kit/b/forever
	printf '#!/dev/p/b/bash\nsetsid sleep 1000 &\n' >kit/b/leaver
	chmod 755 kit/b/forever kit/b/leaver
	run -0 timeout 60 "$PORTHOLE" kit check -p forever -p leaver kit
	[[ $output == *"2 checks"*" 0 failed" ]]
}

@test "kit check: a program can do no harm to the host" {
	printf '%s\n' '#!/dev/p/b/bash' 'exec >/work/log 2>&1' 'echo x >/proc/sys/kernel/hostname' \
		'echo 61 >/proc/sys/vm/swappiness' 'touch /dev/p/intruder' 'rm -rf /dev/p/b' >kit/b/vandal
	chmod 755 kit/b/vandal
	local host swap
	host=$(cat /proc/sys/kernel/hostname) swap=$(cat /proc/sys/vm/swappiness)
	"$PORTHOLE" kit check -p vandal kit
	[[ $(cat /proc/sys/kernel/hostname) == "$host" && $(cat /proc/sys/vm/swappiness) == "$swap" ]]
	[[ -x kit/b/ls && ! -e kit/intruder ]]
}

@test "kit check: leaves no mount, process or file, also when it is killed" {
	local pid kids
	printf '#!/dev/p/b/bash\nexec sleep 1000\n' >kit/b/forever
	chmod 755 kit/b/forever
	spawn pid log "$PORTHOLE" kit check -p forever kit
	pid=$(cat pid)
	wait_until 20 runs_forever "$pid"
	kids=$(descendants "$pid")
	kill -9 "$pid"
	for pid in $kids; do
		wait_until 5 pid_gone "$pid"
	done
	refute grep -F "$PWD" /proc/self/mountinfo
	[[ $(ls -A) == $'kit\nlog\npid\npid.start' ]]
}

# runs_forever PID: the check has come to the program.
runs_forever() {
	local kid
	for kid in $(descendants "$1"); do
		[[ $(cat "/proc/$kid/comm") == sleep ]] && return 0
	done
	return 1
}

# descendants PID: every process below it.
descendants() {
	local kid
	for kid in $(pgrep -P "$1"); do
		echo "$kid"
		descendants "$kid"
	done
}

@test "kit check: works without root" {
	chmod -R a+rX "$BATS_RUN_TMPDIR"
	run -0 as_user "$(for_users "$PORTHOLE")" kit check "$PWD/kit"
	[[ $output == *" 0 failed" ]]
	mkfs.erofs --quiet -x-1 -zlz4hc kit.erofs kit >/dev/null 2>&1
	run -0 as_user "$(for_users "$PORTHOLE")" kit check -p jq "$PWD/kit.erofs"
}

@test "kit check: no kit, an empty one, and what is none" {
	mkdir -p empty/b
	echo '{"format": 1}' >empty/manifest.json
	run -125 "$PORTHOLE" kit check empty
	run -125 "$PORTHOLE" kit check none
	run -125 "$PORTHOLE" kit check /etc/passwd
	run -125 "$PORTHOLE" kit check /nonexistent
}
