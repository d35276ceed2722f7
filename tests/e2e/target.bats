#!/usr/bin/env bats
# How what is typed becomes a process: names, ids, pods and pids of every engine.
load ../lib/porthole

# found SPEC: "ENGINE NAME PID STATE" of what it resolves to.
found() {
	"$PORTHOLE" inspect --json -s process "$1" | jq -r '"\(.engine) \(.name) \(.pid // 0) \(.state)"'
}

# says SPEC TEXT: it does not resolve, and the message has TEXT. The whole is left in $output.
says() {
	run -125 --separate-stderr "$PORTHOLE" inspect "$1"
	[[ $stderr == *"$2"* ]] || die "$1: $stderr"
	[[ $stderr != *$'\e'* ]]
}

# by_all KIND ENGINE: a target of that kind is found by its name, its id and its pid.
by_all() {
	require "$1"
	local name pid id
	name=$(uniq_name web)
	pid=$(target_start "$1" "$name")
	[[ $(found "$name") == "$2 $name $pid running" ]]
	[[ $(found "$2://$name") == "$2 $name $pid running" ]]
	[[ $(found "$pid") == "$2 $name $pid running" ]]
	[[ $(found "pid:$pid") == "$2 $name $pid running" ]]
	if id=$(target_id "$1" "$name") && [[ $id =~ ^[0-9a-f]{64}$ ]]; then
		[[ $(found "$id") == "$2 $name $pid running" ]]
		[[ $(found "${id:0:12}") == "$2 $name $pid running" ]]
		[[ $(found "$2://${id:0:20}") == "$2 $name $pid running" ]]
	fi
	says "wrong-$name-wrong" "nothing is named"
	[[ $stderr == *"$name"* ]]
	target_stop "$1" "$name"
	says "pid:$pid" "$pid"
}

@test "docker" { by_all docker docker; }
@test "docker with userns-remap" { by_all docker-userns docker; }
@test "podman" { by_all podman podman; }
@test "podman, a user's own" { by_all podman-rootless podman; }
@test "containerd" { by_all containerd containerd; }
@test "CRI" { by_all cri cri; }
@test "runc" { by_all runc runc; }
@test "crun" { by_all crun crun; }
@test "LXC" { by_all lxc lxc; }
@test "systemd-nspawn" { by_all nspawn nspawn; }
@test "systemd-nspawn, registered with machined" { by_all machined nspawn; }
@test "bubblewrap" { by_all bwrap bwrap; }
@test "no engine, by its host name" { by_all plain none; }

@test "no engine, by its program" {
	require unshare
	local name pid
	name=$(uniq_name bare)
	pid=$(target_start unshare "$name")
	[[ $(found "$pid") == "none "*" $pid running" ]]
	run -0 "$PORTHOLE" ps -f engine=none --format '{{.PID}}'
	[[ $'\n'$output$'\n' == *$'\n'$pid$'\n'* ]]
	# unshare itself, which waits outside, is not listed
	refute grep -qx "$(cat "$(target_dir unshare "$name")/outer")" <<<"$output"
}

@test "at the default paths, and no daemon is asked" {
	require docker-default
	local name pid
	name=$(uniq_name web)
	pid=$(target_start docker-default "$name")
	run -0 in_engine docker-default strace -f -e trace=connect,execve "$PORTHOLE" inspect --json -s process "$name"
	[[ $output == *"\"pid\": $pid"* && $output != *connect* ]]
	[[ $(grep -c execve <<<"$output") == 1 ]]
}

@test "docker's daemons dead, and one that is stopped" {
	require docker
	local name pid d
	name=$(uniq_name web)
	pid=$(target_start docker@dead "$name")
	d=$(engine_pid docker@dead dockerd)
	kill -STOP "$d"
	[[ $(timeout 5 "$PORTHOLE" inspect --json -s process "$name" | jq .pid) == "$pid" ]]
	kill -KILL "$d" "$(engine_pid docker@dead containerd)"
	wait_until 5 pid_gone "$d"
	[[ $(found "$name") == "docker $name $pid running" ]]
	run -0 "$PORTHOLE" ps -f "name=$name" --format '{{.PID}}'
	[[ $output == "$pid" ]]
	engine_stop docker@dead
}

