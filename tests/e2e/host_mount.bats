#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2016 # run sets stderr; scripts are run in a mount namespace of their own
# host mount and unmount, and what of the host's mounts and devices is in its containers, then and later.
load ../lib/porthole

setup() {
	require kit
	DIR=$(test_dir)
	NAME=$(uniq_name hm)
	export PORTHOLE DIR NAME
	export -f wait_until busy_factor die refute
}

teardown() {
	[[ -z ${P:-} ]] || kill "$P"
	[[ -z ${T_NAME:-} ]] || target_stop docker "$T_NAME"
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
	# of a devtmpfs, which a machine that is a container itself has elsewhere
	cat >"$DIR/add" <<-'END'
		import fcntl, os, sys
		c = os.open("/dev/loop-control", os.O_RDWR)
		i = fcntl.ioctl(c, 0x4C80, int(sys.argv[1]))
		print("there" if os.path.exists("/dev/loop%d" % i) else "missing")
		fcntl.ioctl(c, 0x4C81, i)
	END
	run -0 apart private '[[ $(findmnt -fno FSTYPE /dev) == devtmpfs ]] || mount -t devtmpfs dev /dev
		n=$(ls -d /sys/block/loop* | wc -l)
		hr --profile disk -v "$DIR/add:/add:ro" sh -c "test ! -e /dev/loop$((n + 7)) || exit 9; python3 /add $((n + 17))"'
	[[ $output == *there* ]] || die "$output"
}

