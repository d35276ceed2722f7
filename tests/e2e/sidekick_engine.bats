#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets stderr
# sidekick --engine: a container that docker or podman makes, and knows.
load ../lib/porthole

# sk ARG...: porthole sidekick ARG..., never for long.
sk() {
	timeout -k 2 120 "$PORTHOLE" sidekick "$@"
}

# beside ENGINE [FLAG...]: NAME and PID are those of a container.
beside() {
	ENGINE=$1
	shift
	require "$ENGINE" kit
	NAME=$(uniq_name eng)
	SK=$NAME-sk
	PID=$(target_start "$ENGINE" "$NAME" scratch "$@")
	ID=$(target_id "$ENGINE" "$NAME")
	export XDG_CACHE_HOME=$PT_RUN/cache
	mkdir -p "$XDG_CACHE_HOME"
	[[ $ENGINE != podman ]] || export CONTAINERS_CONF=$PT_RUN/e/podman/containers.conf
}

teardown() {
	[[ -n ${NAME:-} ]] || return 0
	engine_cli "$ENGINE" rm -f "$SK" >/dev/null 2>&1 || true
	target_stop "$ENGINE" "$NAME"
}

# of_target: what the engine itself lists of containers made beside the target.
of_target() {
	engine_cli "$ENGINE" ps -a -q --filter "label=porthole.target=$ID"
}

# net_of PID: its net namespace.
net_of() {
	readlink "/proc/$1/ns/net"
}

# works_by ENGINE: seen by the engine, beside the target, and gone without a trace.
works_by() {
	local pid
	beside "$1"
	run -0 sk "$NAME" --engine "$1" --share net,pid cat /proc/1/comm
	[[ ${lines[-1]} == app ]] || die "$output"
	run -0 sk "$NAME" --engine "$1" curl -s --max-time 5 127.0.0.1:8080
	[[ $output == *hello* ]] || die "$output"
	run -0 sk "$NAME" --engine "$1" ls /target/
	[[ $output == *app* ]] || die "$output"
	[[ -z $(of_target) ]] || die "left: $(of_target)"
	# the control: neither its processes nor its network
	run -0 sk "$NAME" --engine "$1" --share none cat /proc/1/comm
	[[ ${lines[-1]} == cat ]] || die "$output"
	run sk "$NAME" --engine "$1" --share none curl -s --max-time 5 127.0.0.1:8080
	[[ $status == 7 ]] || die "$status: $output"
	run -3 sk "$NAME" --engine "$1" sh -c 'exit 3'
	run -0 sk "$NAME" --engine "$1" -i cat <<<'typed'
	[[ $output == typed ]] || die "$output"
	# in the background, by its name, until the engine removes it
	run -0 sk "$NAME" --engine "$1" -d --name "$SK" --cap-add SYS_PTRACE
	run -0 engine_cli "$1" ps --format '{{.Names}}'
	[[ $'\n'$output$'\n' == *$'\n'$SK$'\n'* ]] || die "$output"
	pid=$(engine_cli "$1" inspect -f '{{.State.Pid}}' "$SK")
	[[ $(net_of "$pid") == "$(net_of "$PID")" ]] || die "another network"
	[[ $(readlink "/proc/$pid/ns/mnt") != "$(readlink "/proc/$PID/ns/mnt")" ]] || die "no files of its own"
	run -0 "$PORTHOLE" exec "$SK" true
	engine_cli "$1" rm -f "$SK"
	wait_until 5 eval '[[ -z $(of_target) ]]'
	pid_alive "$PID"
}

@test "docker: seen in its ps, beside the target, and nothing of it stays" {
	works_by docker
}

@test "podman: seen in its ps, beside the target, and nothing of it stays" {
	works_by podman
}

@test "docker at its default paths, in a mount namespace of its own" {
	beside docker-default
	run -0 sk "$NAME" --engine docker cat /proc/1/comm
	[[ ${lines[-1]} == app ]] || die "$output"
}

