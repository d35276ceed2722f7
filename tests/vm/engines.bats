#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2016 # run sets output; nothing is to be expanded
# host run --engine on a host with systemd and cgroup v2 alone: by each engine as Debian sets it up the same container as
# by Porthole, profile by profile.
load ../lib/porthole

inside() {
	vm_words
	declare -f probe_expected
	cat <<-'EOF'
		cp /mnt/porthole /mnt/kit.erofs /usr/local/bin
		mkdir -m 777 /srv/d
		sleep 100000 &
		sleeper=$!
		ns=$(readlink /proc/self/ns/*)
		probe() { # PROFILE [OPTION...]
			timeout -k 5 200 porthole host run --profile "$1" --name spc -v /mnt/probe.sh:/probe:ro "${@:2}" -- \
				sh /probe "${ns//$'\n'/ }" /srv/d $sleeper 60 </dev/null 2>/tmp/said
		}
		within 120 systemctl is-active docker
		check 'cgroup v2' '^cgroup2fs' stat -fc %T /sys/fs/cgroup
		for p in monitor net inspect trace introspect disk kmod libvirt cockpit toolbox admin; do
			probe $p >/tmp/own.$p
			check "$p: the facts" '^1[0-9][0-9] exit 0|^[2-9][0-9][0-9] exit 0' sh -c "wc -l </tmp/own.$p"
			for e in docker podman nspawn runc crun; do
				probe $p --engine $e >/tmp/got
				probe_expected $e </tmp/own.$p >/tmp/want
				check "$p: $e" '^exit 0' diff /tmp/want /tmp/got
			done
		done
		check 'profiles differ' 'exit 1' cmp /tmp/own.net /tmp/own.monitor
		check 'nothing of ours runs' '^exit 1$' pgrep -l 'porth|ph-gua'
		check 'nor is mounted' '^exit 1$' grep porthole /proc/self/mountinfo
		check 'nor an engine has it' '^exit 0$' sh -c 'docker ps -aq; podman ps -aq; runc list -q; ls /run/crun 2>/dev/null'
		echo
		echo end
	EOF
}

@test "host run by every engine on cgroup v2 alone: the same as without one, profile by profile" {
	local disk out
	require vm kit
	disk=$(test_dir)
	vm_prepare
	cp "$PORTHOLE" "$PORTHOLE_BUILD/kit.erofs" "$BATS_TEST_DIRNAME/../tools/probe.sh" "$disk/"
	out=$(KERNEL_LIMIT=1800 vm_run "$disk" "$(inside)") || die "$out"
	[[ $out == *$'\nend'* && $out != *BAD* ]] || die "$(grep -c '^ok' <<<"$out") ok; $(grep -v '^ok' <<<"$out")"
}
