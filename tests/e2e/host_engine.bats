#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets stderr
# host run --engine: a container that docker, podman, nspawn, runc or crun makes and knows, and that
# is the same as ours.
load ../lib/porthole

HR_LIMIT=120

setup() {
	require docker podman runc crun nspawn kit
	engine_start docker
	engine_start podman
	DIR=$(test_dir)
	NAME=$(uniq_name spc)
	export DOCKER_HOST=unix://$PT_RUN/e/docker/run/docker.sock
	export CONTAINERS_CONF=$PT_RUN/e/podman/containers.conf CONTAINERS_STORAGE_CONF=$PT_RUN/e/podman/storage.conf
}

teardown() {
	timeout 20 "$PORTHOLE" kill "porthole://$NAME" 2>/dev/null || true
}

# known ENGINE: whether the engine has a container NAME, of whatever state.
known() {
	case $1 in
	docker | podman) "$1" ps -a --format '{{.Names}}' | grep -qxF "$NAME" ;;
	runc) runc list -q | grep -qxF "$NAME" ;;
	crun) [[ -e /run/crun/$NAME ]] ;;
	nspawn) "$PORTHOLE" ps -f engine=nspawn --format '{{.Name}}' | grep -qxF "$NAME" || pgrep -f "systemd-nspawn .*--machine=$NAME " >/dev/null ;;
	esac
}

