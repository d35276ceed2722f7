#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets stderr
# exec --view cow: everything in the target's files can be written to, and nothing of it reaches the target;
# --diff tells what was written, --keep saves it.
load ../lib/porthole

# files PID: names, modes, owners, times and contents of the files of its root, mounts included but for the
# kernel's.
files() {
	(
		cd "/proc/$1/root/" || exit
		find . \( -path ./proc -o -path ./sys -o -path ./dev/pts \) -prune -o ! -type c -printf '%p %y %m %U:%G %s %T@ %l\n' | sort
		find . \( -path ./proc -o -path ./sys -o -path ./dev \) -prune -o -type f -print0 | sort -z | xargs -0r sha256sum
	)
}

# What a session does, and what --diff says of it. Names are the same in every image.
CHANGE='echo new >/added && echo more >>/app && mkdir /dir && ln -s /x /dir/link && rm -rf /usr && mkdir /usr &&
	echo shm >/dev/shm/x && [ "$(cat /added)" = new ] && [ "$(readlink /dir/link)" = /x ] && [ -z "$(ls /usr)" ]'
CHANGED='A /added
C /app
A /dev/shm/x
A /dir
A /dir/link'

# forgets KIND [IMAGE [FLAG...]]: a session there writes everywhere, and the target knows nothing of it.
forgets() {
	local name pid kind=$1 diff
	shift
	require "$kind" kit
	name=$(uniq_name cow)
	pid=$(target_start "$kind" "$name" "$@")
	files "$pid" >"$BATS_TEST_TMPDIR/before"
	residue_snapshot "$BATS_TEST_TMPDIR/r" "$pid"
	run -0 --separate-stderr x --view cow --diff "$name" sh -c "$CHANGE"
	# what the image has in /usr, and no /dev/shm where the target has none (LXC)
	diff=$(grep -v '^[AD] /usr' <<<"$stderr")
	[[ $diff == "$CHANGED" || ! -e /proc/$pid/root/dev/shm && $diff == "${CHANGED/$'\nA /dev/shm/x'}" ]] ||
		die "$kind: $stderr"
	[[ $(grep -c '^D /usr/' <<<"$stderr") == $(find "/proc/$pid/root/usr" -mindepth 1 -maxdepth 1 | wc -l) ]]
	files "$pid" | diff "$BATS_TEST_TMPDIR/before" - || die "$kind: it was changed"
	residue_assert_same "$BATS_TEST_TMPDIR/r"
	# it is in the target's namespaces, and has its processes
	run -0 x --view cow "$name" readlink /proc/self/ns/pid
	[[ $output == "$(readlink "/proc/$pid/ns/pid")" ]]
	run -0 --separate-stderr x --view cow --diff "$name" true
	[[ $stderr == *"the session changed nothing"* ]] || die "$kind: $stderr"
	target_stop "$kind" "$name"
}

@test "docker" { forgets docker busybox; }
@test "docker, read-only, nothing but an app" { forgets docker scratch --read-only; }
@test "docker with userns-remap" { forgets docker-userns busybox; }
@test "podman" { forgets podman busybox; }
@test "rootless podman" { forgets podman-rootless busybox; }
@test "containerd" { forgets containerd busybox; }
@test "cri" { forgets cri busybox; }
@test "runc" { forgets runc busybox; }
@test "crun" { forgets crun busybox; }
@test "lxc" { forgets lxc busybox; }
@test "nspawn" { forgets nspawn busybox; }
@test "bwrap" { forgets bwrap busybox; }
@test "no engine" { forgets plain busybox; }

@test "a user namespace's root writes to what it may write to, and no more" {
	require plain kit
	local name pid
	name=$(uniq_name cow)
	pid=$(target_start plain "$name" busybox --userns --user 0 --caps)
	files "$pid" >"$BATS_TEST_TMPDIR/before"
	run -0 --separate-stderr x --view cow --diff "$name" sh -c 'echo x >/tmp/x && echo y >/dev/shm/y; echo z >/z; true'
	[[ $stderr == *"cannot create /z: Permission denied"*$'\nA /dev/shm/y\nA /tmp/x' ]] || die "$stderr"
	files "$pid" | diff "$BATS_TEST_TMPDIR/before" -
	target_stop plain "$name"
}

