# shellcheck shell=bash
# Images, made from Debian packages; kept in $PT_CACHE (the roots of other suites) and in the run.
#
#   scratch   /app and nothing else      busybox   busybox-static, /app, /etc/passwd
#   bookworm bullseye sid                libc, bash, coreutils and friends of that suite, /app
#   musl      busybox root with musl's loader, libc and /bin/hello linked to it
PT_IMAGES="scratch busybox bookworm bullseye sid musl"

# image_root NAME: prints the directory of its files. Shared: mount it read-only or use target_root.
image_root() {
	local d=$PT_RUN/root/$1
	[[ " $PT_IMAGES " == *" $1 "* ]] || die "no image $1" || return 1
	(
		flock 9
		[[ -e $d ]] && exit 0
		mkdir -p "$d.new" || exit 1
		case $1 in
		scratch) ;;
		busybox) image_busybox "$d.new" ;;
		*) image_cached "$1" && cp -a "$PT_CACHE/$1/." "$d.new" ;;
		esac || exit 1
		install -m 755 "$PT_TOOLS/app" "$d.new/app" && mv "$d.new" "$d"
	) 9>"$PT_RUN/root/$1.lock" || die "cannot make image $1" || return 1
	echo "$d"
}

image_busybox() {
	local bb
	bb=$(command -v busybox) || die "no busybox (busybox-static)" || return 1
	mkdir -p "$1"/{bin,sbin,usr/bin,usr/sbin,etc,proc,sys,dev,run,root,home/app} &&
		install -d -m 1777 "$1/tmp" || return 1
	cp "$bb" "$1/bin/busybox" && chroot "$1" /bin/busybox --install -s || return 1
	image_etc "$1"
	chown 1000:1000 "$1/home/app"
}

image_etc() {
	printf 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n' >"$1/etc/passwd"
	printf 'root:x:0:\napp:x:1000:\nextra:x:1001:app\n' >"$1/etc/group"
	printf '127.0.0.1 localhost\n' >"$1/etc/hosts"
	[[ -e $1/etc/os-release ]] || printf 'ID=test\nPRETTY_NAME="Test image"\n' >"$1/etc/os-release"
}

image_musl() {
	image_unpack bookworm musl "$1" musl musl-dev || return 1
	printf '#include <stdio.h>\nint main(void) { puts("hello from musl"); return 0; }\n' |
		gcc -x c - -x none -o "$1/bin/hello" -nostdinc -isystem "$1/usr/include/x86_64-linux-musl" -nostdlib \
			-no-pie "$1"/usr/lib/x86_64-linux-musl/crt{1,i}.o -L"$1/lib/x86_64-linux-musl" -l:libc.so \
			"$1/usr/lib/x86_64-linux-musl/crtn.o" -fno-stack-protector \
			-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1 || return 1
	rm -rf "$1/usr/include" "$1"/usr/lib/x86_64-linux-musl/*.[ao]
}

# image_cached NAME: fill $PT_CACHE/NAME, unless it is there. Once a machine: it needs the mirror. Besides the images:
# systemd, a root that it boots from; newer, a Debian 13 with engines.
image_cached() {
	mkdir -p "$PT_CACHE" || return 1
	(
		flock 8
		[[ -e $PT_CACHE/$1 ]] && exit 0
		rm -rf "$PT_CACHE/$1.new"
		mkdir "$PT_CACHE/$1.new" || exit 1
		case $1 in
		musl) image_busybox "$PT_CACHE/$1.new" && image_musl "$PT_CACHE/$1.new" ;;
		systemd) image_unpack bookworm systemd "$PT_CACHE/$1.new" systemd bash coreutils libc-bin util-linux ;;
		newer) image_newer "$PT_CACHE/$1.new" ;;
		*) image_suite "$1" "$PT_CACHE/$1.new" ;;
		esac && mv "$PT_CACHE/$1.new" "$PT_CACHE/$1"
	) 8>"$PT_CACHE/$1.lock"
}

# image_suite SUITE DIR
image_suite() {
	image_unpack "$1" "$1" "$2" bash coreutils libc-bin grep sed findutils procps || return 1
	mkdir -p "$2"/{proc,sys,dev,run,tmp,root,home,etc}
	[[ -L $2/bin/sh ]] || ln -s bash "$2/bin/sh"
	image_etc "$2"
	chroot "$2" /sbin/ldconfig && chroot "$2" /bin/sh -c true
}

# image_source SUITE: its line for apt, of the mirror that this machine uses.
image_source() {
	local mirror
	mirror=$(sed -nE 's/^(URIs:|deb( \[[^]]*\])?) +([^ ]+).*/\3/p' /etc/apt/sources.list \
		/etc/apt/sources.list.d/*.{sources,list} 2>/dev/null | grep -E '/debian/?$' | head -n 1)
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
		"${mirror:-http://deb.debian.org/debian} $1 main"
}

# image_unpack SUITE KEY DIR PACKAGE...: unpack packages and all they depend on, of any suite, from the
# mirror this machine uses, also when that lags (sid's lists expire in a week; their signatures are
# checked all the same). No package script is run.
image_unpack() {
	local suite=$1 apt=$PT_CACHE/apt-$1-$2 dir=$3 deb
	shift 3
	rm -rf "$apt"
	mkdir -p "$apt"/{state/lists/partial,cache/archives/partial} && : >"$apt/status" || return 1
	image_source "$suite" >"$apt/sources"
	local opts=(-qq -o Dir::Etc::sourcelist="$apt/sources" -o Dir::Etc::sourceparts=- -o Dir::State="$apt/state"
		-o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache" -o pkgCacheGen::Essential=none
		-o Acquire::Check-Valid-Until=false
		-o Debug::NoLocking=1 -o APT::Sandbox::User=root -o Acquire::Languages=none
		-o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false)
	apt-get "${opts[@]}" update >"$apt/log" 2>&1 &&
		apt-get "${opts[@]}" install -y --no-install-recommends --download-only "$@" base-files \
			>>"$apt/log" 2>&1 || { tail -n 5 "$apt/log" >&2; return 1; }
	# base-files first: on newer suites its links merge /bin into /usr/bin
	for deb in "$apt"/cache/archives/base-files_*.deb "$apt"/cache/archives/*.deb; do
		dpkg-deb -x "$deb" "$dir" || return 1
	done
	rm -rf "$apt" "$dir"/usr/share/{doc,man,locale,info}
}

# image_archive NAME: prints a docker-archive of it (docker load, podman load, ctr image import), named
# docker.io/pt/NAME:1 with CMD /app.
image_archive() {
	local root tar=$PT_RUN/root/$1.tar
	root=$(image_root "$1") || return 1
	(
		flock 9
		[[ -e $tar ]] || { /usr/bin/python3 "$PORTHOLE_SRC/tests/tools/mkimage.py" "$root" "docker.io/pt/$1:1" \
			"$tar.new" && mv "$tar.new" "$tar"; }
	) 9>"$PT_RUN/root/$1.tar.lock" || return 1
	echo "$tar"
}

# target_root DIR IMAGE: DIR/rootfs becomes a writable root of that image (an overlay; target_stop and
# the run's end unmount it).
target_root() {
	local lower
	lower=$(image_root "$2") || return 1
	mkdir -p "$1"/{rootfs,upper,work} || return 1
	mount -t overlay -o "lowerdir=$lower,upperdir=$1/upper,workdir=$1/work" overlay "$1/rootfs" &&
		mkdir -p "$1"/rootfs/{proc,dev,sys}
}
