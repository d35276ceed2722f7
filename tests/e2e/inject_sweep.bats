#!/usr/bin/env bats
# kill -9 of porthole inject and eject at every point at which something may be another way than before
# (killat): a second run repairs. Sampled; `make sweep` does every one (SWEEP_STEP=1), which is as on every
# system call.
load ../lib/porthole
load ../lib/inject

setup() {
	export PORTHOLE_STATE=$BATS_TEST_TMPDIR/state
	inject_source
	require docker
	inject_start docker busybox
	echo theirs >"$SRC/etc/passwd"
}

teardown() {
	inject_teardown
}

# The second run.
out() {
	timeout 60 "$PORTHOLE" eject "$@" "$T_NAME" </dev/null >/dev/null 2>&1
}

again() {
	timeout 60 "$PORTHOLE" inject -q --force --from "$SRC" "$T_NAME" </dev/null
}

is_in() {
	local r=/proc/$T_PID/root
	[[ $(<"$r/etc/passwd") == theirs && $(<"$r/opt/os/one") == one && -z $(find "$r/" -maxdepth 1 -name '.porthole-*') ]]
}

out_of_it() {
	out || true # where nothing was put in, it says so
	as_before
}

@test "inject: a second run takes it out, or undoes it" {
	CHECK=out_of_it LEAST=90
	swept 3 inject --force --from "$SRC" "$T_NAME"
	is_in # the last one was not killed
	out
	as_before
}

put_in_again() {
	timeout 60 "$PORTHOLE" inject -q --force --from "$SRC" "$T_NAME" </dev/null >/dev/null 2>&1 || true # it may be whole
	is_in
	out
	as_before
}

@test "inject: a second inject puts it in" {
	CHECK=put_in_again LEAST=90
	swept 7 inject --force --from "$SRC" "$T_NAME"
	is_in
}

out_and_in() {
	out_of_it
	again
}

@test "eject: a second run ends it" {
	again
	CHECK=out_and_in LEAST=40
	swept 3 eject "$T_NAME"
	as_before
}

@test "eject --all: a second run ends it" {
	again
	later() {
		out_and_in
		echo later >"/proc/$T_PID/root/opt/os/deep/later"
	}
	echo later >"/proc/$T_PID/root/opt/os/deep/later"
	CHECK=later LEAST=40
	swept 7 eject --all "$T_NAME"
	as_before
}

# Of the first run, killed at one of FIRST points, the second is killed at each of its own; then a third.
twice() {
	local first step=$1 n k=0
	shift
	for first in $1; do
		n=1
		while at_point "$first" "${@:2}" && at_point "$n" eject "$T_NAME"; do
			out_of_it || die "killed at $first, and at $n"
			((++k, n += step))
			[[ $2 == inject ]] || again
		done
		out_of_it || die "killed at $first, and not at $n"
		[[ $2 == inject ]] || again
	done
	echo "# $2: killed $k times, and its repair" >&3
	((k * step > 60)) || die "killed $k times only"
}

@test "a repair is killed, too: a third run repairs" {
	twice "${SWEEP_STEP:-7}" "20 45 70 85 95 105" inject --force --from "$SRC" "$T_NAME"
	again
	twice "${SWEEP_STEP:-7}" "25 35 45" eject "$T_NAME"
}
