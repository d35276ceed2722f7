#!/usr/bin/env bats
# porthole inspect on real containers: every fact both where it holds and where it does not.
load ../lib/porthole

# One ordinary container for the whole file: what others are compared with.
setup_file() {
	[[ -z $(lacks docker) ]] || return 0
	WEB=$(uniq_name inspweb)
	WEB_PID=$(target_start docker "$WEB" bookworm --memory 64m --pids-limit 50 --cpus 0.5 \
		--restart always -e DB_PASSWORD=hunter2 -e URL=postgres://u:s3cret@db/x -e GREETING=hello \
		--label maintainer=me -v "$(test_dir):/data" -- /app --port 8123)
	export WEB WEB_PID
}

teardown_file() {
	[[ -z ${WEB:-} ]] || target_stop docker "$WEB"
}

# facts TARGET FILTER: of its JSON.
facts() {
	"$PORTHOLE" inspect --json "$1" >"$BATS_TEST_TMPDIR/facts" && jq -er "$2" "$BATS_TEST_TMPDIR/facts"
}

fact_is() {
	[[ $(facts "$1" "$2") == "$3" ]]
}

# rules TARGET: the ids of what is unusual about it, sorted, in one line.
rules() {
	facts "$1" '[.unusual[].id] | sort | join(" ")'
}

# has_rule ID TARGET: it applies there, and not to the ordinary container.
has_rule() {
	[[ " $(rules "$2") " == *" $1 "* ]] || die "$1 is not in: $(rules "$2")" || return 1
	[[ " $(rules "$WEB_PID") " != *" $1 "* ]] || die "$1 applies to an ordinary container too"
}

# Nothing on standard input that a terminal would act on.
is_plain_text() {
	refute grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]'
}

@test "an ordinary container: nothing is unusual" {
	require docker
	[[ $(rules "$WEB_PID") == "" ]]
	run "$PORTHOLE" inspect "$WEB_PID"
	[[ $status == 0 && $output == *"it looks like any other container"* ]]
}

@test "by name: engine, image, id and what the engine was told" {
	require docker
	local t=docker://$WEB
	[[ $(facts "$t" .engine) == docker && $(facts "$t" .image) == pt/bookworm:1 ]]
	[[ $(facts "$t" .id) == "$(target_id docker "$WEB")" && $(facts "$t" .pid) == "$WEB_PID" ]]
	[[ $(facts "$t" .engine_config.command) == "/app --port 8123" ]]
	[[ $(facts "$t" .engine_config.restart_policy) == always ]]
	[[ $(facts "$t" '.engine_config.labels[]') == "maintainer=me" ]]
	run "$PORTHOLE" inspect "$t"
	[[ $output == *"$WEB"*"docker"*"pt/bookworm:1"*"restarts"*"always"* ]]
}

@test "process, files, libc and shell" {
	require docker
	[[ $(facts "$WEB_PID" .process.command) == "/app --port 8123" ]]
	[[ $(facts "$WEB_PID" .process.program) == /app && $(facts "$WEB_PID" .process.static) == true ]]
	[[ $(facts "$WEB_PID" .process.processes) == 1 ]]
	[[ $(facts "$WEB_PID" .files.libc) == glibc && $(facts "$WEB_PID" .files.libc_version) == 2.36 ]]
	[[ $(facts "$WEB_PID" .files.shell) == /bin/bash ]]
	[[ $(facts "$WEB_PID" .files.os) == "Debian GNU/Linux 12 (bookworm)" ]]
	[[ $(facts "$WEB_PID" .files.root_type) == overlay && $(facts "$WEB_PID" .files.upperdir) == */diff ]]
	[[ -e $(facts "$WEB_PID" .files.upperdir) ]]
	[[ $(facts "$WEB_PID" '.files.mounts[]|select(.target=="/data")|.host_path') == "$PT_RUN"/d.* ]]
	[[ $(facts "$WEB_PID" '.files.mounts[]|select(.target=="/data")|.propagation') == private ]]
}

