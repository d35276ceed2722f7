#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2016 # run sets stderr; scripts are run in a mount namespace of their own
# host mount and unmount, and what of the host's mounts and devices is in its containers, then and later.
load ../lib/porthole

setup() {
	require kit
	DIR=$(test_dir)
	NAME=$(uniq_name hm)
	export PORTHOLE DIR NAME
	export -f wait_until die refute
}

teardown() {
	"$PORTHOLE" kill "$NAME" 2>/dev/null || true
	umount_below "$DIR"
}

# apart PROPAGATION SCRIPT: run it in a mount namespace of its own, the host of all it starts, whose mounts are shared or
# private. The machine's own are never touched.
apart() {
	HOW=$1 timeout -k 2 100 unshare -m --propagation private bash -euc "mount --make-r\$HOW /
		hr() { timeout -k 2 60 \"\$PORTHOLE\" host run -q \"\$@\"; }
		$2"
}

# A /dev of the test's own, which is the host's for what it starts, and a container that says what it sees of it.
OWN_DEV='d=$DIR/dev
mkdir "$d"
mount -t tmpfs dev "$d"
cp -a /dev/null /dev/zero /dev/full /dev/tty /dev/random /dev/urandom "$d"
mkdir "$d/mapper" "$d/pts" "$d/shm"
mount -t devpts devpts "$d/pts"
mknod "$d/old" b 7 199
mount --make-private "$d/.." 2>/dev/null || true
mount --bind "$d" /dev'

@test "devices that come and go later do so inside, also those asked for before" {
	run -0 apart private "$OWN_DEV"'
		hr sh -c "set -u
			w() { for i in \$(seq 400); do eval \"\$1\" && echo \"yes: \$1\" && return; sleep 0.02; done; echo \"no: \$1\"; }
			test ! -e /dev/late; test -b /dev/old; test ! -e /dev/link; test ! -e /dev/dir; >/host$DIR/ready
			w \"test -b /dev/late\"; w \"test ! -e /dev/old\"; w \"test -c /dev/link\"; w \"test -e /dev/mapper/x\"
			w \"test -d /dev/dir\"; test -e /dev/dir/y; >/host$DIR/again; w \"test -e /dev/dir/y\"; >/host$DIR/seen
			w \"test -e /dev/dir/z\"; test ! -e /dev/dir/y && echo anew
			>/dev/null && mknod /dev/mine c 1 3 && echo made" &
		wait_until 20 test -e "$DIR/ready"
		mknod /dev/late b 7 198; rm /dev/old; ln -s null /dev/link; >/dev/mapper/x; mkdir /dev/dir; >/dev/dir/f
		wait_until 20 test -e "$DIR/again"
		>/dev/dir/y; wait_until 20 test -e "$DIR/seen"; rm -r /dev/dir; mkdir /dev/dir; >/dev/dir/z
		wait $!
		test ! -e /dev/mine'
	[[ $(grep -c ^yes <<<"$output") == 7 && $output == *anew*made* && $output != *"no:"* ]] || die "$output"
}

@test "a loop device that a program inside has the kernel make is there at once" {
	run -0 timeout -k 2 60 "$PORTHOLE" host run -q --profile disk sh -c '
		n=$(ls -d /sys/block/loop* | wc -l); test ! -e /dev/loop$((n + 7)) || exit 9
		python3 -c "import fcntl, os, sys
c = os.open(\"/dev/loop-control\", os.O_RDWR)
i = fcntl.ioctl(c, 0x4C80, int(sys.argv[1]))
print(\"there\" if os.path.exists(\"/dev/loop%d\" % i) else \"missing\")
fcntl.ioctl(c, 0x4C81, i)" $((n + 17))'
	[[ $output == *there* ]] || die "$output"
}

@test "what is mounted in its /dev is not mounted on a host whose mounts are shared" {
	run -0 apart shared 'before=$(wc -l </proc/self/mountinfo)
		hr sh -c "mount -t tmpfs leak /dev/shm; mount -t tmpfs leak /dev/pts; cp -a /dev/null /dev/p.x; grep -c leak /proc/self/mountinfo"
		refute grep leak /proc/self/mountinfo
		echo "$before $(wc -l </proc/self/mountinfo)"'
	[[ ${lines[-2]} == 2 ]] || die "$output"
	read -r a b <<<"${lines[-1]}"
	((a == b)) || die "$output"
}
