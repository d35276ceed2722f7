#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets stderr
# sidekick: a container of its own beside a target, by what it shares, what it may, and what its files are.
load ../lib/porthole

# sk ARG...: porthole sidekick ARG..., never for long.
sk() {
	timeout -k 2 30 "$PORTHOLE" sidekick "$@"
}

# beside ENGINE [IMAGE [FLAG...]]: NAME and PID are those of a container.
beside() {
	ENGINE=$1
	shift
	require "$ENGINE" kit
	NAME=$(uniq_name beside)
	PID=$(target_start "$ENGINE" "$NAME" "$@")
}

teardown() {
	[[ -z ${NAME:-} ]] || target_stop "$ENGINE" "$NAME"
}

# shares WHAT: which namespaces of the target's `sidekick --share WHAT` is in.
shares() {
	local n
	for n in net pid ipc uts cgroup mnt; do
		[[ $(sk "$NAME" --share "$1" readlink "/proc/self/ns/$n") == "$(readlink "/proc/$PID/ns/$n")" ]] &&
			printf '%s ' "$n"
	done
	return 0
}

# works_beside ENGINE: the target's loopback, processes and files, in a sidekick with every tool; none of it without.
works_beside() {
	beside "$1" scratch
	residue_snapshot "$BATS_TEST_TMPDIR/r" "$PID"
	run -0 sk "$NAME" curl -s --max-time 5 127.0.0.1:8080
	[[ $output == *hello* ]] || die "$output"
	run -0 sk "$NAME" ps -e -o pid,comm
	[[ $output == *" 1 app"* ]] || die "$output"
	run -0 sk "$NAME" ls /target /target/proc/1/root
	[[ $output == *app* ]] || die "$output"
	# the control: neither network nor processes, still its files
	run sk "$NAME" --share none curl -s --max-time 5 127.0.0.1:8080
	[[ $status == 7 ]] || die "$status: $output"
	run -0 sk "$NAME" --share none sh -c 'ps -e -o comm=; ls /target'
	[[ $output != app* && $output == *$'\napp'* ]] || die "$output"
	residue_assert_same "$BATS_TEST_TMPDIR/r"
}

@test "beside a scratch container of docker" {
	works_beside docker
}

@test "beside a scratch container of podman" {
	works_beside podman
}

@test "beside a scratch container of runc" {
	works_beside runc
}

@test "beside a scratch container of containerd" {
	works_beside containerd
}

@test "what is shared is, and nothing else is" {
	beside docker scratch
	[[ $(shares none) == "" ]] || die "none: $(shares none)"
	[[ $(shares net) == "net " ]] || die "net: $(shares net)"
	[[ $(shares pid,uts) == "pid uts " ]] || die "pid,uts: $(shares pid,uts)"
	[[ $(shares all) == "net pid ipc uts cgroup " ]] || die "all: $(shares all)"
	run -125 sk "$NAME" --share mnt true
	[[ $output == *"files of its own"* ]] || die "$output"
}

@test "case 2: its loopback, from a sidekick that sees none of its processes" {
	beside docker scratch
	run -0 sk "$NAME" --share net curl -s --max-time 5 127.0.0.1:8080
	[[ $output == *hello* ]] || die "$output"
	run -0 sk "$NAME" --share net ps -e -o comm=
	refute grep -q '^app' <<<"$output"
}

@test "case 3: strace of its first process, which is another user's, needs SYS_PTRACE and its processes" {
	beside docker scratch --user 1000 --cap-drop ALL
	run -0 sk "$NAME" --cap-add SYS_PTRACE sh -c 'timeout 3 strace -p 1 2>&1; true'
	[[ $output == *"Process 1 attached"* && $output == *poll* ]] || die "$output"
	run -0 sk "$NAME" sh -c 'timeout 3 strace -p 1 2>&1; ls /proc/1/root/ 2>&1; true'
	[[ $output == *"Operation not permitted"*"Permission denied"* ]] || die "$output"
	run -0 sk "$NAME" --cap-add CAP_SYS_PTRACE ls /proc/1/root/
	[[ $output == *app* ]] || die "$output"
	run -0 sk "$NAME" --share net --cap-add SYS_PTRACE sh -c 'cat /proc/1/comm'
	[[ $output == porthole ]] || die "$output"
}

