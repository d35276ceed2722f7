#!/usr/bin/env bats
# porthole exec into every kind of target: what it shares and what is its own, its rights taken away, pods,
# containers in containers. Every engine: exec_engines.bats; broken and hostile ones: hostile_targets.bats.
load ../lib/porthole

setup_file() {
	require kit
}

teardown() {
	local t
	for t in ${STARTED:-}; do
		target_stop "${t%%/*}" "${t#*/}"
	done
}

# start ENGINE [ARG...]: sets NAME and PID; stopped by teardown.
start() {
	NAME=$(uniq_name kind)
	PID=$(target_start "$1" "$NAME" "${@:2}")
	STARTED="$1/$NAME ${STARTED:-}"
}

# own WHAT: the namespaces among them that PID does not share with us, one a word.
own() {
	local n out=
	for n in user pid net ipc uts cgroup time; do
		[[ $(readlink "/proc/$PID/ns/$n") == "$(readlink "/proc/self/ns/$n")" ]] || out+=" $n"
	done
	echo "${out:1}"
}

# entered OWN: exactly the namespaces OWN are not the host's; a session is in all of the target's, sees its
# files, runs the kit's dynamic programs, may look into its first process, and leaves nothing.
entered() {
	local n got first=1
	[[ $(own) == "$1" ]] || die "its own are: $(own)"
	[[ $1 == *pid* ]] || first=$PID # as it is numbered there
	residue_snapshot "$BATS_TEST_TMPDIR/before" "$PID"
	got=$(x "pid:$PID" bash -c 'cd /proc/self/ns && for n in user pid net ipc uts cgroup time; do readlink $n; done; stat -c %d:%i /; jq -n 1+1')
	for n in user pid net ipc uts cgroup time; do
		readlink "/proc/$PID/ns/$n"
	done >"$BATS_TEST_TMPDIR/want"
	stat -c %d:%i "/proc/$PID/root/" >>"$BATS_TEST_TMPDIR/want"
	echo 2 >>"$BATS_TEST_TMPDIR/want"
	[[ $got == "$(<"$BATS_TEST_TMPDIR/want")" ]] || die "$got"
	[[ $(x "pid:$PID" gdb -batch -p "$first" -ex 'python print(gdb.selected_inferior().pid)' 2>/dev/null | tail -n 2) == *"$first"* ]] ||
		die "gdb cannot attach"
	residue_assert_same "$BATS_TEST_TMPDIR/before"
	run -0 --separate-stderr x --json --prove "pid:$PID" true
	unchanged "$stderr"
}

@test "read-only, user 1000, no capabilities, no new privileges" {
	require docker
	start docker --read-only --user 1000 --cap-drop ALL --security-opt no-new-privileges
	entered "pid net ipc uts"
	# the session is root all the same; the app's own user and rights when asked
	[[ $(x "pid:$PID" bash -c 'id -u; touch /x 2>&1') == $'0\n'*"Read-only file system" ]]
	[[ $(x -u target --caps target "pid:$PID" bash -c 'id -u; sed -n "s/^CapEff:\t//p; s/^NoNewPrivs:\t//p" /proc/self/status') == \
		$'1000\n0000000000000000\n1' ]]
}

@test "seccomp: docker's own, and one that forbids all that a session does" {
	require docker
	local strict=$BATS_TEST_TMPDIR/strict.json
	start docker
	[[ $(sed -n 's/^Seccomp:\t//p' "/proc/$PID/status") == 2 ]]
	entered "pid net ipc uts"
	jq -n '{defaultAction: "SCMP_ACT_ALLOW", syscalls: [{action: "SCMP_ACT_ERRNO", names: ["ptrace", "setns", "unshare",
		"mount", "umount2", "move_mount", "open_tree", "fsopen", "mkdir", "mkdirat", "mknod", "mknodat", "chroot", "clone3",
		"process_vm_readv", "pidfd_open", "bpf", "perf_event_open"]}]}' >"$strict"
	start docker --security-opt "seccomp=$strict"
	entered "pid net ipc uts"
	# what it may not do is allowed to the session
	[[ $(x "pid:$PID" bash -c 'mkdir /dev/shm/d && rmdir /dev/shm/d && echo made') == made ]]
}

