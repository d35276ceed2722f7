# shellcheck shell=bash
# shellcheck disable=SC2154 # run sets stderr
# inject and eject on one container: its files before, and after.

inject_teardown() {
	[[ -z ${T_NAME:-} ]] || target_stop "$T_ENGINE" "$T_NAME"
}

# What it starts has mounts of its own, in which those of other runs are, too: the mark spares it from
# their ends.
i() {
	PT_MARK=$PT_RUN timeout -k 5 250 "$PORTHOLE" inject "$@" </dev/null
}

j() {
	timeout -k 5 100 "$PORTHOLE" eject "$@" </dev/null
}

# A directory to be put in, with some of everything: sets SRC.
inject_source() {
	SRC=$BATS_TEST_TMPDIR/src
	mkdir -p "$SRC/opt/os/deep" "$SRC/etc"
	echo one >"$SRC/opt/os/one"
	ln "$SRC/opt/os/one" "$SRC/opt/os/deep/same"
	ln -s ../one "$SRC/opt/os/deep/link"
	install -m 4755 /dev/null "$SRC/opt/os/setuid"
	mkfifo "$SRC/opt/os/fifo"
	setfattr -n user.mark -v here "$SRC/opt/os/one" 2>/dev/null || /usr/bin/python3 -c \
		'import os, sys; os.setxattr(sys.argv[1], "user.mark", b"here")' "$SRC/opt/os/one"
	echo new >"$SRC/etc/inject.conf"
	printf 'x' >"$SRC/opt/os/"$'new\nline'
	touch -d 2001-02-03T04:05:06.789 "$SRC/opt/os/one" "$SRC/opt/os/deep"
}

# tree_print DIR: all there is to the files below it, but for what the kernel and engines mount there.
tree_print() {
	/usr/bin/python3 "$PORTHOLE_SRC/tests/tools/treeprint.py" "$1"
}

# inject_start ENGINE [ARG...]: sets T_ENGINE, T_NAME, T_PID, and takes a print of its files.
inject_start() {
	T_ENGINE=$1
	T_NAME=$(uniq_name inj)
	T_PID=$(target_start "$1" "$T_NAME" "${@:2}")
	tree_print "/proc/$T_PID/root" >"$BATS_TEST_TMPDIR/before"
	[[ $(wc -l <"$BATS_TEST_TMPDIR/before") -gt 2 ]]
}

# as_before: the files are what they were, and no journal is left.
as_before() {
	tree_print "/proc/$T_PID/root" | diff "$BATS_TEST_TMPDIR/before" - || die "the tree is another one"
	mkdir -p "$PORTHOLE_STATE"
	[[ -z $(find "$PORTHOLE_STATE" -type f) ]] || die "left: $(find "$PORTHOLE_STATE" -type f)"
}

# refused WORDS ARG...: porthole inject ends with 125 and a sentence, and the target is as before.
refused() {
	run -125 --separate-stderr i "${@:2}"
	[[ $stderr == *"porthole: "*"$1"* && -z $output ]] || die "not '$1': $stderr$output"
	as_before
}

# at_point N VERB ARG...: it is killed at its Nth point. 1: it has no more than that.
at_point() {
	local report=$BATS_TEST_TMPDIR/report
	timeout 60 "$PT_TOOLS/killat" "$1" "$PORTHOLE" "$report" -- "$PORTHOLE" "${@:2}" </dev/null >/dev/null 2>&1 || true
	[[ $(<"$report") == killed* ]]
}

# swept STEP VERB ARG...: at each point, or each STEPth, every time followed by $CHECK; at least $LEAST times.
swept() {
	local n=1 step=${SWEEP_STEP:-$1} k=0
	shift
	while at_point "$n" "$@"; do
		"$CHECK" || die "after $(<"$BATS_TEST_TMPDIR/report"), point $n"
		((++k, n += step))
	done
	echo "# $1: killed at $k points, every $step of $(cut -d ' ' -f 2,3 "$BATS_TEST_TMPDIR/report")" >&3
	((k * step > LEAST)) || die "killed $k times only"
}
