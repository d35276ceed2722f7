#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets stderr
# cp, ls, cat and find against targets that change what is copied meanwhile, and against full disks and ends.
load ../lib/porthole

setup() {
	require runc
	NAME=$(uniq_name hostile)
	PID=$(target_start runc "$NAME" busybox .root.readonly=false)
	ROOT=/proc/$PID/root
	OUT=$BATS_TEST_TMPDIR/outside
	mkdir -p "$OUT/deep"
	echo OUTSIDE | tee "$OUT/marker" >"$OUT/deep/marker"
	chmod 600 "$OUT/marker"
	outside >"$BATS_TEST_TMPDIR/before"
}

teardown() {
	[[ -z ${SWAPPER:-} ]] || end_pid "$SWAPPER"
	target_stop runc "$NAME"
	[[ ! -d $BATS_TEST_TMPDIR/small ]] || umount "$BATS_TEST_TMPDIR/small"
}

# outside: all there is of what must not be touched, access times of files too (those of directories are find's).
outside() {
	find "$OUT" -printf '%p %y %m %U:%G %s %T@ %C@\n' | sort
	find "$OUT" -type f -printf '%p %A@\n' | sort
}

# untouched: nothing was read or written there.
untouched() {
	diff "$BATS_TEST_TMPDIR/before" <(outside)
}

p() {
	timeout -k 2 20 "$PORTHOLE" "$@"
}

# sane: it ended by itself, and what it said has no control characters.
sane() {
	[[ $status == 0 || $status == 1 || $status == 125 ]] || die "$status: $output"
	refute grep -qP '[\x00-\x08\x0b-\x1f\x7f]' <<<"$output"
}

@test "directories that become links, files that become FIFOs and devices: nothing outside is read or written" {
	local d=$BATS_TEST_TMPDIR end n=0
	mkdir "$ROOT/d" "$d/src" "$d/src/x" "$d/src/x/deep"
	echo written | tee "$d/src/x/new" "$d/src/x/deep/new" "$d/src/f" >"$d/src/x/marker"
	python3 "$PORTHOLE_SRC/tests/tools/swap.py" "$ROOT/d" "$OUT" >"$d/swap" 3>&- &
	SWAPPER=$!
	wait_until 10 grep -q ready "$d/swap"
	end=$((SECONDS + 6))
	while ((SECONDS < end)); do
		rm -rf "$d/got" "$d/a.tar"
		run p cp "$NAME:/d/." "$d/got"
		sane
		[[ ! -e $d/got ]] || refute grep -r --devices=skip OUTSIDE "$d/got"
		run p cp -L "$NAME:/d/x" "$d/got2"
		sane
		p cp "$NAME:/d" - >"$d/a.tar" 2>/dev/null || true
		refute grep -q OUTSIDE "$d/a.tar"
		run p cat "$NAME:/d/x/marker" "$NAME:/d/x/deep/marker"
		[[ $output != *OUTSIDE* ]]
		run p find "$NAME:/d" -name 'mark*' -ls
		sane
		run p ls -lR "$NAME:/d"
		sane
		run p cp "$d/src/." "$NAME:/d"
		sane
		run p cp "$d/src/x" "$NAME:/d"
		sane
		run p cp "$d/src/f" "$NAME:/d/x/deep/f"
		sane
		tar -C "$d/src" -c . | p cp - "$NAME:/d" 2>/dev/null || true
		((n += 1))
	done
	((n > 1))
	pid_alive "$SWAPPER"
	end_pid "$SWAPPER"
	untouched
	# the race was one: it was written inside
	[[ -n $(find "$ROOT/d" -name new) ]]
}

@test "archives that lead out: .., absolute names, links, hard links" {
	python3 - "$OUT" >"$BATS_TEST_TMPDIR/bad.tar" <<'PY'
import io, sys, tarfile
out = sys.argv[1]
t = tarfile.open(fileobj=sys.stdout.buffer, mode='w|')
def add(name, kind=tarfile.REGTYPE, link='', data=b'evil\n'):
    i = tarfile.TarInfo(name); i.type = kind; i.linkname = link
    i.size = len(data) if kind == tarfile.REGTYPE else 0
    t.addfile(i, io.BytesIO(data) if i.size else None)
add('../' * 30 + out[1:] + '/evil')
add('a/../../../../..' + out + '/evil')
add('up', tarfile.SYMTYPE, '../' * 30 + out[1:])
add('up/evil')
add('abs', tarfile.SYMTYPE, out)
add('abs/evil')
add('abs/sub/evil')
add('hard', tarfile.LNKTYPE, '../' * 30 + out[1:] + '/marker')
add('hard2', tarfile.LNKTYPE, 'up/marker')
add('n\n\033[31m', tarfile.SYMTYPE, 'x')
add(out + '/good')
t.close()
PY
	mkdir "$ROOT/in" "$BATS_TEST_TMPDIR/in"
	run p cp - "$NAME:/in" <"$BATS_TEST_TMPDIR/bad.tar"
	[[ $status == 1 ]]
	sane
	untouched
	[[ $(<"$ROOT/in$OUT/good") == evil ]]
	[[ ! -e $ROOT/in/hard && ! -e $ROOT/in/hard2 ]]
	run p cp - "$NAME:/in" </dev/urandom
	[[ $status == 125 && $output == *"no archive"* ]]
	head -c 1000 "$BATS_TEST_TMPDIR/bad.tar" | { run p cp - "$NAME:/in"; [[ $status == 125 ]]; }
	run p cp - "$NAME:/none" <"$BATS_TEST_TMPDIR/bad.tar"
	[[ $status == 125 && $output == *"a directory that is there"* ]]
}

