#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2016 # run sets output; nothing is to be expanded
# A Debian 12 as its users have it, in qemu: systemd is process 1, cgroup v2 alone, AppArmor's profiles loaded, all
# capabilities, the kernel's own modules; docker, podman (rootless in a session of logind's), containerd, runc, crun, LXC
# and nspawn with systemd's cgroups. This machine has none of these.
load ../lib/porthole

# What runs in there: one line "ok NAME" or "BAD NAME: WHY" a check.
inside() {
	vm_words
	cat <<-'EOF'
		cp /mnt/porthole /mnt/kit.erofs /usr/local/bin # a disk that can be read and no more is no place to run it from
		# COMMAND... in a session of hers
		printf '%s\n' '#!/bin/sh' 'exec systemd-run -q --pipe --wait --uid=1000 --gid=1000 -p PAMName=login \
			-p WorkingDirectory=/home/ann -E HOME=/home/ann -E XDG_RUNTIME_DIR=/run/user/1000 -E "PATH=$PATH" \
			-E DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus "$@"' >/usr/local/bin/ann
		chmod 755 /usr/local/bin/ann
		# one for each of their root directories
		roots() {
			local r
			for r in /var/lib/machines/m1 /var/lib/lxc/l1/rootfs /root/r1/rootfs; do
				mkdir -p "$r"
				cp -a /mnt/busybox/. "$r"
			done
		}
		start() {
			docker load -qi /mnt/busybox.tar
			docker load -qi /mnt/scratch.tar
			docker run -d --name web pt/scratch:1
			docker run -d --name lim -m 32m --cpus 0.5 --pids-limit 50 pt/busybox:1
			docker run -d --name priv --privileged --pid host -v /:/host pt/busybox:1
			docker create --name stopped pt/busybox:1
			docker run --name ended pt/busybox:1 cat /proc/self/attr/current
			podman load -qi /mnt/busybox.tar
			podman run -d --name pod1 --network host docker.io/pt/busybox:1
			ann podman load -qi /mnt/busybox.tar
			ann podman run -d --name hers --network none docker.io/pt/busybox:1
			ctr image import /mnt/busybox.tar
			ctr run -d docker.io/pt/busybox:1 ctr1
			systemd-run -q --unit m1 -p Delegate=yes -E SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 \
				systemd-nspawn --keep-unit --register=yes --private-network -M m1 -D /var/lib/machines/m1 /app
			printf '%s\n' 'lxc.include = /usr/share/lxc/config/common.conf' 'lxc.uts.name = l1' 'lxc.init.cmd = /app' \
				'lxc.rootfs.path = dir:/var/lib/lxc/l1/rootfs' 'lxc.apparmor.profile = generated' >/var/lib/lxc/l1/config
			lxc-start -n l1
			cd /root/r1
			runc spec
			jq '.process.terminal = false | .process.args = ["/app"]' config.json >c && mv c config.json
			runc run -d runc1 </dev/null >/dev/null
			cd /root
		}
		check 'systemd is up' '(running|degraded|starting) ' systemctl is-system-running
		check 'cgroup v2' '^cgroup2fs' stat -fc %T /sys/fs/cgroup
		within 120 systemctl is-active docker
		loginctl enable-linger ann
		within 60 [ -S /run/user/1000/bus ]
		roots
		start >/tmp/start 2>&1
		check 'apparmor confines' 'docker-default \(enforce\)' cat "/proc/$(docker inspect -f '{{.State.Pid}}' web)/attr/current"
		check 'all are listed' '^ctr1 hers l1 lim m1 pod1 priv runc1 web exit 0' sh -c \
			"porthole ps --format '{{.Name}}' | sort | tr '\n' ' '"
		check 'hers are, to her' 'hers .*podman.*exit 0' ann porthole ps
		check 'whose is whose' '^ctr1=containerd hers=podman l1=lxc lim=docker m1=nspawn pod1=podman priv=docker runc1=runc web=docker exit 0' \
			sh -c "porthole ps --format '{{.Name}}={{.Engine}}' | sort | tr '\n' ' '"
		for c in web pod1 hers ctr1 m1 l1 runc1; do
			check "$c: its processes, with a debugger" 'poll.*/app.*exit 0' porthole exec $c bash -c \
				'gdb -nx -batch -p 1 -ex bt; ps -p 1 -o args='
		done
		check 'no more than it has' '^docker-default \(enforce\) exit 0' porthole exec --caps target web cat /proc/self/attr/current
		porthole exec --caps target l1 sleep 1003 & # which sees itself as unconfined, in a namespace of AppArmor's
		within 20 pgrep -x sleep
		check 'also of LXC' '^lxc-l1.* \(enforce\) exit 0' sh -c 'cat /proc/$(pgrep -x sleep)/attr/current'
		kill $!
		wait $!
		check 'by default, not confined' '^unconfined exit 0' porthole exec web cat /proc/self/attr/current
		check 'as confined as it ran' '^docker-default \(enforce\).*exit 0' porthole entrypoint --run ended
		check 'strace' 'attached.*exit 124' porthole exec web timeout 3 strace -p 1
		check 'nothing is left' 'nothing changed exit 0' porthole exec --prove web true
		check 'a cgroup of its own' '/porthole-[0-9a-f]+ 67108864 exit 0' porthole exec --ns pid --cgroup own --memory 64m web \
			sh -c 'cut -d: -f3 /proc/self/cgroup; cat /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)/memory.max'
		check 'its own is gone' 'exit 2$' ls -d /sys/fs/cgroup/porthole-*
		check "the target's cgroup" '^0::/ exit 0' porthole exec --cgroup target l1 cat /proc/self/cgroup
		check 'frozen' '^exit 0' porthole exec --freeze web true
		check 'a view that forgets' 'A /new exit 0' porthole exec --view cow --diff l1 sh -c 'echo x >/new'
		check 'what does not run' 'uid=0.*exit 0' porthole exec stopped /bin/busybox id
		check 'the kit for all' 'exit 0' porthole mount web
		check 'also for docker exec' '^b exit 0' docker exec web /dev/p/b/bash -c 'cd /dev/p; echo [b]'
		check 'no more' 'exit 0' porthole unmount web
		check 'beside' 'hello from scratch app exit 0' porthole sidekick web curl -s http://127.0.0.1:8080
		check 'ports' '200 OK.*exit 0' porthole forward -L 9191:8080 web -- bash -c \
			'exec 3<>/dev/tcp/127.0.0.1/9191; printf "GET / HTTP/1.0\r\n\r\n" >&3; cat <&3'
		check 'an operating system in' 'exit 0' porthole inject web --from busybox
		check 'which docker runs' 'uid=0.*exit 0' docker exec web id
		check 'and out' 'exit 0' porthole eject web
		check 'and it is out' 'exit 12[67]' docker exec web id
		check 'a file in' '^exit 0' porthole cp /etc/hostname l1:/in
		check 'and out' '^vm exit 0' porthole cat l1:/in
		check 'hers, by her' '^0 .*/app.*exit 0' ann porthole exec hers sh -c 'id -u; ps -o args= 1'
		check 'where she is' 'on the host itself.*own rootless containers need none.*exit 0' ann porthole doctor
		ann podman run --name over --network none docker.io/pt/busybox:1 true
		check 'hers that ended, with the limits that root alone can set' 'reports success.*not rehearsed: its limits.*exit 0' \
			ann porthole entrypoint --run over
		podman create --name mapped --uidmap 0:200000:1000 --gidmap 0:200000:1000 docker.io/pt/busybox:1
		check 'of other ids' '^root:.*exit 0' porthole cat mapped:/etc/passwd
		for s in user.max_user_namespaces kernel.unprivileged_userns_clone; do
			old=$(sysctl -n $s)
			sysctl -q $s=0
			check "$s: hers that runs" "let users have: $s is 0 .*sudo; or with --kit none.*exit 125" ann porthole exec hers true
			check "$s: without a kit" '^0 exit 0' ann porthole exec --kit none hers id -u
			check "$s: hers that ended" "let users have: $s is 0 .*run with sudo.*exit 125" ann porthole cat over:/etc/passwd
			[ $s != user.max_user_namespaces ] || check "$s: of other ids" "system forbids: $s is 0 .*exit 125" \
				porthole cat mapped:/etc/passwd
			sysctl -q $s=$old
		done
		docker exec lim /app --eat 100 >/dev/null 2>&1
		check 'limits' 'of 32 MiB.* oom kills +1 .*0\.5 CPUs.*of 50' porthole inspect lim
		(sleep 1; while ! grep -q armed /tmp/out; do sleep 0.2; done; docker kill -s KILL lim) >/dev/null 2>&1 &
		check 'its end' 'signal 9.* held .*/app exit 0' porthole catch lim ls /app
		check 'a host container' 'unconfined root.*exit 0' porthole host run -q sh -c \
			'cat /proc/self/attr/current; grep -o ^root /host/etc/shadow'
		check 'that reads only' 'Read-only.*Read-only.*Read-only.*Read-only' porthole host run -q --profile inspect sh -c \
			'cd /host; touch x sys/kernel/security/x; mkdir sys/fs/cgroup/x; echo x >proc/sys/kernel/hostname'
		check 'and back' '^active .*tmpfs.*exit 0' porthole host run -q porthole host exec sh -c \
			'systemctl is-active docker; mount -t tmpfs t /srv && findmnt -n /srv && umount /srv'
		check 'modules' '^dummy .*exit 0' porthole host run -q --profile kmod sh -c \
			'modprobe dummy && lsmod | grep ^dummy; rmmod dummy'
		check 'it is unloaded' 'exit 1$' sh -c 'lsmod | grep ^dummy'
		for e in docker podman nspawn runc crun; do
			check "by $e" 'unconfined /host/etc/shadow active exit 0' porthole host run -q --engine $e sh -c \
				'cat /proc/self/attr/current; ls /host/etc/shadow; porthole host exec systemctl is-active docker'
			check "by $e, less" 'Read-only.*no way to a host' porthole host run -q --engine $e --profile inspect sh -c \
				'touch /host/x; porthole host exec true'
		done
		docker cp /usr/local/bin/porthole priv:/porthole
		docker cp /usr/local/bin/kit.erofs priv:/kit.erofs
		check 'from a privileged container: where it is' 'of docker.*host.s files +/host.*exec, of what runs +yes' \
			docker exec priv /porthole doctor
		check 'and in' '^app dev etc proc sys exit 0' docker exec priv /porthole exec web ls /
		porthole host run -q -d --name storm --cgroup own -- bash -c \
			'for i in $(seq 200); do (while :; do sleep 0.3; done) & done; wait'
		within 60 sh -c '[ $(pgrep -xc sleep) -gt 50 ]'
		check 'its cgroup' 'porthole-.*exit 0' sh -c 'ls -d /sys/fs/cgroup/porthole-*; porthole inspect storm | grep cgroup'
		check 'the end of those that fork' 'exit 0' porthole kill storm
		check 'all of them' '^exit 1' pgrep -x sleep
		check 'and their cgroup' 'exit 2$' ls -d /sys/fs/cgroup/porthole-*
		check 'a unit' 'exit 0' porthole host install agent --profile net -- sh -c \
			'setsid sh -c "trap \"\" TERM HUP; sleep 1001; sleep 1001" & sleep 1002'
		systemctl daemon-reload
		check 'started' 'exit 0' systemctl enable --now porthole-agent
		within 20 pgrep -x sleep
		check 'in its cgroup' 'ph-guard|porthole: session' systemctl status porthole-agent --no-pager
		check 'stopped' '^exit 0' systemctl stop porthole-agent
		check 'all of it' '^exit 1' pgrep -x sleep
		check 'not failed' '^inactive' systemctl is-active porthole-agent
		systemctl disable -q porthole-agent
		check 'removed' 'Removed.*exit 0' porthole host uninstall agent
		check 'nobody was denied anything' '^exit 1$' sh -c "dmesg | grep 'apparmor=\"DENIED\"' | grep -v 'comm=\"lxc-start\"'"
		check 'nothing of ours runs' '^exit 1$' pgrep -l 'porth|ph-gua'
		check 'nor is mounted' '^exit 1$' grep porthole /proc/self/mountinfo
		echo end
		sed 's/^/# /' /tmp/start
	EOF
}

@test "a whole Debian 12: every engine as its package sets it up, systemd, cgroup v2 alone, AppArmor" {
	local disk out i
	require vm kit
	disk=$(test_dir)
	vm_prepare
	for i in busybox scratch; do
		cp "$(image_archive $i)" "$disk/"
	done
	cp -a "$(image_root busybox)" "$disk/busybox"
	cp "$PORTHOLE" "$PORTHOLE_BUILD/kit.erofs" "$disk/"
	out=$(vm_run "$disk" "$(inside)") || die "$out"
	[[ $out == *$'\nend\n'* && $out != *BAD* ]] || die "$(grep -c '^ok' <<<"$out") ok; $(grep -v '^ok' <<<"$out")"
}
