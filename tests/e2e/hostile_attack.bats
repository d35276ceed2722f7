#!/usr/bin/env bats
# A container's root that attacks whatever process appears there (tests/tools/attack.h): reads and writes
# its memory, traces it, opens its executable for writing once nobody runs it.
load ../lib/porthole

setup() {
	require plain docker kit
	# a porthole of its own: an attack that succeeds must not spoil the others
	OURS=$BATS_TEST_TMPDIR/porthole
	cp "$PORTHOLE" "$OURS"
	ln -s "$PORTHOLE_BUILD/kit.erofs" "$BATS_TEST_TMPDIR/kit.erofs"
	SUM=$(sha256sum <"$OURS")
}

teardown() {
	[[ -z ${NAME:-} ]] || target_stop "$ENGINE" "$NAME"
}

# attacker ENGINE FLAG...: start one; REPORT is what it writes.
attacker() {
	ENGINE=$1
	NAME=$(uniq_name attacker)
	shift
	PID=$(target_start "$ENGINE" "$NAME" busybox "$@" -- /app --attack /tmp/attack.log)
	REPORT=/proc/$PID/root/tmp/attack.log
	wait_until 5 test -e "$REPORT"
}

# visit ARG...: a session that lasts long enough to be attacked, and its result.
visit() {
	run -7 timeout 20 "$OURS" exec "$@" "$PID" sh -c 'for i in 1 2 3 4 5; do sleep 0.1; done; id -u; exit 7'
	wait_until 5 all_tried
}

# Whatever it could open, it has tried to write.
all_tried() {
	[[ $(grep -c ' exe-open ok' "$REPORT") == "$(grep -c ' exe-write ' "$REPORT")" ]]
}

# unharmed: our executable is as before, and still runs.
unharmed() {
	[[ $(sha256sum <"$OURS") == "$SUM" ]]
	refute grep -E ' exe-write ok' "$REPORT"
	run -0 timeout 20 "$OURS" exec "$PID" true
}

# ours WHAT: what became of its tries at our own process (the agent; the command is another program);
# not of those at one that was gone by then (ESRCH).
ours() {
	grep -E "^[0-9]+ (\?-was-)?porthole $1 " "$REPORT" | cut -d' ' -f4 | grep -vx 3 | sort -u
}

# denied WHAT...: it tried that on ours and was refused.
denied() {
	local what
	for what; do
		ours "$what" | grep -qxE '1|13' || die "$what: no try: $(<"$REPORT")" || return 1
		refute grep -qx ok <(ours "$what") || return 1
	done
}

@test "docker's default root: cannot look at our process, nor at the command" {
	attacker docker
	visit
	[[ ${lines[-1]} == 0 ]]
	denied ptrace mem-write environ root exe-open
	refute grep -qE ' sh (ptrace|mem-write|exe-open|root) ok' "$REPORT"
	unharmed
	# it does see processes that have no more rights than itself
	visit --caps none
	grep -qE ' (sh|sleep|id)[^ ]* (ptrace|environ|root) ok' "$REPORT"
	denied ptrace
	unharmed
}

@test "root with all capabilities in a user namespace of its own" {
	attacker plain --rw --user 0 --caps --userns --no-nnp
	visit
	[[ ${lines[-1]} == 0 ]]
	denied ptrace mem-write environ exe-open
	unharmed
}

@test "docker --cap-add SYS_PTRACE: may look, but our executable is out of reach" {
	attacker docker --cap-add SYS_PTRACE --security-opt seccomp=unconfined
	visit
	# it did get hold of it; what it opened was a read-only mount of it
	ours exe-open | grep -qx ok
	ours exe-write | grep -qx 30
	unharmed
	# nor does it find the caller's environment in our memory
	run -0 env SECRET=of-the-caller timeout 20 "$OURS" exec "$PID" bash -c \
		'for p in /proc/[0-9]*; do grep -slz "^SECRET=" $p/environ; done; sleep 0.3; tr "\0" "\n" </proc/$PPID/environ; true'
	[[ $output != *of-the-caller* && $output != */environ* ]]
	# and the plan says what it can do
	[[ $("$OURS" exec --explain "$PID" true) == *"the target's root may trace processes"*"--caps target"* ]]
}

@test "the same where the kernel has no mount_setattr, from a sealed copy" {
	attacker docker --cap-add SYS_PTRACE --security-opt seccomp=unconfined
	run -7 "$PT_TOOLS/enosys" mount_setattr -- timeout 20 "$OURS" exec "$PID" sh -c 'sleep 0.3; exit 7'
	run -0 "$PT_TOOLS/enosys" mountapi -- timeout 20 "$OURS" exec "$PID" sh -c 'sleep 0.3'
	wait_until 5 all_tried
	ours exe-open | grep -qx ok
	[[ $(sha256sum <"$OURS") == "$SUM" ]]
}

@test "a kit inside the executable is found where it runs from a protected mount" {
	local d=$BATS_TEST_TMPDIR/one
	mkdir -p "$d/kit/b"
	cp "$PT_TOOLS/app" "$d/kit/b/only-here"
	mkfs.erofs --quiet "$d/small" "$d/kit" >/dev/null
	"$PORTHOLE" kit attach --kit "$d/small" -o "$d/porthole"
	attacker docker --cap-add SYS_PTRACE
	run -3 timeout 10 "$d/porthole" exec "$PID" only-here --exit 3
	run -3 "$PT_TOOLS/enosys" mount_setattr -- timeout 10 "$d/porthole" exec "$PID" only-here --exit 3
	run -3 timeout 10 "$d/porthole" exec --kit "$d/small" "$PID" only-here --exit 3
	# arguments are as they were given
	run -0 timeout 10 "$OURS" exec -e 'A=x  y' "$PID" sh -c 'echo "$A:$1:$2"' sh '' '-- z'
	[[ $output == "x  y::-- z" ]]
}

@test "many at once, entered again and again" {
	local i
	attacker docker
	for i in {1..20}; do
		[[ $(timeout 10 "$OURS" exec "$PID" echo fine) == fine ]]
	done
	wait_until 5 all_tried
	denied ptrace
	unharmed
}
