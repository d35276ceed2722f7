#!/usr/bin/env bats
# porthole entrypoint: containers that do not start, for each reason, and the same ones mended.
load ../lib/porthole

E=docker-default

ep() {
	in_engine "$E" "$PORTHOLE" entrypoint "$@"
}

# make NAME IMAGE [FLAG...] -- CMD...: a container that was never started.
make() {
	local name=$1 image=$2 flags=()
	shift 2
	while [[ $1 != -- ]]; do
		flags+=("$1")
		shift
	done
	shift
	engine_start "$E" && "_${E%%-*}_load" "$(_engine_dir "$E")" "$image" ${PODMAN:+_podman_default_cli} || return 1
	engine_cli "$E" create --name "$name" --network none "${flags[@]}" "${PODMAN:+docker.io/}pt/$image:1" "$@" >/dev/null
}

# put NAME PATH MODE: standard input becomes that file of the container.
put() {
	cat >"$BATS_TEST_TMPDIR/put" && chmod "$3" "$BATS_TEST_TMPDIR/put" &&
		engine_cli "$E" cp "$BATS_TEST_TMPDIR/put" "$1:$2" >/dev/null 2>&1
}

start() {
	engine_cli "$E" start -a "$1" >/dev/null 2>&1 </dev/null || true
}

# found NAME ID [TEXT]: that finding, saying so; and exit code 1.
found() {
	run -1 ep --json "$1"
	[[ $(jq -r --arg id "$2" '.findings[] | select(.id == $id) | .text + " " + .fix' <<<"$output") == *"${3:-}"?* ]]
}

# fine NAME: nothing is wrong.
fine() {
	run -0 ep --json "$1"
	[[ $(jq '.findings | length' <<<"$output") == 0 ]]
}

@test "a program that is not there, and the nearest name; secrets hidden" {
	require docker-default
	local n
	n=$(uniq_name ep)
	make "$n" busybox -e DB_PASSWORD=hunter2 -- /entrypoint.sh --port 80
	put "$n" /docker-entrypoint.sh 755 <<<$'#!/bin/sh\nexit 0'
	start "$n"
	found "$n" not-found /docker-entrypoint.sh
	run -1 ep "$n"
	[[ $output == *"127: what it should run"*"docker said:"*"/entrypoint.sh --port 80"* ]]
	[[ $output == *"! /entrypoint.sh is not there."*"Fix: The nearest name is /docker-entrypoint.sh"* ]]
	[[ $output == *"DB_PASSWORD=***"* && $output != *hunter2* ]]
	run -1 ep --show-secrets "$n"
	[[ $output == *DB_PASSWORD=hunter2* ]]
	put "$n" /entrypoint.sh 755 <<<$'#!/bin/sh\nexit 0'
	fine "$n"
	run -0 ep "$n"
	[[ $output == *"Nothing that its files tell"* ]]
}

@test "line ends of Windows, no interpreter, no #!, not executable" {
	require docker-default
	local n
	n=$(uniq_name ep)
	make "$n" busybox -- /run.sh
	put "$n" /run.sh 755 <<<$'#!/bin/sh\r\nexit 0\r'
	start "$n"
	found "$n" shebang-crlf "sed -i"
	put "$n" /run.sh 755 <<<$'#!/bin/bash\nexit 0'
	found "$n" interpreter-missing /bin/bash
	put "$n" /run.sh 755 <<<'exit 0'
	found "$n" no-shebang "exec format error"
	put "$n" /run.sh 644 <<<$'#!/bin/sh\nexit 0'
	found "$n" not-executable 0644
	put "$n" /run.sh 755 <<<$'#!/bin/sh\nexit 0'
	fine "$n"
}

