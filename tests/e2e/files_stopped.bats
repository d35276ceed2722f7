#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets stderr
# cp to, and edit of, what does not run: it is there when the container is started the next time.
load ../lib/porthole
load ../lib/stopped

teardown() {
	stopped_teardown
}

# no mount of it anywhere that we see
unmounted() {
	refute grep -q "upperdir=[^,]*$1" /proc/[0-9]*/mountinfo 2>/dev/null
}

# written: a tree, a file over one, and an edit, of a container of the image busybox.
written() {
	local d=$BATS_TEST_TMPDIR
	mkdir -p "$d/tree/sub"
	for i in {1..100}; do echo "$i" >"$d/tree/sub/$i"; done
	chmod 4751 "$d/tree/sub/7"
	echo new >"$d/f"
	run -0 p cp "$d/tree" "$NAME:/data"
	run -0 p cp "$d/f" "$NAME:/etc/group"
	EDITOR='sed -i s/root/toor/' run -0 p edit "$NAME:/etc/passwd"
	EDITOR='echo fresh >' run -0 p edit "$NAME:/etc/made"
	# to be read at once
	[[ $(p cat "$NAME:/etc/group" "$NAME:/data/sub/100") == $'new\n100' ]]
	run -0 p cp "$NAME:/data" "$d/back"
	diff -r "$d/tree" "$d/back"
}

started() {
	engine_cli "$ENGINE" start "$NAME" >/dev/null
	[[ $(in_it cat /etc/group /etc/made /data/sub/100) == $'new\nfresh\n100' ]]
	[[ $(in_it head -n 1 /etc/passwd) == toor:* ]]
	[[ $(in_it stat -c %u:%g:%a /data/sub/7 /etc/group /data) == $'0:0:4751\n0:0:644\n0:0:755' ]]
}

@test "docker: layers, volumes and what docker makes; tmpfs and read-only mounts are said" {
	local v=$BATS_TEST_TMPDIR/v id
	mkdir -p "$v" "$v.ro"
	stopped docker busybox -v "$v:/vol" -v "$v.ro:/ro:ro" --tmpfs /t
	id=$(target_id docker "$NAME")
	written
	run -0 p cp "$BATS_TEST_TMPDIR/f" "$NAME:/vol/"
	[[ $(<"$v/f") == new ]]
	for i in /t/f /ro/f; do
		run -125 p cp "$BATS_TEST_TMPDIR/f" "$NAME:$i"
		[[ $output == *"Read-only file system"*"'$NAME' does not run"* ]] || die "$output"
	done
	[[ ! -e $v.ro/f ]]
	run -125 p cp "$NAME:/etc/group" "$NAME:/etc/again"
	[[ $output == *"'$NAME' does not run, and nothing can be copied within it then"* ]]
	# links lead nowhere but to its own files
	ln -s /etc/porthole-outside "$BATS_TEST_TMPDIR/out"
	run -0 p cp "$BATS_TEST_TMPDIR/out" "$NAME:/out"
	run -0 p cp "$BATS_TEST_TMPDIR/f" "$NAME:/out"
	[[ ! -e /etc/porthole-outside && $(p cat "$NAME:/etc/porthole-outside") == new ]]
	unmounted "$id"
	started
	[[ $(in_it sh -c 'cat /vol/f; ls /t') == new ]]
}

@test "docker: what is mounted by somebody else, is about to start again, or only to be read" {
	local upper d=$BATS_TEST_TMPDIR pid i
	stopped docker busybox --read-only
	echo x >"$d/f"
	run -125 p cp "$d/f" "$NAME:/etc/f"
	[[ $output == *"Read-only file system"* ]] || die "$output"
	target_stop docker "$NAME"
	stopped docker busybox
	upper=$(engine_cli docker inspect -f '{{.GraphDriver.Data.UpperDir}}' "$NAME")
	[[ -n $upper && $upper != '<no value>' ]] || skip "this docker keeps its layers in containerd"
	mkdir "$d/lower" "$d/m"
	# shellcheck disable=SC2016
	in_engine docker unshare -m sh -c 'mount -t overlay overlay -o "lowerdir=$1,upperdir=$2,workdir=${2%/*}/work" "$3" &&
		echo $$ >"$4"; exec sleep 60' sh "$d/lower" "$upper" "$d/m" "$d/up" 3>&- &
	pid=$!
	wait_until 10 test -s "$d/up"
	run -125 p cp "$d/f" "$NAME:/etc/f"
	kill "$(<"$d/up")"
	wait "$pid" || true
	[[ $output == *"its files are mounted at $d/m, "* && ! -e $upper/etc/f ]] || die "$output"
	run -0 p cp "$d/f" "$NAME:/etc/f"
	[[ $(<"$upper/etc/f") == x ]]
	# killed on the way: no mount, and docker starts it
	mkdir "$d/many"
	for i in {1..3000}; do echo "$i" >"$d/many/$i"; done
	for i in 1 3 5; do
		in_engine docker "$PORTHOLE" cp "$d/many" "$NAME:/many$i" 3>&- &
		pid=$!
		wait_until 10 test -d "$upper/many$i"
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" || true
		wait_until 10 unmounted "${upper%/diff}"
	done
	engine_cli docker start "$NAME" >/dev/null
	[[ $(in_it cat /etc/f) == x ]]
}