@test "strace of pid 1, with the capability and not without" {
	beside docker
	run -124 sk "$NAME" --engine docker --cap-add SYS_PTRACE timeout -s INT 1 strace -fp 1 -e trace=none
	[[ $output == *attached* ]] || die "$output"
	run sk "$NAME" --engine docker --cap-drop ALL timeout -s INT 1 strace -fp 1
	[[ $status != 0 && $output != *attached* ]] || die "$output"
}

@test "an image of the engine's own, and one that it has not" {
	beside docker
	_docker_load "$PT_RUN/e/docker" busybox
	run -0 sk "$NAME" --engine docker --image pt/busybox:1 sh -c 'readlink /bin/ls; ls /dev/p 2>&1 || true'
	[[ $output == *busybox*"No such file"* ]] || die "$output"
	run -125 sk "$NAME" --engine docker --image pt/no-such:7 sh
	[[ $output == *"docker has no image 'pt/no-such:7'"* ]] || die "$output"
	run -125 sk "$NAME" --engine docker --image --privileged=x sh
	[[ $output == *"is no image's name"* ]] || die "$output"
}

@test "what an engine cannot share is said" {
	beside docker
	local ns
	for ns in uts cgroup user mnt; do
		run -125 sk "$NAME" --engine docker --share "$ns" true
		[[ $output == *shares\ mnt* || $output == *"docker can share net, pid and ipc"*" not $ns"* ]] ||
			die "$ns: $output"
	done
	run -125 sk "$NAME" --engine podman true
	[[ $output == *"is a container of docker"* ]] || die "$output"
	run -125 sk "$NAME" --engine lxc true
	[[ $output == *"one of docker, podman"* ]] || die "$output"
	run -125 env PATH=/nowhere "$PORTHOLE" sidekick "$NAME" --engine docker true
	[[ $output == *"no 'docker' in PATH"* ]] || die "$output"
	[[ -z $(of_target) ]]
}

@test "podman: uts and cgroup, and its ipc" {
	beside podman
	run -0 sk "$NAME" --engine podman --share uts,ipc,net -d --name "$SK"
	local pid n
	pid=$(engine_cli podman inspect -f '{{.State.Pid}}' "$SK")
	for n in uts ipc net; do
		[[ $(readlink "/proc/$pid/ns/$n") == "$(readlink "/proc/$PID/ns/$n")" ]] || die "$n"
	done
	[[ $(readlink "/proc/$pid/ns/pid") != "$(readlink "/proc/$PID/ns/pid")" ]] || die "pid"
}

@test "--explain prints the line, and does nothing" {
	beside docker
	export XDG_CACHE_HOME=$BATS_TEST_TMPDIR/nothing
	run -0 sk "$NAME" --engine docker -d --name "$SK" --explain sh -c "echo 'a b'"
	[[ $output == docker*" run --rm "*"--network=container:$ID --pid=container:$ID"*"sh -c 'echo '\''a b'\'''" ]] ||
		die "$output"
	[[ ! -e $XDG_CACHE_HOME && -z $(of_target) ]] || die "something was done"
	run -0 sk "$NAME" --engine docker --explain --json true
	[[ $(jq -r '.argv[0], .argv[-1]' <<<"$output") == $'docker\ntrue' ]] || die "$output"
}

@test "hostile names become no options and no terminal codes" {
	beside docker
	local bad
	for bad in --privileged $'a\e[31mb' ../x 'a b' '$(id)'; do
		run -125 sk "$NAME" --engine docker -d --name="$bad" true
		[[ $output == *"cannot be a container's name"* && $output != *$'\e'* ]] || die "$bad: $output"
	done
	run sk "$NAME" --engine docker --explain -v "/etc:/x" -w '--privileged' -u $'a\nb' true
	[[ $output == *--workdir=--privileged* && ${#lines[@]} == 1 ]] || die "$output"
	[[ -z $(of_target) ]]
}

@test "podman of another user's is not run for him" {
	require podman-rootless
	ENGINE=podman-rootless NAME=$(uniq_name eng) SK=none
	PID=$(target_start podman-rootless "$NAME")
	run -125 sk "$NAME" --engine podman true
	[[ $output == *"whose podman only that user runs"* ]] || die "$output"
}
