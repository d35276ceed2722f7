# shellcheck shell=bash
# Control groups: where a process is, some of our own, and what engines leave of theirs.

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

# Engines that are killed, or whose containers are, leave those containers' cgroups behind, and the parents of them: hundreds
# a day, and each makes every fork of the machine slower. What is the run's is in $PT_RUN/made, a word a line: ids and
# names that nobody else has, or whole directories.

# What several engines share, and so do other runs.
PT_CGROUP_PARENTS=(docker libpod_parent/conmon libpod_parent k8s.io default lxc.pivot payload supervisor machine.slice
	kubepods/besteffort kubepods/burstable kubepods)

cgroup_parents() {
	(cd /sys/fs/cgroup && for d in "${PT_CGROUP_PARENTS[@]}"; do ls -d "$PWD/$d" "$PWD"/*/"$d"; done 2>/dev/null)
	return 0
}

# cgroups_note PID NAME: a target of the run.
cgroups_note() {
	[[ $2 =~ -[0-9]+-[0-9]+$ ]] && echo "$2" >>"$PT_RUN/made"
	# it may have ended already
	cgroup_dirs "$1" 2>/dev/null | grep -vxFf <(cgroup_dirs self) | grep -v -e '/$' -e '/\.\.' >>"$PT_RUN/made" || true
}

# cgroups_note_engine RUN DIR: each container that an engine with its state below DIR knows.
cgroups_note_engine() {
	local c id
	for c in "$2"/{lib/docker,lib/docker/*.*,p1}/containers/* "$2"/{root,run,p1/storage,p0/containers/storage}/*-containers/* \
		"$2"/{run,run/docker/containerd/daemon,p0/docker/containerd/daemon}/io.containerd.runtime.v2.task/*/*; do
		id=${c##*/}
		[[ $id =~ ^[0-9a-f]{64}$ || $id =~ -[0-9]+-[0-9]+$ ]] && echo "$id"
	done >>"$1/made"
	return 0
}

# cgroups_sweep RUN: remove what the run made and nobody is in; a pod's goes with the last of its containers.
cgroups_sweep() {
	local d
	for d in "$1"/e/*/; do
		cgroups_note_engine "$1" "${d%/}"
	done
	[[ ! -e $1/made ]] || sort -u -o "$1/made" "$1/made"
	find /sys/fs/cgroup -depth -type d 2>/dev/null | awk -v run="/${1##*/}-" -v made="$1/made" '
		BEGIN { while ((getline w < made) > 0) words[w] }
		{
			hit = index($0, run)
			for (w in words)
				if (hit || (w ~ "^/" ? index($0 "/", w "/") == 1 : index($0, w))) { print; next }
		}' | while IFS= read -r d; do
		while rmdir "$d" 2>/dev/null && d=${d%/*} && [[ ${d##*/} =~ ^([0-9a-f]{64}|pod[0-9a-f-]{36})$ ]]; do :; done
	done
	return 0
}

# cgroups_remove RUN: the same at its end; and what engines share, when nobody else may be about to use it.
cgroups_remove() {
	cgroups_sweep "$1"
	other_runs "$1" | grep -q . || cgroup_parents | grep -vxFf "$1/had" | while IFS= read -r d; do
		rmdir "$d" 2>/dev/null
	done
	return 0
}