@test "limits, and what is used of them" {
	require docker
	[[ $(facts "$WEB_PID" .limits.memory.limit) == 67108864 ]]
	[[ $(facts "$WEB_PID" '.limits.memory.used > 0 and .limits.memory.used < 67108864') == true ]]
	[[ $(facts "$WEB_PID" .limits.processes.limit) == 50 && $(facts "$WEB_PID" .limits.processes.used) == 1 ]]
	[[ $(facts "$WEB_PID" .limits.cpu.cpus) == 0.5 ]]
	[[ $(facts "$WEB_PID" '.limits.cgroups|to_entries[].value') == *"$(target_id docker "$WEB")"* ]]
	local name pid
	name=$(uniq_name free)
	pid=$(target_start docker "$name")
	[[ $(facts "$pid" '.limits.memory.limit == null and .limits.processes.limit == null') == true ]]
	[[ $(facts "$pid" '.limits.cpu.cpus == null') == true ]]
	target_stop docker "$name"
}

@test "listening ports with their owners; nobody listens" {
	require docker
	local row name pid
	row=$(facts "$WEB_PID" '.network.listening[]|select(.port==8123)|"\(.protocol) \(.address) \(.pid) \(.pid_inside) \(.comm)"')
	[[ $row == "tcp 127.0.0.1 $WEB_PID 1 app" ]]
	name=$(uniq_name quiet)
	pid=$(target_start docker "$name" busybox -- sleep 1000)
	[[ $(facts "$pid" '.network.listening|length') == 0 ]]
	run "$PORTHOLE" inspect -s network "$pid"
	[[ $output == *"nobody listens"* ]]
	target_stop docker "$name"
}

@test "listening ports of others that share the network, a pod's and not" {
	require docker cri
	local name pid row other
	other=$(uniq_name beside)
	pid=$(target_start docker "$other" busybox --net "container:$WEB" -- sleep 1000)
	row='.network.listening[]|select(.port==8123)|"\(.pid) \(.comm) \(.own)"'
	[[ $(facts "$pid" "$row") == "$WEB_PID app false" ]]
	[[ $(facts "$WEB_PID" "$row") == "$WEB_PID app true" ]]
	run -0 "$PORTHOLE" inspect -s network "$pid"
	[[ $output == *"nobody in this container"* && $output != *"nobody listens"* ]]
	[[ $output == *"another that shares the network listens on 127.0.0.1 port 8123, tcp (app, pid $WEB_PID)"* ]]
	run -0 "$PORTHOLE" inspect -s network "$WEB_PID"
	[[ $output == *8123* && $output != *another* ]]
	target_stop docker "$other"
	name=$(uniq_name podded)
	pid=$(target_start cri "$name" busybox -- sleep 1000)
	run -0 "$PORTHOLE" inspect -s network "$pid"
	[[ $output == *"another container of the pod listens on 127.0.0.1 port 8080, tcp (app, pid "* ]]
	target_stop cri "$name"
}

@test "secrets of the environment and of command lines: hidden, and shown when asked" {
	require docker
	local name pid
	run "$PORTHOLE" inspect --env "$WEB_PID"
	[[ $output == *"GREETING=hello"* && $output == *"DB_PASSWORD=***"* && $output == *"URL=postgres://u:***@db/x"* ]]
	[[ $output != *hunter2* && $output != *s3cret* ]]
	run "$PORTHOLE" inspect --json "$WEB_PID"
	[[ $output != *hunter2* && $output != *s3cret* ]]
	run "$PORTHOLE" inspect --show-secrets "$WEB_PID"
	[[ $output == *"DB_PASSWORD=hunter2"* && $output == *"postgres://u:s3cret@db/x"* ]]
	[[ $("$PORTHOLE" inspect --json --show-secrets "$WEB_PID" | jq -r '.environment[]|select(.key=="DB_PASSWORD")|.value') == hunter2 ]]
	name=$(uniq_name args)
	pid=$(target_start docker "$name" busybox -- sh -c 'sleep 1000; :' --password=hunter2)
	run "$PORTHOLE" inspect "$pid"
	[[ $output == *"--password=***"* && $output != *hunter2* ]]
	run "$PORTHOLE" inspect --show-secrets "$pid"
	[[ $output == *"--password=hunter2"* ]]
	target_stop docker "$name"
}

