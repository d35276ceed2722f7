# shellcheck shell=bash
# No engine: tests/tools/scratch (plain), unshare(1) (unshare) and bubblewrap (bwrap). Engine arguments
# are those programs' own.

_plain_run() {
	local root=()
	if [[ $3 != scratch ]]; then
		target_root "$1/t/$2" "$3" || return 1
		root=(--root "$1/t/$2/rootfs")
	fi
	PT_MARK=$PT_RUN "$PT_TOOLS/scratch" --hostname "$2" "${root[@]}" "${T_ARGS[@]}" -- "${T_CMD[@]}" \
		</dev/null 8>&- 9>&-
}

_plain_rm() { _kill_init "$@"; }
_plain_id() { return 1; }
_plain_cli() { shift; "$@"; }

# Kill the init, and by that the container.
_kill_init() {
	local pid
	pid=$(pid_still "$1/t/$2/pid") || return 0
	cgroup_thaw "$pid"
	kill -KILL "$pid"
}

_unshare_default_image() { echo busybox; }

_unshare_run() {
	local t=$1/t/$2
	target_root "$t" "$3" || return 1
	spawn "$t/outer" "$t/log" unshare -muinpC --fork --kill-child "${T_ARGS[@]}" --root="$t/rootfs" \
		--mount-proc "${T_CMD[@]}"
	wait_until 5 _child_runs "$(<"$t/outer")" "${T_CMD[0]}" || { cat "$t/log" >&2; return 1; }
	_child_of "$(<"$t/outer")"
}

_unshare_rm() { _kill_init "$@"; end_spawned "$1/t/$2/outer" KILL; }
_unshare_id() { return 1; }
_unshare_cli() { shift; "$@"; }

_bwrap_default_image() { echo busybox; }

_bwrap_run() {
	local t=$1/t/$2
	target_root "$t" "$3" || return 1
	# shellcheck disable=SC2016
	spawn "$t/outer" "$t/log" sh -c 'f=$1; shift; exec bwrap "$@" 7>"$f"' sh "$t/info" \
		--unshare-all --hostname "$2" --bind "$t/rootfs" / --proc /proc --dev /dev --tmpfs /run \
		--as-pid-1 --info-fd 7 "${T_ARGS[@]}" "${T_CMD[@]}"
	wait_until 5 _child_runs "$(<"$t/outer")" "${T_CMD[0]}" || { cat "$t/log" >&2; return 1; }
	jq '."child-pid"' "$t/info"
}

_bwrap_rm() { _kill_init "$@"; end_spawned "$1/t/$2/outer" KILL; }
_bwrap_id() { return 1; }
_bwrap_cli() { shift; "$@"; }
