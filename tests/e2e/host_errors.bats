#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2016 # run sets stderr; what is in quotes is for the shell inside
# host run on a machine that is not as it should be: one clear sentence, with what to do, and nothing left behind.
load ../lib/porthole

setup() {
	require kit
	DIR=$(test_dir)
	NAME=$(uniq_name err)
}

teardown() {
	"$PORTHOLE" kill "$NAME" 2>/dev/null || true
}

# apart SCRIPT: bash runs it in a mount namespace of its own; hr ARG... is host run there, with its exit code.
apart() {
	# other runs of tests leave it alone: it has their mark on it, and no copies of their mounts
	PT_MARK=$PT_RUN timeout -k 2 60 unshare -m bash -c '
		awk "\$5 ~ \"^/tmp/pt\" { print \$5 }" /proc/self/mountinfo | tac | xargs -rn 1 umount -l 2>/dev/null
		hr() { timeout -k 2 30 "$PORTHOLE" host run -q "$@" 2>&1 | grep -v "capabilities asked for"; echo "exit ${PIPESTATUS[0]}"; }
		'"$1" "$NAME" 2>&1
}

# sentences N TEXT...: the output has N lines of an error's, all of these, and no error twice.
sentences() {
	local t
	[[ $(grep -c '^porthole: ' <<<"$output") == "$1" ]] || die "not $1 sentences: $output"
	for t in "${@:2}"; do
		[[ $output == *"$t"* ]] || die "no '$t': $output"
	done
}

@test "a bad profile: which line, which word, what may be there" {
	local line want
	while IFS='|' read -r line want; do
		printf 'summary = x\n%s\n' "$line" >"$DIR/bad.profile"
		run -125 timeout 30 "$PORTHOLE" host run --profile "$DIR/bad.profile" true
		sentences 1 "bad.profile, line 2" "$want"
	done <<-'END'
		share = pid nosuch|nosuch
		colour = red|colour
		caps = docker flying|flying
		mount = / relative ro|relative
		mount = / /host sometimes|sometimes
		seccomp = perhaps|perhaps
		no equals sign|no equals sign
	END
	head -c 100000 /dev/zero >"$DIR/big.profile"
	run -125 timeout 30 "$PORTHOLE" host run --profile "$DIR/big.profile" true
	sentences 1 big.profile
	printf 'summary = \033[2J\n' >"$DIR/esc.profile"
	run -0 timeout 30 "$PORTHOLE" host run -q --profile "$DIR/esc.profile" true
	[[ $output != *$'\033'* ]] || die "$output"
	run -125 timeout 30 "$PORTHOLE" host run --profile "$DIR/none.profile" true
	sentences 1 "$DIR/none.profile" "No such file"
	run -125 timeout 30 "$PORTHOLE" host run --profile "$DIR/" true
	sentences 1 "$DIR/"
}

@test "an image without a shell, a file that is no image, a path that is not there" {
	mkdir "$DIR/i"
	cp "$PT_TOOLS/app" "$DIR/i/app"
	run -7 timeout 30 "$PORTHOLE" host run -q --profile monitor --image "$DIR/i" /app --exit 7
	run -127 timeout 30 "$PORTHOLE" host run -q --profile monitor --image "$DIR/i" sh
	sentences 1 "no command 'sh'" "--kit FILE"
	run -127 timeout 30 "$PORTHOLE" host run -q --profile monitor --image "$DIR/i"
	sentences 1 "no command" "$DIR/i"
	printf '#!/bin/sh\n' >"$DIR/i/script"
	chmod 755 "$DIR/i/script"
	run -127 timeout 30 "$PORTHOLE" host run -q --profile monitor --image "$DIR/i" /script
	sentences 1 /script "interpreter or loader"
	head -c 5000 /dev/urandom >"$DIR/rubbish.tar"
	run -125 timeout 30 "$PORTHOLE" host run --profile monitor --image "$DIR/rubbish.tar" sh
	sentences 1 rubbish.tar
	run -125 timeout 30 "$PORTHOLE" host run --profile monitor --image "$DIR/none" sh
	sentences 1 "$DIR/none"
	run -125 timeout 30 "$PORTHOLE" host run --profile monitor --image nosuch/image:9 sh
	sentences 1 nosuch/image:9
	run -125 timeout 30 "$PORTHOLE" host run --profile monitor -v "$DIR/none:/x" true
	sentences 1 "$DIR/none" /x
	run -126 timeout 30 "$PORTHOLE" host run --profile monitor -w /no/such true
	sentences 1 /no/such
}

