# shellcheck shell=bash
# Other kernels, Debian's own, in qemu (software emulation; boots in some seconds).
#
#   kernel_prepare SUITE           its kernel and the modules we need, kept in $PT_CACHE; prints the version
#   kernel_run SUITE DISK SCRIPT   boots it with the directory DISK as a read-only /mnt and a tmpfs /tmp; runs
#                                  the shell script in busybox sh as init's child; prints what it printed
#
# KERNEL_ARCH=arm64: of that machine, with APT_CONFIG for its packages (tools/arm64) and KERNEL_BUSYBOX, its busybox.

PT_KERNEL_MODULES="virtio_pci virtio_blk ext4 erofs overlay loop"
KERNEL_ARCH=${KERNEL_ARCH:-amd64}

# How qemu is called; its first serial line, for the kernel, and its second.
declare -gA PT_KERNEL_QEMU=([amd64]="qemu-system-x86_64 -cpu max" [arm64]="qemu-system-aarch64 -M virt -cpu max,pauth-impdef=on")
declare -gA PT_KERNEL_CONSOLE=([amd64]=ttyS0 [arm64]=ttyAMA0) PT_KERNEL_SERIAL=([amd64]=ttyS1 [arm64]=ttyS0)
declare -gA PT_KERNEL_OUT=([amd64]="-serial chardev:out" [arm64]="-device pci-serial,chardev=out")

# _kernel_modules BASE VERSION DIR MODULE...: those and what they need, of lib/modules below BASE, with
# their `order`, for insmod.
_kernel_modules() {
	local base=$1 version=$2 dir=$3 m line ko
	shift 3
	depmod -b "$base" "$version" && mkdir "$dir" || return 1
	for m; do
		# what is built in has a line "builtin"
		while read -r line ko _; do
			[[ $line == insmod ]] || continue
			case $ko in
			*.xz) xz -dc "$ko" >"$dir/$(basename "$ko" .xz)" ;;
			*) cp "$ko" "$dir/" ;;
			esac || return 1
			ko=$(basename "${ko%.xz}")
			grep -qx "$ko" "$dir/order" 2>/dev/null || echo "$ko" >>"$dir/order"
		done < <(modprobe -d "$base" -S "$version" --show-depends "$m" 2>/dev/null)
	done
}

_kernel_fetch() {
	local suite=$1 dir=$2 version mods m
	image_unpack "$suite" "$suite-kernel" "$dir/deb" "linux-image-$KERNEL_ARCH" || return 1
	mods=$(echo "$dir"/deb/{usr/,}lib/modules/[0-9]*/modules.order)
	mods=$(for m in $mods; do [[ ! -e $m ]] || dirname "$m"; done | head -n 1)
	version=$(basename "$mods")
	cp "$(find "$dir/deb" -name "vmlinuz*" -type f | head -n 1)" "$dir/vmlinuz" || return 1
	mkdir -p "$dir/deb/depmod/lib" && mv "$(dirname "$mods")" "$dir/deb/depmod/lib/modules" || return 1
	# shellcheck disable=SC2086 # words
	_kernel_modules "$dir/deb/depmod" "$version" "$dir/modules" $PT_KERNEL_MODULES || return 1
	echo "$version" >"$dir/version"
	rm -rf "$dir/deb"
}

# The first process: modules, file systems, the script; then off.
_kernel_init() {
	cat <<-'EOF'
		#!/bin/busybox sh
		# from a root that pivot_root(2) can leave
		if [ ! -e /moved ]; then
			/bin/busybox mkdir /new
			/bin/busybox mount -t tmpfs root /new
			/bin/busybox cp -a /bin /modules /script /init /new
			/bin/busybox touch /new/moved
			exec /bin/busybox switch_root /new /init
		fi
		/bin/busybox --install -s /bin
		export PATH=/bin NO_COLOR=1
		mkdir -p /proc /sys /dev /tmp /run /mnt /root
		mount -t proc proc /proc
		mount -t sysfs sysfs /sys
		mount -t devtmpfs dev /dev
		mkdir -p /dev/pts /dev/shm
		mount -t devpts devpts /dev/pts
		mount -t tmpfs tmp /tmp
		mount -t tmpfs run /run
		while read -r ko; do insmod "/modules/$ko"; done </modules/order
		mount -t cgroup2 none /sys/fs/cgroup
		for i in 1 2 3 4 5 6 7 8 9 10; do [ -e /dev/vda ] && break; sleep 0.2; done
		mount -t ext4 -o ro,noload /dev/vda /mnt
		sh /script >"/dev/$out" 2>&1 </dev/null
		echo "exit $?" >"/dev/$out"
		poweroff -f
	EOF
}