@test "sections: only what is asked for; a wrong one is told" {
	require docker
	run "$PORTHOLE" inspect -s limits "$WEB_PID"
	[[ $output == *"Limits"* && $output != *"Namespaces"* && $output != *"What is unusual"* ]]
	run "$PORTHOLE" inspect -s limits,unusual "$WEB_PID"
	[[ $output == *"Limits"* && $output == *"What is unusual"* && $output != *"Namespaces"* ]]
	[[ $("$PORTHOLE" inspect --json -s rights "$WEB_PID" | jq 'has("rights") and (has("limits")|not)') == true ]]
	run "$PORTHOLE" inspect -s nonsense "$WEB_PID"
	[[ $status == 2 && $output == *"--section does not take 'nonsense'"* ]]
	run "$PORTHOLE" inspect no-such-container
	[[ $status == 125 && $output == *"no-such-container"* ]]
}

@test "rights: capabilities in words, seccomp, no_new_privs, user; and without them" {
	require docker
	[[ $(facts "$WEB_PID" '.rights.capabilities.effective|length') == 14 ]]
	[[ $(facts "$WEB_PID" .rights.seccomp) == filter && $(facts "$WEB_PID" .rights.uid) == 0 ]]
	run "$PORTHOLE" inspect -s rights "$WEB_PID"
	[[ $output == *"docker's default 14"* && $output == *"uid 0 (root)"* && $output == *"not set"* ]]
	odd_start nocaps
	has_rule not-root "$ODD_PID"
	has_rule no-new-privs "$ODD_PID"
	has_rule read-only-root "$ODD_PID"
	has_rule no-shell "$ODD_PID"
	has_rule no-libc "$ODD_PID"
	has_rule no-passwd "$ODD_PID"
	[[ $(facts "$ODD_PID" '.rights.capabilities.effective|length') == 0 ]]
	[[ $(facts "$ODD_PID" .files.read_only) == true && $(facts "$WEB_PID" '.files.read_only|not') == true ]]
	run "$PORTHOLE" inspect "$ODD_PID"
	[[ $output == *"capabilities  none"* && $output == *"read-only"* && $output == *"uid 1000"* ]]
	odd_stop
	local name pid
	name=$(uniq_name weak)
	pid=$(target_start docker "$name" busybox --cap-drop ALL --cap-add SYS_PTRACE --user 4242 \
		--security-opt seccomp=unconfined)
	has_rule more-caps "$pid"
	has_rule no-seccomp "$pid"
	has_rule no-user-name "$pid"
	run "$PORTHOLE" inspect -s unusual "$pid"
	[[ $output == *"sys_ptrace"* && $output != *"sys_admin"* ]]
	target_stop docker "$name"
	name=$(uniq_name bare)
	pid=$(target_start docker "$name" busybox --cap-drop ALL)
	has_rule powerless-root "$pid"
	target_stop docker "$name"
}

