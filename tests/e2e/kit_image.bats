#!/usr/bin/env bats
# A kit's image: found, mounted by every rung, gone afterwards, read without mounting it.
load ../lib/porthole

setup_file() {
	cd "$BATS_FILE_TMPDIR"
	mkdir -p src/b src/dir/deep tmpfs at
	cp "$PT_TOOLS/app" src/b/app
	cp "$PT_TOOLS/enosys" src/b/enosys
	ln -s app src/b/link
	seq 50000 >src/dir/numbers
	ln src/dir/numbers src/dir/deep/again
	head -c 200000 /dev/urandom >src/dir/noise
	cat >src/manifest.json <<-END
		{"format": 1, "porthole": "0.1.0", "arch": "amd64", "distribution": "debian 12",
		 "files": 6, "bytes": 1000000, "programs": 3, "asked": ["app"], "packages": [
		 {"name": "app", "version": "1:2-3", "arch": "amd64", "asked": true, "files": 2,
		  "bytes": 999, "programs": ["app"]}]}
	END
	mkfs.erofs --quiet -x-1 --all-root -zlz4hc -C65536 kit.erofs src >/dev/null
	"$PORTHOLE" kit attach --kit kit.erofs -o full
	# where the kernel cannot mount a file without a loop device
	mount -t tmpfs pt-test tmpfs
	cp kit.erofs full tmpfs/
}

teardown_file() {
	umount "$BATS_FILE_TMPDIR/tmpfs"
}

setup() {
	cd "$BATS_FILE_TMPDIR"
	NO_LOOP=ioctl/1=LOOP_CTL_GET_FREE:ENODEV
}

# without RULE[,RULE...] COMMAND...: on a kernel that lacks these calls.
without() {
	"$PT_TOOLS/enosys" "$1" -- "${@:2}"
}

# sees [OPTION...]: kitmount with these at the directory `at`, which is then the same as src, read-only,
# and its programs run.
SEES='diff -r --no-dereference src at || exit 1
	test "$(stat -c %h at/dir/numbers)" = 2 || exit 2
	touch at/new 2>/dev/null && exit 3
	rm -f at/dir/noise 2>/dev/null && exit 4
	at/b/enosys pidfd_open -- true || exit 5
	grep " $PWD/at ro,nosuid,nodev[, ]" /proc/self/mountinfo'
sees() {
	"$PT_TOOLS/kitmount" "$@" "$PWD/at" -- sh -c "$SEES"
}

# The loop devices bound to a file of ours.
loops() {
	local f
	for f in /sys/block/loop*/loop/backing_file; do
		[[ -e $f ]] && grep -F "$BATS_FILE_TMPDIR/" "$f"
	done
	true
}

no_loops() {
	[[ -z $(loops) ]]
}

@test "rung file: an image mounts without a loop device" {
	run sees -k kit.erofs
	[[ $status == 0 && $output == *"rung: file"* && $output == *" - erofs kit.erofs "* ]]
	no_loops
}

@test "rung file: a kit appended to the executable, also after it was copied elsewhere" {
	run sees -k full
	[[ $status == 0 && $output == *"rung: file"* ]]
	mkdir -p "$BATS_TEST_TMPDIR/else where"
	cp full "$BATS_TEST_TMPDIR/else where/porthole"
	run "$BATS_TEST_TMPDIR/else where/porthole" kit info --json
	[[ $status == 0 && $(jq -r .path <<<"$output") == "$BATS_TEST_TMPDIR/else where/porthole" ]]
	[[ $(jq -r '"\(.appended) \(.mount.rung) \(.mount.tried)"' <<<"$output") == "true file true" ]]
}

@test "rung loop: a file that the kernel does not mount as it is" {
	local kit
	for kit in tmpfs/kit.erofs tmpfs/full; do
		run sees -k $kit
		[[ $status == 0 && $output == *"rung: loop"* && $output == *" - erofs /dev/loop"* ]]
		wait_until 1 no_loops
	done
}