_kernel_dir() {
	local arch=$KERNEL_ARCH-
	echo "$PT_CACHE/kernel-${arch#amd64-}$1"
}

kernel_prepare() {
	local dir
	dir=$(_kernel_dir "$1")
	mkdir -p "$PT_CACHE" || return 1
	(
		flock 8
		[[ -e $dir ]] && exit 0
		rm -rf "$dir.new"
		mkdir "$dir.new" && _kernel_fetch "$1" "$dir.new" && mv "$dir.new" "$dir"
	) 8>"$dir.lock" || die "cannot get the kernel of $1" || return 1
	cat "$dir/version"
}

# _kernel_disk DIR FILE: an ext4 of what is in DIR.
_kernel_disk() {
	local size
	size=$(($(du -sm "$1" | cut -f1) * 5 / 4 + 16))
	mke2fs -qq -t ext4 -d "$1" "$2" "${size}M" >/dev/null
}

# _kernel_initrd DIR FILE: what is in DIR, with busybox.
_kernel_initrd() {
	mkdir -p "$1/bin" && cp "${KERNEL_BUSYBOX:-$(command -v busybox)}" "$1/bin/busybox" && chmod 755 "$1/init" &&
		(cd "$1" && find . | cpio -o -H newc --quiet) >"$2"
}

# _kernel_boot D KERNEL INITRD CMDLINE QEMU-OPTION...: until it is off; prints what its second serial line
# said, whose last line is to be "exit 0". D is a directory for its files, removed when all went well.
_kernel_boot() {
	local d=$1 kernel=$2 initrd=$3 line=$4
	shift 4
	# shellcheck disable=SC2086 # words
	TMPDIR=$d timeout "${KERNEL_LIMIT:-240}" ${PT_KERNEL_QEMU[$KERNEL_ARCH]} -accel tcg -m "${KERNEL_MEMORY:-2048}" \
		-nodefaults -no-reboot -display none -kernel "$kernel" -initrd "$initrd" \
		-append "console=${PT_KERNEL_CONSOLE[$KERNEL_ARCH]} out=${PT_KERNEL_SERIAL[$KERNEL_ARCH]} quiet panic=-1 $line" \
		"$@" -serial "file:$d/console" -chardev "file,id=out,path=$d/out" ${PT_KERNEL_OUT[$KERNEL_ARCH]} \
		</dev/null >"$d/qemu" 2>&1 || { tail -n 20 "$d/qemu" "$d/console" >&2; return 1; }
	tr -d '\r' <"$d/out" | sed '$d'
	[[ $(tr -d '\r' <"$d/out" | tail -n 1) == "exit 0" ]] || { tail -n 20 "$d/console" "$d/out" >&2; return 1; }
	rm -rf "$d"
}

kernel_run() {
	local kernel disk=$2 script=$3 d root
	kernel=$(_kernel_dir "$1")
	d=$(mktemp -d "$PT_RUN/kernel.XXXXXX") || return 1
	root=$d/root
	mkdir "$root" && cp -r "$kernel/modules" "$root/" || return 1
	_kernel_init >"$root/init"
	printf '%s\n' "$script" >"$root/script"
	_kernel_initrd "$root" "$d/initrd" && _kernel_disk "$disk" "$d/disk" || return 1
	_kernel_boot "$d" "$kernel/vmlinuz" "$d/initrd" "" -drive "file=$d/disk,format=raw,if=virtio,readonly=on"
}