@test "its /dev/shm is the host's where its ipc is" {
	local at
	at=$(stat -c %d /dev/shm)
	[[ $(timeout 30 "$PORTHOLE" host run -q stat -c %d /dev/shm) == "$at" ]] || die "admin"
	[[ $(timeout 30 "$PORTHOLE" host run -q --ns -ipc stat -c %d /dev/shm) != "$at" ]] || die "without ipc"
	[[ $(timeout 30 "$PORTHOLE" host run -q --profile trace stat -c %d /dev/shm) == "$at" ]] || die "trace"
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

# box ARG...: a container in the background called NAME, in which CMD runs.
box() {
	run -0 timeout -k 2 60 "$PORTHOLE" host run -q -d --name "$NAME" "$@"
}

m() {
	timeout -k 2 30 "$PORTHOLE" host mount "$@"
}

u() {
	timeout -k 2 30 "$PORTHOLE" host unmount "$@"
}

# inside CMD...: in the container itself, with the box's own mounts.
inside() {
	timeout -k 2 30 "$PORTHOLE" exec "$NAME" "$@"
}

# has JQ: how many of the paths it has of the host are such.
has() {
	m --json "$NAME" | jq "[.[] | select($1)] | length"
}

# own_mounts PID: what is mounted there, but for what others' tests mount on the host, or remove the places of.
own_mounts() {
	grep -v " /host/" "/proc/$1/mountinfo"
}

# refused WORDS VERB ARG...: it ends with 125 and a sentence, and the mount table of the container is as it was.
refused() {
	local pid before
	pid=$(jq .pid "/run/porthole/$NAME/state")
	before=$(own_mounts "$pid")
	run -125 --separate-stderr "${@:2}"
	[[ $stderr == "porthole: "*"$1"* && -z $output ]] || die "not '$1': $stderr$output"
	[[ $(own_mounts "$pid") == "$before" ]] || die "changed"
}

@test "a path is added, listed and taken away; what is read-only is so; the host's own is as it was" {
	mkdir -p "$DIR/a/sub" "$DIR/b"
	echo text >"$DIR/a/file"
	mount -t tmpfs below "$DIR/a/sub"
	echo deep >"$DIR/a/sub/file"
	box --profile net -- sleep 1000
	local before
	before=$(grep "$DIR" /proc/self/mountinfo)
	run -0 m "$NAME" "$DIR/a"
	[[ $output == "$DIR/a of the host is at $DIR/a of '$NAME' now." ]] || die "$output"
	run -0 inside sh -c "cat $DIR/a/file $DIR/a/sub/file; echo w >$DIR/a/new"
	[[ $output == *text*deep* && $(<"$DIR/a/new") == w ]] || die "$output"
	run -0 m "$NAME" "$DIR/a:/data/x y:ro"
	[[ $output == *"at /data/x y of '$NAME' now, read-only."* ]] || die "$output"
	run inside sh -c 'cat "/data/x y/file"; touch "/data/x y/t" "/data/x y/sub/t"'
	[[ $status != 0 && $output == *text* && ! -e $DIR/a/t && ! -e $DIR/a/sub/t ]] || die "$output"
	run -0 m "$NAME" "$DIR/a/file:/etc/of-host:ro"
	[[ $(has ".inside == \"/data/x y\" and .read_only and .host == \"$DIR/a\"") == 1 ]] || die "$(m "$NAME")"
	[[ $(has ".inside == \"$DIR/a\" and (.read_only | not)") == 1 && $(has '.inside == "/etc/of-host"') == 1 ]] || die "$(m "$NAME")"
	run -0 u "$NAME" "/data/x y"
	run -0 u "$NAME" /etc/of-host
	run -0 u --json "$NAME" "$DIR/a"
	[[ $(has true) == $(has '.inside == "/sys"') ]] || die "$(m "$NAME")"
	run -1 inside test -e "$DIR/a/file"
	[[ $(grep "$DIR" /proc/self/mountinfo) == "$before" ]] || die "the host's mounts changed"
	umount "$DIR/a/sub"
	run -0 m --explain "$NAME" "$DIR/b"
	[[ $(has ".host == \"$DIR/b\"") == 0 ]] || die "$output"
}

@test "what cannot be is said in one sentence, and nothing is changed" {
	mkdir "$DIR/d"
	echo text >"$DIR/f"
	box -v "$DIR:/mine" -- sh -c 'ln -s /host/etc /out; ln -s ../../../../etc /out2; ln -s /nowhere /dangling; exec sleep 1000'
	wait_until 10 inside test -L /dangling
	refused "opening '$DIR/nosuch', which is to be at /x" m "$NAME" "$DIR/nosuch:/x"
	refused "'$DIR/d' is a directory, and /etc/passwd of '$NAME' is none" m "$NAME" "$DIR/d:/etc/passwd"
	refused "'$DIR/f' is a file, and /tmp of '$NAME' is a directory" m "$NAME" "$DIR/f:/tmp"
	refused "'$DIR/d' cannot be at /mine/new/er: that is $DIR/new/er of the host, and not there" m "$NAME" "$DIR/d:/mine/new/er"
	[[ ! -e $DIR/new ]] || die "made on the host"
	refused "something is mounted at /mine of '$NAME' already: the host's $DIR" m "$NAME" "$DIR/d:/mine"
	[[ $stderr == *"'porthole host unmount' takes it away"* ]] || die "$stderr"
	refused "something is mounted at /proc of '$NAME' already" m "$NAME" "$DIR/d:/proc"
	[[ $stderr == *"take another path"* ]] || die "$stderr" # that one stays
	refused "cannot be at /out/porthole-none: that is in / of the host, and not there" m "$NAME" "$DIR/d:/out/porthole-none"
	[[ ! -e /etc/porthole-none ]] || die "made on the host"
	refused "/dangling" m "$NAME" "$DIR/d:/dangling"
	refused "nothing is mounted at /etc of '$NAME'" u "$NAME" /etc
	refused "nothing is mounted at /nosuch of '$NAME'" u "$NAME" /nosuch
	refused "what is at /dev of '$NAME' is the container's own" u "$NAME" /dev
	refused "$NAME-no" m "$NAME-no" "$DIR/d"
	run -2 m "$NAME" "$DIR/d:relative/path:ro"
	run -2 m "$NAME" "$DIR/d:/x:strange"
	[[ $output == *"takes SRC, SRC:DST or SRC:DST:ro"* ]] || die "$output"
	run -2 m "$NAME" "$DIR/d:/"
	run -2 u "$NAME" relative
	refused "has the host's own mounts" m "$$" "$DIR/d"
	# a link is followed as in the container, and leads to what is below its own root
	run -0 m "$NAME" "$DIR:/out2"
	run -0 inside ls /etc/f
	[[ ! -e /etc/f ]] || die "mounted on the host"
	refused "of the host, and not there" m "$NAME" "$DIR/d:/dev/shm/porthole-none"
	[[ ! -e /dev/shm/porthole-none ]] || die "made on the host"
	run as_user timeout 30 "$(for_users "$PORTHOLE")" host mount "$NAME" /tmp
	[[ $status == 125 && $output == "porthole: "* ]] || die "$output"
}

@test "in use, it stays and who uses it is named; lazily it goes, unseen" {
	mkdir "$DIR/d"
	box --profile net -- sh -c 'until cd /d 2>/dev/null && test -e here; do cd /; sleep 0.05; done; touch in; sleep 1000 & wait'
	run -0 m "$NAME" "$DIR/d:/d"
	touch "$DIR/d/here"
	wait_until 15 test -e "$DIR/d/in"
	refused "/d of '$NAME' is in use by process " u "$NAME" /d
	[[ $stderr == *"(s"*"--lazy"* ]] || die "$stderr"
	run -0 u --lazy "$NAME" /d
	[[ $output == *"still in use by process "* ]] || die "$output"
	run -1 inside test -e /d/here
	run -125 u "$NAME" /d
}

@test "a read-only root: what is there can be mounted on, and nothing is made" {
	mkdir "$DIR/d"
	echo text >"$DIR/d/f"
	box --profile net --read-only -- sleep 1000
	refused "/data of '$NAME' is not there, and cannot be made: its root is read-only" m "$NAME" "$DIR/d:/data"
	run -0 m "$NAME" "$DIR/d:/tmp"
	run -0 inside cat /tmp/f
}

@test "containers of other engines, and of none" {
	mkdir "$DIR/d"
	echo text >"$DIR/d/f"
	P=$("$PORTHOLE_BUILD/tests/scratch" --hostname hm 3>&-)
	run -0 m "$P" "$DIR/d:/dev/d:ro"
	[[ $(<"/proc/$P/root/dev/d/f") == text ]] || die "$output"
	refute touch "/proc/$P/root/dev/d/f"
	run -0 u "$P" /dev/d
	refute test -e "/proc/$P/root/dev/d/f"
	T_NAME=$(uniq_name hm)
	pid=$(target_start docker "$T_NAME" busybox --read-only)
	run -0 m "$T_NAME" "$DIR/d:/tmp"
	run -0 engine_cli docker exec "$T_NAME" cat /tmp/f
	[[ $output == *text* ]] || die "$output"
	run -0 u "$T_NAME" /tmp
	refute test -e "/proc/$pid/root/tmp/f"
}

@test "a container that gives its mounts back to the host gets none by us that would be the host's" {
	run -0 apart shared 'mkdir "$DIR/s" "$DIR/s/at" "$DIR/x"
		mount -t tmpfs s "$DIR/s"; mkdir "$DIR/s/at"
		hr -d --name "$NAME" --profile net -v "$DIR/s:/s:rshared" -- sleep 1000
		! "$PORTHOLE" host mount "$NAME" "$DIR/x:/s/at" || exit 9
		grep -c "$DIR/s/at" /proc/self/mountinfo || true
		"$PORTHOLE" kill "$NAME"'
	[[ $output == *"would be mounted on the host, too"* && ${lines[-1]} == 0 ]] || die "$output"
}

@test "killed at any moment it is there or it is not" {
	local n=1 there pid report=$DIR/report
	mkdir "$DIR/d"
	box --profile net -- sleep 1000
	pid=$(jq .pid "/run/porthole/$NAME/state")
	while ((n < 400)); do
		run timeout -k 2 60 "$PT_TOOLS/killat" $n "$PORTHOLE" "$report" -- "$PORTHOLE" host mount "$NAME" "$DIR/d:/made/d"
		[[ $(<"$report") == killed* ]] || break
		there=$(grep -c " /made/d " "/proc/$pid/mountinfo" || true)
		((there <= 1)) || die "at $n: $there times"
		((there == 0)) || u -q "$NAME" /made/d
		n=$((n + 3))
	done
	((n > 10)) && [[ $status == 0 ]] || die "$n: $status $output"
	run -0 u "$NAME" /made/d
	[[ $(pgrep -fc "host mount $NAME") == 0 ]] || die "left"
}

# Mounts a tmpfs below a place of the host's once a container runs, and has that say what it sees of it; then unmounts it
# while a process of the container stands in it. $1: the propagation of the host's mounts, $2: how the container has
# them (rw, ro); $3: out, in, or busy (the host waits for the container). Prints what the container said, then how the
# host's umount ended.
later() {
	run -0 apart "$1" 'd=$DIR/later-$RANDOM; mkdir "$d" "$d/at"
		hr --profile net -v "$DIR:/d:'"$2"'" -v "$DIR:/out" -- sh -c "w() { for i in \$(seq 500); do eval \"\$1\" && return; sleep 0.02; done; echo \"no: \$1\"; }
			a=/d/${d##*/}/at; >/out/ready; w \"test -e \$a/file\"; cat \$a/file
			touch \$a/mine 2>/dev/null && echo written
			[ '"$3"' = out ] || cd \$a; >/out/in; w \"test -e /out/gone\"; cd /; w \"! test -e \$a/file\"; ls -A \$a | wc -l" &
		wait_until 30 test -e "$DIR/ready"
		mount -t tmpfs later "$d/at"; echo text >"$d/at/file"
		wait_until 30 test -e "$DIR/in"
		umount "$d/at" && echo "at once" || "$PORTHOLE" busy "$d/at" | grep " cwd " || true
		[ '"$3"' = busy ] || { wait_until 15 eval "! mountpoint -q \"$d/at\" || umount \"$d/at\" 2>/dev/null"; echo unmounted; }
		>"$DIR/gone"
		wait_until 20 eval "! mountpoint -q \"$d/at\" || umount \"$d/at\" 2>/dev/null"
		wait
		rm "$DIR"/{ready,in,gone}'
	SAID=$output
}

@test "what the host mounts later appears, whether its mounts are shared or private; what is read-only is so" {
	later shared rw out
	[[ $SAID == *text*written*"at once"*unmounted* && $SAID != *no:* && ${SAID##*$'\n'} == 0 ]] || die "$SAID"
	later private rw out
	[[ $SAID == *text*written*unmounted* && $SAID != *no:* && ${SAID##*$'\n'} == 0 ]] || die "$SAID"
	later shared ro out
	[[ $SAID == *text*unmounted* && $SAID != *no:* && $SAID != *written* && ${SAID##*$'\n'} == 0 ]] || die "$SAID"
	later private ro out
	[[ $SAID == *text*unmounted* && $SAID != *no:* && $SAID != *written* && ${SAID##*$'\n'} == 0 ]] || die "$SAID"
}

@test "unmounting on the host is not blocked by a process inside, but where rshared was asked for; busy names it" {
	local how
	for how in "private rw" "shared ro" "shared follow" "private rslave"; do
		# shellcheck disable=SC2086 # two words
		later $how in
		[[ $SAID == *text*"at once"*unmounted* && $SAID != *no:* ]] || die "$how: $SAID"
	done
	later shared rw in # after a moment
	[[ $SAID == *text*unmounted* && $SAID != *no:* ]] || die "$SAID"
	later shared rshared busy
	[[ $SAID == *text*" cwd "* && $SAID != *"at once"* && $SAID != *no:* ]] || die "$SAID"
}

@test "attack: what is read-only is never to be written to, however fast; what is masked stays so" {
	run -0 apart shared 'd=$DIR/att; mkdir -p "$d/at" "$d/masked"
		hr --profile net --cap-add SYS_ADMIN -v "$DIR:/d:ro" --mask /d/att/masked -v "$DIR:/out" -- sh -c ">/out/ready
			while ! test -e /out/stop; do for i in 1 2 3 4 5 6 7 8; do
				(echo x >/d/att/at/hole) 2>/dev/null; done; test ! -e /d/att/masked/secret || >/out/unmasked
			done; for i in \$(seq 100); do test -e /d/att/at/last && break; sleep 0.05; done; ls /d/att/at" &
		wait_until 30 test -e "$DIR/ready"
		for i in $(seq 40); do
			mount -t tmpfs -o mode=777 att "$d/at"; mount -t tmpfs att "$d/masked"; >"$d/masked/secret"
			for k in 1 2 3 4 5 6; do test ! -e "$d/at/hole" || echo HOLE; sleep 0.005; done
			umount "$d/at"; umount "$d/masked"
		done
		mount -t tmpfs -o mode=777 att "$d/at"; >"$d/at/last"
		>"$DIR/stop"
		wait
		test ! -e "$d/at/hole" && test ! -e "$DIR/unmasked"
		umount "$d/at"'
	[[ $output == *last* && $output != *HOLE* ]] || die "$output"
}

@test "what its profile gave it can be taken away, too: none of our own processes keeps it" {
	local profile path
	for profile in monitor introspect admin; do
		box --profile "$profile" -- sleep 1000
		path=/host/proc
		run -0 u "$NAME" "$path"
		[[ $output == "$path is gone from '$NAME'." ]] || die "$profile: $output"
		run -125 u "$NAME" "$path"
		run -0 timeout -k 2 30 "$PORTHOLE" kill "$NAME"
	done
}
