#!/usr/bin/env bats
# The files of what does not run, out of each engine's own storage, compared with what the engine itself
# says they are; without the engine, and with storage that is damaged or goes away meanwhile.
load ../lib/porthole

# st NAME [COMMAND...]: tests/tools/store where the engine of the test has its paths.
st() {
	in_engine "$ENGINE" timeout -k 2 20 "$PT_TOOLS/store" "$@"
}

LEFT='echo left >/left; rm /etc/os-release; ln -s /left /link; rm -r /home; mkdir -m 711 /home; echo h >/home/h;'
LEFT+=' chown 1000:1001 /left; mkdir -p /data; echo v >/data/v; mknod /fifo p; : >/done; exec sleep 1000'

# left ENGINE [FLAG...]: NAME is a container of busybox that did something, and ended. Where the engine has
# private paths, another one runs, which leads there.
left() {
	ENGINE=$1
	shift
	require "$ENGINE"
	NAME=$(uniq_name store)
	[[ $ENGINE == *-default || $ENGINE == podman-rootless ]] ||
		{ ANCHOR=$(uniq_name anchor) && target_start "$ENGINE" "$ANCHOR" >/dev/null; }
	target_start "$ENGINE" "$NAME" busybox "$@" -- /bin/sh -c "$LEFT" >/dev/null
	wait_until 10 left_done
	kill -KILL "$(target_pid "$ENGINE" "$NAME")"
	wait_until 10 left_over
}

left_done() {
	[[ -e /proc/$(target_pid "$ENGINE" "$NAME")/root/done ]]
}

left_over() {
	! pid_alive "$(target_pid "$ENGINE" "$NAME")" || return 1
	case $ENGINE in
	docker* | podman*) [[ $(engine_cli "$ENGINE" inspect -f '{{.State.Status}}' "$NAME") == exited ]] ;;
	containerd*) engine_cli "$ENGINE" task rm "$NAME" 2>/dev/null ;;
	esac
}

teardown() {
	[[ -z ${NAME:-} ]] || target_stop "$ENGINE" "$NAME"
	[[ -z ${ANCHOR:-} ]] || target_stop "$ENGINE" "$ANCHOR"
}

# listing: of the tar at stdin, all but what differs between tars of the same files.
listing() {
	tar --numeric-owner -tvf - | sed -E 's# link to \./# link to #; s#/$##' |
		awk '{ s = /^d/ ? 0 : $3; f = $6; sub(/^\.\//, "", f); print f, $1, $2, s, $4, $7, $8 "." }' |
		grep -v '^\. ' | tr -s ' ' | LC_ALL=C sort
}