@test "users and directories" {
	require docker-default
	local n
	n=$(uniq_name ep)
	make "$n" busybox -u web -- /bin/true
	start "$n"
	found "$n" user-unknown useradd
	make "$n-app" busybox -u app -w /root/x -- /bin/true
	engine_cli "$E" run --name "$n-w" --network none -w /root/x pt/busybox:1 /bin/chmod 700 /root
	engine_cli "$E" commit -c 'USER app' -c 'CMD ["/bin/true"]' "$n-w" "pt/$n" >/dev/null
	engine_cli "$E" create --name "$n-d" --network none "pt/$n" >/dev/null
	found "$n-d" cwd-denied "/root"
	make "$n-ok" busybox -u app -w /tmp -- /bin/true
	fine "$n-ok"
	run -0 ep --json "$n-ok"
	[[ $(jq -r '"\(.run.uid) \(.run.user_name) \(.run.directory)"' <<<"$output") == "1000 app /tmp" ]]
}

@test "the wrong libc, a missing library, a program cut off, the wrong machine" {
	require docker-default
	local n
	n=$(uniq_name ep)
	make "$n" busybox -- /prog
	put "$n" /prog 755 </bin/ls
	start "$n"
	found "$n" loader-missing "no C library at all"
	make "$n-deb" bookworm -- /prog
	put "$n-deb" /prog 755 <"$(command -v jq)"
	start "$n-deb"
	found "$n-deb" library-missing libjq.so.1
	run -1 ep "$n-deb"
	[[ $output == *"exited with code 127"*"glibc 2."* ]]
	head -c 5000 /bin/ls | put "$n-deb" /prog 755
	found "$n-deb" truncated "5000 bytes"
	{ head -c 18 /bin/true; printf '\xb7\0'; tail -c +21 /bin/true; } | put "$n-deb" /prog 755
	found "$n-deb" wrong-machine aarch64
	put "$n-deb" /prog 755 </bin/true
	fine "$n-deb"
}

@test "shell form; exit codes and kills in words" {
	require docker-default
	local n
	n=$(uniq_name ep)
	make "$n" busybox -- /bin/sh -c 'exec node server.js'
	start "$n"
	found "$n" shell-command "'node'"
	run -1 ep "$n"
	[[ $output == *"shell form"*"* The shell is told to run 'node'"* ]]
	make "$n-3" busybox -- /bin/sh -c 'exit 3'
	start "$n-3"
	run -0 ep "$n-3"
	[[ $output == *"exited with code 3"*"the program's own, its log says why"*"rehearsal"* ]]
	make "$n-k" busybox -- /bin/sleep 1000
	engine_cli "$E" start "$n-k"
	engine_cli "$E" kill "$n-k"
	wait_until 10 engine_says "$E" exited "$n-k"
	run -0 ep "$n-k"
	[[ $output == *"137: killed by SIGKILL: somebody killed it"* ]]
	make "$n-m" busybox --memory 16m -- /bin/sh -c 'a=x; while :; do a=$a$a; done'
	start "$n-m"
	run -1 ep "$n-m"
	[[ $output == *"137: killed by SIGKILL: the kernel killed it because it was at its memory limit (OOM)"* ]]
	[[ $output == *"* The kernel killed it, or a process of it, at its memory limit of 16 MiB."*"Fix: Give it more (--memory "* ]]
	engine_cli "$E" update --memory 24m --memory-swap -1 "$n-m" >/dev/null
	found "$n-m" out-of-memory "memory limit of 24 MiB"
}

@test "a container that runs: as it is now, volumes included" {
	require docker-default
	local n
	n=$(uniq_name ep)
	mkdir -p "$BATS_TEST_TMPDIR/vol"
	printf '#!/bin/sh\nexec sleep 1000\n' >"$BATS_TEST_TMPDIR/vol/run"
	chmod 755 "$BATS_TEST_TMPDIR/vol/run"
	target_start "$E" "$n" busybox -v "$BATS_TEST_TMPDIR/vol:/srv" -- /srv/run
	fine "$n"
	[[ $(jq -r '.target.state' <<<"$output") == running ]]
	printf '#!/bin/nosuch\n' >"$BATS_TEST_TMPDIR/vol/run"
	found "$n" interpreter-missing /bin/nosuch
	engine_cli "$E" kill "$n"
	wait_until 10 engine_says "$E" exited "$n"
	found "$n" interpreter-missing /bin/nosuch
	printf '#!/bin/sh\nexit 0\n' >"$BATS_TEST_TMPDIR/vol/run"
	fine "$n"
}