@test "namespaces: own, the host's, and with whom they are shared" {
	require docker
	local a b pid other
	[[ $(facts "$WEB_PID" '[.namespaces|to_entries[]|select(.value.is=="own")|.key]|sort|join(" ")') == "ipc mnt net pid uts" ]]
	a=$(uniq_name inspa) b=$(uniq_name inspb)
	pid=$(target_start docker "$a" busybox)
	other=$(target_start docker "$b" busybox --net "container:$a" --pid host)
	[[ $(facts "$other" .namespaces.net.is) == shared && $(facts "$other" '.namespaces.net.shared_with[]') == "$a" ]]
	[[ $(facts "$other" .namespaces.pid.is) == host ]]
	[[ $(facts "$pid" '.namespaces.net.shared_with[]') == "$b" ]]
	has_rule shared-namespaces "$other"
	has_rule host-namespaces "$other"
	[[ $(facts "$other" .process.processes) == 1 ]] # not all of the host's
	run "$PORTHOLE" inspect "$other"
	[[ $output == *"net with $a"* ]]
	target_stop docker "$b"
	wait_until 5 fact_is "$pid" .namespaces.net.is own
	nsenter -t "$pid" --net sleep 60 3>&- &
	wait_until 5 _joined_net $! "$pid"
	[[ $(facts "$pid" '.namespaces.net.shared_with[]') == "pid $! (sleep)" ]]
	kill $!
	target_stop docker "$a"
}

_joined_net() {
	[[ $(readlink "/proc/$1/ns/net") == "$(readlink "/proc/$2/ns/net")" && $(<"/proc/$1/comm") == sleep ]]
}

@test "user namespace: ids inside and on the host" {
	require docker userns
	odd_start userns
	has_rule user-namespace "$ODD_PID"
	[[ $(facts "$ODD_PID" .rights.uid) == 0 && $(facts "$ODD_PID" .rights.host_uid) == 100000 ]]
	[[ $(facts "$ODD_PID" '.rights.uid_map[0].outside') == 100000 ]]
	[[ $(facts "$WEB_PID" .rights.host_uid) == 0 ]]
	[[ " $(rules "$ODD_PID") " != *" more-caps "* ]] # all of them, and they end there
	odd_stop
}

@test "more than a container should have: all capabilities, writable /proc/sys" {
	require docker
	local name pid
	name=$(uniq_name boss)
	pid=$(target_start plain "$name" busybox --user 0 --caps --no-nnp --rw)
	has_rule privileged "$pid"
	has_rule proc-sys-writable "$pid"
	target_stop plain "$name"
}

@test "the host mounted in it: /, directories, an engine's socket" {
	require docker
	local name pid sock
	sock=$(test_dir)/docker.sock
	: >"$sock"
	name=$(uniq_name grip)
	pid=$(target_start docker "$name" busybox -v /:/host:ro -v /etc:/hostetc -v "$sock:/sock")
	has_rule host-root "$pid"
	has_rule host-directories "$pid"
	has_rule engine-socket "$pid"
	run "$PORTHOLE" inspect -s files,unusual "$pid"
	[[ $output == *"at /host (read-only)"* && $output == *"in it: /etc."* && $output == *"at /sock"* ]]
	[[ $output != *"/host/proc "* ]] # what came along is folded
	run "$PORTHOLE" inspect -s files --all "$pid"
	[[ $output == *"/host/proc "* ]]
	target_stop docker "$name"
	spawn "$BATS_TEST_TMPDIR/pid" "$BATS_TEST_TMPDIR/log" unshare --net sleep 60
	pid=$(<"$BATS_TEST_TMPDIR/pid")
	wait_until 5 _runs "$pid" sleep
	if at_home; then
		has_rule host-mnt "$pid"
		has_rule no-container $$
	else
		[[ " $(rules "$pid") $(rules $$) " != *" host-mnt "* ]]
		[[ " $(rules $$) " != *" no-container "* ]]
	fi
	kill "$pid"
}

@test "no /dev, no /proc, no /dev/null" {
	require docker
	odd_start bare
	has_rule no-dev "$ODD_PID"
	has_rule no-proc "$ODD_PID"
	odd_stop
	local name pid
	name=$(uniq_name nonull)
	pid=$(target_start docker "$name" busybox)
	engine_cli docker exec "$name" rm /dev/null
	has_rule no-dev-null "$pid"
	target_stop docker "$name"
}

