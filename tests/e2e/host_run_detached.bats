#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets stderr
# host run -d: containers of the host's in the background, and their end, with what outlives it.
load ../lib/porthole

hr() {
	timeout -k 2 30 "$PORTHOLE" host run "$@"
}

setup() {
	require kit
	DIR=$(test_dir)
	NAME=$(uniq_name host)
}

teardown() {
	"$PORTHOLE" kill "$NAME" 2>/dev/null || true
	[[ ! -e $DIR/guest.pid ]] || kill -9 "$(<"$DIR/guest.pid")" 2>/dev/null || true
}

detached() {
	run -0 hr -q -d --name "$NAME" "$@"
	[[ ${lines[-1]} == "$NAME" ]] || die "$output"
	COOKIE=$(jq -r .id "/run/porthole/$NAME/state")
}

# left: how many processes have its cookie.
left() {
	grep -lsz "^PORTHOLE_SESSION=$COOKIE" /proc/[0-9]*/environ | wc -l
}

none_left() {
	(($(left) == 0)) && [[ ! -e /run/porthole/$NAME ]]
}

@test "it is listed, entered, heard and ended" {
	detached --profile net -- sh -c 'echo said; exec sleep 1000'
	run -0 "$PORTHOLE" ps --filter engine=porthole
	[[ $output == *"$NAME"*porthole*kit*running* ]] || die "$output"
	# once, though its first process is 1 of a pid namespace and its command another
	run -0 "$PORTHOLE" ps --format '{{.Name}}'
	[[ $(grep -cxF "$NAME" <<<"$output") == 1 ]] || die "$output"
	wait_until 10 grep -q said "/run/porthole/$NAME/log" || die "no log"
	run -0 "$PORTHOLE" logs "$NAME"
	[[ $output == *said* ]] || die "$output"
	run -0 timeout 30 "$PORTHOLE" exec "$NAME" readlink /proc/self/ns/net
	[[ $output == *"$(readlink /proc/self/ns/net)"* ]] || die "$output"
	run -125 hr -d --name "$NAME" true
	[[ $output == *"'$NAME' already"* ]] || die "$output"
	run -0 "$PORTHOLE" kill "$NAME"
	none_left || die "left: $(left)"
	run "$PORTHOLE" kill "$NAME"
	[[ $status != 0 ]] || die "$output"
}

@test "-q: nothing but errors" {
	local e
	for e in "" "--engine runc"; do
		# shellcheck disable=SC2086
		run -0 --separate-stderr setpriv --bounding-set=-sys_time timeout 60 "$PORTHOLE" host run $e true
		[[ $stderr == *"that we do not have ourselves"*sys_time* ]] || die "$e: $stderr"
		# shellcheck disable=SC2086
		run -0 --separate-stderr setpriv --bounding-set=-sys_time timeout 60 "$PORTHOLE" host run -q $e --ro true
		[[ -z $stderr ]] || die "$e: $stderr"
	done
	run -127 --separate-stderr hr -q nosuch
	[[ $stderr == *"no command 'nosuch'"* ]] || die "$stderr"
}

# ends_storm FLAG...: a thousand that keep forking among the host's processes are gone once the kill returns.
ends_storm() {
	detached "$@" -- sh -c "$(forkers 1000)"
	storm_kill "$NAME"
	none_left || die "left: $(left)"
}

@test "kill: a thousand that keep forking, by their cgroup" {
	ends_storm
}

@test "kill: a thousand that keep forking, without a cgroup of their own" {
	ends_storm --cgroup host
}

@test "it ends after its time, and what does not end then is ended" {
	run -143 --separate-stderr hr --ttl 1s --profile net sleep 1000
	[[ $stderr == *"has had the 1 second of --ttl: it is asked to end"* ]] || die "$stderr"
	detached --ttl 1s --profile kmod -- sleep 1000
	wait_until 25 none_left || die "left: $(left)"
	run -125 hr --ttl soon true
	[[ $output == *"--ttl takes a time"* ]] || die "$output"
}

# guest PROFILE: a virtual machine without a system, started as a daemon in a container, which is killed.
guest() {
	detached --profile "$1" -v /:/h -- sh -c "sleep 1001 & chroot /h qemu-system-x86_64 -M none -accel tcg -display none \
		-monitor none -S -daemonize -pidfile $DIR/guest.pid; sleep 1000"
	wait_until 25 test -s "$DIR/guest.pid" || die "no guest: $("$PORTHOLE" logs "$NAME")"
}

@test "a virtual machine outlives libvirt's container and no other" {
	guest libvirt
	run -0 timeout 30 "$PORTHOLE" kill "$NAME"
	kill -0 "$(<"$DIR/guest.pid")" || die "the guest has ended"
	[[ $(left) == 1 && ! -e /run/porthole/$NAME ]] || die "left: $(left)"
	kill -9 "$(<"$DIR/guest.pid")"
	rm "$DIR/guest.pid"
	guest admin
	run -0 timeout 30 "$PORTHOLE" kill "$NAME"
	none_left || die "left: $(left)"
	refute kill -0 "$(<"$DIR/guest.pid")" 2>/dev/null
	run -125 hr --profile libvirt --memory 64m true
	[[ $output == *"virtual machines"* ]] || die "$output"
}

@test "-d: a name that cannot be written is told, with how to end what runs" {
	local err status=0
	err=$(timeout -k 2 30 "$PORTHOLE" host run -d --name "$NAME" sleep 1000 2>&1 >/dev/full) || status=$?
	[[ $status == 125 && $err == *"'$NAME' runs, but "*"No space left on device"* ]] || die "$status: $err"
	[[ $err == *"'porthole kill $NAME' ends it"* ]] || die "$err"
	"$PORTHOLE" kill "$NAME"
}