@test "volumes, tmpfs, single files: a volume's writes are discarded as well" {
	require docker kit
	local name pid vol=$BATS_TEST_TMPDIR/vol
	mkdir -p "$vol"
	echo kept >"$vol/f"
	echo one >"$BATS_TEST_TMPDIR/single"
	truncate -s 17M "$BATS_TEST_TMPDIR/large"
	name=$(uniq_name vols)
	pid=$(target_start docker "$name" busybox -v "$vol:/data" -v "$vol:/ro:ro" --tmpfs /t \
		-v "$BATS_TEST_TMPDIR/single:/etc/single" -v "$BATS_TEST_TMPDIR/large:/large")
	engine_cli docker exec "$name" sh -c 'echo live >/t/live'
	run -0 --separate-stderr x --view cow --diff "$name" sh -c 'cat /data/f /ro/f /t/live /etc/single
		rm /data/f; echo x >/data/g; echo y >/ro/h; echo z >>/etc/single; echo t >/t/live; echo h >>/etc/hosts
		echo no >/large; stat -c %s /large'
	[[ $output == $'kept\nkept\nlive\none\n17825792' ]] || die "$output"
	[[ $stderr == *"cannot create /large: Read-only file system"* ]] || die "$stderr"
	[[ $(grep '^[ACD] ' <<<"$stderr") == $'D /data/f\nA /data/g\nC /etc/hosts\nC /etc/single\nA /ro/h\nC /t/live' ]] ||
		die "$stderr"
	[[ $(ls "$vol") == f && $(<"$vol/f") == kept && $(<"$BATS_TEST_TMPDIR/single") == one ]]
	[[ $(<"/proc/$pid/root/t/live") == live ]]
	# both of the live view can be written, where the container may
	run -0 x "$name" sh -c 'echo x >/data/g'
	[[ $(<"$vol/g") == x ]]
	target_stop docker "$name"
}

@test "changes are kept in half of memory at most, and what was mounted cannot be taken off the target" {
	require docker kit
	local name pid kb half
	name=$(uniq_name half)
	pid=$(target_start docker "$name" busybox)
	kb=$(awk '/MemTotal/ { print $2 }' /proc/meminfo)
	run -0 x --view cow "$name" sh -c 'df -k / | tail -n 1 | tr -s " " | cut -d" " -f2'
	half=$((kb / 2))
	((output > half * 9 / 10 && output < half * 11 / 10)) || die "$output of $kb"
	# the target's own root is not below the session's
	run x --view cow "$name" sh -c 'umount -l /dev/p; umount -l /; umount -l /; echo oops >/oops'
	[[ ! -e /proc/$pid/root/oops ]]
	target_stop docker "$name"
}

# in_parts PID: a session in it writes and deletes, where it may; ROOT/var is too large to be copied.
in_parts() {
	files "$1" >"$BATS_TEST_TMPDIR/before"
	# shellcheck disable=SC2016
	run -0 --separate-stderr x --view cow --diff "$1" sh -c 'echo n >/new; rm /app; echo m >>/etc/low; mkdir /usr/d
		rm /usr/sbin/init; echo v >/usr/sub/v; [ ! -e /app ] && [ -e /new ] && stat -c %u:%g:%a /etc/low /etc'
	[[ $output == $'0:0:640\n0:0:755' ]] || die "$output"
	[[ $(grep '^[ACD] ' <<<"$stderr") == $'D /app\nC /etc/low\nA /new\nA /usr/d\nD /usr/sbin/init\nA /usr/sub/v' ]] ||
		die "$stderr"
	run -0 --separate-stderr x --view cow --diff "$1" true
	[[ $stderr == *"the session changed nothing"* ]] || die "$stderr"
	files "$1" | diff "$BATS_TEST_TMPDIR/before" -
}

# parts_root DIR: a root that is to be taken apart, as ROOT.
parts_root() {
	target_root "$1" busybox
	ROOT=$1/rootfs
	mkdir -p "$ROOT/usr/sub" "$ROOT/usr/sbin" "$ROOT/var"
	echo low >"$ROOT/etc/low"
	chmod 640 "$ROOT/etc/low"
	touch "$ROOT/usr/sbin/init"
	truncate -s 40M "$ROOT/var/large"
}

