# shellcheck shell=bash
# Podman: private directories (podman), default paths in a mount namespace of its own (podman-default:
# use in_engine), and the run's own unprivileged user's (podman-rootless).

_podman_conf() {
	cat >"$1/containers.conf" <<-END
		[containers]
		default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]
		netns = "none"
		log_driver = "k8s-file"
		[engine]
		runtime = "runc"
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		no_pivot_root = false
	END
	printf '[storage]\ndriver = "overlay"\n%s\n' "${2:-}" >"$1/storage.conf"
	mkdir -p "$1/etc"
	echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$1/policy.json"
}

_podman_up() {
	_podman_conf "$1" "graphroot = \"$1/root\"
runroot = \"$1/run\""
}

_podman_cli() {
	local d=$1 ns=() dirs=(--root "$1/root" --runroot "$1/run" --tmpdir "$1/tmp")
	shift
	if [[ -e $d/ns.pid ]]; then
		ns=(nsenter "--mount=/proc/$(<"$d/ns.pid")/ns/mnt" --)
		dirs=()
	fi
	CONTAINERS_CONF=$d/containers.conf CONTAINERS_STORAGE_CONF=$d/storage.conf PT_MARK=$PT_RUN \
		"${ns[@]}" podman "${dirs[@]}" "$@"
}

# _podman_load D IMAGE CLI: load it once.
_podman_load() {
	local tar
	(
		flock 9
		[[ -e $1/image.$2 ]] && exit 0
		tar=$(image_archive "$2") && "$3" "$1" load -qi "$tar" 9>&- && : >"$1/image.$2"
	) 9>"$1/image.$2.lock" >/dev/null
}

# _podman_run_by CLI D NAME IMAGE
_podman_run_by() {
	local cli=$1 d=$2 name=$3 image=$4
	_podman_load "$d" "$image" "$cli" || return 1
	"$cli" "$d" run -d --name "$name" "${T_ARGS[@]}" "docker.io/pt/$image:1" "${T_CMD[@]}" \
		</dev/null >"$d/t/$name/id" && "$cli" "$d" inspect -f '{{.State.Pid}}' "$name"
}

_podman_run() { _podman_run_by _podman_cli "$@"; }
_podman_rm() { _podman_cli "$1" rm -f -t 0 "$2"; }
_podman_id() { _podman_cli "$1" inspect -f '{{.Id}}' "$2"; }

_podman_default_up() {
	default_paths "$1" /run /var/lib/containers || return 1
	_podman_conf "$1" 'graphroot = "/var/lib/containers/storage"
runroot = "/run/containers/storage"'
}
_podman_default_cli() { _podman_cli "$@"; }
_podman_default_run() { _podman_run "$@"; }
_podman_default_rm() { _podman_rm "$@"; }
_podman_default_id() { _podman_id "$@"; }

_podman_rootless_up() {
	test_user >/dev/null || return 1
	chmod 711 "$PT_RUN/e" "$1"
	_podman_conf "$1"
	chmod 644 "$1"/*.conf
}

_podman_rootless_cli() {
	local d=$1
	shift
	as_user CONTAINERS_CONF="$d/containers.conf" CONTAINERS_STORAGE_CONF="$d/storage.conf" podman "$@"
}

_podman_rootless_run() { _podman_run_by _podman_rootless_cli "$@"; }
_podman_rootless_rm() { _podman_rootless_cli "$1" rm -f -t 0 "$2"; }
_podman_rootless_id() { _podman_rootless_cli "$1" inspect -f '{{.Id}}' "$2"; }
_podman_rootless_down() { _podman_rootless_cli "$1" system migrate >/dev/null 2>&1; }
