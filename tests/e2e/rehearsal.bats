#!/usr/bin/env bats
# porthole entrypoint --run: what the command is given and denied is what the engine itself gives and
# denies: its own run of the same container says the same.
load ../lib/porthole

# What a process can see of the limits it has.
LOOK='ulimit -n; ulimit -Hn; ulimit -Hc; id -G; stat -f -c %b:%s /scratch /dev/shm; stat -c %a /scratch /tmp; grep -o " /scratch .*noexec" /proc/mounts
cat /proc/self/oom_score_adj /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax
grep Seccomp: /proc/self/status; mkdir /tmp/d 2>&1; dd if=/dev/zero of=/scratch/large bs=1k count=65 2>/dev/null; echo $?; (echo two >/etc/one) 2>&1; true'

# same E NAME: the engine's own run and the rehearsal print the same; standard error is left in $stderr.
same() {
	local own
	own=$(engine_cli "$1" start -a "$2" 2>&1 </dev/null) || true
	[[ $own == *Seccomp:* ]] || die "$1: $own"
	run -0 --separate-stderr in_engine "$1" "$PORTHOLE" entrypoint --run "$2"
	[[ $output == "$own" ]] || die "$1: $(diff <(echo "$own") <(echo "$output")) $stderr"
}

# A profile that denies mkdir(2) with an error no kernel gives for it.
profile() {
	echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat", "no_such_call"],
		"action": "SCMP_ACT_ERRNO", "errnoRet": 42}]}' >"$BATS_TEST_TMPDIR/profile.json"
}

@test "docker: ulimits, groups, tmpfs, /dev/shm, OOM score, sysctls, seccomp" {
	require docker-default
	local E=docker-default n
	n=$(uniq_name held)
	profile
	echo one >"$BATS_TEST_TMPDIR/one"
	target_start "$E" "$n-on" busybox >/dev/null
	engine_cli "$E" create --name "$n" --network none --ulimit nofile=123:456 --ulimit core=0 --group-add 4242 \
		--tmpfs /scratch:size=64k,mode=700 --tmpfs /tmp --shm-size 1m --oom-score-adj 500 --sysctl net.ipv4.ip_forward=1 \
		--sysctl kernel.msgmax=4096 --security-opt "seccomp=$BATS_TEST_TMPDIR/profile.json" \
		-v "$BATS_TEST_TMPDIR/one:/etc/one:ro" pt/busybox:1 /bin/sh -c "$LOOK" >/dev/null
	same "$E" "$n"
	[[ $output == $'123\n456\n0\n'*' 4242'*$'\n16:4096\n256:4096\n700\n1777\n'*noexec$'\n500\n1\n0\n4096\n'*$':\t2\n'*"type"*$'\n1\n'*"Read-only"* ]] || die "$output"
	[[ $stderr != *"not rehearsed"* ]] || die "$stderr"
}

