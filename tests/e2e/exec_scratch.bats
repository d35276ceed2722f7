#!/usr/bin/env bats
# porthole exec: what tools need and a target does not have: a /tmp, groups that can be set.
load ../lib/porthole

setup_file() {
	require plain kit
	export BARE BARE_PID WEB WEB_PID
	BARE=$(uniq_name bare)
	BARE_PID=$(target_start plain "$BARE")
	WEB=$(uniq_name web)
	WEB_PID=$(target_start plain "$WEB" busybox --rw)
}

teardown_file() {
	target_stop plain "$WEB"
	target_stop plain "$BARE"
}

@test "no /tmp: temporary files go to the session's own /dev, and with it" {
	[[ ! -e /proc/$BARE_PID/root/tmp ]]
	run -0 x "$BARE_PID" bash -c 'mktemp; cat <<<here; stat -c "%a %u" $TMPDIR; ls -A $TMPDIR; id -u'
	[[ ${lines[0]} == /dev/p.tmp/tmp.* && ${lines[1]} == here && ${lines[2]} == "1777 0" ]]
	[[ ${lines[3]} == tmp.* && ${lines[4]} == 0 ]]
	run -0 x -u target "$BARE_PID" bash -c 'mktemp; id -u'
	[[ ${lines[0]} == /dev/p.tmp/tmp.* && ${lines[1]} == 1000 ]]
	run -0 x "$BARE_PID" bash -c 'tmux new -d sleep 60 && tmux ls'
	[[ $output == "0: 1 windows"* ]]
	# it is nobody else's, and bounded
	[[ ! -e /proc/$BARE_PID/root/dev/p.tmp ]]
	[[ $(x "$BARE_PID" ls -A /dev/p.tmp) == "" ]]
	run x "$BARE_PID" dd if=/dev/zero of=/dev/p.tmp/big bs=1M count=100
	[[ $status != 0 && $output == *"No space left on device"* ]]
	# what one asks for counts
	[[ $(x -e TMPDIR=/dev/shm "$BARE_PID" mktemp) == /dev/shm/tmp.* ]]
	rm -f "/proc/$BARE_PID/root/dev/shm"/tmp.*
}

@test "no /tmp, by the older mount calls" {
	run -0 "$PT_TOOLS/enosys" mountapi -- "$PORTHOLE" exec "$BARE_PID" bash -c 'mktemp; tmux new -d sleep 60 && tmux ls'
	[[ ${lines[0]} == /dev/p.tmp/tmp.* && ${lines[1]} == "0: 1 windows"* ]]
	[[ ! -e /proc/$BARE_PID/root/dev/p.tmp ]]
}

@test "a /tmp that can be written is used, one that cannot is not" {
	local tmp=/proc/$WEB_PID/root/tmp
	run -0 x "$WEB_PID" bash -c 'f=$(mktemp); echo "$f:$TMPDIR"; rm "$f"; [[ ! -e /dev/p.tmp ]]'
	[[ $output == /tmp/tmp.*: ]]
	chmod 755 "$tmp"
	[[ $(x "$WEB_PID" mktemp -u) == /tmp/* ]] # root's own
	[[ $(x -u 1000 "$WEB_PID" mktemp) == /dev/p.tmp/tmp.* ]]
	rmdir "$tmp" && ln -s /app "$tmp"
	[[ $(x "$WEB_PID" mktemp) == /dev/p.tmp/tmp.* ]]
	rm "$tmp" && ln -s /../../../tmp "$tmp" # the host's, were it followed
	[[ $(x "$WEB_PID" printenv TMPDIR) == /dev/p.tmp ]]
	rm "$tmp" && mkfifo "$tmp"
	[[ $(timeout 10 "$PORTHOLE" exec "$WEB_PID" printenv TMPDIR </dev/null) == /dev/p.tmp ]]
	rm "$tmp" && mkdir -m 1777 "$tmp"
}

@test "a user namespace that denies setgroups: what gives groups up works all the same" {
	require bwrap
	local name pid seen=$BATS_TEST_TMPDIR/seen
	name=$(uniq_name deny)
	pid=$(target_start bwrap "$name")
	[[ $(</proc/$pid/setgroups) == deny ]]
	timeout 20 "$PORTHOLE" exec "$pid" tcpdump -n -c 1 -i lo icmp </dev/null >"$seen" 2>&1 3>&- &
	wait_until 10 grep -q 'listening on lo' "$seen"
	x "$pid" ping -c 1 127.0.0.1
	wait $!
	grep -q 'ICMP echo request' "$seen"
	run -0 "$PORTHOLE" exec --explain "$pid" true
	[[ $output == *"setgroups(2) does nothing"* ]]
	# only there, and not for who is not root
	[[ $(x "$pid" sed -n 's/^Seccomp:\t//p' /proc/self/status) == 2 ]]
	[[ $(x "$WEB_PID" sed -n 's/^Seccomp:\t//p' /proc/self/status) == "$(sed -n 's/^Seccomp:\t//p' /proc/self/status)" ]]
	target_stop bwrap "$name"
}

@test "gdb as the app's own user: it finds the files of what it debugs" {
	run -0 x -u target "$BARE_PID" gdb -q -batch -p 1 -ex bt
	[[ $output == *" in main ()"* && $output != *"not permitted"* ]]
	run -0 x --view kit -u target "$BARE_PID" gdb -q -batch -p 1 -ex bt
	[[ $output == *" in main ()"* ]]
	run -0 x "$BARE_PID" gdb -q -batch -p 1 -ex bt
	[[ $output == *" in main ()"* ]]
}

@test "df and mount tables name the kit's file" {
	local kit
	kit=$(basename "$("$PORTHOLE" kit info --json | jq -r .path)")
	run -0 x "$BARE_PID" df --output=source,target
	grep -qE "^$kit +/dev/p$" <<<"$output"
	grep -qE "^porthole +/dev$" <<<"$output"
	[[ $(cd / && x "$BARE_PID" pwd) == / && $(cd /usr && x --ns net "$BARE_PID" pwd) == /usr ]]
}
