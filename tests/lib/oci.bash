# shellcheck shell=bash
# runc and crun by themselves, at their default state directories. An engine argument is a jq program
# applied to config.json ('.root.readonly=false').

# _bundle D NAME IMAGE: a bundle at D/t/NAME.
_bundle() {
	local b=$1/t/$2 p cmd
	target_root "$b" "$3" || return 1
	(cd "$b" && rm -f config.json && runc spec) || return 1
	cmd=$(printf '%s\n' "${T_CMD[@]}" | jq -R . | jq -s .)
	_edit "$b" ".process.terminal=false | del(.process.rlimits) | .process.args=$cmd |
		.hostname=\"$2\" | .linux.namespaces+=[{\"type\":\"cgroup\"}]" || return 1
	for p in "${T_ARGS[@]}"; do
		_edit "$b" "$p" || return 1
	done
}

_edit() {
	jq "$2" "$1/config.json" >"$1/config.new" && mv "$1/config.new" "$1/config.json"
}

_runc_run() {
	_bundle "$@" && PT_MARK=$PT_RUN runc run -d --pid-file "$1/t/$2/pidfile" --bundle "$1/t/$2" "$2" \
		</dev/null >"$1/t/$2/log" 2>&1 || { cat "$1/t/$2/log" >&2; return 1; }
	cat "$1/t/$2/pidfile"
}

_runc_rm() { runc delete -f "$2"; }
_runc_id() { echo "$2"; }
_runc_cli() { shift; runc "$@"; }

# crun refuses a host with both cgroup versions: there it gets a view of version 2 alone.
_crun_cli() {
	shift
	if [[ -d /sys/fs/cgroup/unified ]]; then
		# shellcheck disable=SC2016
		unshare -m --propagation private sh -c 'umount -R /sys/fs/cgroup &&
			mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec crun --cgroup-manager=disabled "$@"' sh "$@"
	else
		crun --cgroup-manager=cgroupfs "$@"
	fi
}

_crun_run() {
	_bundle "$@" || return 1
	_edit "$1/t/$2" 'del(.linux.resources) | .mounts|=map(select(.type!="cgroup"))' || return 1
	PT_MARK=$PT_RUN _crun_cli "$1" run -d --pid-file "$1/t/$2/pidfile" --bundle "$1/t/$2" "$2" \
		</dev/null >"$1/t/$2/log" 2>&1 || { cat "$1/t/$2/log" >&2; return 1; }
	cat "$1/t/$2/pidfile"
}

_crun_rm() { _crun_cli "$1" delete -f "$2"; }
_crun_id() { echo "$2"; }