# orphaned KIND: a podman container whose conmon was killed still runs, once, by its own name.
orphaned() {
	require "$1"
	local name pid id conmon
	name=$(uniq_name lost)
	pid=$(target_start "$1" "$name")
	id=$(target_id "$1" "$name")
	conmon=$(awk '{ print $4 }' "/proc/$pid/stat")
	[[ $(<"/proc/$conmon/comm") == conmon ]]
	kill -KILL "$conmon"
	wait_until 5 pid_gone "$conmon"
	pid_alive "$pid"
	[[ $(found "$name") == "podman $name $pid running" ]]
	[[ $(found "$id") == "podman $name $pid running" ]]
	[[ $(found "pid:$pid") == "podman $name $pid running" ]]
	run -0 --separate-stderr "$PORTHOLE" ps -a -f "pid=$pid" --format '{{.Engine}} {{.Name}} {{.State}}'
	[[ $output == "podman $name running" ]]
	run -0 "$PORTHOLE" ps -a --format '{{.ID}} {{.Name}}' --no-trunc
	[[ $(grep -c "^$id " <<<"$output") == 1 ]]
	run -0 "$PORTHOLE" exec "$name" readlink /proc/1/exe
	[[ $output == /app ]]
	kill -KILL "$pid"
	wait_until 5 pid_gone "$pid"
	run -0 --separate-stderr "$PORTHOLE" ps -f "id=$id" -q # what its runtime still has on file is not believed
	[[ -z $output ]]
	target_stop "$1" "$name"
	# podman leaves what is not below the run's directory
	[[ ! -e /run/runc/$id ]] || runc delete "$id"
}

@test "podman whose conmon was killed, in private directories" { orphaned podman; }
@test "podman whose conmon was killed, a user's own" { orphaned podman-rootless; }

@test "a user's state file that names a stranger's process for a container of his" {
	require podman-rootless plain
	local name id pid stranger file
	name=$(uniq_name mine)
	pid=$(target_start podman-rootless "$name")
	id=$(target_id podman-rootless "$name")
	stranger=$(target_start plain "$(uniq_name theirs)")
	file=/run/user/$(id -u "$(test_user)")/runc/$id/state.json
	jq -c --argjson p "$stranger" --argjson s "$(pid_start "$stranger")" \
		'.init_process_pid = $p | .init_process_start = $s' "$file" >"$BATS_TEST_TMPDIR/state"
	kill -KILL "$(awk '{ print $4 }' "/proc/$pid/stat")" "$pid"
	wait_until 5 pid_gone "$pid"
	cat "$BATS_TEST_TMPDIR/state" >"$file"
	[[ $(found "$name") == "podman $name 0 exited" ]]
	rm "$file"
}

@test "a name of two engines: both are named, neither is taken" {
	require docker podman
	local name pid other
	name=$(uniq_name web)
	pid=$(target_start docker "$name")
	other=$(target_start podman "$name")
	says "$name" "docker://$name"
	[[ $stderr == *"podman://$name"* ]]
	[[ $(found "docker://$name") == "docker $name $pid running" ]]
	[[ $(found "podman://$name") == "podman $name $other running" ]]
	run -0 "$PORTHOLE" ps -q -f "name=$name"
	[[ $output == "docker://$name"$'\n'"podman://$name" ]]
}

@test "renamed: the new name counts at once, the old one no more" {
	require docker
	local name pid
	name=$(uniq_name web)
	pid=$(target_start docker "$name")
	engine_cli docker rename "$name" "new$name"
	[[ $(found "new$name") == "docker new$name $pid running" ]]
	says "$name" "nothing is named"
	engine_cli docker rename "new$name" "$name"
}

@test "restarted: another process, and the old one's number is refused" {
	require docker
	local name pid new
	name=$(uniq_name web)
	pid=$(target_start docker "$name")
	engine_cli docker restart -t 0 "$name"
	new=$(engine_cli docker inspect -f '{{.State.Pid}}' "$name")
	[[ $new != "$pid" && $(found "$name") == "docker $name $new running" ]]
}

@test "paused, by docker and by a freezer alone" {
	require docker
	local name pid
	name=$(uniq_name web)
	pid=$(target_start docker "$name")
	engine_cli docker pause "$name"
	[[ $(found "$name") == "docker $name $pid paused" ]]
	engine_cli docker unpause "$name"
	[[ $(found "$name") == "docker $name $pid running" ]]
	odd_start frozen
	[[ $(found "$ODD_NAME") == "none $ODD_NAME $ODD_PID paused" ]]
	odd_stop
}

