#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2016 # run sets output; nothing is to be expanded
# A host that SELinux confines, enforcing: Debian's policy, and of a container host's what tests/vm/container.cil has.
# Who starts porthole is unconfined_t there; only what is labelled as the engines are may start a container_t.
load ../lib/porthole

inside() {
	vm_words
	cat <<-'EOF'
		mkdir /opt/p
		cp /mnt/porthole /mnt/kit.erofs /usr/local/bin
		cp /mnt/porthole /opt/p/porthole
		ln /usr/local/bin/kit.erofs /opt/p/kit.erofs
		chcon -t container_runtime_exec_t /opt/p/porthole
		me='unconfined_u:unconfined_r:unconfined_t:s0'
		start() {
			podman load -qi /mnt/busybox.tar
			podman run -d --name pod1 --network host docker.io/pt/busybox:1
			podman run --name ended --network none docker.io/pt/busybox:1 cat /proc/self/attr/current
			mkdir -p /var/lib/containers/r1/rootfs
			cd /var/lib/containers/r1
			cp -a /mnt/busybox/. rootfs
			chcon -R -t container_file_t -l s0:c1,c2 rootfs
			runc spec
			jq '.process.terminal = false | .process.args = ["/app"] | .root.readonly = false
				| .process.selinuxLabel = "system_u:system_r:container_t:s0:c1,c2"
				| .linux.mountLabel = "system_u:object_r:container_file_t:s0:c1,c2"' config.json >c && mv c config.json
			runc run -d runc1 </dev/null >/dev/null
			cp -a /var/lib/containers/r1 /var/lib/containers/r2
			cd /var/lib/containers/r2
			chcon -R -t container_file_t -l s0:c1,c2 rootfs
			sed -i 's/:container_t:/:container_mute_t:/' config.json
			runc run -d runc2 </dev/null >/dev/null
			cd /root
		}
		check 'it enforces' '^Enforcing exit 0' getenforce
		start >/tmp/start 2>&1
		check 'doctor says so' 'confinement +SELinux, enforcing' porthole doctor
		check 'containers are confined' '^2 exit 0' sh -c \
			'ps -C app -o label= | grep -c "^system_u:system_r:container_t:s0:c[0-9]*,c[0-9]*$"'
		label=$(tr -d '\0' <"/proc/$(podman inspect -f '{{.State.Pid}}' pod1)/attr/current")
		files=${label/system_r:container_t/object_r:container_file_t}
		check 'by default, not confined; its files are as all in there' "^$me $files /new exit 0" porthole exec pod1 sh -c \
			'tr "\0" " " </proc/self/attr/current; echo x >/new; ls -Z /new'
		check 'it can read them' '^x exit 0' podman exec pod1 cat /new
		check 'no more than it has' "^$label $files /new $files /dev/p/b $files /dev/null exit 0" \
			/opt/p/porthole exec --caps target pod1 sh -c 'cat /proc/self/attr/current; echo; ls -Zd /new /dev/p/b /dev/null | sort -r'
		echo hi | /opt/p/porthole exec -i --caps target pod1 /bin/busybox cat >/root/o 2>&1
		check 'what it reads and says is not lost' '^hi exit 0' cat /root/o
		check 'with a terminal' '/dev/pts/0.*to tty.*exit 0' script -qc \
			"/opt/p/porthole exec --caps target pod1 sh -c 'tty; echo to tty'" /dev/null
		check 'nothing that the policy keeps from it' "Permission denied.*exit 1" /opt/p/porthole exec --caps target runc1 cat /proc/sysrq-trigger /proc/kmsg
		check 'what would be lost is said' "SELinux.s policy keeps porthole.s pipes from .*container_mute_t:.* of 'runc2': all.*chcon -t container_runtime_exec_t.*exit 126" \
			/opt/p/porthole exec --caps target runc2 id
		check 'not to a terminal, where nothing is' 'to tty.*exit 0' script -qc "/opt/p/porthole exec --caps target runc2 sh -c 'echo to tty'" /dev/null
		check 'nor as we are' 'uid=0.*exit 0' porthole exec runc2 id
		dmesg -c >/dev/null
		check 'who may not start it' "SELinux.s policy does not let porthole start '/dev/p/b/id' with the label '$label' of 'pod1'.*chcon -t.*exit 126" \
			porthole exec --caps target pod1 id
		check 'was denied by it' 'transition.*container_t.*exit 0' sh -c "dmesg -c | grep 'avc:  denied'"
		/opt/p/porthole exec --caps target pod1 sleep 1003 </dev/null >/dev/null 2>&1 &
		within 30 pgrep -x sleep
		kill -9 $!
		wait
		within 20 sh -c '! pgrep -x "sleep|porthole"'
		check 'killed, and nothing is left' '^exit 1' pgrep -x 'sleep|porthole'
		check 'as confined as it ran' '^system_u:system_r:container_t:s0:c[0-9]+,c[0-9]+.*code 0.*exit 0' /opt/p/porthole entrypoint --run ended
		check 'or it is said' "^$me.*not rehearsed: its SELinux label.*exit 0" porthole entrypoint --run ended
		check 'what does not run' 'uid=0.*exit 0' porthole exec ended id
		check 'its changes' '^C /etc exit 0' porthole diff ended
		check 'a view that forgets' 'A /new exit 0' porthole exec --view cow --diff runc1 sh -c 'echo x >/new'
		check 'the kit for all' 'exit 0' porthole mount pod1
		check 'also for who is confined' "^b $label exit 0" podman exec pod1 /dev/p/b/bash -c 'cd /dev/p; echo [b]; tr "\0" " " </proc/self/attr/current'
		check 'no more' 'exit 0' porthole unmount pod1
		check 'beside' 'hello from scratch app exit 0' porthole sidekick pod1 curl -s http://127.0.0.1:8080
		check 'ports' '200 OK.*exit 0' porthole forward -L 9191:8080 pod1 -- bash -c \
			'exec 3<>/dev/tcp/127.0.0.1/9191; printf "GET / HTTP/1.0\r\n\r\n" >&3; cat <&3'
		for c in pod1 runc1; do
			engine=${c%[0-9]}
			check "$c: a file in" '^exit 0' porthole cp /etc/hostname $c:/in
			check "$c: which it reads and writes" '^vm x exit 0' ${engine/pod/podman} exec $c sh -c 'echo x >>/in; cat /in'
			check "$c: an operating system in" 'exit 0' porthole inject $c --from busybox
			check "$c: which it runs" 'uid=0.*exit 0' ${engine/pod/podman} exec $c id
			check "$c: and out" 'exit 0' porthole eject $c
		done
		check 'a host container' "^$me root exit 0" porthole host run -q sh -c \
			'tr "\0" " " </proc/self/attr/current; grep -o ^root /host/etc/shadow'
		check 'that reads only' '1.*Read-only.*Read-only.*exit 2' porthole host run -q --profile inspect sh -c \
			'cat /host/sys/fs/selinux/enforce; touch /host/x; echo 0 >/host/sys/fs/selinux/enforce'
		check 'what agents see' '^proc sys exit 0' porthole host run -q --profile monitor sh -c 'cat /host/proc/1/status >/dev/null && ls /host'
		check 'a toolbox' '^/media/root/etc/shadow exit 0' porthole host run -q --profile toolbox ls /media/root/etc/shadow
		check 'and back' "^$me active exit 0" porthole host run -q porthole host exec sh -c \
			'tr "\0" " " </proc/self/attr/current; systemctl is-active dbus; mount -t tmpfs t /srv && umount /srv'
		mkdir /srv/v
		check 'Z gives no file another label' 'unconfined_u:object_r:var_t:s0 d exit 0' sh -c \
			'echo x >/srv/v/d; porthole host run -q -v /srv/v:/v:Z cat /v/d; cd /srv/v; ls -Z d'
		check 'by podman' '/host/etc/shadow active exit 0' porthole host run -q --engine podman sh -c \
			'ls /host/etc/shadow; porthole host exec systemctl is-active dbus'
		check 'nobody unconfined was denied anything' '^exit 1$' sh -c \
			"dmesg | grep 'avc:  denied' | grep 'scontext=unconfined_u:unconfined_r' | grep -v 'transition }'"
		check 'it still enforces' '^Enforcing exit 0' getenforce
		check 'nothing of ours runs' '^exit 1$' pgrep -l 'porth|ph-gua'
		check 'nor is mounted' '^exit 1$' grep porthole /proc/self/mountinfo
		echo end
		tr -d '\0' </tmp/start | sed 's/^/# /'
		echo # a label ends no line
	EOF
}

@test "a host that SELinux confines, enforcing: sessions and host containers, as the containers' own label or unconfined" {
	local disk out u line=$PT_VM_SELINUX
	require vm kit
	disk=$(test_dir)
	vm_prepare
	cp "$(image_archive busybox)" "$disk/"
	cp -a "$(image_root busybox)" "$disk/busybox"
	cp "$PORTHOLE" "$PORTHOLE_BUILD/kit.erofs" "$disk/"
	for u in docker.service docker.socket containerd.service lxc.service lxc-net.service; do
		line+=" systemd.mask=$u"
	done
	out=$(KERNEL_LINE=$line vm_run "$disk" "$(inside)") || die "$out"
	[[ $out == *$'\nend\n'* && $out != *BAD* ]] || die "$(grep -c '^ok' <<<"$out") ok; $(grep -v '^ok' <<<"$out")"
}
