#!/usr/bin/env bats
# bats file_tags=alone
# shellcheck disable=SC2154 # run sets stderr
# host run -d: containers of the host's in the background, and their end, with what outlives it.
load ../lib/porthole

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

# ended TEXT: what logs says on standard error, once it has ended.
ended() {
	wait_until 10 test ! -e "/run/porthole/$NAME"
	run -0 --separate-stderr "$PORTHOLE" logs "$NAME"
	[[ $stderr =~ ^"porthole: '$NAME' ended"$1$ ]] || die "$stderr"
}

@test "what has ended is told, with what it said: until the name is taken, it is killed, and not with --rm" {
	local at='[0-9]{2}:[0-9]{2}:[0-9]{2}'
	# at once, without a word on who was asked
	run -0 hr -q -d --name "$NAME" --profile net sh -c 'echo out; echo err >&2; no-such-command'
	ended " with exit code 127 at $at"
	[[ $output == out$'\n'err$'\n'*no-such-command* ]] || die "$output"
	refute grep -qxF "$NAME" <("$PORTHOLE" ps -a --format '{{.Name}}')
	run -125 "$PORTHOLE" exec "$NAME" true
	[[ $output == *"'$NAME' has ended"*"porthole logs $NAME"* ]] || die "$output"
	# its name again, then killed while it runs: nothing of either
	detached --profile net -- sh -c 'echo second; exec sleep 1000'
	run -0 --separate-stderr "$PORTHOLE" logs "$NAME"
	[[ $output != *out* && -z $stderr ]] || die "$output $stderr"
	run -0 "$PORTHOLE" kill "$NAME"
	run -125 "$PORTHOLE" logs "$NAME"
	[[ $output == *"nothing is named"* && ! -e /run/porthole/.ended-$NAME ]] || die "$output"
	# by a signal; followed to its end; and forgotten by hand
	# shellcheck disable=SC2016
	detached --profile net -- sh -c 'until [ -e /tmp/go ]; do sleep 0.1; done; seq 20000; kill -SEGV $$'
	timeout 60 "$PORTHOLE" logs -f "$NAME" >"$DIR/log" 2>"$DIR/end" 3>&- &
	"$PORTHOLE" exec -q "$NAME" touch /tmp/go
	wait $!
	[[ $(md5sum <"$DIR/log") == "$(seq 20000 | md5sum)" && $(<"$DIR/end") == *"signal 11, SEGV"* ]] || die "$(<"$DIR/end")"
	ended ".*signal 11, SEGV\) at $at"
	run -0 "$PORTHOLE" kill "porthole://$NAME"
	run -125 "$PORTHOLE" kill "$NAME"
	# who was to tell is killed
	detached --profile net -- sh -c 'echo third; exec sleep 1000'
	kill -KILL "$(jq .supervisor.pid "/run/porthole/$NAME/state")"
	wait_until 10 none_left || die "left: $(left)"
	ended " at $at: Porthole's process that looked after it was killed"
	[[ $output == third ]] || die "$output"
	"$PORTHOLE" kill "$NAME"
	detached --rm --profile net -- sh -c 'sleep 0.5'
	wait_until 10 none_left || die "left: $(left)"
	run -125 "$PORTHOLE" logs "$NAME"
	[[ ! -e /run/porthole/.ended-$NAME ]] || die "kept"
}

@test "of those that have ended the last 16 are kept, for a day, and the last 64 KiB of what they said" {
	# shellcheck disable=SC2016
	run -0 timeout 120 unshare -m bash -c 'set -e
		mount -t tmpfs none /run # not on what another look may remove
		over() { for j in $(seq 1200); do [ ! -e /run/porthole/$1 ] && return; sleep 0.05; done; false; }
		for i in $(seq 1 18); do
			"$0" host run -q -d --profile net --name "a$i" seq 60000 >/dev/null
			over "a$i"
		done
		cd /run/porthole
		ls -d .ended-* | wc -l; [ ! -e .ended-a1 ] && [ ! -e .ended-a2 ] && echo oldest
		for i in a7 a8; do for j in $(seq 200); do tail -n 1 .ended-$i/log | grep -qx 60000 && break; sleep 0.05; done; done
		touch -d "-1 minute" .ended-a7; touch -d "-25 hours" .ended-a8
		"$0" logs a9 2>/dev/null | tail -n 1
		stat -c %s .ended-a7/log; tail -n 1 .ended-a7/log; [ ! -e .ended-a8 ] && [ -e .ended-a18 ] && echo old' "$PORTHOLE"
	[[ $output == 16$'\n'oldest$'\n'60000$'\n'65536$'\n'60000$'\n'old ]] || die "$output"
}

@test "a name is one container's: in the foreground, in the background, and of many at once exactly one" {
	local i verb pids=() won=0 lost=0
	# shellcheck disable=SC2016
	hr -q --name "$NAME" --profile net sh -c 'echo up; until [ -e /tmp/go ]; do sleep 0.1; done' >"$DIR/fg" 3>&- &
	wait_until 10 grep -q up "$DIR/fg"
	for i in "" -d "--engine runc"; do
		# shellcheck disable=SC2086
		run -125 hr -q --name "$NAME" --profile net $i true
		[[ $output == *"there is a container '$NAME' already"*"in the foreground of process "*"another --name"* ]] || die "$i: $output"
	done
	for verb in kill attach logs; do # which know those in the background
		run -125 timeout -k 2 20 "$PORTHOLE" "$verb" "$NAME"
		[[ $output == *"'$NAME' is in the foreground of process "*"ends it"* ]] || die "$verb: $output"
		run -125 timeout -k 2 20 "$PORTHOLE" "$verb" "$NAME-none"
		[[ $output == *"nothing is named '$NAME-none'"* ]] || die "$i: $output"
	done
	run -125 timeout -k 2 20 "$PORTHOLE" logs $$
	[[ $output == *"'$$' is no engine's"*"porthole tap"* ]] || die "$output"
	# the default name is many's
	run -0 hr -q --profile net true
	run -125 hr -q --name "$NAME" true
	[[ $output =~ \'kill\ ([0-9]+)\'\ ends\ it ]] && kill "${BASH_REMATCH[1]}" # as it says
	wait $! || true
	detached --profile net -- sleep 1000
	run -125 hr -q --name "$NAME" true
	[[ $output == *"there is a container '$NAME' already"*"porthole kill $NAME"* ]] || die "$output"
	"$PORTHOLE" kill "$NAME"
	for i in {1..12}; do
		((i % 2)) && set -- -d || set --
		hr -q "$@" --name "$NAME" --profile net sleep 20 >"$DIR/out.$i" 2>&1 3>&- &
		pids+=($!)
	done
	wait_until 20 eval '(($(grep -l "already" "$DIR"/out.* | wc -l) == 11))' || die "$(tail "$DIR"/out.*)"
	# in the background it has ended well, in the foreground it is there
	for i in "${!pids[@]}"; do
		if grep -q already "$DIR/out.$((i + 1))"; then
			wait "${pids[i]}" && die "refused, and yet" || lost=$((lost + 1))
		else
			won=$((won + 1))
			kill "${pids[i]}" 2>/dev/null || true
		fi
	done
	[[ $won == 1 && $lost == 11 ]] || die "$won, $lost"
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
	run -0 hr -q -d --name "$NAME" --ttl 1s --profile kmod -- sleep 1000
	wait_until 25 test ! -e "/run/porthole/$NAME"
	ended " with code 143 .*"
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
