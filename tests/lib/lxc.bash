# shellcheck shell=bash
# LXC, at /var/lib/lxc/NAME. An engine argument is a line of configuration.

_lxc_default_image() { echo busybox; }

_lxc_run() {
	local d=$1 name=$2 c=/var/lib/lxc/$2
	target_root "$d/t/$name" "$3" && mkdir -p "$c" || return 1
	: >"$c/.porthole-test"
	{
		cat <<-END
			lxc.uts.name = $name
			lxc.rootfs.path = dir:$d/t/$name/rootfs
			lxc.net.0.type = empty
			lxc.mount.auto = proc:mixed sys:ro
			lxc.autodev = 1
			lxc.apparmor.profile = unconfined
			lxc.init.cmd = ${T_CMD[*]}
		END
		((${#T_ARGS[@]} == 0)) || printf '%s\n' "${T_ARGS[@]}"
	} >"$c/config"
	PT_MARK=$PT_RUN lxc-start -n "$name" -d -o "$d/t/$name/log" </dev/null >/dev/null 2>&1 8>&- 9>&- || {
		cat "$d/t/$name/log" >&2
		return 1
	}
	lxc-info -n "$name" -pH
}

_lxc_rm() {
	lxc-stop -k -n "$2"
	[[ -e /var/lib/lxc/$2/.porthole-test ]] && rm -rf "/var/lib/lxc/$2"
}

_lxc_id() { echo "$2"; }
_lxc_cli() { shift; "$@"; }
