# shellcheck shell=bash
# Engines and targets, whatever the engine. An engine is started at its first use, once a run, in
# private directories below $PT_RUN/e/NAME, and shared by all tests. NAME may be KIND@INSTANCE for
# one of a test's own (docker@dead). Kinds: see docs/TESTING.md.
#
# A kind K is these functions (dashes become underscores), D its directory:
#   K_up D, K_down D                       daemons up and down (may be missing)
#   K_run D NAME IMAGE                     start a target; uses T_ARGS, T_CMD; prints the pid
#   K_rm D NAME                            remove it
#   K_cli D ARG...                         the engine's own command line
#   K_id D NAME                            its id, where it has one
#   K_default_image                        the image it starts unless told (else scratch)

_kind() {
	local k=${1%%@*}
	echo "_${k//-/_}"
}

_engine_dir() {
	echo "$PT_RUN/e/$1"
}

_has() {
	[[ $(type -t "$1") == function ]]
}

# engine_start NAME...: start what is not yet up.
engine_start() {
	local e d
	for e; do
		d=$(_engine_dir "$e")
		[[ -e $d/up ]] && continue
		(
			flock 9
			[[ -e $d/up ]] && exit 0
			mkdir -p "$d/t" || exit 1
			if _has "$(_kind "$e")_up" && ! "$(_kind "$e")_up" "$d"; then
				tail -n 5 "$d"/*.log >&2
				exit 1
			fi
			: >"$d/up"
		) 9>"$PT_RUN/e/$e.lock" || die "cannot start engine $e" || return 1
	done
}

# engine_stop NAME: its targets, its daemons, and all they left.
engine_stop() {
	local d t
	d=$(_engine_dir "$1")
	[[ -e $d/up ]] || return 0
	cgroups_note_engine "$PT_RUN" "$d"
	for t in "$d"/t/*; do
		[[ -d $t ]] && target_stop "$1" "$(basename "$t")"
	done
	_has "$(_kind "$1")_down" && "$(_kind "$1")_down" "$d"
	kill_users_of "$d"
	umount_below "$d"
	_shim_sockets_remove "$d"
	rm -rf --one-file-system "$d"
}

# engine_cli NAME ARG...: docker, podman, ctr ... talking to that engine.
engine_cli() {
	local e=$1
	shift
	"$(_kind "$e")_cli" "$(_engine_dir "$e")" "$@"
}

# engine_pid NAME [DAEMON]: pid of its daemon (dockerd, containerd).
engine_pid() {
	local d
	d=$(_engine_dir "$1")
	cat "$d/${2:-${1%%[-@]*}d}.pid" 2>/dev/null || cat "$d/containerd.pid"
}

# target_start ENGINE NAME [IMAGE] [ENGINE-ARG...] [-- CMD ARG...]: start a container and print the
# pid of its init. IMAGE: one of $PT_IMAGES (default: the kind's). CMD: default /app.
# ENGINE-ARG: the engine's own flags (docker, podman, ctr, nspawn, bwrap, scratch), jq programs over
# config.json (runc, crun), or lines of configuration (lxc).
target_start() {
	local engine=$1 name=$2 image d kind
	kind=$(_kind "$engine")
	shift 2
	image=$(_has "${kind}_default_image" && "${kind}_default_image" || echo scratch)
	if (($#)) && [[ " $PT_IMAGES " == *" $1 "* ]]; then
		image=$1
		shift
	fi
	T_ARGS=() T_CMD=()
	while (($#)) && [[ $1 != -- ]]; do
		T_ARGS+=("$1")
		shift
	done
	(($#)) && shift && T_CMD=("$@")
	((${#T_CMD[@]})) || T_CMD=(/app)
	engine_start "$engine" || return 1
	d=$(_engine_dir "$engine")
	mkdir -p "$d/t/$name" || return 1
	"${kind}_run" "$d" "$name" "$image" >"$d/t/$name/pid" 2>"$d/t/$name/err" 3>&- || {
		cat "$d/t/$name/err" >&2
		die "cannot start $engine target $name"
		return 1
	}
	pid_start "$(<"$d/t/$name/pid")" >"$d/t/$name/pid.start" || true
	cgroups_note "$(<"$d/t/$name/pid")" "$name"
	cat "$d/t/$name/pid"
}

# target_pid ENGINE NAME: pid of its init, as at its start.
target_pid() {
	cat "$(_engine_dir "$1")/t/$2/pid"
}

# target_id ENGINE NAME: the engine's id of it.
target_id() {
	"$(_kind "$1")_id" "$(_engine_dir "$1")" "$2"
}

# target_dir ENGINE NAME: a directory of the library's own for it (bundle, log).
target_dir() {
	echo "$(_engine_dir "$1")/t/$2"
}

# target_stop ENGINE NAME: kill and remove it. Fine when it is gone already.
target_stop() {
	local d pid
	d=$(_engine_dir "$1")
	[[ -d $d/t/$2 ]] || return 0
	pid=$(pid_still "$d/t/$2/pid" || true)
	"$(_kind "$1")_rm" "$d" "$2" >"$d/t/$2/rm.log" 2>&1 3>&- || true
	# where the engine could not (it may be dead)
	if [[ -n $pid ]] && ! wait_until 1 pid_gone "$pid"; then
		cgroup_thaw "$pid"
		kill -KILL "$pid"
		wait_until 5 pid_gone "$pid" || die "$1 $2: cannot end $pid"
	fi
	umount_below "$d/t/$2"
	rm -rf --one-file-system "$d/t/$2"
}

# in_engine NAME COMMAND...: where that engine's paths are the default ones: the private mount
# namespace of docker-default and podman-default; right here for all others.
in_engine() {
	local d
	d=$(_engine_dir "$1")
	shift
	if [[ -e $d/ns.pid ]]; then
		nsenter --mount="/proc/$(<"$d/ns.pid")/ns/mnt" -- "$@"
	else
		"$@"
	fi
}

# default_paths D PATH...: a mount namespace in which each PATH is a private, empty directory. It lives
# as long as D/ns.pid.
default_paths() {
	local d=$1 p i=0
	shift
	spawn "$d/ns.pid" "$d/ns.log" unshare --mount --propagation private sleep infinity
	wait_until 5 _own_mnt_ns "$d/ns.pid" || return 1
	# copies of what other runs have mounted would keep it busy
	while IFS= read -r p; do
		nsenter --mount="/proc/$(<"$d/ns.pid")/ns/mnt" -- umount -l "$p" || true
	done < <(grep -F /tmp/pt. "/proc/$(<"$d/ns.pid")/mountinfo" | grep -vF "$PT_RUN/" | cut -d' ' -f5 | tac) 2>/dev/null
	for p; do
		mkdir -p "$p" "$d/p$i"
		nsenter --mount="/proc/$(<"$d/ns.pid")/ns/mnt" -- mount --bind "$d/p$i" "$p" || return 1
		i=$((i + 1))
	done
}

_own_mnt_ns() {
	[[ $(readlink "/proc/$(<"$1")/ns/mnt") != "$PT_HOST_MNT" ]]
}

# Sockets of shims that were killed (the others remove their own).
_shim_sockets_remove() {
	local f s
	for f in "$1"/*/{,containerd/}io.containerd.runtime.v2.task/*/*/address; do
		[[ -f $f ]] || continue
		s=$(<"$f")
		[[ $s == unix:///run/containerd/s/* ]] && rm -f "${s#unix://}"
	done
	return 0
}

# engine_says ENGINE STATE NAME: what docker and podman themselves say of a container, for wait_until.
engine_says() {
	[[ $(engine_cli "$1" inspect -f '{{.State.Status}}' "$3") == "$2" ]]
}
