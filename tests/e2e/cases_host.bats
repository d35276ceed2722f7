#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2016 # run sets stderr; what is in quotes is for the shell inside
# Cases 10 to 19 of the design: what people let containers of theirs do to the host. Each with what it must be able to do
# to the host, and what it must not.
load ../lib/porthole

hr() { hr_quiet "$@"; }

# say NAME WORDS...: for scripts inside, one line "NAME: yes" or "NAME: no".
SAY='say() { n=$1; shift; if "$@" >/dev/null 2>&1; then echo "$n: yes"; else echo "$n: no"; fi; }; '

# said WORD NAME...: each of them said so in $output.
said() {
	local n
	for n in "${@:2}"; do
		grep -qxF "$n: $1" <<<"$output" || die "$n is not: $1. $output"
	done
}

setup() {
	require kit
	DIR=$(test_dir)
	NAME=$(uniq_name case)
}

teardown() {
	"$PORTHOLE" kill "$NAME" 2>/dev/null || true
	[[ -z ${HOST_PID:-} ]] || kill -9 "$HOST_PID" 2>/dev/null || true
	[[ -z ${BUS:-} ]] || rm -rf "$BUS"
	umount_below "$DIR"
}

# on_host: HOST_PID becomes a process of the host, sleep 1000.
on_host() {
	sleep 1000 3>&- &
	HOST_PID=$!
	disown
	wait_until 5 grep -qz sleep "/proc/$HOST_PID/cmdline"
}

# A node of a memory device, made or brought in: where it can be opened, so could the host's disk.
NODE='mknod /tmp/zero c 1 5 && head -c 1 /tmp/zero'

@test "case 10: an agent sees processes, cgroups and docker's socket, and nothing else" {
	require docker-default
	local name
	name=$(uniq_name dd)
	on_host
	target_start docker-default "$name" >/dev/null
	run -0 in_engine docker-default timeout 60 "$PORTHOLE" host run -q --profile monitor --ns +uts -e API_KEY=k sh -c "$SAY"'
		curl -s --unix-socket /var/run/docker.sock http://d/containers/json
		say comm grep -qx sleep /host/proc/'"$HOST_PID"'/comm
		say cgroups ls /host/sys/fs/cgroup/*/
		say key [ "$API_KEY" = k ]
		say name [ "$(hostname)" = "'"$(hostname)"'" ]
		say environ cat /host/proc/'"$HOST_PID"'/environ
		say root ls /host/proc/'"$HOST_PID"'/root/
		say sysctl sh -c "echo x >/host/proc/sys/kernel/domainname"
		say sysrq sh -c "echo h >/host/proc/sysrq-trigger"
		say cgroup sh -c "mkdir /host/sys/fs/cgroup/x /host/sys/fs/cgroup/*/x"
		say kill kill -0 '"$HOST_PID"'
		say mount mount -t tmpfs t /tmp
		say device sh -c "'"$NODE"'"
		say etc ls /host/etc /host/usr /host/root
		say back porthole host exec true'
	[[ $output == *"\"/$name\""* ]] || die "docker's socket: $output"
	said yes comm cgroups key name
	said no environ root sysctl sysrq cgroup kill mount device etc back
	target_stop docker-default "$name"
}

@test "case 11: strace, lsof and tcpdump of the host and its containers; its files stay as they are" {
	require runc
	local name pid
	name=$(uniq_name insp)
	on_host
	pid=$(target_start runc "$name" busybox)
	run -0 hr --profile introspect sh -c "$SAY"'
		for p in '"$HOST_PID $pid"'; do
			timeout 1 strace -p $p 2>/tmp/s
			say strace-$p grep -q attached /tmp/s
			say files-$p sh -c "lsof -p $p | grep -q cwd"
		done
		say list sh -c "ps -ef | grep -q \"[s]leep 1000\""
		timeout 20 tcpdump -c 1 -ni lo icmp >/tmp/t 2>&1 & t=$!
		until grep -q listening /tmp/t; do sleep 0.1; done
		until ! kill -0 $t 2>/dev/null; do ping -c 1 -W 1 127.0.0.1 >/dev/null; done
		say packet grep -q "ICMP echo" /tmp/t
		say usr ls /host/usr/bin/env
		say write-usr touch /host/usr/x
		say write-boot touch /host/boot/x
		say sysctl sh -c "echo x >/host/proc/sys/kernel/domainname"
		say etc ls /host/etc /host/root
		say back porthole host exec true'
	said yes "strace-$HOST_PID" "strace-$pid" "files-$HOST_PID" "files-$pid" list packet usr
	said no write-usr write-boot sysctl etc back
	[[ ! -e /usr/x && ! -e /boot/x ]]
	target_stop runc "$name"
}

