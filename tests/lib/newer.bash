# shellcheck shell=bash
# Engines of the next Debian (13: docker 26, podman 5, Incus 6), each in a mount namespace of its own that is a Debian 13
# with them installed, all at their default paths: use in_engine. Kinds: docker-newer, podman-newer, incus.

# image_newer DIR: the machine they are installed on.
image_newer() {
	image_unpack trixie newer "$1" bash coreutils libc-bin util-linux tar gzip grep \
		sed docker.io podman crun incus-base || return 1
	mkdir -p "$1"/{proc,sys,dev,run,tmp,root,home,var/lib,var/tmp,old} &&
		ln -sfn /run "$1/var/run" && ln -sf bash "$1/bin/sh" || return 1
	chmod 1777 "$1/tmp" "$1/var/tmp"
	image_etc "$1"
	printf '%s:65536\n' root:1000000 app:300000 | tee "$1/etc/subuid" >"$1/etc/subgid"
	rm -rf "$1/usr/lib/python3" "$1/usr/lib/locale" "$1"/usr/lib/x86_64-linux-gnu/{gconv,perl*}
	chroot "$1" /sbin/ldconfig && chroot "$1" dockerd --version >/dev/null
}

# newer_start D PATH...: that machine, as long as D/ns.pid lives; each PATH is a directory of D's file system.
newer_start() {
	local d=$1
	shift
	image_cached newer || die "cannot make a Debian 13" || return 1
	mkdir -p "$d/newer/"{upper,work,root} || return 1
	spawn "$d/ns.pid" "$d/ns.log" env D="$d" LOWER="$PT_CACHE/newer" BINDS="$PT_RUN $PORTHOLE_SRC $PORTHOLE_BUILD" \
		unshare --mount --propagation private bash -ec '
		root=$D/newer/root i=0
		mount -t overlay newer "$root" -o "lowerdir=$LOWER,upperdir=$D/newer/upper,workdir=$D/newer/work"
		for p in /proc /sys /dev; do mount --rbind "$p" "$root$p"; done
		mount -t tmpfs -o mode=755 newer "$root/run"
		for p; do
			mkdir -p "$D/p$i" "$root$p"
			mount --bind "$D/p$((i++))" "$root$p"
		done
		for p in $BINDS; do
			mkdir -p "$root$p"
			mount --rbind "$p" "$root$p"
		done
		cd "$root"
		pivot_root . old
		umount -l /old
		: >/run/ready
		exec sleep infinity' sh "$@"
	wait_until 20 test -e "/proc/$(<"$d/ns.pid")/root/run/ready"
}

_docker_newer_up() {
	# shellcheck disable=SC2086 # words
	newer_start "$1" /var/lib/docker /var/lib/containerd &&
		_docker_start "$1" /run /var/lib ${PT_DOCKER_FLAGS:-}
}

_podman_newer_up() {
	newer_start "$1" /var/lib/containers && _podman_conf "$1"
}

for _f in down cli run rm id; do
	eval "_docker_newer_$_f() { _docker_$_f \"\$@\"; }"
done
for _f in cli run rm id; do
	eval "_podman_newer_$_f() { PODMAN_IGNORE_CGROUPSV1_WARNING=1 _podman_$_f \"\$@\"; }"
done
unset _f

# An engine argument is a flag of incus launch (--project P, -c KEY=VALUE).
_incus_default_image() { echo busybox; }

_incus_up() {
	newer_start "$1" /var/lib/incus /var/log/incus /var/cache/incus || return 1
	in_newer "$1" mkdir -p /var/lib/lxcfs /run/lock
	spawn "$1/incusd.pid" "$1/incusd.log" env INCUS_SECURITY_APPARMOR=false PT_MARK="$PT_RUN" \
		nsenter "--mount=/proc/$(<"$1/ns.pid")/ns/mnt" -- /usr/libexec/incus/incusd --group root
	in_newer "$1" incus admin waitready --timeout 30 && in_newer "$1" incus admin init --preseed <<-END
		storage_pools: [{name: default, driver: dir}]
		profiles: [{name: default, devices: {root: {path: /, pool: default, type: disk}}}]
	END
}

_incus_down() {
	end_spawned "$1/incusd.pid"
}

# in_newer D COMMAND...: on the machine of newer_start.
in_newer() {
	local pid
	pid=$(<"$1/ns.pid")
	shift
	HOME=/root timeout --foreground 60 nsenter "--mount=/proc/$pid/ns/mnt" -- "$@"
}

_incus_cli() {
	in_newer "$1" incus "${@:2}"
}

# Its image: the files, and what it is. Its init is CMD (one word).
_incus_run() {
	local d=$1 name=$2 dir=$1/t/$2
	mkdir -p "$dir/i" && cp -a "$(image_root "$3")" "$dir/i/rootfs" &&
		ln -sf "${T_CMD[0]}" "$dir/i/rootfs/sbin/init" || return 1
	printf 'architecture: x86_64\ncreation_date: 1700000000\nproperties: {description: "Test %s 1.0"}\n' "$3" \
		>"$dir/i/metadata.yaml"
	tar -C "$dir/i" -cf "$dir/i.tar" metadata.yaml rootfs && rm -r "$dir/i" &&
		_incus_cli "$d" image import "$dir/i.tar" --alias "$name" >&2 </dev/null &&
		_incus_cli "$d" launch "$name" "$name" "${T_ARGS[@]}" >&2 </dev/null || return 1
	_incus_cli "$d" list "${T_ARGS[@]}" -f json </dev/null |
		jq -r --arg n "$name" '.[] | select(.name == $n) | .state.pid'
}

_incus_rm() {
	_incus_cli "$1" delete -f "$2" </dev/null
}

_incus_id() { echo "$2"; }