@test "files that grow and shrink" {
	local d=$BATS_TEST_TMPDIR
	mkdir "$ROOT/d"
	python3 - "$ROOT/d" <<'PY' 3>&- &
import os, sys
g = open(sys.argv[1] + '/grows', 'wb', 0)
s = open(sys.argv[1] + '/shrinks', 'wb', 0)
while True:
    g.write(b'x' * 65536)
    if g.tell() > 20 << 20: g.truncate(0); g.seek(0)
    s.write(b'y' * 300000); s.truncate(0); s.seek(0)
PY
	SWAPPER=$!
	wait_until 10 test -s "$ROOT/d/grows"
	for _ in 1 2 3; do
		run p cp "$NAME:/d" "$d/got"
		sane
		p cp "$NAME:/d" - | tar -tf - >/dev/null
	done
	end_pid "$SWAPPER"
	unset SWAPPER
}

@test "files of 4 EiB, deep trees, many entries" {
	local d=$BATS_TEST_TMPDIR
	mkdir "$d/small"
	mount -t tmpfs -o size=64m,nr_inodes=200k small "$d/small"
	python3 - "$d/small" <<'PY'
import os, sys
os.chdir(sys.argv[1])
with open('huge', 'wb') as f:
    os.truncate('huge', (1 << 62) + 5)
    f.seek(1 << 61); f.write(b'data')
os.mkdir('many')
for i in range(50000): os.mknod(f'many/{i}')
for i in range(1200):
    os.mkdir('d'); os.chdir('d')
PY
	run p cp "$d/small/huge" "$NAME:/huge"
	[[ $status == 1 && $output == *"huge"*"File too large"* ]]
	[[ ! -e $ROOT/huge ]]
	[[ $(p ls "$d/small/:/many" | wc -l) == 50000 ]]
	[[ $(p find "$d/small/:/many" -type f | wc -l) == 50000 ]]
	run p find "$d/small/:/d" -name nothing
	[[ $status == 1 && $output == "porthole: cannot read /d/d/d/d"* ]]
	run p cp "$d/small/d" "$NAME:/deep"
	[[ $status == 1 ]]
	sane
	truncate -s 10T "$ROOT/holes"
	(($(p cp "$NAME:/holes" - | wc -c) < 10000))
	rm -rf "$ROOT/deep"
}

@test "full disks on either side: said, and nothing half is left" {
	local d=$BATS_TEST_TMPDIR
	mkdir "$d/small" "$d/tree"
	mount -t tmpfs -o size=1m small "$d/small"
	head -c 3000000 /dev/urandom | tee "$d/tree/big" >"$ROOT/big"
	run p cp "$NAME:/big" "$d/small/"
	[[ $status == 125 && $output == *"No space left on device"* ]]
	[[ -z $(ls -A "$d/small") && $output == *"'df -h $d/small/' shows"* ]] || die "$output"
	mkdir "$ROOT/some"
	echo first >"$ROOT/some/a"
	cp "$ROOT/big" "$ROOT/some/b"
	run p cp "$NAME:/some" "$d/small/new"
	[[ $status == 125 && $output == *"this file is not there, what was copied before it is; 'df -h $d/small/new' shows"* ]] || die "$output"
	[[ -z $(find "$d/small/new" -type f ! -name a) ]]
	target_stop runc "$NAME"
	PID=$(target_start runc "$NAME" busybox \
		'.mounts += [{"destination":"/t","type":"tmpfs","source":"t","options":["size=1m"]}]')
	ROOT=/proc/$PID/root
	run p cp "$d/tree/big" "$NAME:/t/big"
	[[ $status == 125 && $output == *"writing"*"No space left on device"*"'porthole exec $NAME df -h'"* ]] || die "$output"
	run p cp "$d/tree" "$NAME:/t/"
	[[ $status == 125 ]]
	[[ -z $(find "$ROOT/t" -type f) ]]
	p cp "$d/tree/" - 2>/dev/null | head -c 100 >/dev/null || true
	# nothing is written to where nothing can be
	run p cp "$d/tree/big" "$NAME:/etc/big"
	[[ $status == 125 && $output == *"Read-only file system"* ]]
}

@test "a container that is removed, and a copy that is killed, leave nothing half under its name" {
	local d=$BATS_TEST_TMPDIR pid i size
	head -c 100000000 /dev/urandom >"$ROOT/big"
	size=$(stat -c %s "$ROOT/big")
	mkdir "$d/got"
	for i in 1 2 3 4 5 6; do
		"$PORTHOLE" cp "$NAME:/big" "$d/got/b$i" 3>&- &
		pid=$!
		sleep "0.0$i" # some place in it
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" || true
	done
	for i in "$d/got"/*; do
		[[ ! -e $i || $(stat -c %s "$i") == "$size" ]] || die "$i is half a file"
	done
	"$PORTHOLE" cp "$NAME:/big" "$d/got/int" 3>&- &
	pid=$!
	kill -TERM "$pid"
	wait "$pid" || true
	[[ -z $(find "$d/got" -name '.porthole-*') ]]
	mkdir "$ROOT/tree"
	for i in {1..40}; do
		head -c 5000000 /dev/zero >"$ROOT/tree/$i"
	done
	"$PORTHOLE" cp "$NAME:/tree" "$d/tree" >"$d/log" 2>&1 3>&- &
	pid=$!
	target_stop runc "$NAME"
	i=0
	wait "$pid" || i=$?
	[[ $i == 0 || $i == 1 || $i == 125 ]] || die "$i: $(<"$d/log")"
	[[ $i != 125 || $(<"$d/log") == "porthole: "* ]]
}