@test "case 12: one capability more or less, on any profile; explain names what is enough" {
	local net=(unshare -n "$PORTHOLE" host run -q --profile net)
	# a network of the test's own is the host's here
	run -0 timeout 60 "${net[@]}" sh -c 'ip link add porthole0 type veth && ip link | grep -c porthole0'
	run timeout 60 "${net[@]}" --cap-drop NET_ADMIN sh -c 'ip link add porthole0 type veth'
	[[ $status != 0 && $output == *"not permitted"* ]] || die "$status $output"
	run -0 hr --profile monitor sh -c "$SAY"'say mount mount -t tmpfs t /tmp'
	said no mount
	run -0 hr --profile monitor --cap-add SYS_ADMIN sh -c "$SAY"'say mount mount -t tmpfs t /tmp; say module insmod /x.ko'
	said yes mount
	said no module
	run -0 "$PORTHOLE" explain --json 'docker run --privileged --net=host netshoot tcpdump -ni any'
	[[ $(jq -r '.. | strings' <<<"$output") == *net* ]] || die "$output"
}

@test "case 13: a toolbox from an image: the host below /media/root, in porthole ps; its own files are its own" {
	local root
	root=$(image_root busybox)
	on_host
	hr -d --profile toolbox --image "$root" --name "$NAME" -- sh -c "$SAY"'
		say read [ -d /media/root'"$DIR"' ]
		say write sh -c "echo made >/media/root'"$DIR"'/made"
		say run [ -d /media/root/run ]
		say proc kill -0 '"$HOST_PID"'
		say back porthole host exec touch '"$DIR"'/back
		say own sh -c "echo x >/etc/toolbox-was-here"
		mkdir /mnt; say mount mount -t tmpfs t /mnt
		say mount-there mount -t tmpfs t /media/root'"$DIR"'
		echo end; exec sleep 1000' >/dev/null
	wait_until 20 bash -c "'$PORTHOLE' logs '$NAME' | grep -qx end"
	run -0 "$PORTHOLE" logs "$NAME"
	said yes read write run proc back own mount
	[[ $(<"$DIR/made") == made && -e $DIR/back && ! -e /etc/toolbox-was-here && ! -e $root/etc/toolbox-was-here ]]
	refute grep -q " $DIR " /proc/self/mountinfo
	run -0 "$PORTHOLE" ps
	[[ $output == *"$NAME"* ]] || die "$output"
}

@test "case 14: all that the host's root can do, but its mounts are its own" {
	on_host
	mkdir "$DIR/m"
	run -0 hr -e MINE=1 sh -c "$SAY"'
		say env sh -c "[ $sysimage = /host ] && [ $container = porthole ]"
		say write sh -c "echo made >$sysimage'"$DIR"'/made"
		say chroot chroot $sysimage sh -c "ls '"$DIR"'/made"
		say run ls /run/. /sys/kernel /dev/null
		say kill kill -TERM '"$HOST_PID"'
		say mount mount -t tmpfs t /host'"$DIR"'/m
		touch /host'"$DIR"'/m/inside /etc/admin-was-here'
	said yes env write chroot run kill mount
	wait_until 5 refute kill -0 "$HOST_PID"
	[[ $(<"$DIR/made") == made && ! -e $DIR/m/inside && ! -e /etc/admin-was-here ]]
	refute grep -q " $DIR/m " /proc/self/mountinfo
}

@test "case 15: libvirt writes its state and cgroups and keeps its guests; the host's files are not there" {
	local lib=/var/lib/libvirt
	# what the host has of libvirt is the test's
	run -0 unshare -m sh -c 'mkdir -p '"$DIR/lib $DIR/v"'; mount -t tmpfs v /var/lib && mkdir '"$lib"' && mount --bind '"$DIR/lib $lib"'
		timeout 60 "$0" host run -q --profile libvirt sh -c "$1"' "$PORTHOLE" "$SAY"'
		say state sh -c "echo guest >/var/lib/libvirt/made"
		say dev ls /dev/null /run/.
		say net [ "$(readlink /proc/self/ns/net)" = "'"$(readlink /proc/self/ns/net)"'" ]
		say files ls '"$DIR"' /host
		say shadow grep root /etc/shadow
		say back porthole host exec true'
	said yes state dev net
	said no files back
	[[ $(<"$DIR/lib/made") == guest ]] || die "$output"
	# that a guest outlives it, and of no other profile, is in host_run_detached.bats
}

# In a machine of its own, since the module is really loaded.
@test "case 16: a kernel module that an image brings is loaded in a step of its own; what runs afterwards could not" {
	require qemu
	mkdir -p "$DIR/disk/b"
	cp "$PORTHOLE" "$PORTHOLE_BUILD/kit.erofs" "$DIR/disk/b/"
	kernel_prepare trixie >&3
	run -0 kernel_run trixie "$DIR/disk" "$SAY"'
		cd /mnt/b
		disk="$((0x$(stat -c %t /dev/vda))) $((0x$(stat -c %T /dev/vda)))"
		hr() { profile=$1; shift; ./porthole host run -q --profile $profile --image /tmp/i/ "$@" 2>&1; }
		mkdir -p /tmp/i/bin /tmp/i/ko && cp /bin/busybox /tmp/i/bin && cp /modules/loop.ko /tmp/i/ko && rmmod loop
		for c in sh insmod rmmod ls cat mount mknod head kill; do ln -s busybox /tmp/i/bin/$c; done
		sleep 1000 & p=$!
		say before [ -e /sys/module/loop ]
		say unprivileged hr monitor insmod /ko/loop.ko
		say still [ -e /sys/module/loop ]
		say kmod hr kmod insmod /ko/loop.ko
		say loaded [ -e /sys/module/loop ]
		say unload hr monitor rmmod loop
		say mount hr kmod mount -t tmpfs t /bin
		say device hr kmod sh -c "mknod /d b $disk && head -c 1 /d"
		say control sh -c "mknod /tmp/d b $disk && head -c 1 /tmp/d"
		say kill hr kmod kill $p
		say files hr kmod ls /mnt
		kill $p'
	said yes kmod loaded control
	said no before unprivileged still unload mount device kill files
}

