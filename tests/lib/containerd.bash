# shellcheck shell=bash
# containerd by ctr (engine containerd) and by CRI (engine cri): one daemon each, private directories.
# A containerd target's NAME is its id in namespace "default"; -n NS as first engine argument changes
# that. A cri target NAME is POD/CONTAINER's both parts: pod NAME-pod, container NAME.

# _containerd_conf D STATE ROOT [LINE]: its configuration; the socket is STATE/containerd.sock.
_containerd_conf() {
	cat >"$1/containerd.toml" <<-END
		version = 2
		root = "$3"
		state = "$2"
		${4:-}
		[grpc]
		address = "$2/containerd.sock"
		[plugins."io.containerd.grpc.v1.cri"]
		restrict_oom_score_adj = true
		sandbox_image = "docker.io/pt/scratch:1"
		disable_tcp_service = true
		netns_mounts_under_state_dir = true
		[plugins."io.containerd.grpc.v1.cri".cni]
		bin_dir = "$1/cni"
		conf_dir = "$1/cni"
		[plugins."io.containerd.internal.v1.opt"]
		path = "$1/opt"
	END
}

_containerd_up() {
	_containerd_conf "$1" "$1/run" "$1/lib"
	spawn "$1/containerd.pid" "$1/containerd.log" containerd -c "$1/containerd.toml"
	wait_until 20 _containerd_cli "$1" version
}

_containerd_down() {
	end_spawned "$1/containerd.pid"
}

_containerd_cli() {
	local d=$1
	shift
	ctr -a "$d/run/containerd.sock" "$@"
}

# _containerd_load D NS IMAGE: import it once into that namespace.
_containerd_load() {
	local tar
	(
		flock 9
		[[ -e $1/image.$2.$3 ]] && exit 0
		tar=$(image_archive "$3") && _containerd_cli "$1" -n "$2" image import "$tar" &&
			: >"$1/image.$2.$3"
	) 9>"$1/image.$2.$3.lock" >/dev/null
}

_containerd_run() {
	local d=$1 name=$2 image=$3 ns=default
	if [[ ${T_ARGS[0]:-} == -n ]]; then
		ns=${T_ARGS[1]}
		T_ARGS=("${T_ARGS[@]:2}")
	fi
	echo "$ns" >"$d/t/$name/ns"
	_containerd_load "$d" "$ns" "$image" &&
		_containerd_cli "$d" -n "$ns" run -d "${T_ARGS[@]}" "docker.io/pt/$image:1" "$name" \
			"${T_CMD[@]}" >&2 || return 1
	cat "$d/run/io.containerd.runtime.v2.task/$ns/$name/init.pid"
}

_containerd_rm() {
	local ns
	ns=$(<"$1/t/$2/ns")
	_containerd_cli "$1" -n "$ns" task kill -s KILL "$2"
	wait_until 5 _containerd_cli "$1" -n "$ns" task rm "$2"
	_containerd_cli "$1" -n "$ns" container rm "$2"
}

_containerd_id() {
	echo "$2"
}

_cri_up() {
	mkdir -p "$1/cni" && cp "$PORTHOLE_SRC/tests/tools/cni.sh" "$1/cni/pt" &&
		ln -s pt "$1/cni/loopback" &&
		echo '{"cniVersion":"0.4.0","name":"pod","plugins":[{"type":"pt"}]}' >"$1/cni/1.conflist" &&
		_containerd_up "$@"
}
_cri_down() { _containerd_down "$@"; }

# engine_cli cri: run NAME IMAGE CMD..., status ID, rm NAME, restart ... : see tests/tools/cri.py.
_cri_cli() {
	local d=$1
	shift
	/usr/bin/python3 "$PORTHOLE_SRC/tests/tools/cri.py" "$d/run/containerd.sock" "$@"
}

_cri_run() {
	local d=$1 name=$2 image=$3 out
	_containerd_load "$d" k8s.io scratch && _containerd_load "$d" k8s.io "$image" || return 1
	out=$(_cri_cli "$d" run "$name" "docker.io/pt/$image:1" "${T_ARGS[0]:-default}" "${T_CMD[@]}") ||
		return 1
	echo "${out%% *}" >"$d/t/$name/sandbox"
	echo "${out##* }" >"$d/t/$name/id"
	cat "$d/run/io.containerd.runtime.v2.task/k8s.io/${out##* }/init.pid"
}

_cri_rm() {
	_cri_cli "$1" rm "$(<"$1/t/$2/sandbox")"
}

_cri_id() {
	cat "$1/t/$2/id"
}
