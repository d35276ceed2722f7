# shellcheck shell=bash
# A whole Debian 12 in qemu (software emulation; up in half a minute): systemd, cgroup v2 alone, AppArmor, the
# engines, each as its package sets it up.
#
#   vm_prepare           its disk and kernel, kept in $PT_CACHE (a minute or two, from the mirror)
#   vm_run DIR SCRIPT    boots it with the directory DIR as a read-only /mnt, runs the bash script as a
#                        service's process and prints what it printed; what it writes is forgotten
#   vm_words             prints what such a script may begin with: check NAME PATTERN COMMAND..., which says
#                        "ok NAME" or "BAD NAME: WHY", and within SECONDS COMMAND...
#
# KERNEL_LINE=$PT_VM_SELINUX boots it with SELinux in place of AppArmor, enforcing: its files are labelled,
# and tests/vm/container.cil is part of its policy.

PT_VM_PACKAGES="systemd-sysv dbus libpam-systemd dbus-user-session apparmor linux-image-amd64 kmod docker.io containerd
	podman runc crun lxc systemd-container bubblewrap uidmap slirp4netns iproute2 iptables procps busybox-static jq
	selinux-policy-default selinux-utils checkpolicy semodule-utils"

PT_VM_SELINUX="security=selinux selinux=1 enforcing=1"

# What nobody needs of the kernel's modules here; most of a second's reading for udev, too.
PT_VM_WITHOUT="sound drivers/gpu drivers/media drivers/iio drivers/infiniband drivers/bluetooth drivers/usb drivers/hid
	drivers/scsi drivers/ata drivers/net/wireless drivers/net/ethernet drivers/staging drivers/input drivers/mtd
	net/wireless net/bluetooth net/mac80211 fs/btrfs fs/xfs fs/ocfs2 fs/gfs2 fs/ceph fs/nfs fs/nfsd fs/smb"

# A root disk is found, and its init takes over.
_vm_init() {
	cat <<-'EOF'
		#!/bin/busybox sh
		/bin/busybox --install -s /bin
		export PATH=/bin
		mkdir -p /proc /sys /dev /r
		mount -t proc proc /proc
		mount -t sysfs sys /sys
		mount -t devtmpfs dev /dev
		while read -r ko; do insmod "/modules/$ko"; done </modules/order
		n=0
		until [ -e /dev/vda ] || [ $n = 50 ]; do sleep 0.1; n=$((n + 1)); done
		mount -t ext4 /dev/vda /r
		umount /proc /sys
		mount --move /dev /r/dev
		exec switch_root /r /sbin/init
	EOF
}

# What it runs at the end of its boot is all on the second disk.
_vm_service() {
	cat <<-'EOF'
		[Unit]
		Description=the test
		After=multi-user.target
		[Service]
		ExecStartPre=+mount -o ro,noload /dev/vdb /mnt
		ExecStart=/bin/bash /mnt/.boot
		Environment=HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
		WorkingDirectory=/root
		SELinuxContext=-unconfined_u:unconfined_r:unconfined_t:s0
		[Install]
		WantedBy=graphical.target
	EOF
}

# Off only when the serial line has said all.
_vm_boot() {
	cat <<-'EOF'
		exec >/dev/ttyS1 2>&1 </dev/null
		bash /mnt/.script
		echo "exit $?"
		exec >/dev/null 2>&1
		sleep 1
		systemctl poweroff --force --force
	EOF
}

# without_fds CMD...: with no descriptor but the first three.
without_fds() (
	local i
	for i in {3..30}; do
		eval "exec $i>&-"
	done
	exec "$@"
)

vm_words() {
	cat <<-'EOF'
		exec 2>&1
		check() { # NAME PATTERN COMMAND...
			local name=$1 pattern=$2
			shift 2
			timeout -k 5 90 "$@" >/tmp/out 2>&1 </dev/null
			echo "exit $?" >>/tmp/out
			if tr -d '\0' </tmp/out | tr '\n' ' ' | sed 's, $,,' | grep -qE -- "$pattern"; then
				echo "ok $name"
			else
				echo "BAD $name: $(tail -n 6 /tmp/out | tr '\n' ' ')"
			fi
		}
		within() { # SECONDS COMMAND...
			local end=$((SECONDS + $1))
			shift
			until "$@" >/dev/null 2>&1; do
				[ $SECONDS -lt $end ] || return 1
				sleep 0.3
			done
		}
	EOF
}