# nothing_of ENGINE MARK: neither the engine's nor processes nor files are left.
nothing_of() {
	! known "$1" && ! pgrep -f "$2" >/dev/null && ! grep -q porthole-engine /proc/*/mountinfo 2>/dev/null &&
		! find /run/porthole -path "*$NAME*" 2>/dev/null | grep -q .
}

# probe PROFILE [OPTION...]: the facts of a container.
probe() {
	local profile=$1 ns
	shift
	ns=$(readlink /proc/self/ns/*)
	hr --profile "$profile" --name "$NAME" -v "$BATS_TEST_DIRNAME/../tools/probe.sh:/probe:ro" "$@" -- \
		sh /probe "${ns//$'\n'/ }" "$DIR" $$ </dev/null 2>"$DIR/said"
}

# same ENGINE: its containers are as those without an engine, profile by profile.
same() {
	local p own got
	chmod 777 "$DIR"
	for p in monitor net inspect trace introspect disk kmod libvirt cockpit toolbox admin; do
		own=$(probe "$p")
		got=$(probe "$p" --engine "$1") || die "$p: $(<"$DIR/said")"
		[[ $(wc -l <<<"$own") -gt 100 ]] || die "$p: $own"
		diff <(probe_expected "$1" <<<"$own") <(printf '%s\n' "$got") || die "$1, $p"
		# what is less than was asked for is told
		[[ $1 != nspawn || $own != *"ns cgroup: the host"* || $(<"$DIR/said") == *"nspawn cannot keep"*cgroup* ]] ||
			die "$p: $(<"$DIR/said")"
	done
	# the control: the probe tells profiles apart
	[[ $(probe net) != $(probe monitor) && $(probe inspect) != $(probe trace) ]]
	known "$1" && die "left" || true
}

@test "docker: the same as without an engine, profile by profile" {
	same docker
}

@test "docker with user namespaces: the same as without an engine, profile by profile" {
	require docker-userns
	engine_start docker-userns
	export DOCKER_HOST=unix://$PT_RUN/e/docker-userns/run/docker.sock
	[[ $(docker info -f '{{.SecurityOptions}}') == *name=userns* ]] || die "no remap: $(docker info)"
	same docker
}

@test "a user's own engine is refused in a sentence, and a user too" {
	require podman-rootless
	local e at sock=$DIR/a.sock
	engine_start podman-rootless
	# where a rootless docker and podman listen: a socket that is the user's
	at=$(for_users "$PORTHOLE")
	/usr/bin/python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$sock"
	chown "$(test_user)" "$sock"
	for e in docker podman; do
		run -125 env DOCKER_HOST="unix://$sock" CONTAINER_HOST="unix://$sock" "$PORTHOLE" host run --engine "$e" true
		[[ $output == "porthole: the $e that "*_HOST" names is that of user $(id -u "$(test_user)"), who cannot"*"env -u "* ]] || die "$output"
		run -125 as_user "$at" host run --engine "$e" true
		[[ $output == *"needs CAP_SYS_ADMIN"*"run with sudo"* ]] || die "$output"
	done
}

@test "podman: the same as without an engine, profile by profile" {
	same podman
}

@test "nspawn: the same as without an engine, profile by profile" {
	same nspawn
}

@test "runc: the same as without an engine, profile by profile" {
	same runc
}

@test "crun: the same as without an engine, profile by profile" {
	same crun
}

@test "in the background: the engine has it, and so have ps, exec, logs and kill; then nothing is left" {
	local e mark pid
	for e in docker podman nspawn runc crun; do
		mark=$((RANDOM + 100000)).$RANDOM
		run -0 hr --engine "$e" -q -d --name "$NAME" sh -c "echo said; echo more >&2; sleep $mark"
		[[ $output == *"$NAME" ]] || die "$e: $output"
		known "$e" || die "$e does not know it"
		run -0 "$PORTHOLE" ps --format '{{.Name}} {{.Engine}} {{.Image}}'
		[[ $(grep -c "^$NAME " <<<"$output") == 1 && $output == *"$NAME porthole kit, by $e"* ]] || die "$e: $output"
		run -0 timeout 20 "$PORTHOLE" exec "$NAME" sh -c 'echo $NAME'
		[[ $output == "$NAME" ]] || die "$e: $output"
		wait_until 5 eval '[[ $("$PORTHOLE" logs "$NAME" 2>&1) == *said* ]]'
		wait_until 5 eval '[[ $("$PORTHOLE" logs "$NAME" 2>&1) == *more* ]]'
		if [[ $e == docker || $e == podman ]]; then
			run -0 "$e" exec "$NAME" sh -c "ls /host$DIR && echo in >/host$DIR/by-exec"
			[[ $(<"$DIR/by-exec") == in ]] || die "$output"
			run -0 "$e" logs "$NAME"
			[[ $output == *said* ]] || die "$e logs: $output"
		fi
		pid=$(pgrep -fx "sleep $mark")
		run -0 timeout 60 "$PORTHOLE" kill "$NAME"
		refute pid_alive "$pid"
		wait_until 20 nothing_of "$e" "$mark" || die "$e: left"
	done
}

@test "kill -9 of porthole, and its end by the engine itself, leave nothing" {
	local e p mark pid
	for e in docker podman nspawn runc crun; do
		for p in net admin; do
			mark=$((RANDOM + 100000)).$RANDOM
			"$PORTHOLE" host run --engine "$e" --profile "$p" --name "$NAME" sleep "$mark" >/dev/null 2>&1 3>&- &
			pid=$!
			wait_until 30 eval 'pgrep -fx "sleep '"$mark"'" >/dev/null' || die "$e, $p: not there"
			known "$e" || die "$e does not know it"
			kill -9 "$pid"
			wait "$pid" || true
			wait_until 20 nothing_of "$e" "$mark" || die "$e, $p: left"
		done
	done
	mark=$((RANDOM + 100000)).$RANDOM
	hr --engine docker --profile net --name "$NAME" sleep "$mark" >/dev/null 2>&1 3>&- &
	pid=$!
	wait_until 30 eval 'pgrep -fx "sleep '"$mark"'" >/dev/null'
	docker stop -t 30 "$NAME" >/dev/null
	run wait "$pid"
	wait_until 20 nothing_of docker "$mark"
}

@test "exit codes, input, output and a terminal are those of the command" {
	local e
	for e in docker podman nspawn runc crun; do
		run -7 hr --engine "$e" --profile net sh -c 'exit 7'
		run -137 hr --engine "$e" --profile net sh -c 'kill -9 $$'
		run -127 hr --engine "$e" --profile net nosuch
		[[ $output == *"no command 'nosuch'"* ]] || die "$e: $output"
		run -126 hr --engine "$e" --profile net /etc/passwd
		# processes of its own, that it may trace: our file is not to be written to by way of one
		run -0 --separate-stderr hr -q --engine "$e" --profile net --cap-add SYS_PTRACE sh -c 'test -w /proc/1/exe || echo kept'
		[[ $output == kept ]] || die "$e: $output, $stderr"
		# who becomes another user has none of the capabilities that are asked for, and that an engine may not know
		run -0 --separate-stderr hr -q --engine "$e" -u 1234 id -u
		[[ $output == 1234 ]] || die "$e: $output, $stderr"
		run -0 --separate-stderr hr --engine "$e" --profile net -i sh -c 'cat; echo other >&2' <<<'typed'
		[[ $output == typed && $stderr == *other* ]] || die "$e: $output, $stderr"
		run -0 hr --engine "$e" --profile net -t sh -c 'tty; test -t 0 && test -t 1 && echo terminal'
		[[ $output == */dev/pts/*terminal* ]] || die "$e: $output"
		# who became another user is reached by signals, too: else it would be ended 10 seconds later, with 137.
		# Docker sometimes says 137 of a container in the host's pid namespace whose first process exits with 143.
		local start=$SECONDS
		run hr --engine "$e" --profile inspect --ttl 1s sleep 1000
		[[ $status == 143 || ($e == docker && $status == 137 && $((SECONDS - start)) -lt 10) ]] || die "$e: $status $output"
	done
}

@test "host exec from inside, where the profile gives it, and not where it does not" {
	local e
	for e in docker podman nspawn runc crun; do
		run -0 --separate-stderr hr --engine "$e" -q porthole host exec readlink /proc/self/ns/mnt
		[[ $output == "$(readlink /proc/self/ns/mnt)" ]] || die "$e: $output"
		run -125 hr --engine "$e" --profile net porthole host exec true
		[[ $output == *"no way to a host"* ]] || die "$e: $output"
	done
}

@test "what a killed launch left, nspawn's lock file too, is gone with the next" {
	local left=/run/porthole/.new-4000000-1
	mkdir -p -m 700 /run/porthole
	mkdir -m 700 "$left" "$left/root"
	: >"$left/.#root.lck"
	run -0 hr --engine nspawn --profile net true
	[[ ! -e $left ]] || die "$(ls -lA "$left")"
}

@test "limits, names and a line that is shown; and what is refused, in a sentence" {
	local e
	run -0 --separate-stderr hr --engine docker --profile monitor -d --name "$NAME" -m 64m --pids 50 sleep 1000
	[[ $(docker inspect -f '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}' "$NAME") == "67108864 50" ]] || die "limits"
	run -125 hr --engine docker --profile monitor -d --name "$NAME" true
	[[ $output == *"there is a container '$NAME' already"* ]] || die "$output"
	run -0 "$PORTHOLE" kill "$NAME"
	# what the engine says is heard in the background, too
	docker create --name "$NAME" "$(docker images --format "{{.Repository}}:{{.Tag}}" porthole/kit)" true
	for e in "" -d; do
		# shellcheck disable=SC2086
		run -125 hr -q --engine docker --profile monitor $e --name "$NAME" true
		[[ $output == *Conflict*"porthole: docker did not start the container"* ]] || die "$e: $output"
	done
	docker rm "$NAME"
	[[ ! -e /run/porthole/$NAME ]] || die "left"
	run -0 --separate-stderr hr --engine docker --profile net --explain --json true
	[[ $(jq -r '.argv[0,1]' <<<"$output") == $'docker\nrun' && $output == *--cap-add=CAP_NET_ADMIN* ]] || die "$output"
	run -0 --separate-stderr hr --engine runc --profile net --explain --json true
	jq -e '(.bundle.linux.namespaces | map(.type) | index("network") | not) and (.bundle.process.capabilities.bounding |
		index("CAP_NET_ADMIN"))' <<<"$output" || die "$output"
	run -125 hr --engine lxc true
	[[ $output == *"one of docker, podman, nspawn, runc, crun"* ]] || die "$output"
	run -125 hr --engine runc -m 64m true
	[[ $output == *"--memory"*"not to runc"* ]] || die "$output"
	run -125 hr --engine docker --cgroup own true
	[[ $output == *"leave out --cgroup"* ]] || die "$output"
	run -125 env PATH=/nowhere "$PORTHOLE" host run --engine crun true
	[[ $output == *"no 'crun' in PATH"* ]] || die "$output"
	run -125 env DOCKER_HOST="unix://$DIR/none" "$PORTHOLE" host run --engine docker true
	[[ $output == *docker*says* ]] || die "$output"
	[[ -z $(docker ps -aq --filter "name=$NAME") && ! -e /run/porthole/$NAME ]]
}