# origins NAME: who said what, as "ENTRYPOINT CMD USER".
origins() {
	ep --json "$1" | jq -r '.run | "\(.entrypoint_from) \(.cmd_from) \(.user_from)"'
}

@test "a machine that runs: what it was started with, which is in no file" {
	local name
	name=$(uniq_name machine)
	target_start nspawn "$name" busybox >/dev/null
	run -0 "$PORTHOLE" entrypoint --json "$name"
	[[ $(jq -r .run.command <<<"$output") == /app ]] || die "$output"
	target_stop nspawn "$name"
}

@test "what comes from the image, and what from whoever made the container" {
	require docker-default
	local n
	n=$(uniq_name ep)
	make "$n" busybox -- /bin/true
	engine_cli "$E" commit -c 'ENTRYPOINT ["/bin/echo"]' -c 'CMD ["hello"]' -c 'USER app' "$n" "pt/$n" >/dev/null
	engine_cli "$E" create --name "$n-same" --network none "pt/$n" >/dev/null
	engine_cli "$E" create --name "$n-args" --network none "pt/$n" other words >/dev/null
	engine_cli "$E" create --name "$n-all" --network none -u 0 --entrypoint /bin/true "pt/$n" >/dev/null
	[[ $(origins "$n-same") == "image image image" ]]
	[[ $(origins "$n-args") == "image container image" ]]
	[[ $(origins "$n-all") == "container container container" ]]
	run -0 ep "$n-args"
	[[ $output == *"entry point  /bin/echo (from the image)"*"arguments    other words (given when "* ]]
	run -0 ep "image://pt/$n"
	[[ $output == *"/bin/echo hello"*"uid 1000 (app)"*"Nothing that its files tell"* ]]
	run -0 --separate-stderr ep --run "image://pt/$n" -- rehearsed
	[[ $output == rehearsed ]]
}

@test "archives and directories" {
	require root
	local root tar
	tar=$(image_archive busybox)
	run -0 "$PORTHOLE" entrypoint "$tar"
	[[ $output == *"command      /app"*"Nothing that its files tell"* ]]
	target_root "$BATS_TEST_TMPDIR" busybox
	run -1 "$PORTHOLE" entrypoint --json "$BATS_TEST_TMPDIR/rootfs/"
	[[ $(jq -r '.findings[].id' <<<"$output") == empty ]]
	umount "$BATS_TEST_TMPDIR/rootfs"
}

@test "a shell's script: one that is missing, one on a volume whose place is made at the start" {
	require docker-default
	local n
	n=$(uniq_name ep)
	make "$n-gone" busybox -- sh /no-such.sh
	found "$n-gone" shell-command "'/no-such.sh', which is not there"
	mkdir "$BATS_TEST_TMPDIR/v"
	echo true >"$BATS_TEST_TMPDIR/v/x.sh"
	make "$n-vol" busybox -v "$BATS_TEST_TMPDIR/v:/srv/v" -- sh /srv/v/x.sh
	fine "$n-vol"
}

@test "a program on a volume whose place is made at the start: it is looked at where it lies" {
	require docker-default
	local n v=$BATS_TEST_TMPDIR/v
	n=$(uniq_name ep)
	mkdir "$v"
	printf '#!/bin/sh\nexit 0\n' >"$v/run"
	chmod 755 "$v/run"
	make "$n" busybox -v "$v:/srv/deep/v" -v "$v/run:/one" -w /srv/deep/v -- ./run
	make "$n-one" busybox -v "$v/run:/srv/one" -- /srv/one
	fine "$n"
	fine "$n-one"
	run -0 ep "$n"
	[[ $output == *"./run -> /srv/deep/v/run, a script"* ]]
	printf '#!/bin/bash\nexit 0\n' >"$v/run"
	found "$n" interpreter-missing "/bin/bash, the interpreter that the first line of /srv/deep/v/run names"
	found "$n-one" interpreter-missing /bin/bash
	chmod 644 "$v/run"
	found "$n" not-executable 0644
	make "$n-no" busybox -v "$v:/srv/deep/v" -- /srv/deep/v/gone
	found "$n-no" not-found "/srv/deep/v is a mount"
}