# As Debian's package labels it, once /proc is there.
_vm_label() {
	local root=$1
	cp "$PT_LIB/../vm/container.cil" "$root/root/" && mkdir -p "$root/var/lib/containers" || return 1
	sed -i 's/^SELINUX=.*/SELINUX=enforcing/' "$root/etc/selinux/config"
	# shellcheck disable=SC2016 # the inner shell's
	unshare -m sh -c 'mount --make-rprivate / && mount -t proc proc "$1/proc" &&
		chroot "$1" semodule -n -s default -i /root/container.cil &&
		chroot "$1" setfiles -F -e /proc /etc/selinux/default/contexts/files/file_contexts /' sh "$root" >"$root.log" 2>&1 ||
		{ tail -n 5 "$root.log" >&2; return 1; }
}

_vm_make() {
	local dir=$1 root=$1/root version d u
	# shellcheck disable=SC2086 # words
	d=$(printf '%s,' $PT_VM_PACKAGES)
	# it has a shell write to a descriptor of its own, which dash can only if that has one digit
	image_source bookworm | INITRD=No without_fds unshare -m mmdebstrap --quiet --mode=root --variant=essential --include="${d%,}" \
		--aptopt='Acquire::Check-Valid-Until "false"' --dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
		bookworm "$root" - >"$dir.log" 2>&1 || { tail -n 5 "$dir.log" >&2; return 1; }
	version=$(ls "$root/lib/modules")
	cp "$root/boot/vmlinuz-$version" "$dir/vmlinuz" || return 1
	for d in $PT_VM_WITHOUT; do
		rm -rf "$root/lib/modules/$version/kernel/$d"
	done
	mkdir "$dir/initrd.d" && _vm_init >"$dir/initrd.d/init" &&
		_kernel_modules "$root" "$version" "$dir/initrd.d/modules" virtio_pci virtio_blk ext4 &&
		_kernel_initrd "$dir/initrd.d" "$dir/initrd" || return 1
	rm -rf "${root:?}"/boot/* "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$dir/initrd.d"
	echo vm >"$root/etc/hostname"
	printf '127.0.0.1 localhost vm\n' >"$root/etc/hosts"
	chroot "$root" useradd -m -s /bin/bash ann && _vm_service >"$root/etc/systemd/system/vm-test.service" &&
		chroot "$root" systemctl -q enable vm-test || return 1
	for u in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
		dpkg-db-backup.timer podman-auto-update.timer podman-auto-update.service podman-restart.service \
		getty@tty1.service serial-getty@ttyS0.service serial-getty@ttyS1.service; do
		ln -sf /dev/null "$root/etc/systemd/system/$u"
	done
	_vm_label "$root" && mke2fs -qq -t ext4 -d "$root" "$dir/disk" 4G >/dev/null && rm -rf "$root" "$root.log" "$dir.log" &&
		_vm_stamp >"$dir/stamp"
}

# Of what it is made by.
_vm_stamp() {
	cat "$PT_LIB/vm.bash" "$PT_LIB/../vm/container.cil" | cksum
}

vm_prepare() {
	local dir=$PT_CACHE/vm
	mkdir -p "$PT_CACHE" || return 1
	(
		flock 8
		[[ -e $dir/stamp && $(<"$dir/stamp") == "$(_vm_stamp)" ]] && exit 0
		rm -rf "$dir.new"
		mkdir "$dir.new" && _vm_make "$dir.new" && rm -rf "$dir" && mv "$dir.new" "$dir"
	) 8>"$dir.lock" || die "cannot make the Debian for qemu" || return 1
}

vm_run() {
	local dir=$1 vm=$PT_CACHE/vm d
	printf '%s\n' "$2" >"$dir/.script"
	_vm_boot >"$dir/.boot"
	d=$(mktemp -d "$PT_RUN/vm.XXXXXX") && _kernel_disk "$dir" "$d/disk" || return 1
	KERNEL_LIMIT=${KERNEL_LIMIT:-900} KERNEL_MEMORY=${KERNEL_MEMORY:-3072} _kernel_boot "$d" "$vm/vmlinuz" "$vm/initrd" \
		"systemd.show_status=0 no_timer_check ${KERNEL_LINE-}" -smp 2 -device virtio-rng-pci -drive "file=$vm/disk,format=raw,if=virtio,snapshot=on" \
		-drive "file=$d/disk,format=raw,if=virtio,readonly=on"
}
