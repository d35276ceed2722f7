# shellcheck shell=bash
# flatpak, of the run's user: a repository with runtimes made of our images and an app for each target,
# installed and run by flatpak itself. The target NAME is the app org.pt.NAME; its pid, as engines tell it,
# is bwrap's first process, whose child is the app. Engine arguments are those of `flatpak run`.

_flatpak_default_image() { echo busybox; }

# Installing asks the system's bus what the user may: one of our own, on which nobody says no.
_flatpak_up() {
	bus_start "$1" && install -d -o "$(test_user)" "$1/u"
}

_flatpak_down() {
	end_spawned "$1/bus.pid"
}

_flatpak_cli() {
	_flatpak_words "$1" && "${USER_WORDS[@]}" "${@:2}"
}

_flatpak_words() {
	user_words && USER_WORDS+=(FLATPAK_USER_DIR="$1/u/flatpak" DBUS_SYSTEM_BUS_ADDRESS="unix:path=$1/bus" flatpak)
}

# _flatpak_install D ID KEYFILE [BUILD-EXPORT-ARG...]: what lies in D/u/ID/files.
_flatpak_install() {
	local d=$1 id=$2
	printf '%b' "$3" >"$d/u/$id/metadata"
	chown -R "$(test_user)" "$d/u/$id"
	_flatpak_cli "$d" build-export --disable-sandbox "${@:4}" "$d/u/repo" "$d/u/$id" 1 &&
		_flatpak_cli "$d" remote-add --user --if-not-exists --no-gpg-verify pt "$d/u/repo" &&
		_flatpak_cli "$d" install --user --noninteractive -y pt "$id//1"
}

_flatpak_runtime() {
	local root files=$1/u/org.pt.$2/files
	[[ -e $files ]] && return 0
	root=$(image_root "$2") && mkdir -p "$files/etc" && cp -a "$root/usr/." "$root/bin" "$files" || return 1
	_flatpak_install "$1" "org.pt.$2" "[Runtime]\nname=org.pt.$2\nruntime=org.pt.$2/x86_64/1\n" -r --files=files
}

_flatpak_run() {
	local d=$1 t=$1/t/$2 id=org.pt.$2 cmd=("${T_CMD[@]}")
	[[ ${cmd[0]} == /app ]] && cmd[0]=/app/bin/app
	{
		_flatpak_runtime "$d" "$3" && mkdir -p "$d/u/$id/files/bin" "$d/u/$id/export" &&
			install -m 755 "$PT_TOOLS/app" "$d/u/$id/files/bin/app" && _flatpak_install "$d" "$id" \
			"[Application]\nname=$id\nruntime=org.pt.$3/x86_64/1\ncommand=app\n"
	} >&2 || return 1
	_flatpak_words "$d" && spawn "$t/outer" "$t/log" "${USER_WORDS[@]}" run --user "${T_ARGS[@]}" \
		--command="${cmd[0]}" "$id" "${cmd[@]:1}"
	wait_until 10 _flatpak_runs "$t" "$id" || { cat "$t/log" >&2; return 1; }
	_flatpak_init "$id"
}

# The first process of the app's instance.
_flatpak_init() {
	local info
	info=$(grep -lsx "name=$1" "/run/user/$(id -u "$(test_user)")"/.flatpak/*/info) &&
		jq -e '."child-pid"' "${info%/*}/bwrapinfo.json"
}

_flatpak_runs() {
	local pid
	pid=$(_flatpak_init "$2") && pid=$(_child_of "$pid") && [[ $(<"/proc/$pid/comm") != bwrap ]]
}

_flatpak_rm() {
	_kill_init "$@"
	end_spawned "$1/t/$2/outer" KILL
	_flatpak_cli "$1" uninstall --user --noninteractive -y "org.pt.$2"
}

_flatpak_id() {
	local info
	info=$(grep -lsx "name=org.pt.$2" "/run/user/$(id -u "$(test_user)")"/.flatpak/*/info) && basename "${info%/*}"
}