# on_tmpfs OPTIONS: prints the pid of a process that says it was started from a tmpfs so mounted.
on_tmpfs() {
	local d
	d=$(mktemp -d "$BATS_TEST_TMPDIR/t.XXXXXX")
	spawn "$d.pid" "$d.log" unshare --mount bash -c 'mount -t tmpfs -o "$0" none "$1" && cp /bin/sleep "$1/prog" &&
		chmod 4755 "$1/prog" && chown 1000 "$1/prog" && chmod u+s "$1/prog" && exec -a "$1/prog" sleep 1000' "$1" "$d"
	wait_until 5 grep -qz "^$d/prog" "/proc/$(<"$d.pid")/cmdline" || return 1
	cat "$d.pid"
}

@test "a process: mounts that forbid to execute, or to set ids" {
	require unshare
	local pid
	pid=$(on_tmpfs noexec,nosuid)
	found "pid:$pid" noexec "mounted noexec"
	found "pid:$pid" setuid "mounted nosuid"
	[[ $(jq -r .run.cmd_from <<<"$output") == process ]]
	kill "$pid"
	pid=$(on_tmpfs rw)
	fine "pid:$pid"
	kill "$pid"
}

@test "podman: a container that crashed" {
	require podman-default
	local n E=podman-default PODMAN=1
	n=$(uniq_name ep)
	make "$n" busybox -- /run.sh
	put "$n" /run.sh 755 <<<$'#!/bin/bash\nexit 0'
	start "$n"
	found "$n" interpreter-missing /bin/bash
	put "$n" /run.sh 755 <<<$'#!/bin/sh\nexit 0'
	fine "$n"
	engine_cli "$E" commit -c ENTRYPOINT='["/bin/echo"]' -c CMD='["hello"]' "$n" "pt/$n" >/dev/null
	engine_cli "$E" create --name "$n-args" --network none "localhost/pt/$n" other words >/dev/null
	engine_cli "$E" start -a "$n-args" # podman writes down only then what it runs
	[[ $(origins "$n-args") == "image container image" ]]
}

@test "--run: the container's own words; nothing is written" {
	require docker-default
	local n
	n=$(uniq_name ep)
	make "$n" busybox -u app -w /tmp -e MARK=42 -- /bin/sh -c 'id -u; pwd; echo $MARK $PATH; echo x >/tmp/new; cat; exit 7'
	start "$n"
	run -7 --separate-stderr ep --run "$n"
	[[ ${lines[0]} == 1000 && ${lines[1]} == /tmp && ${lines[2]} == "42 /usr/local/bin:/usr/bin:/bin" ]]
	[[ $stderr == *"with code 7: the program's own, its log says why"* ]]
	engine_cli "$E" cp "$n:/tmp/new" "$BATS_TEST_TMPDIR/new"  # its own start wrote that
	make "$n-w" busybox -- /bin/touch /new
	run -0 ep --run "$n-w"
	refute engine_cli "$E" cp "$n-w:/new" "$BATS_TEST_TMPDIR/none"
	run -0 --separate-stderr ep --run "$n-w" -- /bin/echo other words
	[[ $output == "other words" ]]
}