@test "not running: its state, exit code and when" {
	require docker podman-default
	odd_start exited
	run -125 --separate-stderr "$PORTHOLE" mount "$ODD_NAME"
	[[ $stderr == *"is not running: it exited with code 3 at 20"*"ago)"* ]]
	[[ $(found "$ODD_NAME") == "docker $ODD_NAME 0 exited" ]]
	# where only what does not run can be seen, that is said
	run -125 --separate-stderr unshare -pmf --mount-proc "$PORTHOLE" inspect no-name-of-this-kind
	[[ $stderr == *"'porthole ps -a' lists the "*" that this container sees: start it with --pid host to see all" ]] ||
		die "$stderr"
	odd_stop
	local name
	name=$(uniq_name done)
	engine_start podman-default # with a storage of its own there would be nothing that leads to it
	target_start podman-default "$name" -- /app --exit 4 || true
	wait_until 10 engine_says podman-default exited "$name"
	run -125 --separate-stderr in_engine podman-default "$PORTHOLE" mount "$name"
	[[ $stderr == *"exited with code 4"* ]] || die "$stderr"
	engine_cli podman-default create --name "new$name" docker.io/pt/scratch:1 /app
	run -125 --separate-stderr in_engine podman-default "$PORTHOLE" mount "new$name"
	[[ $stderr == *"created and never started"* ]] || die "$stderr"
	engine_cli podman-default rm "new$name"
}

@test "pods: container, pod/container, namespace/pod/container; the sandbox only when asked for" {
	require cri
	local name pid
	name=$(uniq_name app)
	pid=$(target_start cri "$name")
	[[ $(found "$name-pod/$name") == "cri $name $pid running" ]]
	[[ $(found "default/$name-pod/$name") == "cri $name $pid running" ]]
	[[ $(found "$name-pod") == "cri $name $pid running" ]]
	[[ $(found "$name-pod/POD") == "cri POD "*" running" ]]
	says "other/$name-pod/$name" "nothing is named"
	says "$name-pod/$name/x/y" "too many slashes"
	run -0 "$PORTHOLE" ps -f "pod=$name" --format '{{.Name}}'
	[[ $output == "$name" ]]
	run -0 "$PORTHOLE" ps -a -f "pod=$name" --format '{{.Name}}'
	[[ $output == POD$'\n'"$name" ]]
}

@test "pids that are none: thread, kernel thread, zombie, 0, negative, huge, gone" {
	require root
	local tid pid
	says 0 "start at 1"
	says pid:-1 "takes a number from 1"
	says 4294967295 "end at 4194304"
	says pid:99999999999999999999 "end at 4194304"
	says 4194304 "no process 4194304"
	says "pid:2" "kernel thread"
	run -2 --separate-stderr "$PORTHOLE" inspect -5
	odd_start zombie
	says "$ODD_PID" "not reaped"
	odd_stop
	odd_start zombie-leader
	tid=$(ls "/proc/$ODD_PID/task" | grep -vx "$ODD_PID" | head -n 1)
	says "$tid" "is a thread"
	[[ $stderr == *"pid:$ODD_PID"* ]]
	odd_stop
}

@test "names that cannot be: nothing of them is printed raw" {
	says $'a\e[31mb' "control character"
	says $'a\nb' "control character"
	says "../passwd" "cannot be"
	says "../../etc/passwd" "too many slashes"
	says "" "empty"
	says "$(printf 'a%.0s' {1..2000})" "longer than"
	says "nosuch://web" "no engine 'nosuch'"
}

@test "a container called with escapes and a newline is listed, and found by its pid" {
	require root
	odd_start hostile-name
	run -0 "$PORTHOLE" ps -f "pid=$ODD_PID"
	[[ $output == *'h\x1b[31m\x0a../x'* && $output != *$'\e'* ]]
	run -0 "$PORTHOLE" ps -q -f "pid=$ODD_PID"
	[[ $output == "pid:$ODD_PID" ]]
	[[ $("$PORTHOLE" inspect --json -s process "$output" | jq .pid) == "$ODD_PID" ]]
	odd_stop
}