@test "rung loop: before Linux 5.8, without LOOP_CONFIGURE" {
	run without ioctl/1=LOOP_CONFIGURE:EINVAL "$PT_TOOLS/kitmount" -k tmpfs/full "$PWD/at" -- sh -c "$SEES"
	[[ $status == 0 && $output == *"rung: loop"* ]]
	wait_until 1 no_loops
}

@test "rung loop: the device is bound while mounted, and gone after kill -9 at any moment" {
	local i pid
	"$PT_TOOLS/kitmount" -k tmpfs/full "$PWD/at" -- sleep 60 &
	pid=$!
	wait_until 5 eval '[[ -n $(loops) ]]'
	kill -9 $pid
	wait $pid || true
	wait_until 1 no_loops
	for i in {0..40}; do
		"$PT_TOOLS/kitmount" -k tmpfs/full "$PWD/at" -- sleep 60 2>/dev/null &
		pid=$!
		sleep 0.00$((i / 10))$((i % 10)) # not to wait for something: to die at another moment
		kill -9 $pid
		wait $pid || true
	done
	wait_until 1 no_loops
	refute mountpoint -q at
}

@test "rung loop: many at once" {
	local i
	for i in {1..8}; do
		"$PT_TOOLS/kitmount" -n 10 -k tmpfs/kit.erofs >"$BATS_TEST_TMPDIR/$i" &
	done
	wait
	[[ $(cat "$BATS_TEST_TMPDIR"/? | grep -c '^[0-9]*$') == 8 ]]
	wait_until 1 no_loops
}

@test "rung unpack: no loop device either" {
	local kit
	for kit in tmpfs/kit.erofs tmpfs/full; do
		run without $NO_LOOP "$PT_TOOLS/kitmount" -k $kit "$PWD/at" -- sh -c "$SEES"
		[[ $status == 0 && $output == *"rung: unpack"* && $output == *" - tmpfs kit "* ]]
	done
	no_loops
}

@test "rung unpack: the tmpfs is read-only before Linux 5.12, too" {
	run without $NO_LOOP,mount_setattr "$PT_TOOLS/kitmount" -k tmpfs/kit.erofs "$PWD/at" -- \
		sh -c 'diff -r --no-dereference src at && ! touch at/new 2>/dev/null'
	[[ $status == 0 && $output == *"rung: unpack"* ]]
}

@test "rung dir: an unpacked kit" {
	run sees -k src
	[[ $status == 0 && $output == *"rung: dir"* ]]
	[[ ! -e src/new ]]
	run without mount_setattr "$PT_TOOLS/kitmount" -k src "$PWD/at" -- true
	[[ $status == 125 && $output == *"is a directory, which needs Linux 5.12"* ]]
}

@test "no detached mounts: each missing call says so, and the classic way works" {
	local call
	for call in fsopen fsconfig fsmount mountapi; do
		run without $call "$PT_TOOLS/kitmount" -k kit.erofs "$PWD/at" -- true
		[[ $status == 124 ]]
	done
	mkdir -p classic
	run without mountapi "$PT_TOOLS/kitmount" -c -k full "$PWD/classic/at" -- sh -c \
		'diff -r --no-dereference src classic/at && ! touch classic/at/new 2>/dev/null && ls -A classic'
	[[ $status == 0 && $output == *"rung: loop"* && ${lines[-1]} == at ]] # no device node left
	wait_until 1 no_loops
	run without mountapi,$NO_LOOP "$PT_TOOLS/kitmount" -c -k full "$PWD/classic/at" -- sh -c \
		'diff -r --no-dereference src classic/at && ! touch classic/at/new 2>/dev/null && ls -A classic'
	[[ $status == 0 && $output == *"rung: unpack"* && ${lines[-1]} == at ]]
	run without mountapi,mknod,mknodat "$PT_TOOLS/kitmount" -c -k full "$PWD/classic/at" -- true
	[[ $status == 0 && $output == *"rung: unpack"* ]]
	[[ -z $(ls -A classic) ]]
	wait_until 1 no_loops
}