@test "a full disk: what is written down fails in a sentence, a log that is full ends nobody" {
	run -0 apart 'mkdir -p /run/porthole; mount -t tmpfs -o size=8k t /run/porthole
		dd if=/dev/zero of=/run/porthole/fill bs=4k status=none 2>/dev/null
		hr -d --name "$0" sleep 1000
		ls /run/porthole
		# what writes nothing works, the way back to the host too
		hr --name "$0" porthole host exec echo it-works
		hr --log /run/porthole/log porthole host exec touch '"$DIR/touched"'; rm -f /run/porthole/log
		rm /run/porthole/fill
		hr -d --name "$0" sh -c "yes | head -c 100000; touch /done; exec sleep 1000"
		for i in $(seq 100); do "$PORTHOLE" exec "$0" test -e /done && echo went-on && break; sleep 0.1; done
		"$PORTHOLE" kill "$0" && ls -A /run/porthole'
	sentences 2 "/state: No space left on device"$'\n'"exit 125"$'\n'fill it-works "without which nothing is run" went-on
	[[ ! -e $DIR/touched && $output == *went-on ]] || die "$output"
	run -0 apart 'mkdir -p /run/porthole; mount -t tmpfs -o ro t /run/porthole; hr -d --name "$0" sleep 1000; hr true'
	sentences 1 "/run/porthole: Read-only file system"$'\n'"exit 125"$'\n'"exit 0"
}

@test "no cgroup to be had: what needs one says so, all else works, -d with --cgroup host" {
	local what
	for what in 'umount -R /sys/fs/cgroup' \
		'tac /proc/self/mounts | cut -d" " -f2 | grep ^/sys/fs/cgroup | xargs -n 1 mount -o remount,bind,ro'; do
		run -0 apart "$what"'
			hr true; hr -m 64m true; hr --cgroup own true; hr -d --name "$0" sleep 1000
			hr -d --cgroup host --name "$0" sleep 1000
			"$PORTHOLE" kill "$0" && echo ended'
		sentences 3 "exit 0"$'\n'"porthole: " cgroup "with --cgroup host, and without limits, it needs none" \
			"exit 125"$'\n'"$NAME"$'\n'"exit 0"$'\n'ended
		[[ $(grep -c '^exit 125' <<<"$output") == 3 ]] || die "$output"
	done
}

@test "without /proc it is said; with the host's processes hidden, and none called 1, it works" {
	run -0 apart 'umount -l /proc
		for v in "host run true" "host run -d true" doctor ps "inspect x" "exec x true" "kill x" "diff x" "busy /" "kit list"; do
			timeout 30 "$PORTHOLE" $v 2>&1 | grep -v "capabilities asked"
		done
		"$PORTHOLE" profile list | head -n 1; "$PORTHOLE" explain "docker run --privileged x" >/dev/null && echo explained'
	sentences 10 "there is no /proc here" "mount -t proc" explained
	[[ $(grep -c 'there is no /proc here' <<<"$output") == 10 ]] || die "$output"
	run -0 apart 'mount -t proc -o hidepid=2 proc /proc; hr sh -c "porthole host exec id -u"; setpriv --reuid 65534 --regid 65534 --clear-groups ls -d /proc/1 2>/dev/null || echo hidden'
	sentences 0 0$'\n'"exit 0" hidden
	# a pid namespace whose first process is not ours, and its /proc of one
	run -0 unshare -mpf --mount-proc "$PORTHOLE" host run -q --ns none porthole host exec sh -c 'echo it-works'
	[[ $output == *it-works ]] || die "$output"
}

@test "no hint leads astray: of a capability, of a user, of a line without an image; a title is one word" {
	run -125 timeout 30 "$PORTHOLE" host run --cap-add FOO true
	[[ $output == *"no capability 'FOO'"*"capabilities(7)"* && $output != *bpf* ]] || die "$output"
	run -125 timeout 30 "$PORTHOLE" host run --cap-add NETADMIN true
	[[ $output == *"did you mean 'net_admin'?"* ]] || die "$output"
	run -127 timeout 30 "$PORTHOLE" host run no-such-command ps
	[[ $output == *"if it has one: porthole host run porthole host exec no-such-command" ]] || die "$output"
	run -125 timeout 30 "$PORTHOLE" host run --profile monitor -u nosuch true
	sentences 1 "no user 'nosuch'" "a number such as -u 1000"
	[[ $output != *target* ]] || die "$output"
	run -0 "$PORTHOLE" explain 'docker run --privileged'
	[[ $output == *"No image is named"* ]] || die "$output"
	run -0 "$PORTHOLE" explain 'docker run --privileged x'
	[[ $output != *"No image is named"* ]] || die "$output"
	timeout 30 "$PORTHOLE" host run -q -d --profile monitor --name "$NAME" sleep 1000 >/dev/null
	run -0 "$PORTHOLE" inspect "$NAME"
	[[ $output == *"'porthole: session'"$'\n'* && $output != *"''"* ]] || die "$output"
}