@test "state files that are damaged, endless or never answer: skipped with a warning" {
	require runc
	local good bad pid d
	good=$(uniq_name good) bad=$(uniq_name bad)
	pid=$(target_start runc "$good")
	for d in "/run/runc/$bad-"{cut,fifo,big,dir,zero}; do mkdir "$d"; done
	head -c 500 "/run/runc/$good/state.json" >"/run/runc/$bad-cut/state.json"
	mkfifo "/run/runc/$bad-fifo/state.json"
	truncate -s 10G "/run/runc/$bad-big/state.json"
	mkdir "/run/runc/$bad-dir/state.json"
	ln -s ../../../dev/zero "/run/runc/$bad-zero/state.json"
	run -0 --separate-stderr timeout 10 "$PORTHOLE" ps -a
	[[ $output == *"$good"* && $output != *"$bad"* ]]
	for d in cut fifo big dir; do # a link that leads out leads nowhere
		[[ $stderr == *"porthole: warning: "*"$bad-$d"* ]]
	done
	[[ $(timeout 10 "$PORTHOLE" inspect --json -s process "$good" | jq .pid) == "$pid" ]]
	run -125 --separate-stderr timeout 10 "$PORTHOLE" inspect "$bad-cut"
	[[ $stderr == *"damaged"* ]]
	rm -rf "/run/runc/$bad-"{cut,fifo,big,dir,zero}
}

@test "a pid file whose number is another process's by now" {
	require crun
	local name pid f
	name=$(uniq_name web)
	pid=$(target_start crun "$name")
	f=/run/crun/$name/status
	cp "$f" "$BATS_TEST_TMPDIR/status"
	jq --argjson p $$ '.pid = $p' "$BATS_TEST_TMPDIR/status" >"$f"
	run -125 --separate-stderr "$PORTHOLE" mount "$name"
	[[ $stderr == *"is not running"* ]]
	cp "$BATS_TEST_TMPDIR/status" "$f"
	[[ $(found "$name") == "crun $name $pid running" ]]
}

@test "without root: what is missing is said" {
	require docker-default
	local name
	name=$(uniq_name unlike-others)
	target_start docker-default "$name" >/dev/null
	run -125 --separate-stderr in_engine docker-default setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$(for_users "$PORTHOLE")" inspect "$name"
	[[ $stderr == "porthole: needs root to find '$name'"*"run with sudo"* ]]
	run -0 --separate-stderr in_engine docker-default setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$(for_users "$PORTHOLE")" ps
	[[ $stderr == *"run with sudo"* ]]
}

@test "a containerd in a place of its own: its containers are found when none of them runs" {
	require containerd
	local one two
	one=$(uniq_name ctd) two=$(uniq_name ctd)
	target_start containerd@alone "$one" busybox >/dev/null
	target_start containerd@alone "$two" busybox >/dev/null
	gone() { [[ -z $(engine_cli containerd@alone task ls -q) ]]; }
	engine_cli containerd@alone task kill -s KILL "$one"
	engine_cli containerd@alone task kill -s KILL "$two"
	wait_until 10 eval '! engine_cli containerd@alone task ls | grep -q RUNNING'
	engine_cli containerd@alone task rm "$one" "$two" || true
	wait_until 10 gone
	run -0 "$PORTHOLE" ps -a
	[[ $output == *"$one "*"containerd"*"$two "*"containerd"* ]] || die "$output"
	run -0 "$PORTHOLE" ps
	[[ $output != *"$one"* ]]
	[[ $("$PORTHOLE" exec --kit none "$one" /bin/busybox echo in) == in ]]
	engine_stop containerd@alone
	run -0 "$PORTHOLE" ps -a
	[[ $output != *"$one"* ]]
}

# What a container of the host's is given: all but what nobody here has, and no filter.
MANAGER=(--cap-add ALL --cap-drop SYS_RESOURCE --security-opt seccomp=unconfined --pid host)

# inside ENGINE FLAG...: a container, $IN, which has our binary at /b/porthole.
inside() {
	IN=$(uniq_name in) IN_ENGINE=$1
	cp "$PORTHOLE" "$BATS_TEST_TMPDIR/porthole"
	target_start "$1" "$IN" bookworm -v "$BATS_TEST_TMPDIR:/b:ro" "${@:2}" >/dev/null
}

# in_it ARG...: porthole there.
in_it() {
	engine_cli "$IN_ENGINE" exec "$IN" /b/porthole "$@"
}

# one_of_each ENGINE...: WEB[ENGINE] is a container of each.
one_of_each() {
	local e
	declare -gA WEB=()
	for e; do
		WEB[$e]=$(uniq_name web)
		target_start "$e" "${WEB[$e]}" busybox >/dev/null
	done
}