@test "an overlay on an overlay already: copies, and what is large can be read" {
	require plain kit
	local d pid
	d=$(test_dir)
	parts_root "$d"
	mkdir "$d/u" "$d/w" "$d/m"
	mount -t overlay porthole-test -o "lowerdir=$ROOT,upperdir=$d/u,workdir=$d/w" "$d/m" # ROOT is an overlay
	engine_start plain
	"$PT_TOOLS/scratch" --root "$d/m" --user 0 --rw </dev/null >"$d/pid" 3>&-
	pid=$(<"$d/pid")
	in_parts "$pid"
	run -2 --separate-stderr x --view cow "$pid" sh -c 'stat -c %s /var/large; echo x >/var/x'
	[[ $output == 41943040 && $stderr == *"/var can be read only"*"Read-only file system"* ]] || die "$output$stderr"
	kill -KILL "$pid"
	wait_until 5 umount "$d/m"
}

@test "mounts that another user's namespace may not take off" {
	require unshare kit
	local d pid
	d=$(test_dir)
	parts_root "$d"
	# shellcheck disable=SC2016
	spawn "$d/pid" "$d/log" unshare -m sh -c 'mount -t tmpfs pt-test "$1/usr/sub" && mount --make-rprivate / &&
		exec unshare -Urm --root="$1" /app' sh "$ROOT"
	pid=$(<"$d/pid")
	wait_until 5 test -e "/proc/$pid/root/app"
	in_parts "$pid"
	[[ $stderr != *"can be read only"* ]]
	kill -KILL "$pid"
}

@test "--keep: what was changed, on the host, never through links" {
	require runc kit
	local name out=$BATS_TEST_TMPDIR/out victim=$BATS_TEST_TMPDIR/victim
	name=$(uniq_name keep)
	target_start runc "$name" busybox >/dev/null
	echo safe >"$victim"
	# shellcheck disable=SC2016
	run -0 --separate-stderr x -e V="$victim" --view cow --keep "$out" --diff --json "$name" bash -c '
		mkdir -p /d/e && echo data >/d/e/f && chmod 4755 /d/e/f && chown 1000 /d/e/f && ln -s "$V" /d/link
		ln -s / /d/root && mkfifo /d/fifo && touch $'"'"'/d/new\nline\e[31m'"'"' && rm /bin/busybox && rm /etc/passwd
		python3 -c "import socket; socket.socket(socket.AF_UNIX).bind(\"/d/sock\")"; mknod /d/null c 1 3; mkfifo -m 640 /d/fifo2
		ln -s "$V" /etc/passwd && ln /d/e/f /d/hard && truncate -s 3G /d/sparse
		chown -h 7:8 /d/link && mkdir -m 1770 /d/sticky && chown 9:9 /d/sticky && echo in >/d/sticky/in
		python3 -c "import os; os.setxattr(\"/d/e/f\", \"user.mark\", b\"m\"); os.setxattr(\"/d/sticky\", \"trusted.mark\", b\"t\")"
		chmod 4755 /d/e/f && touch -h -d @1000000000 /d/e/f /d/fifo2 /d/link /d/sticky'
	[[ $(stat -c '%a %U' "$out" "$out/files") == $'700 root\n700 root' ]]
	[[ $(<"$out/files/d/e/f") == data && $(stat -c '%a %u:%g %Y' "$out/files/d/e/f") == '4755 1000:0 1000000000' ]]
	[[ $(stat -c '%a %u:%g %Y' "$out/files/d/sticky") == '1770 9:9 1000000000' && $(stat -c '%u:%g %Y' "$out/files/d/link") == '7:8 1000000000' ]]
	[[ $(/usr/bin/python3 -c 'import os, sys; print(*[(n, os.getxattr(f, n)) for f in sys.argv[1:] for n in os.listxattr(f)])' \
		"$out/files/d/e/f" "$out/files/d/sticky") == "('user.mark', b'm') ('trusted.mark', b't')" ]]
	[[ $(<"$out/files/d/hard") == data && $(readlink "$out/files/d/link") == "$victim" ]]
	[[ $(readlink "$out/files/etc/passwd") == "$victim" && $(<"$victim") == safe ]]
	[[ -e $out/files/d/$'new\nline\e[31m' && -p $out/files/d/fifo && ! -e $out/files/d/sock ]]
	[[ $(stat -c '%F %a' "$out/files/d/fifo2") == 'fifo 640' && $(stat -c '%F %t:%T %a %u' "$out/files/d/null") == 'character special file 1:3 600 0' ]]
	[[ $(stat -c %s "$out/files/d/sparse") == 3221225472 && $(du -k "$out/files/d/sparse" | cut -f1) -lt 1000 ]]
	[[ $(<"$out/deleted") == /bin/busybox ]]
	[[ $stderr == *$'\nporthole: not kept: /d/sock (a socket)' ]] || die "$stderr"
	[[ $stderr != *owners* ]] || die "$stderr"
	refute grep -q $'\e' <<<"$stderr"
	jq -e '[.changes[] | select(.kind == "A" and .path == "/d/new\nline\u001b[31m" and .type == "file")] | length == 1' \
		<<<"$(head -n 1 <<<"$stderr")"
	run -0 --separate-stderr x --view cow --keep "$out.own" "$name" bash -c 'echo mine >/mine'
	[[ $stderr != *owners* && $(<"$out.own/files/mine") == mine ]] || die "$stderr"
	run -0 x --view cow --diff --kit none "$name" true # without a kit as well
	says 125 "exists already" --view cow --keep "$out" "$name" true
	says 125 "cannot keep anything" --view cow --keep "$out/no/such" "$name" true
	says 125 "name of a new directory" --view cow --keep / "$name" true
	says 125 "cannot make the directory /proc/kept" --view cow --keep /proc/kept "$name" sh -c 'echo ran >&2'
	[[ $stderr != *ran* ]]
	target_stop runc "$name"
}