@test "--run: process 1, read-only where the container is, and killed for want of memory" {
	require docker-default
	local n
	n=$(uniq_name ep)
	mkdir "$BATS_TEST_TMPDIR/vol"
	make "$n" busybox --read-only --tmpfs /tmp -v "$BATS_TEST_TMPDIR/vol:/ro:ro" -v "$BATS_TEST_TMPDIR/vol:/rw" -- \
		/bin/sh -c 'echo $$; ps -o pid | tail -n +2 | wc -l; echo >/new; echo >/ro/new; echo >/rw/new && echo >/tmp/new && ls /tmp; (sleep 300 &); exit 3'
	run -3 --separate-stderr ep --run "$n"
	[[ ${lines[0]} == 1 && ${lines[1]} -le 4 && ${lines[2]} == new ]] || die "$output"
	[[ $stderr == *"/new: Read-only file system"*"/ro/new: Read-only file system"*"with code 3"*"not rehearsed: its seccomp profile (docker"* && ! -e $BATS_TEST_TMPDIR/vol/new ]] || die "$stderr"
	make "$n-m" busybox -m 20m -- /bin/dd if=/dev/zero of=/dev/null bs=60M
	start "$n-m"
	found "$n-m" out-of-memory "at its memory limit of 20 MiB"
	run -137 --separate-stderr ep --run "$n-m"
	[[ $stderr == *"one of its processes was killed by the kernel: out of memory, limit 20 MiB"$'\n'"          Fix: Give it more"* ]]
	[[ $stderr == *"one of its processes was killed by the kernel: out of memory, limit 20 MiB"* ]] || die "$stderr"
	make "$n-k" busybox -m 20m -- /bin/sh -c 'sh -c "kill -9 \$\$"; exit 5'
	run -5 --separate-stderr ep --run "$n-k"
	[[ $stderr != *"out of memory"* ]]
}

@test "--run: signals, time, what cannot be started" {
	require docker-default
	local n
	n=$(uniq_name ep)
	make "$n" busybox -- /bin/sh -c 'sh -c "kill -SEGV \$\$"; exit $?'
	run -139 ep --run "$n"
	[[ $output == *"code 139: killed by SIGSEGV"* ]]
	run -0 ep --run "$n" -- /bin/sh -c 'kill -SEGV $$' # to process 1 that is nothing, as in its engine
	run -124 ep --run --timeout 1 "$n" -- /bin/sh -c 'trap "" TERM; echo here; sleep 1000'
	[[ $output == *here*"still running after 1 second, and was ended: it does start"* ]]
	make "$n-u" busybox -u web -- /bin/true
	run -126 ep --run "$n-u"
	[[ $output == *"run as 'web'"*useradd* ]]
	make "$n-s" busybox -- /bin/sh -c 'nothing-of-that-name'
	run -127 ep --run "$n-s"
	[[ $output == *"with code 127:"*"told to run 'nothing-of-that-name'"*"Fix: "* ]]
	run -127 ep --run "$n" -- /nowhere
	[[ $output == *"/nowhere"* ]]
	refute pgrep -f "trap .* TERM; echo here"
}

# processes TAG: are there any with that in their environment?
processes() {
	grep -qsaz "^MARK=$1\$" /proc/[0-9]*/environ
}

no_processes() {
	refute processes "$1"
}

@test "--run: killed half-way, nothing goes on" {
	require docker-default
	local n
	n=$(uniq_name ep)
	make "$n" busybox -e "MARK=$n" -- /bin/sleep 1000
	spawn "$BATS_TEST_TMPDIR/pid" "$BATS_TEST_TMPDIR/log" nsenter \
		"--mount=/proc/$(<"$(_engine_dir "$E")/ns.pid")/ns/mnt" -- "$PORTHOLE" entrypoint --run "$n"
	wait_until 10 processes "$n"
	kill -KILL "$(<"$BATS_TEST_TMPDIR/pid")"
	wait_until 2 no_processes "$n"
}

@test "--run --strace: the last calls that failed" {
	require docker-default kit
	local n
	n=$(uniq_name ep)
	make "$n" busybox -- /bin/cat /etc/nothing-here
	run -1 --separate-stderr ep --run --strace=open,openat "$n"
	[[ $stderr == *"last system calls that failed:"*'"/etc/nothing-here"'*ENOENT* ]]
	[[ $stderr == *"with code 1:"* && $output == "" ]]
	run -1 --separate-stderr ep --run "$n"
	[[ $stderr != *"system calls"* ]]
}

# refused NAME ID TEXT: found, and a rehearsal says so too, whatever became of the command.
refused() {
	start "$1"
	found "$1" "$2" "$3" || return 1
	run -1 ep "$1"
	[[ $output != *"can be started"* && $output != *"Nothing that"* ]] || return 1
	run -0 ep --run "$1"
	[[ $output == *"$3"*"Fix: "* ]]
}