# as_exported [FILTER]: what we find is what the engine exports, owners too. FILTER: over both lists.
as_exported() {
	local d=$BATS_TEST_TMPDIR/x
	mkdir -pm 777 "$d"
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR" "${BATS_TEST_TMPDIR%/*}"
	engine_cli "$ENGINE" export -o "$d/theirs.tar" "$NAME"
	st "$NAME" tar --numeric-owner -cf - . >"$d/ours.tar"
	listing <"$d/theirs.tar" >"$d/theirs"
	listing <"$d/ours.tar" >"$d/ours"
	grep -q '^left .*1000/1001' "$d/ours" || die "$(grep ^left "$d/ours")"
	refute grep -q os-release "$d/ours"
	diff <("${1:-cat}" <"$d/theirs") <("${1:-cat}" <"$d/ours")
	(($(wc -l <"$d/ours") > 250))
}

# storage DIR...: names, modes, owners, times and contents of all below them.
storage() {
	in_engine "$ENGINE" sh -c 'for d; do
		find "$d" -printf "%p %y %m %U:%G %s %T@ %C@ %l\n" | sort
		find "$d" -type f ! -name "*.lock" -print0 | sort -z | xargs -0r sha256sum
	done' sh "$@"
}

@test "docker overlay2: as exported, with the daemon dead, and not a byte of its storage changed" {
	left docker-default@store -v "vol$BASHPID:/data:ro" -m 64m --pids-limit 50 --cpus 1.5 --read-only=false \
		--cap-drop CHOWN --cap-add NET_ADMIN --cap-add CHOWN --security-opt no-new-privileges
	as_exported
	kill -KILL "$(engine_pid "$ENGINE" dockerd)" "$(engine_pid "$ENGINE" containerd)"
	storage /var/lib/docker >"$BATS_TEST_TMPDIR/before"
	run -0 st "$NAME" cat left home/h
	[[ $output == $'left\nh' ]]
	run -0 st "$NAME"
	[[ $output == *"kind=docker overlay2"*"mount=/data vol$BASHPID ro"*"mount=/etc/hosts "* ]] || die "$output"
	[[ $output == *"no_new_privs=1"*"memory=67108864"*"pids=50"*"cpus=1.5"* ]] || die "$output"
	storage /var/lib/docker | diff "$BATS_TEST_TMPDIR/before" -
}

@test "docker overlay2: half deleted, and tampered with" {
	local id dir
	left docker-default@store2
	id=$(target_id "$ENGINE" "$NAME")
	dir=/var/lib/docker/overlay2/$(in_engine "$ENGINE" cat "/var/lib/docker/image/overlay2/layerdb/mounts/$id/mount-id")
	in_engine "$ENGINE" mv "$dir/diff" "$dir/elsewhere"
	run -1 --separate-stderr st "$NAME"
	[[ -z $output && $stderr == *"$dir/diff"*"half deleted"* || $stderr == *"$dir/diff is damaged"* ]] || die "$stderr"
	# all of it in one sentence, and what to do
	run -125 --separate-stderr in_engine "$ENGINE" "$PORTHOLE" exec "$NAME" true
	[[ $stderr == *"'$NAME' is not running"*"and its files cannot be shown: $dir/diff is damaged"*$'\n'*"porthole exec DIR/, with a directory below /"* ]] ||
		die "$stderr"
	in_engine "$ENGINE" sh -c "mv '$dir/elsewhere' '$dir/diff'; echo ../../etc >'$dir/lower'"
	run -1 --separate-stderr st "$NAME"
	[[ $stderr == *"$dir/lower is damaged"*"leads out"* ]] || die "$stderr"
}

# dockerd makes /etc/mtab as the host's root, whom the container does not know: no export has it.
without_mtab() {
	grep -v '^etc/mtab '
}

@test "docker with --userns-remap: owners as in the container" {
	left docker-userns
	as_exported without_mtab
	run -0 st "$NAME"
	[[ $output == *"uid_map=0 "*" 65536"* ]] || die "$output"
}

@test "podman as root: as exported" {
	left podman-default -v "vol$BASHPID:/data" --read-only=false
	as_exported
	run -0 st "$NAME"
	[[ $output == *"kind=podman overlay"*"mount=/data /var/lib/containers/storage/volumes/vol"*"cmd=/bin/sh"* ]] ||
		die "$output"
}

# podman exports owners as they are outside.
unshift() {
	awk '{ split($3, o, "/"); if (o[1] >= 200000) $3 = (o[1] - 200000) "/" (o[2] - 200000); print }'
}

@test "podman as root with a user namespace: layers with different owners on disk are one" {
	left podman-default --uidmap 0:200000:65536 --gidmap 0:200000:65536
	as_exported unshift
	run -0 st "$NAME"
	[[ $output == *"uid_map=0 200000 65536"* ]] || die "$output"
}

@test "podman without root: as exported, by the user's own ids" {
	left podman-rootless -v "vol$BASHPID:/data"
	as_exported
	run -0 st "$NAME"
	[[ $output == *"uid_map=0 $(id -u "$(test_user)") 1"*"uid_map=1 "*"user_xattr=1"* ]] || die "$output"
}

@test "podman without root, --userns=keep-id: a map of a map" {
	left podman-rootless --userns keep-id --user 0
	run -0 st "$NAME" stat -c '%n %u:%g' left home/h etc/passwd app
	[[ $output == $'left 1000:1001\nhome/h 0:0\netc/passwd 0:0\napp 0:0' ]] || die "$output"
}

@test "containerd overlayfs and native: as mounted by it" {
	local s d=$BATS_TEST_TMPDIR
	for s in overlayfs native; do
		left containerd --snapshotter "$s" --mount "type=bind,src=$PT_RUN,dst=/m,options=rbind:ro"
		mkdir -p "$d/m"
		engine_cli containerd snapshots --snapshotter "$s" mounts "$d/m" "$NAME" >"$d/cmd"
		bash "$d/cmd"
		tar -C "$d/m" --numeric-owner -cf - . | listing >"$d/theirs"
		umount "$d/m"
		st "$NAME" tar --numeric-owner -cf - . | listing >"$d/ours"
		diff "$d/theirs" "$d/ours"
		grep -q '^left .*1000/1001' "$d/ours"
		run -0 st "$NAME"
		[[ $output == *"kind=containerd $s"*"mount=/run tmpfs"*"mount=/m $PT_RUN ro"*"cmd=/bin/sh"* ]] || die "$output"
		teardown
	done
}

@test "a Kubernetes container that ended" {
	ENGINE=cri
	require cri
	NAME=$(uniq_name kube)
	target_start cri "$NAME" busybox -- /bin/sh -c 'echo left >/left; : >/done; exec sleep 1000' >/dev/null
	wait_until 10 left_done
	kill -KILL "$(target_pid cri "$NAME")"
	wait_until 10 left_over
	run -0 st "$NAME" cat left
	[[ $output == left ]]
	run -0 st "$NAME"
	[[ $output == *"kind=cri overlayfs"*"cmd=/bin/sh"* ]] || die "$output"
}

@test "a runc bundle whose process ended, and an nspawn directory" {
	left runc '.root.readonly = false'
	run -0 st "$NAME" cat left
	[[ $output == left ]]
	teardown
	ENGINE='' NAME='' ANCHOR=''
	require nspawn
	local m
	m=pt-$(uniq_name m)
	mkdir -p "/var/lib/machines/$m/etc"
	echo m >"/var/lib/machines/$m/f"
	run "$PT_TOOLS/store" "$m" cat f
	rm -r "/var/lib/machines/$m"
	[[ $status == 0 && $output == m ]]
}
