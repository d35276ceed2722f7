#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2016 # run sets stderr; scripts are run in a mount namespace of their own
# The host's mounts, later: what is nested, moved, laid over, of files; at once, by many; and that what is unmounted is gone.
load ../lib/porthole

setup() {
	require kit
	DIR=$(test_dir)
	NAME=$(uniq_name hf)
	export PORTHOLE DIR NAME
	export -f wait_until busy_factor die refute
}

teardown() {
	"$PORTHOLE" kill "$NAME" 2>/dev/null || true
	[[ ! -e $DIR/loop ]] || losetup -d "$(<"$DIR/loop")" || true
	umount_below "$DIR"
}

# apart PROPAGATION SCRIPT: run it in a mount namespace of its own, the host of all it starts, whose mounts are shared or
# private. In SCRIPT, box starts a container in the background and same waits until the container
# has below /d what the host has below $DIR.
apart() {
	HOW=$1 timeout -k 2 110 unshare -m --propagation private bash -euc "mount --make-r\$HOW /
		box() { timeout -k 2 60 \"\$PORTHOLE\" host run -q -d --name \"\$NAME\" \"\$@\" >/dev/null; }
		all() { (cd \"\$1\" && find . -type f ! -name 'go*' -exec grep -H . {} + | sort; true); }
		P() { jq .pid \"/run/porthole/\$NAME/state\"; }
		is_same() { [ \"\$(all \"\$DIR\")\" = \"\$(all /proc/\$(P)/root/d)\" ]; }
		same() { wait_until 15 is_same || { all \"\$DIR\"; echo; all /proc/\$(P)/root/d; }; is_same; echo \"same: \$(all \"\$DIR\" | wc -l)\"; }
		trap '\"\$PORTHOLE\" kill \"\$NAME\" >/dev/null 2>&1 || true' EXIT
		$2"
}

# nested HOW OPTIONS: mounts of all kinds, one after the other.
nested() {
	run -0 apart "$1" 'DIR=$DIR/$HOW; mkdir "$DIR"; cd "$DIR"; mkdir a a/b c e m1 m2; echo file >f; echo other >g
		mount -t tmpfs early e; echo early >e/early
		box --profile net -v "$DIR:/d:'"$2"'" -- sleep 1000; same
		mount -t tmpfs one a; mkdir a/b; echo one >a/one; mount -t tmpfs two a/b; echo two >a/b/two; same
		mount -t tmpfs over a/b; echo over >a/b/over; same
		umount a/b; same
		mount --bind g f; same
		mount -t tmpfs moved m1; mkdir m1/s; mount -t tmpfs sub m1/s; echo sub >m1/s/sub; same
		umount f; umount -l a; umount e; same
		for i in $(seq 60); do mkdir "c/$i"; mount -t tmpfs "n$i" "c/$i"; echo "$i" >"c/$i/n"; done; same
		for i in $(seq 60); do umount "c/$i"; done; same'
	[[ $(grep -c ^same <<<"$output") == 9 && $output == *"same: 63"* ]] || die "$output"
}

@test "what is nested, laid over, of a file, let go of lazily, and many at once: shared, to be written to" {
	nested shared rw
}

@test "the same, read-only" {
	nested shared ro
}

@test "the same, followed by name, and on a host whose mounts are private" {
	nested shared follow
	nested private rw
}

@test "what the host moves is moved, also while a process of the container is in it" {
	run -0 apart private 'cd "$DIR"; mkdir x y; mount -t tmpfs x x; mkdir x/s; mount -t tmpfs s x/s; echo s >x/s/f
		box --profile net -v "$DIR:/d" -- sh -c "cd /d/x/s; sleep 1000"; same
		mount --move x y; same
		[ -e y/s/f ]; mount --move y x; same; umount -R x; same'
	[[ $(grep -c ^same <<<"$output") == 4 ]] || die "$output"
}

@test "what a container mounts itself below a path of the host's stays its own" {
	local how
	for how in "shared rw" "private rw" "shared ro"; do
		run -0 apart "${how% *}" 'cd "$DIR"; mkdir -p x y; echo x >x/f
			box --profile net --cap-add SYS_ADMIN -v "$DIR:/d:'"${how#* }"'" -- sh -c "mount -t tmpfs own /d/x; echo own >/d/x/own; sleep 1000"
			wait_until 10 test -e /proc/$(P)/root/d/x/own
			mount -t tmpfs y y; echo y >y/f; wait_until 10 test -e /proc/$(P)/root/d/y/f
			! mountpoint x; mount -t tmpfs x x; echo new >x/f; sleep 0.3; ls /proc/$(P)/root/d/x
			umount x; umount y; wait_until 10 refute test -e /proc/$(P)/root/d/y/f; ls /proc/$(P)/root/d/x'
		[[ $(grep -c '^own$' <<<"$output") == 2 ]] || die "$how: $output"
	done
}

@test "what host exec mounts and unmounts is so inside when it has ended: fifty times, two at once" {
	run -0 apart private 'mkdir "$DIR/1" "$DIR/2"
		timeout 80 "$PORTHOLE" host run -q sh -c "one() { for i in \$(seq 25); do
				porthole host exec mount -t tmpfs x $DIR/\$1 && mountpoint -q /host$DIR/\$1 || echo missing
				porthole host exec umount $DIR/\$1 && ! mountpoint -q /host$DIR/\$1 || echo left
			done; echo done; }
			one 1 & one 2; wait"'
	[[ $(grep -v ^porthole: <<<"$output") == done$'\n'done ]] || die "$output"
}

@test "what is unmounted on the host is gone: its device is free as soon as umount has ended, and after use, too" {
	truncate -s 16M "$DIR/img"
	mke2fs -q -F "$DIR/img"
	loop_new "$DIR/img" >"$DIR/loop"
	run -0 apart shared 'mkdir "$DIR/at"; L=$(<"$DIR/loop"); free() { python3 -c "import os, sys; os.open(sys.argv[1], os.O_RDWR | os.O_EXCL)" "$L"; }
		box --profile net -v "$DIR:/d" -- sh -c "until test -e /d/go; do sleep 0.1; done; cd /d/at; echo >/d/go.in
			until test -e /d/go.out; do sleep 0.1; done; cd /; echo >/d/go.left; sleep 1000"
		for i in $(seq 20); do mount "$L" "$DIR/at"; ! free 2>/dev/null; umount "$DIR/at"; free; done
		mount "$L" "$DIR/at"; echo >"$DIR/go"; wait_until 10 test -e "$DIR/go.in"
		lies() { [ $(grep -c " /d/at " /proc/$(P)/mountinfo) = $1 ]; }
		wait_until 15 lies 2; echo >"$DIR/go.out"; wait_until 10 test -e "$DIR/go.left"
		wait_until 15 lies 1; umount "$DIR/at"; free; echo free
		rm "$DIR"/go*'
	[[ ${lines[-1]} == free ]] || die "$output"
}

@test "what a process inside holds open stays in use, unseen by others, and busy names that one" {
	truncate -s 16M "$DIR/img"
	mke2fs -q -F "$DIR/img"
	loop_new "$DIR/img" >"$DIR/loop"
	run -0 apart private 'mkdir "$DIR/at"; L=$(<"$DIR/loop"); mount "$L" "$DIR/at"; echo text >"$DIR/at/f"
		free() { python3 -c "import os, sys; os.open(sys.argv[1], os.O_RDWR | os.O_EXCL)" "$L" 2>/dev/null; }
		box --profile net -v "$DIR:/d" -- sh -c "exec 3</d/at/f; echo >/d/go.in; until test -e /d/go.out; do sleep 0.1; done; exec 3<&-; sleep 1000"
		wait_until 10 test -e "$DIR/go.in"; umount "$DIR/at"; wait_until 10 refute test -e /proc/$(P)/root/d/at/f
		! free; "$PORTHOLE" busy "$L" | grep -q " open  *3 " && echo named
		echo >"$DIR/go.out"; wait_until 10 free; echo free'
	[[ ${lines[-1]} == free && ${lines[-2]} == named ]] || die "$output"
}

@test "a mount that is a path of the container's itself goes with the host's, and its device is free" {
	local how
	truncate -s 16M "$DIR/img"
	mke2fs -q -F "$DIR/img"
	loop_new "$DIR/img" >"$DIR/loop"
	for how in "shared rw" "private rw" "shared ro"; do
		run -0 apart "${how% *}" 'mkdir -p "$DIR/at"; L=$(<"$DIR/loop"); mount "$L" "$DIR/at"
			free() { python3 -c "import os, sys; os.open(sys.argv[1], os.O_RDWR | os.O_EXCL)" "$L" 2>/dev/null; }
			box --profile net -v "$DIR/at:/usb:'"${how#* }"'" -- sleep 1000; [ -e "/proc/$(P)/root/usb/lost+found" ]
			umount "$DIR/at"; wait_until 10 free; refute test -e "/proc/$(P)/root/usb/lost+found"; echo free'
		[[ ${lines[-1]} == free ]] || die "$how: $output"
	done
}
