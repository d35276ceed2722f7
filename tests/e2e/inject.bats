#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets stderr
# porthole inject and eject: an operating system in the container's own files, and out again.
load ../lib/porthole
load ../lib/inject

setup() {
	export PORTHOLE_STATE=$BATS_TEST_TMPDIR/state
}

teardown() {
	inject_teardown
}

@test "busybox: the engine's own exec works, and then does not" {
	require docker
	inject_start docker
	refute engine_cli docker exec "$T_NAME" sh -c true
	run -0 i --from busybox "$T_NAME"
	[[ $output == "busybox is in '$T_NAME' now: "*"'porthole eject $T_NAME' takes it out again." ]]
	[[ $(engine_cli docker exec "$T_NAME" sh -c 'echo $((6 * 7)); id -u; ls /app') == $'42\n0\n/app' ]]
	[[ $(stat -c %a "/proc/$T_PID/root/tmp") == 1777 ]]
	[[ $(ls -A "/proc/$T_PID/root") != *.porthole-* ]]
	run -125 i --from busybox "$T_NAME"
	[[ $output == *"has busybox already"* ]]
	run -0 i --list
	[[ $output == *"$T_NAME "*docker*busybox*complete* ]]
	[[ $(i --list --json | jq -r '.[0] | .target, .source, .state') == "$T_NAME"$'\nbusybox\ncomplete' ]]
	run -0 j --explain "$T_NAME"
	[[ $output == "busybox would be taken out of '$T_NAME'." ]]
	run -0 j "$T_NAME"
	[[ $output == "busybox is out of '$T_NAME': "*" files, links and directories removed." ]]
	as_before
	refute engine_cli docker exec "$T_NAME" sh -c true
	run -125 j "$T_NAME"
	[[ $output == *"nothing was put into '$T_NAME'"* ]]
}

@test "runc, podman, and user namespaces: files are the container's root's" {
	require runc podman podman-rootless docker-userns
	local e rw
	for e in runc podman podman-rootless docker-userns; do
		rw=()
		[[ $e != runc ]] || rw=('.root.readonly = false')
		inject_start $e "${rw[@]}"
		run -0 i --from busybox "$T_NAME"
		case $e in
		runc) run -0 runc exec "$T_NAME" /bin/stat -c %u:%g /bin/busybox ;;
		*) run -0 engine_cli $e exec "$T_NAME" stat -c %u:%g /bin/busybox ;;
		esac
		[[ $output == 0:0 ]] || die "$e: $output"
		[[ $e != docker-userns || $(stat -c %u "/proc/$T_PID/root/bin/busybox") -gt 9999 ]]
		run -0 j "$T_NAME"
		as_before
		target_stop "$e" "$T_NAME"
	done
	T_NAME=
}

@test "debian: apt and dpkg are whole, and a package can be named" {
	require docker
	inject_start docker
	run -0 i "$T_NAME" jq
	[[ $(engine_cli docker exec "$T_NAME" apt-get --version) == apt\ * ]]
	[[ -z $(engine_cli docker exec "$T_NAME" dpkg --audit) ]]
	run -0 engine_cli docker exec "$T_NAME" dpkg -l
	[[ $(grep -c '^ii ' <<<"$output") -gt 60 && $(grep -c '^i[^i]' <<<"$output") == 0 ]]
	[[ $(engine_cli docker exec "$T_NAME" bash -c 'jq -n 1+1; perl -e "print 6 * 7, qq(\n)"; tty >/dev/null || echo no') == $'2\n42\nno' ]]
	[[ $(stat -c %a "/proc/$T_PID/root/usr/bin/su") == 4755 ]]
	run -0 j "$T_NAME"
	as_before
}