@test "case 17: cockpit's way: \$sysimage, and the host's D-Bus through /run; its own name and files are its own" {
	local bus=/run/porthole-test-$BASHPID here
	here=$(hostname)
	BUS=$bus
	mkdir "$bus"
	printf '%s\n' '<busconfig><type>session</type><listen>unix:path='"$bus"'/bus</listen><auth>EXTERNAL</auth>
		<policy context="default"><allow user="*"/><allow send_type="*"/><allow receive_type="*"/><allow own="*"/></policy>
		</busconfig>' >"$bus/conf"
	spawn "$DIR/bus.pid" "$DIR/bus.log" dbus-daemon --config-file="$bus/conf" --nofork
	wait_until 10 test -S "$bus/bus" || die "$(<"$DIR/bus.log")"
	run -0 hr --profile cockpit -e "DBUS_SESSION_BUS_ADDRESS=unix:path=$bus/bus" sh -c "$SAY"'
		say bus chroot $sysimage dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.ListNames
		say socket [ -S '"$bus"'/bus ]
		say write sh -c "echo made >$sysimage'"$DIR"'/made"
		say hostname hostname of-cockpit
		say own touch /etc/cockpit-was-here
		say mount mount -t tmpfs t $sysimage'"$DIR"''
	said yes bus socket write hostname own mount
	[[ $(hostname) == "$here" && $(<"$DIR/made") == made && ! -e /etc/cockpit-was-here ]]
	refute grep -q " $DIR " /proc/self/mountinfo
	# with the switch that takes writing away
	run -0 hr --profile cockpit --ro sh -c "$SAY"'say write touch $sysimage'"$DIR"'/again'
	said no write
	end_pid "$(<"$DIR/bus.pid")"
}

@test "case 18: adduser on the host: in its own /etc/passwd, not in the container's; not where it may not" {
	# the host's /etc is a copy that is the test's
	host() {
		unshare -m bash -eu -c 'mkdir -p "$0/etc"; [ -e "$0/etc/passwd" ] || cp -a /etc/. "$0/etc/"; mount --bind "$0/etc" /etc
			exec timeout 60 "$PORTHOLE" host run -q "$@"' "$DIR" "$@"
	}
	run -0 host sh -c "$SAY"'
		say add porthole host exec useradd -M porthole-case18
		say there porthole host exec id porthole-case18
		say file grep -q porthole-case18 $sysimage/etc/passwd
		say here grep -q porthole-case18 /etc/passwd
		PATH=/nowhere; porthole=/usr/local/bin/porthole; say again $porthole host exec useradd -M porthole-case18'
	said yes add there file
	said no again
	grep -q porthole-case18 "$DIR/etc/passwd"
	refute grep -q porthole-case18 /etc/passwd
	run -0 host --profile inspect sh -c "$SAY"'say add porthole host exec userdel porthole-case18'
	said no add
	run -0 host --deny userdel sh -c "$SAY"'say add porthole host exec userdel porthole-case18; say other porthole host exec true'
	said no add
	said yes other
	grep -q porthole-case18 "$DIR/etc/passwd"
}

@test "case 19: kill ends every process without a pid namespace, also those that hide, and none of the host's" {
	on_host
	hr -d --name "$NAME" -- sh -c 'setsid sh -c "sleep 1001 & exec setsid sleep 1001" & env -i setsid sleep 1001 &
		setsid sh -c "exec -a innocent sleep 1001" 2>/dev/null & echo up; exec sleep 1001' >/dev/null
	wait_until 20 bash -c "'$PORTHOLE' logs '$NAME' | grep -qx up"
	local ns
	ns=$(readlink "/proc/$(jq -r .pid "/run/porthole/$NAME/state")/ns/mnt")
	of_it() { local p; for p in /proc/[0-9]*; do [[ $(readlink "$p/ns/mnt") != "$ns" ]] || echo "$p"; done 2>/dev/null; }
	[[ $(of_it | wc -l) -ge 4 ]] || die "$(of_it)"
	run -0 "$PORTHOLE" kill "$NAME"
	[[ -z $(of_it) ]] || die "left: $(of_it)"
	kill -0 "$HOST_PID"
}