@test "what the engine refused to start; sources that are gone" {
	require docker-default
	local n src=$BATS_TEST_TMPDIR/src
	n=$(uniq_name ep)
	mkdir "$src" "$src-v"
	make "$n" busybox --mount "type=bind,src=$src,dst=/g" -v "$src-v:/v" -- /bin/true
	fine "$n"
	rmdir "$src"
	refused "$n" mount-gone "$src, which should be mounted at /g, is gone"
	run -0 in_engine "$E" "$PORTHOLE" exec "$n" true
	[[ $output == *"/g is not mounted: its source $src is gone"* ]]
	run -124 ep --run --timeout 1 "$n" -- /bin/sleep 100
	[[ $output == *"does start, but not in its engine"* ]]
	mkdir "$src" && rmdir "$src-v"
	found "$n" mount-gone "makes an empty directory"
	start "$n" # -v
	fine "$n"
	engine_cli "$E" volume create "$n" >/dev/null
	make "$n-vol" busybox -v "$n:/data" -- /bin/true
	in_engine "$E" rm -r "$(engine_cli "$E" volume inspect -f '{{.Mountpoint}}' "$n")"
	refused "$n-vol" mount-gone "$n, which should be mounted at /data"
	engine_cli "$E" create --name "$n-net" --network "container:$n" pt/busybox:1 /bin/true >/dev/null
	refused "$n-net" refused "docker refused to start it: "
	[[ $output == *"Start the container first whose network"* ]]
	make "$n-dev" busybox --device /dev/nodevx -- /bin/true
	refused "$n-dev" refused /dev/nodevx
	[[ $output == *"without that --device"* ]]
}

@test "--run --strace: strace's own failure is told as such, and a program's words are not taken for it" {
	require docker-default kit
	local n
	n=$(uniq_name ep)
	make "$n" busybox -- /bin/sh -c 'echo "/dev/p/b/strace: invalid me" >&2; exit 1'
	run -125 --separate-stderr ep --run --strace=bogus "$n"
	[[ $stderr == *"strace itself failed, and so the program was not run: invalid system call 'bogus'"*"--strace=EXPR is "* ]]
	[[ $stderr != *"it ended after"* ]]
	run -1 --separate-stderr ep --run --strace "$n"
	[[ $stderr == *"with code 1: the program's own"* && $stderr != *"strace itself"* ]]
}

@test "what could not be run: the same code under strace, and not called the program's own" {
	require docker-default kit
	local n
	n=$(uniq_name ep)
	make "$n" busybox -- /run.sh
	put "$n" /run.sh 755 <<<'exit 0'
	start "$n"
	run -1 ep "$n"
	[[ $output == *"no #!"* || $output == *"exec format"* ]]
	[[ $output != *"its log says why"* ]]
	run -126 ep --run "$n"
	run -126 ep --run --strace "$n"
	put "$n" /run.sh 644 <<<$'#!/bin/sh\nexit 0'
	run -126 ep --run "$n"
	run -126 ep --run --strace "$n"
	put "$n" /run.sh 755 <<<$'#!/bin/sh\nexit 1'
	run -1 ep --run --strace "$n"
	put "$n" /run.sh 755 <<<$'#!/bin/sh\nexit 0'
	run -0 ep --run "$n"
	[[ $output == *"not rehearsed: its seccomp profile (docker"* ]]
	target_root "$BATS_TEST_TMPDIR" busybox
	run -125 "$PORTHOLE" entrypoint --run "$BATS_TEST_TMPDIR/rootfs/"
	[[ $output == *"has nothing to run"*"-- CMD"* ]]
	run -0 "$PORTHOLE" entrypoint --run "$BATS_TEST_TMPDIR/rootfs/" -- /bin/true
	umount "$BATS_TEST_TMPDIR/rootfs"
}

@test "wrong usage" {
	run -125 "$PORTHOLE" entrypoint --strace x
	[[ $output == *"add --run"* ]]
	run -125 "$PORTHOLE" entrypoint x y
	[[ $output == *"add --run"* ]]
	run -125 "$PORTHOLE" entrypoint no-such-container-here
}