@test "an archive of an image, with all that is in it" {
	require docker
	local tar
	tar=$(image_archive musl)
	inject_start docker
	run -0 i --explain --json --keep --from "$tar" "$T_NAME"
	[[ $(jq -r '.conflicts | length' <<<"$output") == 0 && $(jq .files <<<"$output") -gt 100 ]]
	as_before
	run -0 i --keep --from "$tar" "$T_NAME"
	[[ $(engine_cli docker exec "$T_NAME" /bin/hello) == "hello from musl" ]]
	[[ $(engine_cli docker exec "$T_NAME" sh -c 'cd / && pwd') == / ]]
	run -0 j "$T_NAME"
	as_before
}

@test "apt install works in it, and all of that can go, too" {
	require docker
	inject_start docker --net host
	run -0 i "$T_NAME"
	run -0 engine_cli docker exec "$T_NAME" sh -c 'apt-get update -qq && apt-get install -y -qq hello && hello'
	[[ ${lines[-1]} == "Hello, world!" ]]
	run -1 j "$T_NAME"
	[[ $output == *"changed since, and stays: /var/lib/dpkg/status"* && $output == *"holds what came later, and stays: /usr/bin"* ]]
	run -0 j --all "$T_NAME"
	as_before
}

# apk_tree DIR: a root filesystem with a package manager laid out as Alpine's is, of busybox and a script.
apk_tree() {
	mkdir -p "$1"/{bin,sbin,etc/apk,lib/apk/db,var/cache/apk,var/tmp,usr/bin}
	cp "$(image_root busybox)/bin/busybox" "$1/bin/busybox"
	for p in sh mv cat chmod mkdir rm; do
		ln -s busybox "$1/bin/$p"
	done
	ln -s /var/cache/apk "$1/etc/apk/cache"
	chmod 1777 "$1/var/tmp"
	printf 'busybox\n' >"$1/etc/apk/world"
	printf 'P:busybox\n\n' >"$1/lib/apk/db/installed"
	: >"$1/lib/apk/db/lock"
	chmod 600 "$1/lib/apk/db/lock"
	cat >"$1/sbin/apk" <<-'EOF'
		#!/bin/sh
		set -e
		echo $$ >>/lib/apk/db/lock
		{ cat /lib/apk/db/installed; printf 'P:%s\n\n' "$2"; } >/lib/apk/db/installed.new
		mv /lib/apk/db/installed.new /lib/apk/db/installed
		echo "$2" >>/etc/apk/world
		echo index >/etc/apk/cache/APKINDEX
		echo t >/var/tmp/t
		printf '#!/bin/sh\necho "it is %s"\n' "$2" >"/usr/bin/$2"
		chmod 755 "/usr/bin/$2"
	EOF
	chmod 755 "$1/sbin/apk"
}

@test "a foreign package manager: its databases can be written to, and what it installs goes with --all" {
	require docker
	local d=$BATS_TEST_TMPDIR/apk from
	apk_tree "$d"
	tar -C "$d" -czf "$d.tar.gz" .
	for from in "$d" "$d.tar.gz"; do
		inject_start docker
		run -0 i --from "$from" "$T_NAME"
		[[ $(engine_cli docker exec "$T_NAME" cat /lib/apk/db/installed) == P:busybox ]]
		run -0 engine_cli docker exec "$T_NAME" /sbin/apk add tool
		[[ $(engine_cli docker exec "$T_NAME" /usr/bin/tool) == "it is tool" ]]
		[[ $(engine_cli docker exec "$T_NAME" cat /etc/apk/world /etc/apk/cache/APKINDEX) == $'busybox\ntool\nindex' ]]
		[[ $(stat -c %a "/proc/$T_PID/root/lib/apk/db/lock" "/proc/$T_PID/root/var/tmp") == $'600\n1777' ]]
		run -1 j "$T_NAME"
		[[ $output == *"changed since, and stays: /etc/apk/world"* && $output == *"changed since, and stays: /lib/apk/db/installed"* &&
			$output == *"holds what came later, and stays: /usr/bin"* ]] || die "$output"
		run -0 j --all "$T_NAME"
		as_before
		target_stop docker "$T_NAME"
	done
	T_NAME=
}