@test "id-mapped into a user namespace on every rung" {
	local pid kit
	unshare -U sleep 60 3>&- &
	pid=$!
	wait_until 5 eval "! cmp -s <(readlink /proc/self/ns/user) <(readlink /proc/$pid/ns/user)"
	echo 0 100000 65536 | tee /proc/$pid/gid_map >/proc/$pid/uid_map
	for kit in kit.erofs tmpfs/kit.erofs src; do
		run "$PT_TOOLS/kitmount" -u $pid -k $kit "$PWD/at" -- stat -c %u:%g at/b/app
		[[ $status == 0 && ${lines[-1]} == 100000:100000 ]]
	done
	run without $NO_LOOP "$PT_TOOLS/kitmount" -u $pid -k tmpfs/kit.erofs "$PWD/at" -- stat -c %u:%g at/b/app
	[[ $status == 0 && ${lines[-1]} == 100000:100000 ]]
	# where the kernel cannot, the kit is there all the same
	run without mount_setattr "$PT_TOOLS/kitmount" -u $pid -k kit.erofs "$PWD/at" -- stat -c %u:%g at/b/app
	[[ $status == 0 && ${lines[-1]} == 0:0 ]]
	kill $pid
}

@test "not root: it says what is missing" {
	chmod 755 "$BATS_FILE_TMPDIR" "$BATS_FILE_TMPDIR/.." "$BATS_FILE_TMPDIR/../.."
	run setpriv --reuid 65534 --regid 65534 --clear-groups "$(for_users "$PT_TOOLS/kitmount")" -n 1 -k kit.erofs
	[[ $status == 125 && ${lines[0]} == "kitmount: mounting the kit needs CAP_SYS_ADMIN" ]]
	[[ ${lines[1]} == *"run with sudo" ]]
	run setpriv --reuid 65534 --regid 65534 --clear-groups "$(for_users "$PORTHOLE")" kit info kit.erofs
	[[ $status == 0 && $output == *"rung 'file', expected: only root can try"* ]]
}

# bad FILE WORDS: kit_find, kit info and kit list end with 125 and one sentence that has these words.
bad() {
	local verb
	for verb in info list; do
		run timeout 5 "$PORTHOLE" kit $verb "$1"
		[[ $status == 125 && ${lines[0]} == "porthole: "*"$2"* ]] || die "$verb $1: $output"
	done
}