@test "docker: two that write at once take turns, and one that would wait too long says so" {
	local upper d=$BATS_TEST_TMPDIR a b i
	stopped docker busybox
	upper=$(engine_cli docker inspect -f '{{.GraphDriver.Data.UpperDir}}' "$NAME")
	[[ -n $upper && $upper != '<no value>' ]] || skip "this docker keeps its layers in containerd"
	for i in {1..12}; do
		echo "a$i" >"$d/a$i"
		echo "b$i" >"$d/b$i"
		p cp "$d/a$i" "$NAME:/etc/" >"$d/a.out" 2>&1 3>&- &
		a=$!
		p cp "$d/b$i" "$NAME:/etc/" >"$d/b.out" 2>&1 3>&- &
		b=$!
		wait "$a" || die "$i: $(<"$d/a.out")"
		wait "$b" || die "$i: $(<"$d/b.out")"
		[[ $(cat "$upper/etc/a$i" "$upper/etc/b$i") == "a$i"$'\n'"b$i" ]]
	done
	# one that has it for as long as nothing comes
	tar -cf "$d/tar" -C "$d" a1
	mkfifo "$d/pipe"
	timeout 60 "$PORTHOLE" cp - "$NAME:/root" <"$d/pipe" >"$d/a.out" 2>&1 3>&- &
	a=$!
	exec 7>"$d/pipe"
	wait_until 10 refute flock -n "$upper" true && pid_alive "$a" || die "$(<"$d/a.out")"
	run -125 p cp "$d/b1" "$NAME:/etc/late"
	[[ $output == *"another porthole is writing to the files of '$NAME', which does not run"*"wait for it to end"* ]] || die "$output"
	EDITOR='echo x >' run -125 p edit "$NAME:/etc/late"
	[[ $output == *"another porthole is writing"*"what was edited is in "* ]] || die "$output"
	rm -r "$(dirname "${output##*what was edited is in }")"
	mkdir "$d/os"
	echo os >"$d/os/new"
	run -125 p inject "$NAME" --from "$d/os"
	[[ $output == *"another porthole is writing"* ]] || die "$output"
	[[ $(p cat "$NAME:/etc/a1") == a1 ]] # who only reads need not wait
	[[ ! -e $upper/etc/late && ! -e $upper/new ]]
	cat "$d/tar" >&7
	exec 7>&-
	wait "$a" || die "$(<"$d/a.out")"
	run -0 p cp "$d/b1" "$NAME:/etc/late"
	[[ $(cat "$upper/root/a1" "$upper/etc/late") == $'a1\nb1' ]]
	# killed: its lock goes with it
	timeout 60 "$PORTHOLE" cp - "$NAME:/root" <"$d/pipe" >"$d/a.out" 2>&1 3>&- &
	a=$!
	exec 7>"$d/pipe"
	wait_until 10 refute flock -n "$upper" true && pid_alive "$a" || die "$(<"$d/a.out")"
	kill -KILL "$a" "$(cat "/proc/$a/task/$a/children")"
	wait "$a" || true
	exec 7>&-
	run -0 p cp "$d/b2" "$NAME:/etc/late"
	[[ $(<"$upper/etc/late") == b2 ]]
}

@test "docker with userns-remap: owners are its own" {
	stopped docker-userns busybox
	written
	started
}

@test "podman" {
	stopped podman-default busybox
	written
	started
}

@test "podman without root" {
	stopped podman-rootless busybox
	written
	started
}

@test "lxc: one directory" {
	stopped lxc busybox
	echo x >"$BATS_TEST_TMPDIR/f"
	run -0 p cp "$BATS_TEST_TMPDIR/f" "lxc:$NAME:/etc/f"
	[[ $(p cat "lxc:$NAME:/etc/f") == x ]]
	[[ $(<"$(target_dir lxc "$NAME")/rootfs/etc/f") == x ]]
}

@test "containerd: a snapshot, mounted still until its task is removed, and after that" {
	local d=$BATS_TEST_TMPDIR
	echo x >"$d/f"
	stopped containerd busybox
	grep -q "upperdir=.*/$NAME/rootfs\|/$NAME/rootfs .*upperdir=" <(in_engine containerd cat /proc/self/mountinfo)
	run -0 p cp "$d/f" "$NAME:/etc/f"
	[[ $(p cat "$NAME:/etc/f") == x ]]
	wait_until 20 engine_cli containerd task rm "$NAME"
	[[ $(p cat "$NAME:/etc/f") == x ]]
	run -0 p cp "$d/f" "$NAME:/etc/g"
	engine_cli containerd task start -d "$NAME" </dev/null >/dev/null 2>&1 3>&-
	[[ $(p cat "$NAME:/etc/f" "$NAME:/etc/g") == $'x\nx' ]]
}

_waits_to_restart() {
	(($(engine_cli docker inspect -f '{{.RestartCount}}' "$NAME") >= 5))
}

# says WORDS ARG...: porthole ends with 125 and says so.
says() {
	run -125 p "${@:2}"
	[[ $output == *"$1"* ]]
}

@test "docker: one that its engine is about to start again is not written to" {
	require docker
	ENGINE=docker NAME=$(uniq_name filed)
	echo x >"$BATS_TEST_TMPDIR/f"
	target_start docker "$NAME" busybox --restart always -- /app --exit 3 >/dev/null
	wait_until 60 _waits_to_restart # from then on for seconds
	wait_until 30 says "'$NAME' is about to be started again by its engine" cp "$BATS_TEST_TMPDIR/f" "$NAME:/etc/f"
	wait_until 30 says "'$NAME' is about to be started again by its engine" inject --from "$BATS_TEST_TMPDIR" "$NAME"
	engine_cli docker stop "$NAME" >/dev/null
	run -0 p cp "$BATS_TEST_TMPDIR/f" "$NAME:/etc/f"
}

@test "docker: one that is started while it is written to is told" {
	local d=$BATS_TEST_TMPDIR upper pid code=0
	stopped docker busybox
	upper=$(engine_cli docker inspect -f '{{.GraphDriver.Data.UpperDir}}' "$NAME")
	[[ -n $upper && $upper != '<no value>' ]] || skip "this docker keeps its layers in containerd"
	mkdir "$d/tree"
	echo x >"$d/tree/first"
	head -c 4M /dev/zero >"$d/tree/second"
	tar -C "$d/tree" -cf "$d/tar" first second
	mkfifo "$d/stream"
	timeout 60 "$PORTHOLE" cp - "$NAME:/tmp" <"$d/stream" >"$d/out" 2>&1 3>&- &
	pid=$!
	exec 7>"$d/stream"
	head -c 2M "$d/tar" >&7
	wait_until 20 in_engine docker test -e "$upper/tmp/first"
	engine_cli docker start "$NAME" >/dev/null
	tail -c +2097153 "$d/tar" >&7 || true # unless it has ended on that already
	exec 7>&-
	wait "$pid" || code=$?
	[[ $code == 125 && $(<"$d/out") == *"'$NAME' was started while its files were written to, "*"do it again, now that it runs"* ]] ||
		die "$code $(<"$d/out")"
}

@test "docker: one that is started while a file is edited: it is written there" {
	local d=$BATS_TEST_TMPDIR pid
	stopped docker busybox
	printf '#!/bin/sh\ntouch %q\nuntil [ -e %q ]; do sleep 0.05; done\necho more >>"$1"\n' "$d/begun" "$d/go" >"$d/editor"
	chmod 755 "$d/editor"
	EDITOR=$d/editor p edit "$NAME:/etc/group" >"$d/out" 2>&1 3>&- &
	pid=$!
	wait_until 20 test -e "$d/begun"
	engine_cli docker start "$NAME" >/dev/null
	touch "$d/go"
	wait "$pid"
	[[ $(in_it tail -n 1 /etc/group) == more ]]
}
