#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets stderr
# What people did by hand before (cases 4 and 6 of the design), whole, with the control that shows the difference.
# Cases 2 and 3 are in sidekick.bats, 5 in inject.bats.
load ../lib/porthole
load ../lib/inject

setup() {
	export PORTHOLE_STATE=$BATS_TEST_TMPDIR/state
}

teardown() {
	inject_teardown
}

@test "case 4: the files and facts of a scratch container; its absolute links lead where it sees them lead" {
	require docker
	local r
	inject_start docker scratch -e WHO=me --workdir /
	r=/proc/$T_PID/root
	mkdir -p "$r/data/deep"
	echo theirs >"$r/data/hostname"
	ln -s /data/hostname "$r/link"
	ln -s /etc "$r/data/deep/etc"
	# by hand the link is the host's, or broken
	[[ ! -e $r/link ]] || refute grep -q theirs "$r/link"
	run -0 "$PORTHOLE" cat "$T_NAME:/link"
	[[ $output == theirs ]] || die "$output"
	run -0 "$PORTHOLE" ls "$T_NAME:/"
	[[ $output == *app* && $output == *link* ]] || die "$output"
	run -0 "$PORTHOLE" find "$T_NAME:/data" -name hostname
	[[ $output == */data/hostname ]] || die "$output"
	run -0 "$PORTHOLE" cp "$T_NAME:/link" "$BATS_TEST_TMPDIR/"
	[[ -L $BATS_TEST_TMPDIR/link || $(<"$BATS_TEST_TMPDIR/link") == theirs ]]
	run -0 "$PORTHOLE" cp "$T_NAME:/app" "$BATS_TEST_TMPDIR/app"
	cmp "$BATS_TEST_TMPDIR/app" "$r/app"
	run -0 "$PORTHOLE" inspect --json "$T_NAME"
	[[ $output == *"WHO"* && $output == *"/app"* ]] || die "$output"
}

# sk ARG...: beside the target, with the rights that an inject from there takes.
sk() {
	timeout -k 2 100 "$PORTHOLE" sidekick "$T_NAME" --cap-add SYS_PTRACE --cap-add SYS_ADMIN "$@" </dev/null
}

@test "case 6: an operating system put in from a sidekick, used by docker exec, taken out from the host" {
	require docker kit
	inject_start docker
	refute engine_cli docker exec "$T_NAME" sh -c true
	run -0 sk porthole inject --from busybox pid:1
	[[ $output == *"busybox is in 'app' now"*"takes it out again." ]] || die "$output"
	run -0 engine_cli docker exec "$T_NAME" sh -c 'echo $((6 * 7)); wget -qO- 127.0.0.1:8080'
	[[ $output == 42*hello* ]] || die "$output"
	# from the host, and from another sidekick, it is known
	run -0 i --list
	[[ $output == *docker*busybox*complete* ]] || die "$output"
	run -125 sk porthole inject --from busybox pid:1
	[[ $output == *"has busybox already"* ]] || die "$output"
	run -0 j "$T_NAME"
	as_before
	# put in by the host, taken out from a sidekick
	run -0 i --from busybox "$T_NAME"
	run -0 sk porthole eject pid:1
	as_before
}

@test "case 6: from a sidekick of a whole system, which brings what is put in" {
	require docker kit
	inject_start docker
	cp -a "$(image_root busybox)" "$BATS_TEST_TMPDIR/rootfs"
	rm "$BATS_TEST_TMPDIR/rootfs/app"
	run -0 sk --image "$BATS_TEST_TMPDIR/rootfs" -v "$BATS_TEST_TMPDIR/rootfs:/os" porthole inject --from /os pid:1
	run -0 engine_cli docker exec "$T_NAME" sh -c 'echo in'
	[[ $output == in ]] || die "$output"
	run -0 j "$T_NAME"
	as_before
}

@test "case 6: what a sidekick needs for it is said; a journal that would be forgotten, too" {
	require docker docker-userns kit
	inject_start docker scratch --user 1000
	run -127 timeout 30 "$PORTHOLE" sidekick "$T_NAME" porthole version
	run -125 timeout 30 "$PORTHOLE" sidekick "$T_NAME" --cap-add SYS_ADMIN \
		-v "$PORTHOLE:/usr/local/bin/porthole:ro" porthole inject --from busybox pid:1
	[[ $output == *"without CAP_SYS_PTRACE"*"--cap-add"* ]] || die "$output"
	run -125 sk --share net porthole inject --from busybox pid:1
	[[ $output == *"is here, in the sidekick"*"pid:1"* ]] || die "$output"
	run -125 sk porthole inject pid:1
	[[ $output == *"no apt-get"*"--from busybox"* ]] || die "$output"
	as_before
	run -0 sk sh -c 'export PORTHOLE_STATE=/tmp/s; porthole inject --from busybox pid:1 && porthole eject pid:1'
	[[ $output == *"from within this session only"* ]] || die "$output"
	as_before
	run -0 sk --explain true
	[[ $output == *"/usr/local/bin/porthole: a copy"* && $output == *"/var/lib/porthole/inject: a path of the host's"* ]]
	target_stop docker "$T_NAME"
	# root of another user namespace could not write to the host's
	inject_start docker-userns
	run -0 sk --explain true
	[[ $output != *"/var/lib/porthole"* ]] || die "$output"
}