@test "the host's: processes, network, ipc, host name" {
	require docker
	start docker --pid host
	entered "net ipc uts"
	start docker --network host -- /app --port 18081
	entered "pid ipc uts"
	start docker --ipc host --uts host
	entered "pid net"
	start docker --pid host --network host --ipc host --uts host --cap-add SYS_ADMIN -- /app --port 18082
	entered ""
}

@test "cgroup namespaces, private and the host's" {
	require docker
	start docker --cgroupns private
	entered "pid net ipc uts cgroup"
	[[ $(x "pid:$PID" grep -c ':/$' /proc/1/cgroup) -ge 1 ]]
	start docker --cgroupns host
	entered "pid net ipc uts"
}

@test "a time namespace: its clock" {
	require unshare
	start unshare --time --boottime 1000000
	[[ $(own) == *time* ]]
	[[ $(x "pid:$PID" cut -d. -f1 /proc/uptime) -gt 1000000 ]]
	entered "$(own)"
}

@test "another container's processes, network and ipc" {
	require docker
	local other other_pid
	start docker --ipc shareable
	other=$NAME other_pid=$PID
	start docker --pid "container:$other" --network "container:$other" --ipc "container:$other" -- /app --port 8081
	[[ $(readlink "/proc/$PID/ns/net") == "$(readlink "/proc/$other_pid/ns/net")" ]]
	residue_snapshot "$BATS_TEST_TMPDIR/r" "$PID"
	# both are seen, and both answer on the one loopback
	[[ $(x "pid:$PID" ps -eo comm | grep -c '^app$') == 2 ]]
	[[ $(x "pid:$PID" bash -c 'curl -s 127.0.0.1:8080 127.0.0.1:8081' | grep -c hello) == 2 ]]
	[[ $(x "pid:$PID" stat -c %d:%i /) == "$(stat -c %d:%i "/proc/$PID/root/")" ]]
	residue_assert_same "$BATS_TEST_TMPDIR/r"
}

@test "a pod: a container, and the pod's own" {
	require cri
	local pod
	start cri
	[[ $(x "$NAME-pod/$NAME" jq -n 1+1) == 2 ]]
	[[ $(x "$NAME-pod/$NAME" readlink /proc/self/ns/net) == "$(readlink "/proc/$PID/ns/net")" ]]
	# the one that holds the pod's network
	pod=$("$PORTHOLE" ps --json -a 2>/dev/null | jq -r --arg p "$NAME-pod" '.[] | select(.pod == $p and .sandbox) | .pid' | head -n 1)
	[[ -n $pod && $pod != "$PID" ]] || die "no sandbox: $pod"
	[[ $(x "pid:$pod" readlink /proc/self/ns/net) == "$(readlink "/proc/$PID/ns/net")" ]]
	entered "pid net ipc uts"
}

@test "user namespaces: userns-remap, rootless podman, keep-id" {
	require docker-userns podman-rootless
	start docker-userns --read-only --cap-drop ALL
	entered "user pid net ipc uts"
	[[ $(x "pid:$PID" stat -c %u:%g /dev/p/b/bash) == 0:0 ]]
	start podman-rootless
	entered "user pid net ipc uts"
	start podman-rootless busybox --userns keep-id
	entered "user pid net ipc uts"
}