@test "what is no kit: one sentence, at once" {
	cd "$BATS_TEST_TMPDIR"
	local kit=$BATS_FILE_TMPDIR/kit.erofs size
	bad /nonexistent/kit "No such file"
	mkdir empty && bad empty "is no unpacked kit: it has no b/"
	: >zero && bad zero "is no kit: there is no EROFS image in it"
	truncate -s 1T sparse && bad sparse "is no kit: there is no EROFS image in it"
	mkfifo fifo && bad fifo "is neither a file nor a directory"
	bad /dev/zero "is neither a file nor a directory"
	cp /bin/ls ls && bad ls "is no kit"
	head -c 4096 "$kit" >short && bad short "is cut short: it should have"
	size=$(stat -c %s "$kit")
	head -c $((size - 1)) "$kit" >short && bad short "is cut short"
	head -c 1500 "$kit" >short && bad short "is cut short"
	head -c 1030 "$kit" >short && bad short "there is no EROFS image"
	cp "$kit" sum && printf x | dd of=sum bs=1 seek=1400 conv=notrunc status=none
	bad sum "damaged: the checksum of its superblock is wrong"
	run "$PT_TOOLS/kitmount" -k sum "$BATS_FILE_TMPDIR/at" -- true
	[[ $status == 125 && ${lines[0]} == *"damaged: the checksum of its superblock is wrong" ]]
	printf 'a\033[31m\nb' >"$(printf 'evil\033]0;x\007\n.erofs')"
	run "$PORTHOLE" kit info "$(printf 'evil\033]0;x\007\n.erofs')"
	[[ $status == 125 && $output != *$'\033'* && ${#lines[@]} -le 2 ]]
}

@test "a kit that is damaged where nothing looks at first: exec names it, kit info too" {
	require root kit plain
	local name pid size bad=$BATS_TEST_TMPDIR/bad.erofs
	name=$(uniq_name damaged)
	pid=$(target_start plain "$name")
	cp "$PORTHOLE_BUILD/kit.erofs" "$bad"
	size=$(stat -c %s "$bad")
	yes damage | dd of="$bad" bs=1M seek=$((size / 3 >> 20)) count=$((size / 3 >> 20)) iflag=fullblock conv=notrunc status=none
	run -125 "$PORTHOLE" kit info "$bad"
	[[ $output == *"porthole: the kit cannot be used: the image $bad "* && $output == *"build it again"* ]]
	run "$PORTHOLE" exec --kit "$bad" "$pid" python3 -c 'print(1)'
	[[ $status != 0 && $output == *"porthole: the kit cannot be used: the image $bad "*"--kit"* ]]
	# what is not the kit's fault is not said to be
	run -127 "$PORTHOLE" exec "$pid" sh -c 'exit 127'
	[[ -z $output ]]
	run -0 "$PORTHOLE" kit info
	target_stop plain "$name"
}

@test "an appended kit that is damaged is not passed over" {
	cp full "$BATS_TEST_TMPDIR/p"
	# its offset
	printf '\1' | dd of="$BATS_TEST_TMPDIR/p" bs=1 seek=$(($(stat -c %s full) - 64 + 8)) conv=notrunc status=none
	run "$BATS_TEST_TMPDIR/p" kit info
	[[ $status == 125 && $output == *"is damaged: its trailer is wrong"* ]]
	# cut: no trailer any more
	head -c -10 full >"$BATS_TEST_TMPDIR/p"
	run env -u PORTHOLE_KIT "$BATS_TEST_TMPDIR/p" kit info
	[[ $status == 125 && $output == *"cut short"* ]] || die "$output"
}

@test "which kit: PORTHOLE_KIT, then the appended, then the one beside" {
	local d=$BATS_TEST_TMPDIR
	"$PORTHOLE" kit attach --kit none -o "$d/thin"
	cp kit.erofs "$d/kit.erofs"
	run env -u PORTHOLE_KIT "$d/thin" kit info --json
	[[ $(jq -r .path <<<"$output") == "$d/kit.erofs" ]]
	cp full "$d/full"
	run env -u PORTHOLE_KIT "$d/full" kit info --json
	[[ $(jq -r .path <<<"$output") == "$d/full" ]]
	run env PORTHOLE_KIT="$PWD/src" "$d/full" kit info --json
	[[ $(jq -r .path <<<"$output") == "$PWD/src" ]]
}

@test "kit attach: twice does not stack, none takes it off, and it is atomic" {
	local d=$BATS_TEST_TMPDIR
	./full kit attach --kit kit.erofs -o "$d/again"
	cmp full "$d/again"
	./full kit attach -o "$d/same" # its own kit
	cmp full "$d/same"
	./full kit attach --kit none -o "$d/thin"
	[[ -x $d/thin ]]
	"$d/thin" kit attach --kit kit.erofs -o "$d/again"
	cmp full "$d/again"
	run env -u PORTHOLE_KIT "$d/thin" kit info
	[[ $status == 125 && $output == *"there is no kit"* ]]
	"$d/again" kit attach --kit kit.erofs -o "$d/again" # over itself, while it runs
	cmp full "$d/again"
	run ./full kit attach --kit src -o "$d/dir"
	[[ $status == 125 && $output == *"is a directory: only an image can be appended"* ]]
	run ./full kit attach -o /nonexistent/out
	[[ $status == 125 && $output == *"cannot write /nonexistent/out"* ]]
	run ./full kit attach
	[[ $status == 2 ]]
	[[ $(ls "$d") == $'again\nsame\nthin' ]]
}

@test "kit attach: a copy that was cut short is called that, wherever it was cut" {
	local d=$BATS_TEST_TMPDIR size thin more
	./full kit attach --kit none -o "$d/thin"
	thin=$(stat -c %s "$d/thin") size=$(stat -c %s full)
	for more in 1 4096 6000 9000 $((size - thin - 1)); do
		head -c $((thin + more)) full >"$d/cut"
		chmod +x "$d/cut"
		run env -u PORTHOLE_KIT "$d/cut" kit info
		[[ $status == 125 && $output == "porthole: the kit attached to $d/cut is cut short: "* ]] || die "$more: $output"
	done
	run "$PORTHOLE" kit info "$d/cut"
	[[ $status == 125 && $output == *"is cut short"* ]]
	# what others append is no kit
	{ cat "$d/thin" && echo signature; } >"$d/cut"
	run env -u PORTHOLE_KIT "$d/cut" kit info
	[[ $status == 125 && $output == *"there is no kit"* ]] || die "$output"
}

@test "kit attach: only what is not there, or a regular file, is written to" {
	local d=$BATS_TEST_TMPDIR f
	mknod "$d/null" c 1 3
	mkfifo "$d/fifo"
	ln -s nowhere "$d/dangling"
	echo precious >"$d/file"
	ln -s file "$d/link"
	mkdir "$d/dir"
	ls -l --time-style=full-iso "$d" >"$d.before"
	for f in null fifo dangling link; do
		run ./full kit attach -o "$d/$f"
		[[ $status == 125 && $output == "porthole: $d/$f is no regular file" ]] || die "$f: $status $output"
	done
	run ./full kit attach -o "$d/dir"
	[[ $status == 125 && $output == "porthole: $d/dir is a directory" ]] || die "$output"
	ls -l --time-style=full-iso "$d" | diff "$d.before" -
	./full kit attach -o "$d/file"
	cmp full "$d/file"
}

@test "kit list: programs with their packages, and packages" {
	run "$PORTHOLE" kit list kit.erofs
	[[ $status == 0 && ${lines[0]} =~ ^PROGRAM\ +PACKAGE\ +VERSION$ ]]
	[[ ${lines[1]} =~ ^app\ +app\ +1:2-3$ && ${lines[2]} =~ ^enosys\ *$ && ${lines[3]} =~ ^link\ +app ]]
	run "$PORTHOLE" kit list --json full
	[[ $(jq -c 'map([.name, .package])' <<<"$output") == '[["app","app"],["enosys",null],["link","app"]]' ]]
	run "$PORTHOLE" kit list --packages src
	[[ $status == 0 && ${lines[1]} =~ ^app\ +1:2-3\ +amd64\ +asked\ for ]]
	run "$PORTHOLE" kit list none
	[[ $status == 125 && $output == *"there is no kit to look into"* ]]
}

@test "kit info: which rung, and why not another" {
	run "$PORTHOLE" kit info kit.erofs
	[[ $status == 0 && $output == *"rung 'file'"* && $output == *"lz4, large clusters"* && $output == *"1:2-3"* ]]
	run "$PORTHOLE" kit info --json tmpfs/kit.erofs
	[[ $(jq -r '.mount | "\(.rung) \(.refused[0].rung)"' <<<"$output") == "loop file" ]]
	run without $NO_LOOP "$PORTHOLE" kit info tmpfs/kit.erofs
	[[ $status == 0 && $output == *"rung 'unpack'"* && $output == *"not by rung 'loop'"* ]]
	run "$PORTHOLE" kit info --json src
	[[ $(jq -r '"\(.kind) \(.mount.rung)"' <<<"$output") == "directory dir" ]]
	wait_until 1 no_loops
}

@test "a manifest of a later format, or that is none" {
	local d=$BATS_TEST_TMPDIR
	mkdir -p "$d/kit/b"
	echo '{"format": 2}' >"$d/kit/manifest.json"
	bad "$d/kit" "is of a later format (2)"
	echo '[1]' >"$d/kit/manifest.json"
	bad "$d/kit" "its manifest.json is no JSON object"
	rm "$d/kit/manifest.json"
	mkfifo "$d/kit/manifest.json"
	bad "$d/kit" "cannot read manifest.json"
	rm "$d/kit/manifest.json"
	run "$PORTHOLE" kit info "$d/kit"
	[[ $status == 0 && $output == *"unknown: it has no manifest"* ]]
}
