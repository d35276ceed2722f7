#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets stderr
# cp, ls and cat on TARGET:PATH, running and stopped, of every kind of engine; by docker cp's rules.
load ../lib/porthole

teardown() {
	local i
	for ((i = 0; i < ${#MADE[@]}; i += 2)); do
		target_stop "${MADE[i]}" "${MADE[i + 1]}"
	done
}

MADE=()

# start ENGINE [ARG...]: sets NAME, PID, ROOT.
start() {
	NAME=$(uniq_name files)
	PID=$(target_start "$1" "$NAME" "${@:2}")
	MADE+=("$1" "$NAME")
	ROOT=/proc/$PID/root
}

cp_() {
	timeout -k 2 60 "$PORTHOLE" cp "$@"
}

# A tree that has one of everything.
tree() {
	mkdir -p "$1/sub/empty" "$1/sub/deep/er"
	echo one >"$1/one"
	ln "$1/one" "$1/sub/again"
	ln -s one "$1/link"
	ln -s /nowhere/../at/all "$1/dangling"
	mkfifo "$1/fifo"
	mknod "$1/null" c 1 3
	head -c 3000000 /dev/urandom >"$1/big"
	truncate -s 1G "$1/holes"
	printf x | dd of="$1/holes" bs=1 seek=700M conv=notrunc status=none
	: >"$1/$(printf 'new\nline \033[31m\377')"
	chmod 4755 "$1/big"
	chmod 1777 "$1/sub/deep"
	chown 1000:1001 "$1/sub/deep/er"
	touch -d '2001-02-03 04:05:06.789' "$1/one" "$1/sub/empty" "$1/sub"
	touch -h -d '2002-02-03 04:05:06' "$1/link"
	python3 - "$1" <<'PY'
import os, struct, sys
os.setxattr(sys.argv[1] + '/one', 'user.note', b'a\0b')
# cap_net_raw=ep, revision 2; user:1000:r-- in an ACL
os.setxattr(sys.argv[1] + '/big', 'security.capability', struct.pack('<IIIII', 0x02000001, 1 << 13, 0, 0, 0))
acl = struct.pack('<I', 2) + b''.join(struct.pack('<HHI', *e) for e in
    [(1, 6, 0xffffffff), (2, 4, 1000), (4, 4, 0xffffffff), (16, 4, 0xffffffff), (32, 4, 0xffffffff)])
os.setxattr(sys.argv[1] + '/sub/again', 'system.posix_acl_access', acl)
PY
}

# look DIR [SHIFT [OWNERS]]: all that is to be kept of it, with SHIFT taken off owners.
look() {
	python3 - "$@" <<'PY'
import hashlib, os, stat, struct, sys
top, shift, owners = os.fsencode(sys.argv[1]), int((sys.argv + ['0'])[2] or 0), (sys.argv + ['', ''])[3] != 'no'
inodes = {}
def one(path):
    st = os.lstat(path)
    rel = os.path.relpath(path, top)
    rest = [oct(st.st_mode)]
    if owners: rest += [st.st_uid - shift, st.st_gid - shift]
    if rel != b'.': rest.append(st.st_mtime_ns)
    if stat.S_ISREG(st.st_mode):
        rest += [st.st_size, st.st_blocks * 512 < st.st_size // 2]
        if st.st_size < 1 << 28: rest.append(hashlib.sha256(open(path, 'rb').read()).hexdigest()[:12])
        else:
            with open(path, 'rb') as f:
                f.seek(700 << 20); rest.append(f.read(1))
        rest.append(inodes.setdefault(st.st_ino, rel))
        for x in sorted(os.listxattr(path)):
            v = os.getxattr(path, x)
            if x == 'security.capability': v = v[4:20] # without revision and root
            if x.startswith('system.posix_acl') and shift:
                es = [list(struct.unpack_from('<HHI', v, i)) for i in range(4, len(v), 8)]
                v = v[:4] + b''.join(struct.pack('<HHI', t, p, i - shift if t in (2, 8) else i) for t, p, i in es)
            rest.append((x, v))
    if stat.S_ISLNK(st.st_mode): rest.append(os.readlink(path))
    if stat.S_ISCHR(st.st_mode): rest.append(st.st_rdev)
    print(rel, *rest)
def walk(path):
    one(path)
    if stat.S_ISDIR(os.lstat(path).st_mode):
        for n in sorted(os.listdir(path)): walk(path + b'/' + n)
walk(top)
PY
}

same() {
	diff <(look "${@:1:1}" 0 "${3:-}") <(look "$2" "${4:-0}" "${3:-}")
}

# there_and_back ENGINE SHIFT [ARG...]: a tree into a target, between its directories, and out again.
there_and_back() {
	local d=$BATS_TEST_TMPDIR/$1 shift=$2
	mkdir "$d"
	tree "$d/src"
	start "$1" "${@:3}"
	run -0 --separate-stderr cp_ -a "$d/src" "$NAME:/copy"
	[[ -z $output$stderr ]]
	same "$d/src" "$ROOT/copy" yes "$shift"
	run -0 cp_ "$NAME:/copy" "$NAME:/twice"
	same "$d/src" "$ROOT/twice" yes "$shift"
	run -0 cp_ -a "$NAME:/twice" "$d/back"
	same "$d/src" "$d/back" yes
	# archives
	cp_ "$NAME:/twice" - >"$d/t.tar"
	mkdir "$d/x"
	tar -C "$d/x" -xf "$d/t.tar" 2>/dev/null
	diff <(cd "$d/src" && find . -printf '%P %y %m %s\n' | sort) <(cd "$d/x/twice" && find . -printf '%P %y %m %s\n' | sort)
	mkdir "$ROOT/unpacked"
	cp_ - "$NAME:/unpacked" <"$d/t.tar"
	same "$ROOT/twice" "$ROOT/unpacked/twice" yes
	# without -a: the target's root, then ours, without its powers
	run -0 cp_ "$d/src" "$NAME:/plain"
	[[ $(find "$ROOT/plain" -printf '%U:%G\n' | sort -u) == "$shift:$shift" ]]
	run -0 cp_ "$NAME:/plain" "$d/plain"
	[[ $(find "$d/plain" -printf '%U:%G\n' | sort -u) == 0:0 ]]
	[[ $(stat -c %a "$d/plain/big" "$d/plain/null") == $'755\n600' ]]
	refute python3 -c 'import os, sys; os.getxattr(sys.argv[1], "security.capability")' "$d/plain/big" 2>/dev/null
	[[ -z $(find "$ROOT/" -xdev -name '.porthole-*') ]]
	target_stop "$1" "$NAME"
	MADE=()
}

@test "cp: docker" {
	require docker
	there_and_back docker 0 busybox
}

@test "cp: docker with userns-remap: owners, ACLs and capabilities are its own" {
	require docker-userns
	there_and_back docker-userns "$(userns_shift docker-userns)" busybox
}

@test "cp and edit: into file systems that only a user namespace knows the ids of" {
	local e d f=$BATS_TEST_TMPDIR/f owner
	require docker-userns podman-rootless
	echo one >"$f"
	chmod 400 "$f"
	for e in docker-userns podman-rootless; do
		start "$e" busybox --tmpfs /t
		owner=$(awk '{print $2; exit}' "/proc/$PID/uid_map"):$(awk '{print $2; exit}' "/proc/$PID/gid_map")
		"$PORTHOLE" exec "$NAME" sh -c 'mkdir -m 700 /d /t/d && chown 5:5 /d /t/d'
		for d in /d /t/d; do
			run -0 --separate-stderr cp_ "$f" "$NAME:$d/f"
			EDITOR='echo two >>' run -0 --separate-stderr "$PORTHOLE" edit "$NAME:$d/f"
			[[ -z $stderr && $(<"$ROOT$d/f") == $'one\ntwo' ]] || die "$e $d: $stderr"
			EDITOR='echo new >' run -0 "$PORTHOLE" edit "$NAME:$d/new"
			[[ $(stat -c %u:%g:%a "$ROOT$d/f" "$ROOT$d/new") == "$owner:400"$'\n'"$owner:644" ]] ||
				die "$e $d: $(stat -c %u:%g:%a "$ROOT$d/f" "$ROOT$d/new"), not $owner"
		done
	done
}

# The first id of the containers of an engine that remaps.
userns_shift() {
	local n pid
	n=$(uniq_name shift)
	pid=$(target_start "$1" "$n")
	awk '{print $2}' "/proc/$pid/uid_map"
	target_stop "$1" "$n"
}

@test "cp: podman, runc, crun, and a scratch root without any tool" {
	local e
	require podman runc crun
	for e in podman runc crun; do
		there_and_back "$e" 0 scratch $([[ $e == podman ]] || echo .root.readonly=false)
	done
}

@test "cp: the rules of docker cp, as docker cp does it" {
	local d=$BATS_TEST_TMPDIR/d p=$BATS_TEST_TMPDIR/p n
	require docker
	start docker busybox
	mkdir -p "$ROOT/s/dir/sub" "$ROOT/s/links"
	echo f >"$ROOT/s/file"
	echo x >"$ROOT/s/dir/x"
	ln -s file "$ROOT/s/tofile"
	ln -s dir "$ROOT/s/todir"
	n=$NAME
	rules "$d" engine_cli docker cp
	rules "$p" "$PORTHOLE" cp
	diff <(cd "$d" && find . -printf '%p %y %m %l\n' | sort) <(cd "$p" && find . -printf '%p %y %m %l\n' | sort)
	diff -r --no-dereference "$d" "$p"
	[[ -s $d/results ]]
}

# rules DIR CP...: many copies, and which of them were refused.
rules() {
	local to=$1 src dest i=0 status
	shift
	mkdir -p "$to"
	for src in s/file s/file/ s/dir s/dir/ s/dir/. s/tofile s/todir s/todir/ s/todir/. s/none; do
		for dest in new new/ dir file file/ none/new tolink todirlink dangling; do
			mkdir -p "$to/$((++i))/dir/dir" "$to/$i/linked"
			echo old >"$to/$i/file"
			echo old >"$to/$i/target"
			ln -s target "$to/$i/tolink"
			ln -s linked "$to/$i/todirlink"
			ln -s made "$to/$i/dangling"
			status=0
			"$@" "$n:$src" "$to/$i/$dest" >/dev/null 2>&1 || status=1
			echo "$i $src $dest $status" >>"$to/results"
			status=0
			"$@" -L "$n:/$src" "$to/$i/L$dest" >/dev/null 2>&1 || status=1
			echo "$i -L $src $dest $status" >>"$to/results"
		done
	done
}

@test "ls and cat: running, stopped, image; links stay inside" {
	require docker
	start docker busybox
	mkdir -p "$ROOT/d/.hidden" "$ROOT/d/b"
	echo inside >"$ROOT/etc/marker"
	ln -s ../../../../../../../../../etc/marker "$ROOT/d/up"
	ln -s /proc/1/root/etc/hostname "$ROOT/d/magic"
	printf 'a\033[31mb' >"$ROOT/d/text"
	mkfifo "$ROOT/d/fifo"
	touch "$ROOT/d/$(printf 'n\nl')"
	chown 1234 "$ROOT/d/text"
	run -0 "$PORTHOLE" ls "$NAME:/d"
	[[ $output == $'b\nfifo\nmagic\nn\\x0al\ntext\nup' ]] || die "$output"
	run -0 "$PORTHOLE" ls -la "$NAME:d"
	[[ $output == *"drwxr-xr-x  2  root  root"*".hidden"*"prw"*"-rw-r--r--  1  1234  root"*"-> ../../"* ]] || die "$output"
	run -0 "$PORTHOLE" ls -l "$NAME"
	[[ $output == *"proc  [mount]"* ]]
	[[ $("$PORTHOLE" ls --json "$NAME:/d" | jq -c '.[] | select(.type == "file" and .size > 0) | [.path, .uid, .mode]') == \
		'["/d/text",1234,"0644"]' ]]
	run -0 "$PORTHOLE" ls -R "$NAME:/d"
	[[ $output == $'/d:\nb\n'*$'\n\n/d/b:' ]] || die "$output"
	[[ $("$PORTHOLE" cat "$NAME:/d/up") == inside ]]
	[[ $("$PORTHOLE" cat "$NAME:/d/text" | od -c) == *033* ]]
	[[ $("$PORTHOLE" cat "$NAME:/etc/marker" "$NAME:d/up") == $'inside\ninside' ]]
	run -125 --separate-stderr timeout 5 "$PORTHOLE" cat "$NAME:/d/fifo"
	[[ $stderr == *"is a FIFO"* ]]
	run -125 --separate-stderr "$PORTHOLE" cat "$NAME:/d"
	[[ $stderr == *"is a directory"* ]]
	run -125 --separate-stderr "$PORTHOLE" cat "$NAME:/none"
	[[ $stderr == "porthole: cannot open /none in '$NAME': No such file or directory"* ]]
	run -2 "$PORTHOLE" cp a b
	run -125 "$PORTHOLE" ls "no-such-$BASHPID:/"
	engine_cli docker kill "$NAME" >/dev/null
	wait_until 10 refute pid_alive "$PID"
	run -0 "$PORTHOLE" cat "$NAME:/d/up"
	[[ $output == inside ]]
	run -0 "$PORTHOLE" cp "$NAME:/d" "$BATS_TEST_TMPDIR/out"
	[[ -p $BATS_TEST_TMPDIR/out/fifo ]]
	tar -C "$BATS_TEST_TMPDIR" -cf "$BATS_TEST_TMPDIR/i.tar" out
	run -0 "$PORTHOLE" cat "$BATS_TEST_TMPDIR/i.tar:/out/text"
	[[ $output == *31m* ]]
	run -125 --separate-stderr env -C "$BATS_TEST_TMPDIR" "$PORTHOLE" cp ./out i.tar:/x
	[[ $stderr == *" is an archive, which is not changed"* ]]
}

@test "volumes and tmpfs are there; what is read-only is said to be" {
	local v=$BATS_TEST_TMPDIR/v
	require docker
	mkdir "$v"
	echo vol >"$v/f"
	start docker busybox --read-only -v "$v:/vol" --tmpfs /t
	[[ $("$PORTHOLE" cat "$NAME:/vol/f") == vol ]]
	cp_ "$v/f" "$NAME:/t/g"
	[[ $(<"$ROOT/t/g") == vol ]]
	cp_ "$v/f" "$NAME:/vol/h"
	[[ $(<"$v/h") == vol ]]
	run -125 --separate-stderr cp_ "$v/f" "$NAME:/etc/f"
	[[ $stderr == *"Read-only file system"*"mounted read-only in '$NAME'"* ]] || die "$stderr"
	EDITOR="touch $BATS_TEST_TMPDIR/ran" run -125 --separate-stderr "$PORTHOLE" edit "$NAME:/etc/passwd"
	[[ $stderr == *"cannot edit /etc/passwd in '$NAME': Read-only file system"* && ! -e $BATS_TEST_TMPDIR/ran ]] || die "$stderr"
	EDITOR='echo new >' run -0 "$PORTHOLE" edit "$NAME:/vol/f"
	[[ $(<"$v/f") == new ]]
}

@test "find: by find(1)'s tests, with find's spelling; the biggest" {
	local d
	require docker
	start docker busybox
	d=$ROOT/d
	mkdir -p "$d/a/b" "$d/empty"
	head -c 300000 /dev/zero >"$d/a/b/big.log"
	truncate -s 1G "$d/sparse"
	: >"$d/zero"
	echo x >"$d/a/X.LOG"
	ln "$d/a/b/big.log" "$d/a/again"
	ln -s / "$d/root"
	chmod 4755 "$d/a/X.LOG"
	chown 1234:77 "$d/zero"
	touch -d '3 days ago' "$d/a/X.LOG"
	# find(1) itself is what is right
	both -name '*.log'
	both -iname '*.log'
	both -type d
	both -type f,l
	both -size +100k -type f
	both -size -2
	both -mtime +2
	both -mtime -1
	both -newer /d/a/X.LOG
	both -user 1234
	both -group 77
	both -perm 4755
	both -perm -4000
	both -perm /6000
	both -empty
	both -maxdepth 1
	both -maxdepth 0
	[[ $("$PORTHOLE" find "$NAME:/d" -maxdepth 0) == /d ]]
	both -path '/d/a/*' -type f
	[[ $("$PORTHOLE" find "$NAME:/d" -name zero --json | jq -c '.[] | [.path, .uid, .gid, .size]') == '["/d/zero",1234,77,0]' ]]
	run -0 "$PORTHOLE" find "$NAME:/d" --top 3
	[[ $output == *" d  /d"$'\n'*" d  /d/a"$'\n'*" "*"/d/a/"* && $output != *sparse* ]] || die "$output"
	run -2 "$PORTHOLE" find "$NAME:/d" -size many
	run -2 "$PORTHOLE" find "$NAME:/d" -type x
	run -125 "$PORTHOLE" find "$NAME:/d" -user nobody-here
}

# both TEST...: porthole finds what find does.
both() {
	local there=()
	[[ $1 == -newer ]] && there=(-newer "$ROOT$2") || there=("$@")
	[[ $1 != -path ]] || there=(-path "$ROOT$2" "${@:3}")
	diff <("$PORTHOLE" find "$NAME:/d" "$@" --print0 | tr '\0' '\n' | sort) \
		<(find "$ROOT/d" "${there[@]}" | sed "s|^$ROOT||" | sort) || die "find $*"
}

@test "edit: whole, with owner and mode; nothing lost when it cannot be" {
	local f
	require docker
	start docker busybox
	echo port=1 >"$ROOT/etc/conf"
	chown 12:34 "$ROOT/etc/conf"
	chmod 640 "$ROOT/etc/conf"
	ln -s /etc/conf "$ROOT/link"
	EDITOR='sed -i s/1/2/' run -0 "$PORTHOLE" edit "$NAME:/link"
	[[ $(<"$ROOT/etc/conf") == port=2 && $(stat -c %u:%g:%a "$ROOT/etc/conf") == 12:34:640 && -L $ROOT/link ]]
	EDITOR=true run -0 "$PORTHOLE" edit "$NAME:/etc/conf"
	[[ $output == "porthole: not changed" ]]
	EDITOR=false run -125 "$PORTHOLE" edit "$NAME:/etc/conf"
	# what is mounted stays mounted
	EDITOR='sed -i s/localhost/here/' run -0 "$PORTHOLE" edit "$NAME:/etc/hosts"
	[[ $(<"$ROOT/etc/hosts") == *here* ]]
	grep -q ' /etc/hosts ' "/proc/$PID/mountinfo"
	cp_ "$ROOT/etc/conf" "$NAME:/etc/hosts"
	[[ $(<"$ROOT/etc/hosts") == port=2 ]]
	grep -q ' /etc/hosts ' "/proc/$PID/mountinfo"
	# somebody else was faster
	EDITOR="echo theirs >$ROOT/etc/conf; echo mine >" TMPDIR=$BATS_TEST_TMPDIR run -125 "$PORTHOLE" edit "$NAME:/etc/conf"
	[[ $output == *"changed by somebody else"*"what was edited is in $BATS_TEST_TMPDIR/"* ]]
	f=${output##* is in }
	[[ $(<"$f") == mine && $(<"$ROOT/etc/conf") == theirs && $(stat -c %a "$f" "${f%/*}") == $'600\n700' ]]
	EDITOR='echo new >' run -0 "$PORTHOLE" edit "$NAME:/etc/new"
	[[ $(<"$ROOT/etc/new") == new && $(stat -c %u:%a "$ROOT/etc/new") == 0:644 ]]
	ln "$ROOT/etc/new" "$ROOT/etc/other"
	EDITOR='echo again >' run -0 "$PORTHOLE" edit "$NAME:/etc/new"
	[[ $output == "porthole: /etc/new was one of 2 names of a file (hard links); under the others it is as it was" ]]
	[[ $(<"$ROOT/etc/new") == again && $(<"$ROOT/etc/other") == new ]]
	mkfifo "$ROOT/fifo"
	EDITOR=true run -125 timeout 5 "$PORTHOLE" edit "$NAME:/fifo"
	[[ -z $(find "$ROOT/" -xdev -name '.porthole-*') ]]
}

@test "all of a container: its files, and not what the kernel shows of itself, unless that is asked for" {
	require docker
	local d=$BATS_TEST_TMPDIR
	start docker busybox --tmpfs /data
	echo kept >"$ROOT/data/file"
	mkdir "$d/all"
	run -0 cp_ -q "$NAME:/" "$d/all"
	[[ -z $output && -f $d/all/bin/busybox && $(<"$d/all/data/file") == kept ]] || die "$output"
	[[ -d $d/all/proc && -z $(ls -A "$d/all/proc" "$d/all/sys" | grep -v :) ]] || die "$(ls -A "$d/all/proc")"
	cp_ "$NAME:/" - >"$d/all.tar"
	refute grep -E '(^|/)(proc|sys)/.' <(tar -tf "$d/all.tar")
	tar -tf "$d/all.tar" | grep -qx './data/file'
	run -0 cp_ -q "$NAME:/proc/sys/kernel/random/" "$d/asked"
	[[ -s $d/asked/boot_id ]] || die "$(ls -A "$d/asked")"
}
