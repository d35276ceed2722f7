# shellcheck shell=bash
# What a test needs. Where it must exist (PORTHOLE_MUST, "all" under tools/check) its absence fails.

# Programs each feature needs, besides root.
declare -gA PT_PROGRAMS=(
	[docker]="docker dockerd containerd runc" [docker-userns]="docker dockerd containerd runc"
	[docker-default]="docker dockerd containerd runc" [podman]="podman conmon runc"
	[podman-default]="podman conmon runc" [podman-rootless]="podman conmon runc newuidmap"
	[containerd]="containerd ctr runc" [cri]="containerd ctr runc python3" [runc]=runc [crun]=crun
	[lxc]="lxc-start lxc-stop" [nspawn]=systemd-nspawn [bwrap]=bwrap [flatpak]="flatpak bwrap dbus-daemon"
	[qemu]="qemu-system-x86_64 depmod cpio mke2fs" [vm]="qemu-system-x86_64 depmod cpio mke2fs mmdebstrap"
	[docker-newer]="docker jq" [podman-newer]=jq [incus]=jq
	[machined]="systemd-nspawn dbus-daemon" [plain]=unshare [unshare]=unshare [btrfs]="mkfs.btrfs btrfs"
	[zsh]=zsh [fish]=fish
)

# lacks FEATURE: prints what is missing (nothing: it is there).
lacks() {
	local p
	((EUID == 0)) || echo "root"
	case $1 in
	root) return 0 ;;
	kit) [[ -e ${PORTHOLE_KIT:-$PORTHOLE_BUILD/kit.erofs} ]] || echo "a kit (make kit)" ;;
	userns) [[ -e /proc/self/ns/user ]] || echo "user namespaces" ;;
	btrfs) grep -qw btrfs /proc/filesystems || modprobe -q btrfs || echo "btrfs in this kernel" ;;
	cgroup2) grep -q ' cgroup2 ' /proc/mounts || echo "version 2 of the cgroups" ;;
	cri) /usr/bin/python3 -c 'import grpc' 2>/dev/null || echo python3-grpcio ;;
	qemu) [[ ${KERNEL_ARCH:-} != arm64 ]] || command -v qemu-system-aarch64 >/dev/null || echo "qemu-system-aarch64" ;;
	machined) [[ -x /lib/systemd/systemd-machined ]] || echo systemd-machined ;;
	esac
	for p in ${PT_PROGRAMS[$1]:-}; do
		command -v "$p" >/dev/null || echo "$p"
	done
}

# must FEATURE: may it be skipped?
must() {
	[[ ,${PORTHOLE_MUST:-}, == *",$1,"* || ,${PORTHOLE_MUST:-}, == *,all,* ]]
}

# require FEATURE...: skips the test where one is missing; fails it where that must not be.
require() {
	local f missing
	for f in "$@"; do
		missing=$(lacks "$f" | tr '\n' ' ')
		[[ -z $missing ]] && continue
		if must "$f"; then
			die "$f must work here (PORTHOLE_MUST) and lacks: $missing"
			return 1
		fi
		if [[ $(type -t skip) == function ]]; then
			skip "$f: needs $missing"
		fi
		return 1
	done
}
