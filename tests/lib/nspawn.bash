# shellcheck shell=bash
# systemd-nspawn: not registered (nspawn), and registered with a systemd-machined of the run (machined).
# Engine arguments are systemd-nspawn's own.

_nspawn_default_image() { echo busybox; }

# _nspawn_spawn D NAME IMAGE FLAG...: prints the pid of the container's init.
_nspawn_spawn() {
	local d=$1 t=$1/t/$2 name=$2
	target_root "$t" "$3" || return 1
	shift 3
	spawn "$t/supervisor" "$t/log" "$@" systemd-nspawn -q --keep-unit --private-network -M "$name" \
		-D "$t/rootfs" --console=pipe "${NSPAWN_FLAGS[@]}" "${T_ARGS[@]}" "${T_CMD[@]}"
	wait_until 10 _child_runs "$(<"$t/supervisor")" "${T_CMD[0]}" || { cat "$t/log" >&2; return 1; }
	_child_of "$(<"$t/supervisor")"
}

_child_of() {
	local c
	c=$(cat "/proc/$1/task/$1/children") && [[ -n $c ]] && echo "${c%% *}"
}

# The supervisor's child has executed COMMAND (its init is the container's).
_child_runs() {
	local c
	c=$(_child_of "$1") && [[ $(tr '\0' '\n' <"/proc/$c/cmdline" | head -n 1) == "$2" ]]
}

_nspawn_run() {
	NSPAWN_FLAGS=(--register=no)
	_nspawn_spawn "$@"
}

_nspawn_rm() {
	local pid
	pid=$(_child_of "$(<"$1/t/$2/supervisor")") && kill -KILL "$pid"
	end_spawned "$1/t/$2/supervisor"
}

_nspawn_id() { echo "$2"; }
_nspawn_cli() { shift; "$@"; }

_machined_default_image() { echo busybox; }

# bus_start D: a system bus of our own at D/bus, on which everybody may do everything.
bus_start() {
	cat >"$1/bus.conf" <<-END
		<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
		 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
		<busconfig><type>system</type><listen>unix:path=$1/bus</listen><auth>EXTERNAL</auth>
		<policy context="default"><allow own="*"/><allow send_destination="*"/>
		<allow receive_sender="*"/><allow user="*"/></policy></busconfig>
	END
	spawn "$1/bus.pid" "$1/bus.log" dbus-daemon --nofork --nopidfile --config-file="$1/bus.conf"
	wait_until 5 test -S "$1/bus"
}

# Where no systemd-machined runs: a bus and a machined of our own. State is in /run/systemd/machines.
_machined_up() {
	[[ -S /run/dbus/system_bus_socket && -d /run/systemd/system ]] && return 0
	mkdir -p /run/systemd/machines
	bus_start "$1" || return 1
	spawn "$1/machined.pid" "$1/machined.log" env DBUS_SYSTEM_BUS_ADDRESS="unix:path=$1/bus" \
		/lib/systemd/systemd-machined
	wait_until 5 env DBUS_SYSTEM_BUS_ADDRESS="unix:path=$1/bus" busctl status org.freedesktop.machine1
}

_machined_down() {
	[[ -e $1/machined.pid ]] && end_spawned "$1/machined.pid"
	[[ -e $1/bus.pid ]] && end_spawned "$1/bus.pid"
	rmdir /run/systemd/machines /run/systemd/nspawn 2>/dev/null
	return 0
}

# machined wants a cgroup that is named like a unit.
_machined_run() {
	local base env=()
	NSPAWN_FLAGS=(--register=yes)
	[[ -e $1/bus ]] && env=(env "DBUS_SYSTEM_BUS_ADDRESS=unix:path=$1/bus")
	for base in /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
		[[ -d $base ]] && mkdir -p "$base/machine.slice/machine-$2.scope"
	done
	# shellcheck disable=SC2016
	_nspawn_spawn "$@" "${env[@]}" sh -c 'for b in /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
		[ -d "$b" ] && echo $$ >"$b/machine.slice/machine-'"$2"'.scope/cgroup.procs"; done; exec "$@"' sh
}

_machined_rm() { _nspawn_rm "$@"; }
_machined_id() { echo "$2"; }
_machined_cli() { shift; "$@"; }
