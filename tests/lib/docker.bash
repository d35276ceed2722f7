# shellcheck shell=bash
# Docker, in private directories (docker), with --userns-remap (docker-userns), and at its default
# paths in a mount namespace of its own (docker-default: use in_engine). No network but none and host.

# _docker_start D RUN LIB [FLAG...]: containerd and dockerd with their sockets and state below RUN and
# their data below LIB; inside D's mount namespace where it has one.
_docker_start() {
	local d=$1 run=$2 lib=$3 ns=()
	shift 3
	[[ -e $d/ns.pid ]] && ns=(nsenter "--mount=/proc/$(<"$d/ns.pid")/ns/mnt" --)
	echo "${PT_DOCKER_CONF:-{\}}" >"$d/daemon.json"
	_containerd_conf "$d" "$run/containerd" "$lib/containerd" 'disabled_plugins = ["io.containerd.grpc.v1.cri"]'
	spawn "$d/containerd.pid" "$d/containerd.log" "${ns[@]}" containerd -c "$d/containerd.toml"
	wait_until 10 "${ns[@]}" test -S "$run/containerd/containerd.sock" || return 1
	spawn "$d/dockerd.pid" "$d/dockerd.log" "${ns[@]}" dockerd --config-file "$d/daemon.json" \
		--data-root "$lib/docker" --exec-root "$run/docker" -H "unix://$run/docker.sock" \
		-p "$run/docker.pid" --containerd "$run/containerd/containerd.sock" \
		--exec-opt native.cgroupdriver=cgroupfs --iptables=false --ip6tables=false --bridge=none "$@"
	wait_until 30 _docker_cli "$d" version
}

# Of an instance of one's own (docker@vfs): PT_DOCKER_FLAGS, more for dockerd; PT_DOCKER_CONF, its daemon.json.
_docker_up() {
	# shellcheck disable=SC2086 # words
	_docker_start "$1" "$1/run" "$1/lib" ${PT_DOCKER_FLAGS:-}
}

_docker_down() {
	end_spawned "$1/dockerd.pid"
	end_spawned "$1/containerd.pid"
}

_docker_cli() {
	local d=$1 sock=$1/run/docker.sock
	shift
	[[ -e $d/ns.pid ]] && sock=/proc/$(<"$d/ns.pid")/root/run/docker.sock
	DOCKER_CONFIG=$d timeout --foreground "${_docker_timeout:-300}" docker -H "unix://$sock" "$@"
}

# Load an image once.
_docker_load() {
	local tar
	(
		flock 9
		[[ -e $1/image.$2 ]] && exit 0
		tar=$(image_archive "$2") && _docker_cli "$1" load -qi "$tar" && : >"$1/image.$2"
	) 9>"$1/image.$2.lock" >/dev/null
}

_docker_run() {
	local d=$1 name=$2 image=$3 net=(--network none)
	_docker_load "$d" "$image" || return 1
	[[ " ${T_ARGS[*]}" == *" --net"* ]] && net=()
	_docker_cli "$d" run -d --name "$name" "${net[@]}" "${T_ARGS[@]}" "pt/$image:1" "${T_CMD[@]}" \
		>"$d/t/$name/id" && _docker_cli "$d" inspect -f '{{.State.Pid}}' "$name"
}

_docker_rm() {
	local _docker_timeout=15 # the daemon may be dead, or stopped by a test
	_docker_cli "$1" rm -f "$2"
}

_docker_id() {
	_docker_cli "$1" inspect -f '{{.Id}}' "$2"
}

_docker_userns_up() {
	local user
	user=$(test_user) || return 1
	mkdir -p "$1/run" "$1/lib"
	chmod 711 "$1" "$PT_RUN/e"
	_docker_start "$1" "$1/run" "$1/lib" --userns-remap="$user:$user"
}

_docker_default_up() {
	default_paths "$1" /run /var/lib/docker /var/lib/containerd || return 1
	_docker_start "$1" /run /var/lib
}

for _f in down cli run rm id; do
	eval "_docker_userns_$_f() { _docker_$_f \"\$@\"; }"
	eval "_docker_default_$_f() { _docker_$_f \"\$@\"; }"
done
unset _f