@test "a container in a container" {
	require docker
	local outer
	start docker bookworm --cap-add SYS_ADMIN --cap-add NET_ADMIN --security-opt seccomp=unconfined -v "$PT_TOOLS:/t:ro" -- \
		/bin/sh -c '/t/scratch >/run/pid </dev/null; exec sleep 1000'
	outer=$PID
	wait_until 10 test -s "/proc/$outer/root/run/pid"
	# its number out here
	wait_until 5 eval 'PID=$(pgrep -x app | while read -r p; do [[ $(sed -n "s/^NSpid:\t//p" "/proc/$p/status" | wc -w) == 3 &&
		$(sed -n "s/^NSpid:\t[0-9]*\t\([0-9]*\)\t.*/\1/p" "/proc/$p/status") == "$(<"/proc/$outer/root/run/pid")" &&
		$(sed -n "s/^PPid:\t//p" "/proc/$p/status") != 1 ]] && echo "$p"; done | head -n 1); [[ -n $PID ]]'
	[[ $(readlink "/proc/$PID/ns/pid") != "$(readlink "/proc/$outer/ns/pid")" ]]
	entered "$(own)"
	# the outer one sees both, the inner one only itself
	[[ $(x "pid:$outer" ps -eo comm | grep -c '^app$') == 1 && $(x "pid:$PID" ps -eo comm | grep -c '^app$') == 1 ]]
	[[ $(x "pid:$PID" cat /proc/1/comm) == app && $(x "pid:$outer" cat /proc/1/comm) == sleep ]]
}

@test "a podman pod: its containers share namespaces, and are found by the pod's name" {
	require podman
	local pod infra
	pod=$(uniq_name pod)
	start podman busybox # the engine and its image are there
	engine_cli podman pod create --name "$pod" --infra-image docker.io/pt/busybox:1 --infra-command /app --share net,ipc,uts >/dev/null
	engine_cli podman run -d --pod "$pod" --name "$pod-one" docker.io/pt/busybox:1 /app >/dev/null
	PID=$(engine_cli podman inspect -f '{{.State.Pid}}' "$pod-one")
	infra=$("$PORTHOLE" ps --json -a 2>/dev/null | jq -r --arg p "$pod" '.[] | select(.pod == $p and .sandbox) | .pid')
	[[ -n $infra && $infra != "$PID" ]] || die "no infra container: $infra"
	[[ $("$PORTHOLE" exec "$pod/$pod-one" readlink /proc/self/ns/net /proc/self/ns/pid) == "$(readlink "/proc/$infra/ns/net" "/proc/$PID/ns/pid")" ]]
	[[ $(readlink "/proc/$infra/ns/pid") != "$(readlink "/proc/$PID/ns/pid")" ]]
	entered "pid net ipc uts"
	engine_cli podman pod rm -f -t 0 "$pod" >/dev/null
}

@test "podman with crun" {
	require podman
	local d=$PT_RUN/e/podman
	start podman busybox # the engine and its image are there
	NAME=$(uniq_name crun)
	# crun takes one version of cgroups, not both; and what was mounted in another mount namespace is not podman's
	CONTAINERS_CONF=$d/containers.conf CONTAINERS_STORAGE_CONF=$d/storage.conf PT_MARK=$PT_RUN unshare -m --propagation slave sh -c '
		! mountpoint -q /sys/fs/cgroup/unified || umount -l /sys/fs/cgroup/unified; exec "$@"' sh \
		podman --root "$d/root" --runroot "$d/run" --tmpdir "$d/tmp" --runtime crun run -d --cgroups=disabled \
		--name "$NAME" docker.io/pt/busybox:1 /app >/dev/null 3>&-
	PID=$(engine_cli podman inspect -f '{{.State.Pid}}' "$NAME")
	STARTED="podman/$NAME $STARTED"
	[[ $("$PORTHOLE" ps --json 2>/dev/null | jq -r --arg n "$NAME" '.[] | select(.name == $n) | "\(.engine) \(.pid)"') == "podman $PID" ]]
	[[ $("$PORTHOLE" exec "$NAME" readlink /proc/self/ns/pid) == "$(readlink "/proc/$PID/ns/pid")" ]]
	entered "pid net ipc uts"
}
