#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets stderr
# porthole inject and eject of what does not run: it is there at the next start, and gone at the one after.
load ../lib/porthole
load ../lib/inject
load ../lib/stopped

setup() {
	export PORTHOLE_STATE=$BATS_TEST_TMPDIR/state
	inject_source
}

teardown() {
	stopped_teardown
}

# ready ENGINE [ARG...]: one of the image busybox that has ended, and a print of its files.
ready() {
	stopped "$1" busybox "${@:2}"
	print >"$BATS_TEST_TMPDIR/before"
	[[ $(wc -l <"$BATS_TEST_TMPDIR/before") -gt 10 ]]
	echo theirs >"$SRC/etc/passwd"
}

# What there is to its files, as porthole shows them (links, devices and all: the archive of them), but for
# what its engine mounts.
print() {
	local d=$BATS_TEST_TMPDIR/tree
	rm -rf "$d"
	mkdir "$d"
	p cp "$NAME:/" - | tar -x -C "$d" --xattrs --numeric-owner
	tree_print "$d" | grep -vE "^'(etc/(hostname|hosts|resolv.conf)|run|tmp)' "
}

unchanged() {
	print | diff "$BATS_TEST_TMPDIR/before" - || die "the tree is another one"
	[[ -z $(find "$PORTHOLE_STATE" -type f) ]] || die "left: $(find "$PORTHOLE_STATE" -type f)"
}

put_in() {
	run -0 --separate-stderr p inject --explain --force --from "$SRC" "$NAME"
	[[ $output == *"$NAME, which does not run"* ]] || die "$output"
	unchanged_but_state
	run -125 --separate-stderr p inject --from "$SRC" "$NAME"
	[[ $stderr == *"something else in 1 place"* ]] || die "$stderr"
	unchanged_but_state
	run -0 p inject --force --from "$SRC" "$NAME"
	[[ $output == *"1 of the container's own files are replaced"* ]] || die "$output"
	[[ $(p cat "$NAME:/opt/os/one" "$NAME:/etc/passwd") == $'one\ntheirs' ]]
	run -125 p inject --force --from "$SRC" "$NAME"
	[[ $output == *"has $SRC already"* ]] || die "$output"
}

unchanged_but_state() {
	mkdir -p "$PORTHOLE_STATE"
	unchanged
}

take_out() {
	run -0 p eject "$NAME"
	[[ $output == *"the container's own are back"* ]] || die "$output"
	unchanged
}

# rounds START: in, and out again; then in, seen while it runs, and out when it has ended once more.
rounds() {
	put_in
	take_out
	run -0 p inject --force --from "$SRC" "$NAME"
	"$1"
	[[ $(p cat "$NAME:/opt/os/one" "$NAME:/etc/passwd") == $'one\ntheirs' ]]
	[[ $(stat -c %a:%h "/proc/$FIRST_PID/root/opt/os/setuid" "/proc/$FIRST_PID/root/opt/os/one") == $'4755:1\n644:2' ]]
	end
	take_out
}

start_cli() {
	engine_cli "$ENGINE" start "$NAME" >/dev/null
	FIRST_PID=$(engine_cli "$ENGINE" inspect -f '{{.State.Pid}}' "$NAME")
	[[ $(in_it cat /opt/os/one) == one ]]
}

@test "docker" {
	ready docker
	rounds start_cli
	run -0 p inject --force --from "$SRC" "$NAME" # and out while it runs
	start_cli
	run -0 p eject "$NAME"
	[[ ! -e /proc/$FIRST_PID/root/opt/os ]]
	end
	unchanged
}

@test "docker: volumes are not written to, a root that is only to be read is not" {
	local v=$BATS_TEST_TMPDIR/volume
	mkdir "$v"
	ready docker -v "$v:/opt"
	run -0 p inject --force --from "$SRC" "$NAME"
	[[ $output == *"left out     /opt: the container has a mount there"* && -z $(ls -A "$v") ]] || die "$output"
	[[ $(p cat "$NAME:/etc/inject.conf") == new ]]
	take_out
	target_stop docker "$NAME"
	ready docker --read-only
	run -125 p inject --force --from "$SRC" "$NAME"
	[[ $output == *"is read-only: nothing can be put in"* ]] || die "$output"
	unchanged
}

@test "docker with userns-remap: owners are its own" {
	ready docker-userns
	rounds start_cli
}

@test "podman" {
	ready podman-default
	rounds start_cli
}

# It changes the root's time by itself.
start_lxc() {
	local root
	root=$(target_dir lxc "$NAME")/rootfs
	touch -r "$root" "$BATS_TEST_TMPDIR/root"
	lxc-start -n "$NAME" </dev/null >/dev/null 2>&1 3>&-
	FIRST_PID=$(lxc-info -n "$NAME" -pH)
	touch -r "$BATS_TEST_TMPDIR/root" "$root"
}

start_containerd() {
	wait_until 20 engine_cli containerd task rm "$NAME"
	engine_cli containerd task start -d "$NAME" </dev/null >/dev/null 2>&1 3>&-
	FIRST_PID=$(engine_cli containerd task ls | awk -v n="$NAME" '$1 == n { print $2 }')
}

@test "lxc: one directory" {
	ready lxc
	rounds start_lxc
}

@test "containerd: also while its task is not removed" {
	ready containerd
	rounds start_containerd
}

# An inject into docker's that is stopped half-way, by a signal: sets the caller's pid; what it says is in $d/out.
held_half_way() {
	local upper n
	ready docker
	upper=$(engine_cli docker inspect -f '{{.GraphDriver.Data.UpperDir}}' "$NAME")
	[[ -n $upper && $upper != '<no value>' ]] || skip "this docker keeps its layers in containerd"
	for n in {1..40}; do
		head -c 4M /dev/urandom >"$SRC/opt/os/big-$n"
	done
	timeout -k 5 100 "$PORTHOLE" inject --force --from "$SRC" "$NAME" </dev/null >"$d/out" 2>&1 3>&- &
	pid=$!
	wait_until 30 in_engine docker compgen -G "$upper/.porthole-*"
	pkill -STOP -P "$pid"
}

@test "one that is started meanwhile is told, and all is taken out again" {
	local d=$BATS_TEST_TMPDIR pid code=0
	held_half_way
	engine_cli docker start "$NAME" >/dev/null
	pkill -CONT -P "$pid"
	wait "$pid" || code=$?
	[[ $code == 125 && $(<"$d/out") == *"'$NAME' was started while its files were written to, "*"porthole eject $NAME"* ]] ||
		die "$code $(<"$d/out")"
	end
	run p eject "$NAME" # it may have failed, and so be out already
	unchanged
}

@test "a second one meanwhile is refused, and does the first no harm" {
	local d=$BATS_TEST_TMPDIR pid
	held_half_way
	run -125 p inject --force --from "$SRC" "$NAME"
	pkill -CONT -P "$pid"
	[[ $output == *"another porthole is at work on this container"* ]] || die "$output"
	wait "$pid" || die "$(<"$d/out")"
	[[ $(p cat "$NAME:/opt/os/one" "$NAME:/etc/passwd") == $'one\ntheirs' ]]
	take_out
}

out_of_it() {
	p eject "$NAME" >/dev/null 2>&1 || true # where nothing was put in, it says so
	unchanged
}

in_again() {
	out_of_it
	p inject -q --force --from "$SRC" "$NAME"
}

@test "killed at any point: a second run repairs" {
	ready docker
	CHECK=out_of_it LEAST=90
	swept 19 inject --force --from "$SRC" "$NAME"
	CHECK=in_again LEAST=40
	swept 19 eject "$NAME"
	unchanged
}
