# shellcheck shell=bash
# A container that ran and does not any more.

stopped_teardown() {
	[[ -z ${NAME:-} ]] || target_stop "$ENGINE" "$NAME"
}

# porthole, where the engine's storage is.
p() {
	in_engine "$ENGINE" timeout -k 2 100 "$PORTHOLE" "$@" </dev/null
}

# stopped ENGINE [ARG...]: sets NAME and ENGINE, and FIRST_PID, which it had.
stopped() {
	ENGINE=$1
	require "$ENGINE"
	NAME=$(uniq_name filed)
	FIRST_PID=$(target_start "$ENGINE" "$NAME" "${@:2}")
	end
}

# It runs: until it does not.
end() {
	case $ENGINE in
	docker* | podman*)
		engine_cli "$ENGINE" kill "$NAME" >/dev/null
		wait_until 20 _is_exited
		;;
	*)
		kill -KILL "$FIRST_PID"
		wait_until 20 refute pid_alive "$FIRST_PID"
		;;
	esac
}

_is_exited() {
	[[ $(engine_cli "$ENGINE" inspect -f '{{.State.Status}}' "$NAME") == exited ]]
}

in_it() {
	engine_cli "$ENGINE" exec "$NAME" "$@"
}