@test "--keep: owners are those that the container sees" {
	require docker-userns kit
	local name out=$BATS_TEST_TMPDIR/out
	name=$(uniq_name keep)
	target_start docker-userns "$name" busybox >/dev/null
	run -0 --separate-stderr x --view cow --keep "$out" "$name" sh -c 'mkdir /d && echo >/d/own && echo >/d/app && chown 1000:7 /d/app && stat -c %u:%g /d/app'
	[[ $output == 1000:7 && $stderr != *owners* ]] || die "$output $stderr"
	[[ $(cd "$out/files/d" && stat -c %u:%g . own app) == $'0:0\n0:0\n1000:7' ]] || die "$(ls -lnR "$out")"
	target_stop docker-userns "$name"
}

@test "--diff of very many changes, and of very deep ones, is bounded" {
	require runc kit
	local name
	name=$(uniq_name many)
	target_start runc "$name" busybox >/dev/null
	run -0 --separate-stderr timeout 200 "$PORTHOLE" exec --view cow --diff "$name" bash -c '
		mkdir /m && cd /m && seq 100100 | xargs -n 5000 touch
		mkdir /deep && cd /deep && for ((i = 0; i < 1000; i++)); do mkdir d && cd d; done'
	[[ $(grep -c '^A ' <<<"$stderr") == 100000 && $stderr == *"there is more"* ]]
	target_stop runc "$name"
}

@test "what has no view that forgets is refused" {
	require runc kit
	local name
	name=$(uniq_name no)
	target_start runc "$name" busybox >/dev/null
	says 125 "--view cow" --diff "$name" true
	says 125 "--view cow" --keep /nonexistent "$name" true
	says 125 "needs mnt" --view cow --ns net "$name" true
	run ! "$PT_TOOLS/enosys" mountapi -- "$PORTHOLE" exec --view cow "$name" true
	target_stop runc "$name"
}

@test "kill -9 of any of the processes: nothing stays" {
	require runc kit
	local name roles pid
	name=$(uniq_name victim)
	pid=$(target_start runc "$name" busybox)
	cp "$PORTHOLE" "$BATS_TEST_TMPDIR/porthole"
	files "$pid" >"$BATS_TEST_TMPDIR/before"
	residue_snapshot "$BATS_TEST_TMPDIR/r" "$pid"
	for roles in supervisor agent supervisor,guard agent,guard; do
		run timeout 60 /usr/bin/python3 "$PORTHOLE_SRC/tests/tools/kill9.py" "$roles" 0 20 2 \
			"$BATS_TEST_TMPDIR/porthole" exec --kit "$PORTHOLE_BUILD/kit.erofs" --view cow "runc://$name" \
			sh -c 'trap "" TERM HUP; echo x >/killed; sleep 300 & setsid sleep 300 & sleep 300'
		[[ $status == 0 && $output == *"gone within"* ]] || die "$roles: $output"
	done
	residue_assert_same "$BATS_TEST_TMPDIR/r"
	files "$pid" | diff "$BATS_TEST_TMPDIR/before" -
	target_stop runc "$name"
}
