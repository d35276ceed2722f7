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

# end_all DIR: what spawn wrote down in DIR/*.pid.
end_all() {
	local f
	for f in "$1"/*.pid; do
		[[ ! -e $f ]] || end_spawned "$f"
	done
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

# pids_using DIR: processes that carry its mark (for a run's: with all they have started), work below it, or live in
# mounts made of what is in it; not we ourselves and our ancestors. Copies of our mounts alone are anybody's who has made a mount namespace meanwhile.
pids_using() (
	# or what is called here would be seen, too
	export -n PT_RUN PT_MARK
	cd /
	{
		with_children "$(grep -lszE "^PT_(MARK|RUN)=$1\$" /proc/[0-9]*/environ | cut -d/ -f3)"
		find /proc/[0-9]*/cwd -maxdepth 0 \( -lname "$1" -o -lname "$1/*" \) 2>/dev/null | cut -d/ -f3
		grep -lsF "${1#/tmp}/" /proc/[0-9]*/mountinfo | while IFS= read -r f; do
			[[ $(readlink "${f%/*}/ns/mnt") != "$PT_HOST_MNT" ]] && mounted_from "$f" "${1#/tmp}/" && echo "$f"
		done | cut -d/ -f3
	} | sort -un | grep -vxFf <(ancestors) | while IFS= read -r pid; do
		pid_alive "$pid" && echo "$pid"
	done
	return 0
)

# mounted_from MOUNTINFO PART: a mount is made of what has PART in its path, and is not where that is on the host: there
# it would be a copy of the host's.
mounted_from() {
	awk -v d="$2" '!index($5 "/", d) { root = $4 "/"; $4 = $5 = ""; if (index(root, d) || index($0, d)) found = 1 }
		END { exit !found }' "$1" 2>/dev/null
}

# with_children PIDS: those of PIDS that are no ancestors of ours, and all that they have started.
with_children() {
	[[ -z $1 ]] || grep -s ^PPid: /proc/[0-9]*/status | awk -F'[/:\t]' -v pids="${1//$'\n'/ }" -v spare="$(ancestors | tr '\n' ' ')" '
		{ parent[$3] = $NF }
		END {
			n = split(spare, list, " ")
			for (i = 1; i <= n; i++) ours[list[i]] = 1
			n = split(pids, list, " ")
			for (i = 1; i <= n; i++) root[list[i]] = !(list[i] in ours)
			for (pid in parent)
				for (p = pid; p > 1 && !(p in ours); p = parent[p])
					if (root[p]) { print pid; break }
		}'
}
PT_HOST_MNT=$(readlink /proc/self/ns/mnt)

# kill_users_of DIR: no process uses it any more, but ourselves and our ancestors.
kill_users_of() {
	local i pid pids
	for i in {1..40}; do
		pids=
		for pid in $(pids_using "$1"); do
			pids+=" $pid"
			cgroup_thaw "$pid"
			kill -KILL "$pid" 2>/dev/null
		done
		[[ -z $pids ]] && return 0
		sleep 0.05
	done
	# shellcheck disable=SC2086 # words
	die "still there: $(ps -o pid=,ppid=,stat=,args= -p $pids)"
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

# app_in PID DIR: tests/tools/app in that network namespace, at APP_PORT, which is nobody's here; to be ended by DIR/app.pid.
app_in() {
	until APP_PORT=$((20000 + RANDOM % 10000)) && [[ -z $(ss -Htln "sport = :$APP_PORT") ]]; do :; done
	spawn "$2/app.pid" "$2/app.log" nsenter -t "$1" -n -- "$PT_TOOLS/app" --port "$APP_PORT"
	wait_until 10 nsenter -t "$1" -n -- "$PT_TOOLS/app" --get "$APP_PORT"
}

# loop_new FILE: a loop device of it; prints the device, whose node only a devtmpfs has by itself.
loop_new() {
	local dev
	dev=$(losetup -f) || return 1
	[[ -e $dev ]] || mknod -m 600 "$dev" b 7 "${dev#/dev/loop}" || return 1
	losetup -f --show "$1"
}