@test "docker: what cannot be is named, and nothing else" {
	require docker-default
	local E=docker-default n d=$BATS_TEST_TMPDIR
	n=$(uniq_name held)
	mknod "$d/mouse" c 10 1
	target_start "$E" "$n-on" busybox >/dev/null
	engine_cli "$E" create --name "$n" --ulimit nofile=9999999999 --oom-score-adj -7 --sysctl net.ipv4.conf.eth7.forwarding=1 \
		--device "$d/mouse:/dev/in/mouse" --device /dev/zero:/dev/nought --device "$d/none:/dev/none" \
		pt/busybox:1 /bin/sh -c 'test -c /dev/nought && echo nought; ls /dev/in' >/dev/null
	run --separate-stderr in_engine "$E" setpriv --bounding-set=-sys_resource "$PORTHOLE" entrypoint --run "$n"
	[[ $output == nought ]] || die "$output $stderr"
	[[ $stderr == *"sysctl net.ipv4.conf.eth7.forwarding is not set here: No such file"* ]] || die "$stderr"
	[[ ${stderr##*$'\n'} == "porthole: not rehearsed: its network; its ulimit nofile ("*" is the most that we may give); its OOM score -7 (ours of "*"); its seccomp profile (docker's own, which no file tells); its device /dev/in/mouse (what is done to it stays done: --devices hands it over); its device /dev/none (the host has none)" ]] || die "$stderr"
	run -0 --separate-stderr in_engine "$E" "$PORTHOLE" entrypoint --run --devices "$n"
	[[ $output == $'nought\nmouse' && $stderr != *"/dev/in/mouse"* ]] || die "$output $stderr"
	run -125 in_engine "$E" "$PORTHOLE" entrypoint --devices "$n"
	[[ $output == *"add --run"* ]]
}

@test "podman: the same, by its own words" {
	require podman-default
	local E=podman-default n
	n=$(uniq_name held)
	profile
	echo one >"$BATS_TEST_TMPDIR/one"
	target_start "$E" "$n-on" busybox >/dev/null
	engine_cli "$E" create --name "$n" --network none --ulimit nofile=123:456 --ulimit nproc=99 --ulimit core=0 --group-add 4242 \
		--tmpfs /scratch:size=64k,mode=700 --tmpfs /tmp --shm-size 1m --oom-score-adj 500 --sysctl net.ipv4.ip_forward=1 \
		--sysctl kernel.msgmax=4096 --security-opt "seccomp=$BATS_TEST_TMPDIR/profile.json" \
		-v "$BATS_TEST_TMPDIR/one:/etc/one:ro" docker.io/pt/busybox:1 /bin/sh -c "$LOOK" >/dev/null
	same "$E" "$n"
	[[ $stderr != *"not rehearsed"* ]] || die "$stderr"
	engine_cli "$E" create --name "$n-d" --network none --ulimit nofile=200 --ulimit nproc=99 --ulimit memlock=1234:-1 docker.io/pt/busybox:1 \
		/bin/sh -c 'grep Seccomp: /proc/self/status; ulimit -n; ulimit -l; unshare -m true' >/dev/null
	run -1 --separate-stderr in_engine "$E" setpriv --bounding-set=-sys_resource "$PORTHOLE" entrypoint --run "$n-d"
	[[ $output == $'Seccomp:\t2\n200\n1' && $stderr == *"unshare"*"not permitted"* ]] || die "$output $stderr"
}

@test "podman: what its runtime refused to start has not ended with success" {
	require podman-default
	local E=podman-default n
	n=$(uniq_name held)
	target_start "$E" "$n-on" busybox >/dev/null
	engine_cli "$E" create --name "$n" --network none --ulimit nofile=200 --ulimit nproc=99 --sysctl net.ipv4.nothing=1 \
		docker.io/pt/busybox:1 /bin/true >/dev/null
	refute engine_cli "$E" start -a "$n"
	run -0 in_engine "$E" "$PORTHOLE" entrypoint "$n"
	[[ $output == *", created"* && $output != *"success"* ]] || die "$output"
	run -0 --separate-stderr in_engine "$E" "$PORTHOLE" entrypoint --run "$n"
	[[ $stderr == *"its sysctl net.ipv4.nothing is not set here: No such file"* ]] || die "$stderr"
}

@test "containerd: the same, of its database" {
	require containerd
	local n
	n=$(uniq_name held)
	target_start containerd "$n" busybox --seccomp -- /bin/sh -c 'grep Seccomp: /proc/self/status; ulimit -n; stat -f -c %b /dev/shm; sleep 1000' >/dev/null
	run -124 --separate-stderr "$PORTHOLE" entrypoint --run --timeout 2 "$n"
	[[ $output == $'Seccomp:\t2\n1024\n16384' ]] || die "$output $stderr"
	[[ $stderr != *"not rehearsed: "*seccomp* ]] || die "$stderr"
}

@test "CRI: what it said when it could not start it" {
	require cri
	local n
	n=$(uniq_name held)
	target_start cri@said "$n-on" busybox >/dev/null
	refute engine_cli cri@said run "$n" docker.io/pt/busybox:1 default /nowhere
	run -1 "$PORTHOLE" entrypoint "$n"
	[[ $output == *"cri said: failed to "*"/nowhere"*"! /nowhere is not there"* ]] || die "$output"
	engine_stop cri@said
}
