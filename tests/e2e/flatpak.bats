#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets stderr
# An app that flatpak itself installed and runs, for a user: found, shown, entered, and nothing left.
load ../lib/porthole

setup_file() {
	require flatpak kit
	export APP PID
	APP=$(uniq_name app)
	PID=$(target_start flatpak "$APP")
	APP=org.pt.$APP
}

teardown_file() {
	target_stop flatpak "${APP#org.pt.}"
}

@test "found by its name, its id and its pid; ps and inspect tell what it is" {
	local id spec user
	id=$(target_id flatpak "${APP#org.pt.}")
	user=$(test_user)
	for spec in "$APP" "flatpak://$APP" "flatpak://$id" "$PID" "pid:$PID"; do
		[[ $("$PORTHOLE" inspect --json -s process "$spec" | jq -r '"\(.engine) \(.name) \(.pid) \(.state)"') == \
			"flatpak $APP $PID running" ]] || die "$spec"
	done
	[[ $("$PORTHOLE" ps --json 2>/dev/null | jq -r --arg n "$APP" '.[] | select(.name == $n) | "\(.engine) \(.id) \(.pid) \(.user)"') == \
		"flatpak $id $PID $user" ]]
	run -0 "$PORTHOLE" inspect "$APP"
	[[ $output == *"of user $user"* && $output == *"127.0.0.1"*8080*app* && $output == *"user, mnt, pid, net, ipc"* ]]
}

@test "exec: the kit's tools, its namespaces, its files, its server; and nothing left" {
	local n
	# what is written into its files is there
	x "$APP" touch /tmp/live
	rm "/proc/$PID/root/tmp/live"
	residue_snapshot "$BATS_TEST_TMPDIR/r" "$PID"
	for n in user pid net ipc; do
		[[ $(x "$APP" readlink "/proc/self/ns/$n") == "$(readlink "/proc/$PID/ns/$n")" ]] || die "not its $n namespace"
		[[ $(readlink "/proc/self/ns/$n") != "$(readlink "/proc/$PID/ns/$n")" ]] || die "$n is the host's"
	done
	[[ $(x "$APP" stat -c %d:%i / /app/bin/app) == "$(stat -c %d:%i "/proc/$PID/root/" "/proc/$PID/root/app/bin/app")" ]]
	[[ $(x "$APP" bash -c 'jq -n 1+1; curl -s 127.0.0.1:8080; id -un') == $'2\nhello from scratch app\n'"$(test_user)" ]]
	[[ $(x "$APP" gdb -batch -p 2 -ex 'python print(gdb.selected_inferior().pid)' 2>/dev/null | tail -n 2) == *2* ]]
	[[ $(x "$APP" cat /proc/2/comm) == app ]]
	run -0 --separate-stderr x --view cow --diff "$APP" touch /tmp/gone
	[[ $stderr == *"A /tmp/gone"* && ! -e /proc/$PID/root/tmp/gone ]]
	run -7 x "$APP" sh -c 'sleep 300 & setsid sleep 300 & exit 7'
	residue_assert_same "$BATS_TEST_TMPDIR/r"
	run -0 --separate-stderr x --json --prove "$APP" true
	unchanged "$stderr"
}

@test "its own user enters it without root" {
	local bin
	bin=$(test_dir)
	cp "$PORTHOLE" "${PORTHOLE_KIT:-$PORTHOLE_BUILD/kit.erofs}" "$bin"
	chmod -R a+rX "$bin"
	[[ $(as_user timeout 60 "$bin/porthole" exec "$APP" jq -n 1+1) == 2 ]]
	[[ $(as_user "$bin/porthole" ps --json 2>/dev/null | jq -r '.[] | select(.engine == "flatpak").name') == "$APP" ]]
	rm -rf "$bin"
}

@test "its end is seen" {
	local name pid
	name=$(uniq_name end)
	pid=$(target_start flatpak "$name" -- /bin/sh -c 'sleep 1000')
	[[ $(x "org.pt.$name" jq -n 1+1) == 2 ]]
	kill -KILL "$pid"
	wait_until 5 pid_gone "$pid"
	says 125 "nothing is named" "org.pt.$name" true
	target_stop flatpak "$name"
}
