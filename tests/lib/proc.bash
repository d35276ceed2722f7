# shellcheck shell=bash
# Processes, mounts and cgroups: looked at, waited for and removed by number, never by name.

# pid_start PID: start time in clock ticks since boot; fails when there is no such process.
pid_start() {
	local s
	s=$(cat "/proc/$1/stat" 2>/dev/null) && [[ -n $s ]] || return 1
	s=${s##*) }
	# shellcheck disable=SC2086
	set -- $s
	echo "${20}"
}

# pid_alive PID: runs, and is no zombie.
pid_alive() {
	local s
	s=$(cat "/proc/$1/stat" 2>/dev/null) && [[ -n $s ]] || return 1
	s=${s##*) }
	[[ ${s%% *} != [ZX] ]]
}

pid_gone() {
	! pid_alive "$1"
}

# end_pid PID [SIGNAL]: end it, by SIGKILL after 5 s.
end_pid() {
	pid_alive "$1" || return 0
	kill "-${2:-TERM}" "$1" 2>/dev/null
	wait_until 5 pid_gone "$1" && return 0
	kill -KILL "$1" 2>/dev/null
	wait_until 5 pid_gone "$1"
}

# pid_still PIDFILE: the process written there, if it is that one yet (spawn and target_start also
# write its start time, to PIDFILE.start): prints its pid.
pid_still() {
	local pid
	pid=$(cat "$1" 2>/dev/null) || return 1
	pid_alive "$pid" && [[ $(pid_start "$pid") == "$(cat "$1.start" 2>/dev/null)" ]] && echo "$pid"
}

# end_spawned PIDFILE [SIGNAL]: end_pid of it; nothing when it has gone, whoever has its number now.
end_spawned() {
	local pid
	pid=$(pid_still "$1") || return 0
	end_pid "$pid" "${2:-TERM}"
}

# spawn PIDFILE LOG COMMAND...: in the background, in a session of its own, holding nothing of ours
# (bats waits for who holds its descriptor 3). It and what it starts carry PT_MARK.
spawn() {
	local pidfile=$1 log=$2
	shift 2
	: >"$log" # whoever waits for words in it does not find old ones
	PT_MARK=$PT_RUN setsid "$@" </dev/null >"$log" 2>&1 3>&- 4>&- 8>&- 9>&- &
	echo $! >"$pidfile"
	pid_start $! >"$pidfile.start" || true
	disown $! 2>/dev/null || true
}

# pids_using DIR: processes that carry its mark, work below it, or live in mounts made from it.
pids_using() {
	local f pid
	{
		grep -lsz "^PT_MARK=$1" /proc/[0-9]*/environ
		find /proc/[0-9]*/cwd -maxdepth 0 \( -lname "$1" -o -lname "$1/*" \) 2>/dev/null
		grep -lsF "$1/" /proc/[0-9]*/mountinfo | while IFS= read -r f; do
			[[ $(readlink "${f%/*}/ns/mnt") == "$PT_HOST_MNT" ]] || _is_of_another "${f%/*}" "$1" || echo "$f"
		done
	} | cut -d/ -f3 | sort -un | while IFS= read -r pid; do
		pid_alive "$pid" && echo "$pid"
	done
	return 0
}

# It carries another run's mark than DIR's: it only has copies of mounts that were there when it began.
_is_of_another() {
	local mark
	mark=$(cat "$1/environ" 2>/dev/null | tr '\0' '\n' | sed -n 's/^PT_MARK=//p')
	[[ -n $mark && $2/ != "$mark"/* ]]
}
PT_HOST_MNT=$(readlink /proc/self/ns/mnt)

# kill_users_of DIR: no process uses it any more. Ourselves and our ancestors are spared.
kill_users_of() {
	local i pid pids spare
	spare=" $(ancestors | tr '\n' ' ') "
	for i in {1..40}; do
		pids=
		for pid in $(pids_using "$1"); do
			[[ $spare == *" $pid "* ]] && continue
			pids+=" $pid"
			cgroup_thaw "$pid"
			kill -KILL "$pid" 2>/dev/null
		done
		[[ -z $pids ]] && return 0
		sleep 0.05
	done
	die "still there:$pids"
}

ancestors() {
	local pid=$BASHPID
	while [[ -n $pid && $pid != 0 ]]; do
		echo "$pid"
		pid=$(sed -n 's/^PPid:\t//p' "/proc/$pid/status" 2>/dev/null)
	done
}

# umount_below DIR: every mount of ours at or below it, last one first.
umount_below() {
	local m
	awk -v d="$1" '$5 == d || index($5, d "/") == 1 { print $5 }' /proc/self/mountinfo | tac |
		while IFS= read -r m; do
			umount -l "$(printf '%b' "$m")" 2>/dev/null
		done
	return 0
}

# cgroup_dirs PID: its directories, v1 and v2, one a line.
cgroup_dirs() {
	local line ctl path
	while IFS= read -r line; do
		path=${line#*:*:}
		ctl=${line#*:}
		ctl=${ctl%%:*}
		if [[ -n $ctl ]]; then
			echo "/sys/fs/cgroup/${ctl#name=}$path"
		elif [[ -d /sys/fs/cgroup/unified ]]; then
			echo "/sys/fs/cgroup/unified$path"
		else
			echo "/sys/fs/cgroup$path"
		fi
	done <"/proc/$1/cgroup"
}

# cgroup_dir PID CONTROLLER: where that controller holds it (the v2 one where there is no v1).
cgroup_dir() {
	cgroup_dirs "$1" | grep -E "^/sys/fs/cgroup/([^/]*,)?$2(,[^/]*)?/" | head -n 1 | grep . ||
		cgroup_dirs "$1" | tail -n 1
}

# cgroup_new CONTROLLER NAME: a cgroup of our own, removed with the run; prints its directory.
cgroup_new() {
	local base=/sys/fs/cgroup
	if [[ -d $base/$1 ]]; then
		base=$base/$1
	else
		echo "+$1" >"$base/cgroup.subtree_control" 2>/dev/null || true
	fi
	mkdir -p "$base/${PT_RUN##*/}-$2" || return 1
	echo "$base/${PT_RUN##*/}-$2"
}

# Freeze or thaw a cgroup made by cgroup_new freezer.
cgroup_freeze() {
	if [[ -e $1/freezer.state ]]; then
		echo FROZEN >"$1/freezer.state"
		wait_until 5 grep -q FROZEN "$1/freezer.state"
	else
		echo 1 >"$1/cgroup.freeze"
		wait_until 5 grep -q 'frozen 1' "$1/cgroup.events"
	fi
}

# cgroup_thaw PID: a frozen process cannot be killed on v1.
cgroup_thaw() {
	local d
	d=$(cgroup_dir "$1" freezer 2>/dev/null) || return 0
	[[ $d == */ || $d == /sys/fs/cgroup/freezer ]] && return 0
	[[ -e $d/freezer.state ]] && echo THAWED >"$d/freezer.state" 2>/dev/null
	[[ -e $d/cgroup.freeze ]] && echo 0 >"$d/cgroup.freeze" 2>/dev/null
	return 0
}

# Remove what cgroup_new made, and the parents that engines leave behind, where they are empty.
cgroups_remove() {
	local d
	find /sys/fs/cgroup -depth -type d \( -path "*/${1##*/}-*" -o -name docker -o -name libpod_parent \
		-o -path '*/libpod_parent/conmon' -o -name k8s.io -o -name "ptns-*" -o -path '*/kubepods*' \
		-o -path '*/machine.slice*' -o -path '*/lxc.p*pt-*' \) 2>/dev/null |
		while IFS= read -r d; do
			rmdir "$d" 2>/dev/null
		done || true # find fails where others remove theirs meanwhile
}

# forkers COUNT: a shell line of so many that fork as fast as they can, some of them to hide.
forkers() {
	echo "echo 0 >/proc/self/oom_score_adj; i=0; while [ \$i -lt $1 ]; do
		(unset PORTHOLE_SESSION; trap '' TERM HUP INT; while :; do (:); done) & i=\$((i + 1)); done; echo all; wait"
}

# in_mnt NS: how many processes are in that mount namespace.
in_mnt() {
	find /proc/[0-9]*/ns/mnt -maxdepth 0 -printf '%l\n' 2>/dev/null | grep -cxF "$1" || true
}

storm_stands() {
	"$PORTHOLE" logs "$1" | grep -q all
}

# storm_kill NAME: all forkers of a container in the background are there, and none is once its kill returns.
storm_kill() {
	local mnt
	wait_until 60 storm_stands "$1" || die "they are not all there"
	mnt=$(readlink "/proc/$(jq .pid "/run/porthole/$1/state")/ns/mnt")
	(($(in_mnt "$mnt") > 1000)) || die "none to kill"
	run -0 timeout 120 "$PORTHOLE" kill "$1"
	[[ $(in_mnt "$mnt") == 0 ]] || die "processes are left"
}

# at_home: our mount namespace is the one the machine booted with (a machine of the tests can itself be a chroot in another).
at_home() {
	[[ $(</proc/2/comm) == kthreadd && $(readlink /proc/self/ns/mnt) == "$(readlink /proc/2/ns/mnt)" ]]
}