@test "its capabilities are docker's, whatever the target has; added, taken away, named when they cannot be had" {
	local all
	beside docker scratch --cap-drop ALL
	run -0 sk "$NAME" grep CapEff /proc/self/status
	[[ $output == *00000000a80425fb ]] || die "$output"
	run -0 sk "$NAME" --cap-add SYS_PTRACE --cap-drop chown grep CapEff /proc/self/status
	[[ $output == *00000000a80c25fa ]] || die "$output"
	run -0 sk "$NAME" --cap-drop ALL --cap-add NET_RAW grep CapBnd /proc/self/status
	[[ $output == *0000000000002000 ]] || die "$output"
	run -0 --separate-stderr sk "$NAME" --cap-add ALL grep CapEff /proc/self/status
	all=$(grep CapBnd /proc/self/status)
	[[ ${output#*:} == "${all#*:}" ]] || die "$output, not $all"
	# who is not root has what was asked for
	run -0 sk "$NAME" -u 1000 --cap-add NET_RAW grep CapEff /proc/self/status
	[[ $output == *0000000000002000 ]] || die "$output"
	run -0 sk "$NAME" -u 1000 grep CapEff /proc/self/status
	[[ $output == *0000000000000000 ]] || die "$output"
	run -125 sk "$NAME" --cap-add NONSENSE true
	[[ $output == *"no capability 'NONSENSE'"* ]] || die "$output"
}

@test "what is written is forgotten, but for the target's files" {
	beside docker busybox
	run -0 sk "$NAME" sh -c 'echo x >/tmp/x; echo y >/y; echo z >/target/z; cat /tmp/x /y'
	[[ $output == $'x\ny' ]] || die "$output"
	run -0 sk "$NAME" sh -c 'cat /tmp/x /y 2>/dev/null; cat /target/z'
	[[ $output == z ]] || die "$output"
	[[ $(<"/proc/$PID/root/z") == z && ! -e /proc/$PID/root/y ]]
	run sk "$NAME" --read-only sh -c 'echo x >/x'
	[[ $status != 0 && $output == *"Read-only"* ]] || die "$output"
	run -0 sk "$NAME" --read-only sh -c 'echo x >/target/x; cat /target/x'
	[[ $output == x ]] || die "$output"
}

@test "ipc: /dev/shm is the target's where it is shared, and only there" {
	beside docker busybox
	echo hello >"/proc/$PID/root/dev/shm/here"
	run -0 sk "$NAME" cat /dev/shm/here
	[[ $output == hello ]] || die "$output"
	run -0 sk "$NAME" --share net ls -A /dev/shm
	[[ -z $output ]] || die "$output"
}

@test "an image, an archive, a directory: its files, its environment, its command" {
	local dir=$BATS_TEST_TMPDIR tar=$BATS_TEST_TMPDIR/image.tar id
	beside docker busybox
	engine_cli docker run --name "$NAME-i" --network none pt/busybox:1 /bin/sh -c 'echo ours >/ours'
	id=$(engine_cli docker commit -c 'ENV FROM=image' -c 'ENTRYPOINT ["/bin/echo", "entry"]' -c 'CMD ["cmd"]' \
		"$NAME-i" "pt/$NAME")
	engine_cli docker rm "$NAME-i" >/dev/null
	engine_cli docker save "pt/$NAME" >"$tar"
	run -0 sk "$NAME" --image "$tar"
	[[ $output == "entry cmd" ]] || die "$output"
	run -0 sk "$NAME" --image "image://${id#sha256:}" given
	[[ $output == "entry given" ]] || die "$output"
	# shellcheck disable=SC2016
	run -0 sk "$NAME" --image "${id#sha256:}" --entrypoint /bin/sh -- -c 'echo "$FROM"; cat /ours
		ls /dev/p /target 2>&1; ls -d /proc/1/task; wget -qO- 127.0.0.1:8080; echo more >/ours'
	[[ $output == *$'image\nours\n'* && $output == *hello* && $output == *app* ]] || die "$output"
	[[ $output == *"/dev/p: No such file"* ]] || die "a kit that nobody asked for: $output"
	run -0 sk "$NAME" --image "$tar" --entrypoint cat /ours
	[[ $output == ours ]] || die "not forgotten: $output"
	cp -a "$(image_root busybox)" "$dir/rootfs"
	run -0 sk "$NAME" --image "$dir/rootfs" sh -c 'ls /bin/busybox; cat /etc/hosts | grep -c ^127'
	[[ $output == $'/bin/busybox\n1' ]] || die "$output"
	run -0 sk "$NAME" --image "$dir/rootfs" --kit "$PORTHOLE_BUILD/kit.erofs" strace -V
	[[ $output == strace* ]] || die "$output"
	run -127 sk "$NAME" --image "$dir/rootfs" no-such-command
	[[ $output == *"no command 'no-such-command' in the PATH of "*"with --kit FILE a kit's tools would be there too" ]] || die "$output"
	run -125 sk "$NAME" --image "no-such-$NAME" true
	[[ $output == *"no engine on this host has an image"* && $output != *"porthole exec"* ]] || die "$output"
	engine_cli docker rmi "pt/$NAME" >/dev/null
}

@test "volumes, environment, user, directory, terminal, names" {
	local dir=$BATS_TEST_TMPDIR
	beside docker scratch
	echo from >"$dir/file"
	run -2 sk "$NAME" -v "$dir:/a/b" -v "$dir/file:/f:ro" sh -c 'cat /a/b/file /f; echo to >/a/b/to; echo no >/f'
	[[ $output == $'from\nfrom\n'*"Read-only"* ]] || die "$output"
	[[ $(<"$dir/to") == to && $(<"$dir/file") == from ]]
	# shellcheck disable=SC2016
	run -0 sk "$NAME" -e A=1 -u 7:8 -w /tmp sh -c 'echo $A $(id -u) $(id -g) $PWD $(hostname)'
	[[ $output == "1 7 8 /tmp $NAME" ]] || die "$output"
	run -0 sk "$NAME" --name other hostname
	[[ $output == other ]] || die "$output"
	run -0 sk -t "$NAME" tty
	[[ $output == /dev/pts/* ]] || die "$output"
	run -0 sk "$NAME" cat <<<"passed on"
	[[ $output == "passed on" ]] || die "$output"
	run -125 sk "$NAME" -v /no/such:/x true
	[[ $output == *"'/no/such', which is to be at"* ]] || die "$output"
	run -125 sk "$NAME" -v /tmp true
	[[ $output == *"HOST:PATH"* ]] || die "$output"
	run -127 sk "$NAME" no-such-command
	[[ $output == *"no command 'no-such-command'"* ]] || die "$output"
	run -3 sk "$NAME" sh -c 'exit 3'
	run -137 sk "$NAME" sh -c 'kill -9 $$'
}

@test "user namespaces: root is root there, nobody here, and the files are its" {
	beside docker-userns busybox
	run -0 sk "$NAME" sh -c 'id -u; touch /new /tmp/new; stat -c %u / /new /dev /dev/p /target/bin; cat /proc/1/comm'
	[[ $output == $'0\n0\n0\n0\n0\n0\napp' ]] || die "$output"
	run -0 sk "$NAME" sh -c 'cat /proc/self/uid_map; readlink /proc/self/ns/user'
	[[ $output == *"$(readlink "/proc/$PID/ns/user")"* ]] || die "$output"
	run -0 sk "$NAME" --cap-add SYS_PTRACE sh -c 'timeout 3 strace -p 1 2>&1; true'
	[[ $output == *"Process 1 attached"* ]] || die "$output"
	run -0 sk "$NAME" --explain
	[[ $output == *"root in the sidekick is root"* ]] || die "$output"
	cp -a "$(image_root busybox)" "$BATS_TEST_TMPDIR/rootfs"
	run -0 sk "$NAME" --image "$BATS_TEST_TMPDIR/rootfs" sh -c 'stat -c %u /bin/busybox; touch /bin/x; stat -c %u /bin/x'
	[[ $output == $'0\n0' ]] || die "$output"
	# nothing shared: nothing of it is needed
	run -0 sk "$NAME" --share none readlink /proc/self/ns/user
	[[ $output == "$(readlink /proc/self/ns/user)" ]] || die "$output"
}

@test "a target that ends: with its processes the sidekick goes, without it stays, and says so" {
	local out=$BATS_TEST_TMPDIR/out pid
	beside runc busybox
	sk "$NAME" sh -c 'echo up; sleep 60' >"$out" 2>&1 3>&- &
	pid=$!
	wait_until 5 grep -q up "$out"
	sk "$NAME" --share net sh -c 'echo up; sleep 3; echo still' >"$out.2" 2>&1 3>&- &
	wait_until 5 grep -q up "$out.2"
	kill -KILL "$PID"
	run wait "$pid"
	wait_until 5 grep -q "stopped, which ended the session" "$out"
	wait_until 8 grep -q still "$out.2"
	grep -q "the sidekick goes on" "$out.2"
}

@test "--explain changes nothing and tells what is joined, made and given" {
	beside docker scratch
	residue_snapshot "$BATS_TEST_TMPDIR/r" "$PID"
	run -0 sk "$NAME" --share net --cap-add SYS_PTRACE --explain true
	[[ $output == *$'joins        net\n'* && $output == *"makes        mnt,pid,"* ]] || die "$output"
	[[ $output == *"docker's default 14 and sys_ptrace"* && $output == *"the sidekick goes on"* ]] || die "$output"
	run -0 sk "$NAME" --explain --json
	[[ $(jq -r '.joins | sort | join(",")' <<<"$output") == ipc,net,pid ]] || die "$output"
	[[ $(jq -c '[.image, .volumes]' <<<"$output") == '[null,[]]' ]] || die "$output"
	run -0 sk "$NAME" -v /tmp:/a:ro -v /etc:/b --image "$(image_root busybox)/" --explain --json true
	[[ $(jq -c .volumes <<<"$output") == '["/tmp:/a:ro","/etc:/b"]' && $(jq -r .image <<<"$output") == *busybox* ]] || die "$output"
	residue_assert_same "$BATS_TEST_TMPDIR/r"
}

@test "limits: a cgroup of its own, gone afterwards" {
	beside docker scratch
	residue_snapshot "$BATS_TEST_TMPDIR/r" "$PID"
	run sk "$NAME" --pids 3 sh -c 'sleep 5 & sleep 5 & sleep 5 & sleep 5 & wait'
	[[ $output == *"fork"* ]] || die "$output"
	residue_assert_same "$BATS_TEST_TMPDIR/r"
}