# all_by_name COMMAND...: porthole there lists each by its name and engine, and enters it by its name alone.
all_by_name() {
	local e
	run -0 --separate-stderr "$@" ps --format '{{.Engine}} {{.Name}}'
	for e in "${!WEB[@]}"; do
		grep -qxF "$e ${WEB[$e]}" <<<"$output" || die "$e ${WEB[$e]} is not in: $output"
		[[ $("$@" inspect --json -s process "${WEB[$e]}" | jq -r '"\(.engine) \(.pid)"') == "$e $(target_pid "$e" "${WEB[$e]}")" ]]
		[[ $("$@" exec --kit none "${WEB[$e]}" readlink /proc/self/ns/mnt) != "$(readlink /proc/self/ns/mnt)" ]]
	done
}

@test "from inside a container with the host's processes: every engine's by name, and what does not run" {
	require docker podman containerd runc crun lxc nspawn
	local at engine flag stopped
	one_of_each docker podman containerd runc crun lxc nspawn
	stopped=$(uniq_name old)
	engine_cli docker create --name "$stopped" --network none pt/busybox:1 /app
	for at in docker:/host docker:/somewhere/else docker: podman:/host; do
		engine=${at%%:*} flag=${at#*:}
		inside "$engine" "${MANAGER[@]}" ${flag:+-v "/:$flag"}
		all_by_name in_it
		[[ $(in_it ps -a --format '{{.Name}}' | grep -cxF "$stopped") == 1 ]]
		if [[ $flag ]]; then
			run -0 in_it exec --kit none "$stopped" /app --exit 0
			run -0 in_it diff "${WEB[docker]}"
			[[ $(in_it doctor --json | jq -r .host_root) == "$flag" ]]
		else
			# found by another process's root, of which nothing can be mounted: that is said, and how to get it
			run -125 --separate-stderr in_it exec --kit none "$stopped" /app
			[[ $stderr == *"cannot be mounted from here"*"-v /:/host"* ]] || die "$stderr"
			[[ $(in_it doctor --json | jq -c '[.host_root, (.verbs[] | select(.verb | startswith("exec, of what is stopped")).add)]') == \
				'[null,"-v /:/host"]' ]]
		fi
		target_stop "$engine" "$IN"
	done
	engine_cli docker rm "$stopped"
}

@test "from inside: what an image or a variable calls the host's / is not believed" {
	require docker runc
	local web fake
	web=$(uniq_name web) fake=$(uniq_name fake)
	target_start runc "$web" busybox >/dev/null
	mkdir -p "$BATS_TEST_TMPDIR/root/run/runc" "$BATS_TEST_TMPDIR/root/etc"
	cp -r "/run/runc/$web" "$BATS_TEST_TMPDIR/root/run/runc/$fake"
	cp /etc/passwd "$BATS_TEST_TMPDIR/root/etc/"
	inside docker "${MANAGER[@]}" -v "$BATS_TEST_TMPDIR/root:/host" -e HOST_ROOT=/host -e sysimage=/host
	run -0 in_it ps
	[[ $output == *"$web "*runc* && $output != *"$fake"* ]] || die "$output"
	[[ $(in_it doctor --json | jq -r .host_root) != /host ]]
	# the same directory as its own /run is one of its own
	target_stop docker "$IN"
	inside docker "${MANAGER[@]}" -v "$BATS_TEST_TMPDIR/root/run:/run"
	run -0 in_it ps
	[[ $output == *"$fake "* ]] || die "$output"
}

@test "from inside one of ours: by name as far as its profile goes, and what is missing for more" {
	require kit docker runc crun
	local p
	one_of_each docker runc crun
	for p in admin trace; do
		all_by_name timeout 60 "$PORTHOLE" host run -q --profile "$p" -- porthole
	done
	# no CAP_SYS_PTRACE: what the engines' files tell
	run -0 --separate-stderr "$PORTHOLE" host run --profile inspect -- porthole ps
	[[ $output == *"${WEB[crun]} "*crun*"${WEB[runc]} "*runc* && $stderr == *"--cap-add SYS_PTRACE"* ]] || die "$output $stderr"
	run -125 --separate-stderr "$PORTHOLE" host run --profile inspect -- porthole exec "${WEB[runc]}" true
	[[ $stderr == *"start this container with --cap-add "* && $stderr != *sudo* ]] || die "$stderr"
	run -125 --separate-stderr "$PORTHOLE" host run --profile monitor -- porthole inspect "${WEB[runc]}"
	[[ $stderr == *"without CAP_SYS_PTRACE and the host's processes"*"with --ns +pid --cap-add SYS_PTRACE" ]] || die "$stderr"
	# shellcheck disable=SC2086 # words
	run -0 "$PORTHOLE" host run -q --profile monitor ${stderr##*start this container with } -- porthole inspect "${WEB[runc]}"
}
