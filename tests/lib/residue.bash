# shellcheck shell=bash
# Did a session leave anything? A snapshot of what it could touch, before and after. Only what can be
# Porthole's or is the target's is looked at: other programs may work on this machine meanwhile.

# residue_snapshot DIR [TARGET-PID]: write it to DIR.
residue_snapshot() {
	mkdir -p "$1" || return 1
	residue_host >"$1/host"
	if [[ -n ${2:-} ]]; then
		echo "$2" >"$1/pid"
		residue_target "$2" >"$1/target"
	fi
}

# residue_assert_same DIR: all is as in the snapshot, at the latest after one second.
residue_assert_same() {
	local pid
	pid=$(cat "$1/pid" 2>/dev/null || true)
	wait_until 1 _residue_same "$1" "$pid" && return 0
	rm -rf "$1.after"
	residue_snapshot "$1.after" "$pid"
	diff -u "$1/host" "$1.after/host" >&2 || true
	[[ -z $pid ]] || diff -u "$1/target" "$1.after/target" >&2 || true
	die "residue: not as before (- before, + after)"
}

_residue_same() {
	local now gone
	now=$(residue_host)
	# a session's cgroup that was there before, and is gone, was another run's
	gone=$(grep '^/sys/fs/cgroup/' "$1/host" | grep -vxFf <(echo "$now"))
	[[ $now == "$(grep -vxFf <(printf '%s' "$gone") "$1/host")" ]] || return 1
	[[ -z $2 || $(residue_target "$2") == "$(<"$1/target")" ]]
}

# Host: mounts that are not an engine's, our processes, loop devices, cgroups, files.
residue_host() {
	echo "# mounts"
	# $5: the mount point. Below /tmp and in engines' directories others mount and unmount as they like
	awk '$5 !~ "^/(tmp|var/lib/(docker|containers|containerd)|run/(docker|containerd|netns|user|systemd/nspawn))/" ||
		$5 ~ "porthole" { $1 = $2 = ""; print }' /proc/self/mountinfo | sort
	echo "# processes"
	find /proc/[0-9]*/exe -maxdepth 0 \( -lname "$PORTHOLE" -o -lname "$PORTHOLE (deleted)" \) \
		2>/dev/null | cut -d/ -f3 | sort -n | not_of_others
	echo "# loop devices"
	grep -HE "porthole|memfd:|^($PORTHOLE_SRC|$PORTHOLE_BUILD|${PT_RUN:-/nonexistent})/" \
		/sys/block/loop*/loop/backing_file 2>/dev/null || true
	echo "# cgroups"
	cgroups_left
	echo "# files"
	# while other runs live, containers in the background are theirs, too
	find /tmp /var/tmp /run /dev /dev/shm -maxdepth 1 -name '*porthole*' ! -path "$PT_CACHE" \
		! -name 'porthole-deps.*' ! -name 'porthole-erofs.*' \
		! -name 'porthole-fuzz.*' ! -name 'porthole-test.*' ! -name 'porthole-tree.*' 2>/dev/null |
		grep -vx "$(other_runs "$PT_RUN" | sed -n '1s/.*/\/run\/porthole/p')" | sort
	find /dev -maxdepth 1 -printf '%p %y %m\n' | grep -v '^/dev/loop' | sort
}

# Cgroups of sessions that nobody is in: those with somebody in them belong to a session that runs.
cgroups_left() {
	local d
	find /sys/fs/cgroup -type d -name '*porthole*' 2>/dev/null | sort | while IFS= read -r d; do
		[[ -n $(cat "$d/cgroup.procs" 2>/dev/null) ]] || echo "$d"
	done
}

# Of the processes on stdin, those that no other run of these tests has started.
not_of_others() {
	local pid run
	while IFS= read -r pid; do
		run=$(tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" | sed -n 's/^PT_RUN=//p')
		[[ -n $run && $run != "$PT_RUN" ]] || echo "$pid"
	done
}

# residue_target PID: its mount table, the entries and times of its /, /dev and /etc, who shares its
# namespaces, its cgroups' children.
residue_target() {
	local pid=$1 d what other
	echo "# mounts"
	cut -d' ' -f3- "/proc/$pid/mountinfo" 2>/dev/null || true
	echo "# entries"
	for d in / /dev/ /etc/; do
		[[ $d != / && -L /proc/$pid/root${d%/} ]] && continue # would lead to the host's
		what='%p %y %m %U:%G %i %T@\n' other=console
		# the host's, in which others work
		[[ /proc/$pid/root$d -ef $d ]] && what='%p %y %m %U:%G\n' other='console|loop[0-9]+'
		find "/proc/$pid/root$d" -maxdepth 1 ! -name proc -printf "$what" 2>/dev/null |
			grep -vE '/dev/(null|zero|full|random|urandom|tty|ptmx|'"$other"') ' | sort || true
	done
	echo "# processes in its namespaces"
	ns_sharers "$pid"
	echo "# cgroups" # of its own: below ours are others' containers too
	cgroup_dirs "$pid" 2>/dev/null | sort -u | comm -23 - <(cgroup_dirs self | sort -u) | while IFS= read -r d; do
		[[ $d == */ ]] || find "$d" -mindepth 1 -type d 2>/dev/null
	done || true
}

# ns_sharers PID: processes in a pid, net, uts, ipc or mount namespace of its own, with their command.
ns_sharers() {
	local n link args=()
	for n in pid net uts ipc mnt; do
		link=$(readlink "/proc/$1/ns/$n" 2>/dev/null) || continue
		[[ -n $link && $link != "$(readlink "/proc/self/ns/$n")" ]] || continue
		link=${link//[/\\[}
		args+=(-o -path "*/ns/$n" -lname "${link//]/\\]}")
	done
	((${#args[@]})) || return 0
	find /proc/[0-9]*/ns/ -maxdepth 1 \( "${args[@]:1}" \) 2>/dev/null | cut -d/ -f3 | sort -un |
		while IFS= read -r n; do
			pid_alive "$n" && echo "$n $(tr '\0\n' '  ' <"/proc/$n/cmdline" 2>/dev/null)"
		done
	return 0
}
