# shellcheck shell=bash
# The run: its directory, waiting, saying what went wrong.

# Users of containers and of tests must get at what is made here, whoever calls.
umask 022

# Say it on stderr and fail.
die() {
	echo "$*" >&2
	return 1
}

# refute COMMAND...: it fails. (A line that starts with ! never fails a bats test.)
refute() {
	if "$@"; then
		die "should fail: $*"
	fi
}

# wait_until SECONDS COMMAND...: poll until COMMAND succeeds; fails when the time is over. SECONDS are of a machine that has
# a processor for us: where more run than there are processors, so much longer.
wait_until() {
	local start=${EPOCHREALTIME/[.,]/} limit=$(($1 * 1000000)) pause=0.005
	shift
	until "$@" >/dev/null 2>&1; do
		((${EPOCHREALTIME/[.,]/} - start < limit || ${EPOCHREALTIME/[.,]/} - start < limit * $(busy_factor))) ||
			{ "$@" >/dev/null 2>&1 && return 0; return 1; }
		sleep $pause
		[[ $pause == 0.005 ]] && pause=0.02 || pause=0.05
	done
}

# How many want each processor, 1 to 10.
busy_factor() {
	local running n
	read -r _ _ _ running _ </proc/loadavg
	n=$((${running%%/*} / ${PT_CPUS:=$(getconf _NPROCESSORS_ONLN)}))
	echo $((n < 1 ? 1 : n > 10 ? 10 : n))
}

# uniq NAME: a name no other test has.
uniq_name() {
	echo "$1-$BASHPID-$RANDOM"
}

# A run owns /tmp/pt.XXXXXX: engines, targets, scratch files. tools/check makes one for all files; a
# bats file run alone makes its own in setup_suite. Short, because unix sockets are below it.
pt_run_start() {
	[[ -n ${PT_RUN:-} ]] && return 0
	set +m # in an interactive shell: what spawn starts would be a child of what it knows
	pt_run_sweep
	PT_RUN=$(mktemp -d /tmp/pt.XXXXXX) || return 1
	readlink /proc/self/ns/pid >"$PT_RUN/pidns"
	chmod 755 "$PT_RUN"
	mkdir -p "$PT_RUN/e" "$PT_RUN/root"
	_had >"$PT_RUN/had"
	echo "$$ $(pid_start $$)" >"$PT_RUN/owner" # the last: others read what is there
	export PT_RUN PT_RUN_OWNER=$$
}

# What engines make outside their directories: removed where it was not there before and is empty.
PT_ENGINE_PATHS=(/run/netns /run/containerd /run/containers /run/libpod /run/runc /run/crun /run/lxc /run/docker
	/run/user /run/systemd/nspawn /run/systemd/machines /var/lib/lxc /var/lib/cni /run/lock/lxc
	/var/lib/containers /var/lib/machines)

# What was there before any of the runs that are there now: the last of them removes what was not.
_had() {
	local other
	other=$(other_runs "$PT_RUN" | head -n 1)
	if [[ -n $other ]]; then
		cat "$other/had"
	else
		ls -d "${PT_ENGINE_PATHS[@]}" 2>/dev/null
		cgroup_parents
	fi || true
}

engine_paths_remove() {
	local p
	other_runs "$PT_RUN" | grep -q . && return 0 # empty is not unused
	for p in "${PT_ENGINE_PATHS[@]}"; do
		[[ -d $p ]] && ! grep -qxF "$p" "$PT_RUN/had" && find "$p" -depth -type d -empty -delete
	done
	return 0
}

# Stop every engine and target of the run and remove its directory. Only its owner does that.
pt_run_stop() {
	[[ -n ${PT_RUN:-} && ${PT_RUN_OWNER:-} == "$$" ]] || return 0
	pt_run_clean "$PT_RUN"
	unset PT_RUN PT_RUN_OWNER
}

# pt_run_clean DIR: engines down, processes that carry the run's mark killed, mounts, cgroups and files removed, and what
# a bats that was killed has left (PT_RUN/bats).
pt_run_clean() {
	local PT_RUN=$1 e
	for e in "$PT_RUN"/e/*/up; do
		[[ -e $e ]] && engine_stop "$(basename "$(dirname "$e")")"
	done
	kill_users_of "$PT_RUN"
	umount_below "$PT_RUN"
	test_user_remove
	cgroups_remove "$PT_RUN"
	engine_paths_remove
	while IFS= read -r e; do
		[[ $e == */bats-run-?????? && $e != "${BATS_RUN_TMPDIR:-}" ]] && rm -rf --one-file-system "$e"
	done 2>/dev/null <"$PT_RUN/bats"
	# its owner last: whoever is killed in here is cleaned up after
	find "$PT_RUN" -xdev -mindepth 1 ! -path "$PT_RUN/owner" -delete 2>/dev/null
	rm -rf --one-file-system "$PT_RUN"
}

# Runs whose owner was killed: clean up after them.
pt_run_sweep() {
	local d
	for d in /tmp/pt.??????; do
		[[ -e $d/owner && -O $d/owner ]] || continue
		run_lives "$d" || pt_run_clean "$d"
	done
}

# run_lives DIR: its owner does, or is among processes that we do not see.
run_lives() {
	local pid start
	read -r pid start <"$1/owner" || return 1
	[[ $start == "$(pid_start "$pid")" || $(readlink /proc/self/ns/pid) != "$(<"$1/pidns")" ]]
} 2>/dev/null

# other_runs DIR: the directories of the runs that live, but DIR.
other_runs() {
	local d
	for d in /tmp/pt.??????; do
		[[ $d != "$1" && -e $d/owner ]] && run_lives "$d" && echo "$d"
	done
	return 0
}

# A new directory of the run, removed with it.
test_dir() {
	mktemp -d "$PT_RUN/d.XXXXXX"
}

# The run's unprivileged user (made at the first call): prints its name. Its subordinate ids are in
# /etc/subuid; it goes with the run.
test_user() {
	local name=pt${PT_RUN##*.}
	name=${name,,}
	(
		flock 9
		[[ -e $PT_RUN/user ]] && exit 0
		useradd -m -d "$PT_RUN/home" -s /bin/bash "$name" >/dev/null 2>&1 || exit 1
		echo "$name" >"$PT_RUN/user"
	) 9>"$PT_RUN/user.lock" || die "cannot make user $name" || return 1
	cat "$PT_RUN/user"
}

test_user_remove() {
	local name uid
	[[ -e $PT_RUN/user ]] || return 0
	name=$(<"$PT_RUN/user")
	uid=$(id -u "$name" 2>/dev/null) || return 0
	umount_below "/run/user/$uid"
	userdel -f "$name" >/dev/null 2>&1
	rm -rf --one-file-system "/run/user/$uid" "/dev/shm/libpod_rootless_lock_$uid"
}

# for_users FILE: a copy that every user may read and run; the checkout may be root's alone.
for_users() {
	local copy=$PT_RUN/all/${1##*/}
	[[ -e $copy ]] || { mkdir -p "${copy%/*}" && install -m 755 "$1" "$copy.$BASHPID" &&
		mv "$copy.$BASHPID" "$copy"; } || return 1
	echo "$copy"
}

# as_user COMMAND...: as the run's user, with nothing of root's environment.
as_user() {
	user_words && "${USER_WORDS[@]}" "$@"
}

# USER_WORDS becomes what as_user puts before a command.
user_words() {
	local name uid
	name=$(test_user) && uid=$(id -u "$name") || return 1
	install -d -m 755 /run/user && install -d -m 700 -o "$uid" "/run/user/$uid" || return 1
	USER_WORDS=(env -C / setpriv --reuid "$uid" --regid "$(id -g "$name")" --init-groups --reset-env env
		HOME="$PT_RUN/home" XDG_RUNTIME_DIR="/run/user/$uid" PT_MARK="$PT_RUN")
}