@test "C libraries: musl" {
	require docker
	local name pid
	name=$(uniq_name musl)
	pid=$(target_start plain "$name" musl)
	has_rule musl "$pid"
	[[ $(facts "$pid" .files.libc) == musl ]]
	target_stop plain "$name"
}

@test "/etc/passwd that is a FIFO, a device, 1 GB, or a link out: left alone, never read from the host" {
	require docker
	local kind start
	for kind in passwd-fifo passwd-dev passwd-big passwd-host; do
		odd_start $kind
		start=$SECONDS
		has_rule odd-passwd "$ODD_PID" || return 1
		((SECONDS - start < 5))
		[[ $(facts "$ODD_PID" '.rights.user == null') == true ]] || return 1
		odd_stop
	done
}

@test "frozen, paused, stopped, traced" {
	require docker
	local name pid
	odd_start frozen
	has_rule frozen "$ODD_PID"
	odd_stop
	name=$(uniq_name still)
	pid=$(target_start docker "$name" busybox)
	engine_cli docker pause "$name"
	has_rule frozen "docker://$name"
	run "$PORTHOLE" inspect "docker://$name"
	[[ $output == *"paused for"* ]]
	engine_cli docker unpause "$name"
	[[ " $(rules "docker://$name") " != *" frozen "* ]]
	kill -STOP "$pid"
	wait_until 5 grep -q '^State:.T' "/proc/$pid/status"
	has_rule stopped "$pid"
	kill -CONT "$pid"
	strace -qq -o /dev/null -p "$pid" 3>&- &
	wait_until 5 grep -q "^TracerPid:.$!$" "/proc/$pid/status"
	has_rule traced "$pid"
	run "$PORTHOLE" inspect -s unusual "$pid"
	[[ $output == *"pid $! (strace)"* ]]
	kill $!
	wait $! || true
	target_stop docker "$name"
}

@test "zombies that PID 1 does not reap" {
	require docker
	local name pid
	name=$(uniq_name undead)
	pid=$(target_start docker "$name" busybox -- sh -c 'sleep 0.01 & sleep 0.01 & exec sleep 1000')
	wait_until 5 _zombies "$pid" 2
	has_rule zombies "$pid"
	[[ $(facts "$pid" .process.zombies) == 2 ]]
	target_stop docker "$name"
}

_zombies() {
	[[ $(ps -o stat= --ppid "$1" | grep -c Z) == "$2" ]]
}

@test "at its limits: processes, files, CPU; killed for lack of memory" {
	require docker
	local name pid
	odd_start pids-limit
	has_rule pids-full "$ODD_PID"
	odd_stop
	name=$(uniq_name full)
	pid=$(target_start docker "$name" --memory 64m -- /app --eat 59)
	wait_until 5 _eaten "$pid"
	has_rule memory-full "$pid"
	target_stop docker "$name"
	name=$(uniq_name tight)
	pid=$(target_start docker "$name" busybox --memory 16m --cpu-period 2000 --cpu-quota 1000 \
		-- sh -c 'tail /dev/zero; i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; exec sleep 1000')
	wait_until 20 _runs "$pid" sleep
	prlimit --pid "$pid" --nofile=3:3
	has_rule oom-killed "$pid"
	has_rule cpu-throttled "$pid"
	has_rule fds-full "$pid"
	target_stop docker "$name"
}

_eaten() {
	[[ $(facts "$1" '.limits.memory.used > 61000000') == true ]]
}

_runs() {
	[[ $(<"/proc/$1/comm") == "$2" ]]
}

@test "a program that was deleted, and one whose name only says so" {
	require docker
	local name pid
	name=$(uniq_name gone)
	pid=$(target_start docker "$name" busybox)
	engine_cli docker exec "$name" rm /app
	has_rule exe-deleted "$pid"
	[[ $(facts "$pid" .process.program) == /app ]]
	target_stop docker "$name"
	name=$(uniq_name named)
	pid=$(target_start docker "$name" busybox -- sh -c 'cp /app "/app (deleted)"; exec "/app (deleted)"')
	wait_until 5 grep -q deleted "/proc/$pid/comm"
	[[ " $(rules "$pid") " != *" exe-deleted "* ]]
	[[ $(facts "$pid" .process.program) == "/app (deleted)" ]]
	target_stop docker "$name"
}

@test "hostile names and environments: nothing of them reaches the terminal raw" {
	require docker
	odd_start hostile-name
	"$PORTHOLE" inspect --all "$ODD_PID" | is_plain_text
	"$PORTHOLE" inspect --json "$ODD_PID" | is_plain_text
	[[ $(facts "$ODD_PID" .process.program) == *$'\e[31m'* ]] # and JSON has it all the same
	odd_stop
	odd_start hostile-env
	has_rule ld-preload "$ODD_PID"
	"$PORTHOLE" inspect --all --show-secrets "$ODD_PID" | is_plain_text
	run "$PORTHOLE" inspect --env "$ODD_PID"
	[[ $output == *'TERM=evil\x1b[31m'* ]]
	odd_stop
	odd_start huge-env
	run timeout 10 "$PORTHOLE" inspect "$ODD_PID"
	[[ $status == 0 && $output == *"Environment"* ]]
	odd_stop
}

@test "one that has ended: what its engine still knows" {
	require docker
	odd_start exited
	run "$PORTHOLE" inspect "docker://$ODD_NAME"
	[[ $status == 0 && $output == *"exited with code 3"* && $output == *"/app --exit 3"* ]]
	[[ $output != *"Rights"* && $output == *"porthole exec"* ]]
	run "$PORTHOLE" inspect "$WEB_PID"
	[[ $status == 0 && $output == *"Rights"* && $output != *"look next"* ]]
	[[ $(facts "docker://$ODD_NAME" '.exit_code') == 3 ]]
	odd_stop
}

@test "without root: what may be read, and what could not be" {
	require docker
	cd /
	run as_user "$(for_users "$PORTHOLE")" inspect "$WEB_PID"
	[[ $status == 0 && $output == *"Could not read"* && $output == *"sudo"* ]]
	[[ $output != *hunter2* && $output != *"DB_PASSWORD"* ]]
	run "$PORTHOLE" inspect "$WEB_PID"
	[[ $output != *"Could not read"* ]]
}

@test "it changes nothing in the target" {
	require docker
	local before=$BATS_TEST_TMPDIR/before
	residue_snapshot "$before" "$WEB_PID"
	"$PORTHOLE" inspect --all "$WEB_PID" >/dev/null
	residue_assert_same "$before"
}

# program_of PID COMM: its child runs that.
program_of() {
	[[ $(cat "/proc/$(_child_of "$1")/comm") == "$2" ]]
} 2>/dev/null

@test "bubblewrap: environment, command and directory are the program's, not those of its reaper" {
	require bwrap
	local d=$BATS_TEST_TMPDIR init
	target_root "$d" busybox
	spawn "$d/outer" "$d/log" bwrap --unshare-pid --bind "$d/rootfs" / --proc /proc --dev /dev --chdir /tmp \
		--clearenv --setenv WHO app /bin/sleep 1000
	wait_until 10 eval 'program_of "$(_child_of "$(<"$d/outer")")" sleep'
	init=$(_child_of "$(<"$d/outer")")
	[[ $(<"/proc/$init/comm") == bwrap ]]
	run -0 "$PORTHOLE" inspect "$init"
	[[ $output == *"/bin/sleep 1000"*"directory "*/tmp*"WHO=app"* ]] || die "$output"
	run -0 "$PORTHOLE" exec --kit none "$init" /bin/sh -c 'echo $WHO $PWD'
	[[ $output == "app /tmp" ]] || die "$output"
	end_pid "$init" KILL
	wait_until 10 umount "$d/rootfs"
}
