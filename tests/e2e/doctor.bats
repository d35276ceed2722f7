#!/usr/bin/env bats
# porthole doctor: where we are, and what it says works does, and what it says does not, does not.
load ../lib/porthole

teardown() {
	[[ -z ${T_NAME:-} ]] || target_stop "$T_ENGINE" "$T_NAME"
	[[ -z ${WEB:-} ]] || target_stop runc "$WEB"
}

# inside ENGINE FLAG...: a container that has our binary at /b/porthole; WEB_PID is what it looks for.
inside() {
	T_ENGINE=$1 T_NAME=$(uniq_name doc)
	cp "$PORTHOLE" "$BATS_TEST_TMPDIR/porthole"
	target_start "$1" "$T_NAME" bookworm -v "$BATS_TEST_TMPDIR:/b:ro" "${@:2}" >/dev/null
	WEB=$(uniq_name web)
	WEB_PID=$(target_start runc "$WEB" busybox)
}

# in_it ARG...: porthole there.
in_it() {
	"${CLI[@]}" exec "$T_NAME" /b/porthole "$@"
}

# says VERB: "true" or "false"
says() {
	in_it doctor --json | jq --arg v "$1" '.verbs[] | select(.verb == $v) | .works'
}

# agrees VERB COMMAND...: what it says is what happens.
agrees() {
	local works=false
	"${@:2}" >"$BATS_TEST_TMPDIR/out" 2>&1 && works=true
	[[ $(says "$1") == "$works" ]] || die "$1: says $(says "$1"), is $works: $(cat "$BATS_TEST_TMPDIR/out")"
}

# agrees_of_files: of the verbs that read, copy and watch; each does what it does of what runs.
agrees_of_files() {
	local files="ls, cat, find, cp, edit, of what runs"
	agrees "$files" in_it ls "pid:$WEB_PID:/"
	agrees "$files" in_it cat "pid:$WEB_PID:/etc/passwd"
	agrees "$files" in_it cp "pid:$WEB_PID:/etc/passwd" /tmp/
	agrees "$files" in_it cp /etc/passwd "pid:$WEB_PID:/dev/shm/"
	# it goes on until it is told to end
	agrees tap "${CLI[@]}" exec "$T_NAME" sh -c "timeout -s INT 1 /b/porthole tap -q pid:$WEB_PID; [ \$? = 124 ]"
	agrees forward in_it forward -q "pid:$WEB_PID" -L 0:8080 -- true
}

ns() {
	in_it doctor --json | jq -r --arg k "$1" '[.namespaces | to_entries[] | select(.value == $k) | .key] | sort | join(" ")'
}

# on_host COMMAND...: porthole doctor says there that this is the host, and that everything works.
on_host() {
	run -0 "$@"
	[[ $output == *"where "*"on the host itself"* && $output != *" no "* ]] || die "$output"
	[[ $("$@" --json | jq -c '[.engine, .host_root, .namespaces.mnt, ([.verbs[].works] | all)]') == '[null,"/","host",true]' ]] ||
		die "$("$@" --json)"
}

# in_container COMMAND...: that it is a container of whatever engine, with a mount namespace of its own. No more than that
# is missing: all works but what needs the engines' directories, which are there or not, and the way to another host.
in_container() {
	run -0 "$@"
	[[ $output == *"where "*"in a container of "*"own "*mnt*"the host's "*pid* && $output != *"on the host itself"* ]] || die "$output"
	[[ $("$@" --json | jq -c '[.engine != null, .host_root != "/", .namespaces.mnt, .namespaces.pid,
		([.verbs[] | select(.verb != "host exec, shim" and .verb != "host run, of the host itself") | select((.missing // "the engines'"'"' storage") != "the engines'"'"' storage")] | length)]') == '[true,true,"own","host",0]' ]] ||
		die "$("$@" --json)"
}

# kit_says WANT: what it says of the kit beside the copy of the binary; a sidekick and host run work with a whole one only.
kit_says() {
	local works=false
	run -0 "$BATS_TEST_TMPDIR/porthole" doctor
	[[ $output == *"  kit "*$1* ]] || die "not $1: $output"
	timeout -k 2 30 "$BATS_TEST_TMPDIR/porthole" host run true && works=true
	run -0 "$BATS_TEST_TMPDIR/porthole" doctor --json
	[[ $(jq -c '[(.verbs[] | select(.verb | startswith("host run")).works), .kit.problem == null]' <<<"$output") == "[$works,$works]" ]] ||
		die "it works: $works, $output"
}

@test "doctor: the kit is found, whole and of which version, or what is wrong with it is said" {
	require kit
	local d=$BATS_TEST_TMPDIR
	cp "$PORTHOLE" "$d/porthole"
	if ! ls /usr/lib/porthole/kit.erofs /usr/local/lib/porthole/kit.erofs 2>/dev/null; then
		kit_says "there is no kit"
	fi
	cp "$PORTHOLE_BUILD/kit.erofs" "$d/"
	kit_says "$d/kit.erofs, whole, of this version"
	truncate -s 50M "$d/kit.erofs"
	kit_says "cut short"
	# its names and files, not the first block
	cp "$PORTHOLE_BUILD/kit.erofs" "$d/"
	dd if=/dev/urandom of="$d/kit.erofs" bs=4k seek=1 count=2000 conv=notrunc status=none
	run -0 "$d/porthole" doctor --json
	[[ $(jq -r .kit.problem <<<"$output") == *"cannot be used"* ]] || die "$output"
}

@test "doctor: on the host everything is the host's and works; in a mount namespace of its own it is a container" {
	require kit
	local ours
	ours=$(for_users "$PORTHOLE")
	if at_home; then
		on_host "$PORTHOLE" doctor
		run -0 as_user "$ours" doctor
		[[ $output == *"not root"* && $output == *"exec, of what runs "*" no "*"root; your own rootless containers need none"* ]] ||
			die "$output"
		[[ $output == *"add: sudo"* ]] || die "$output"
	else
		in_container "$PORTHOLE" doctor
		run -0 as_user "$ours" doctor
		[[ $output == *"not root"* && $output == *"exec, of what runs "*" no "*root*"add: "*"--user 0"* ]] || die "$output"
	fi
	in_container unshare -m "$PORTHOLE" doctor
}

@test "doctor in docker's default container: whose it is, what is missing and how one gets it" {
	require docker runc
	CLI=(engine_cli docker)
	inside docker
	[[ $(in_it doctor --json | jq -r .engine) == docker ]]
	[[ $(ns own) == *ipc*mnt*pid*uts* && $(ns host) == *user* ]]
	agrees "exec, of what runs" in_it exec --kit none "pid:$WEB_PID" true
	agrees_of_files
	agrees "host exec, shim" in_it host exec true
	[[ $(says "exec, of what runs") == false && $(says "explain, profile, kit list") == true ]]
	in_it explain 'docker run x' >/dev/null
	run -0 in_it doctor
	[[ $output == *"add: --pid host --cap-add SYS_ADMIN --cap-add SYS_PTRACE"* ]]
	# a user of it has no capability, whatever it is started with
	run -0 "${CLI[@]}" exec -u 1000 "$T_NAME" /b/porthole doctor
	[[ $output == *"exec, of what runs "*" no "*"root, CAP_SYS_ADMIN"* &&
		$output == *"add: --pid host --user 0 --cap-add SYS_ADMIN --cap-add SYS_PTRACE"[^S]* ]] || die "$output"
	[[ $output == *"explain, profile, kit list "*" yes"* ]] || die "$output"
}

@test "doctor: with the flags it names, what it promised works" {
	require docker runc
	CLI=(engine_cli docker)
	inside docker --pid host --cap-add SYS_ADMIN --cap-add SYS_PTRACE
	[[ $(ns host) == *pid* && $(ns own) == *mnt* ]]
	agrees "exec, of what runs" in_it exec --kit none "pid:$WEB_PID" true
	agrees inspect in_it inspect "pid:$WEB_PID"
	agrees_of_files
	[[ $(says tap) == true && $(says forward) == true && $(says "ls, cat, find, cp, edit, of what runs") == true ]]
	# docker's filter forbids what a container of its own needs, with every capability
	require kit
	ln "$PORTHOLE_BUILD/kit.erofs" "$BATS_TEST_TMPDIR/kit.erofs" || cp "$PORTHOLE_BUILD/kit.erofs" "$BATS_TEST_TMPDIR/"
	agrees sidekick in_it sidekick "pid:$WEB_PID" true
	[[ $(says sidekick) == false ]]
	[[ $(says "exec, of what runs") == true && $(says "exec, of what is stopped; image://") == false ]]
	# one of them alone is not enough, and it says which is missing
	target_stop docker "$T_NAME"
	target_start docker "$T_NAME" bookworm -v "$BATS_TEST_TMPDIR:/b:ro" --pid host --cap-add SYS_PTRACE >/dev/null
	agrees "exec, of what runs" in_it exec --kit none "pid:$WEB_PID" true
	agrees_of_files
	[[ $(says tap) == true && $(says forward) == false ]]
	run -0 in_it doctor
	[[ $output == *"exec, of what runs "*" no "*"CAP_SYS_ADMIN"* && $output == *"add: --cap-add SYS_ADMIN"* ]]
}

@test "doctor in podman's, in another user namespace, and where the host's files are seen" {
	require podman runc
	CLI=(engine_cli podman)
	inside podman -v /:/host:ro
	[[ $(in_it doctor --json | jq -c '[.engine, .host_root]') == '["podman","/host"]' ]]
	run -0 in_it doctor
	[[ $output == *"host's files  /host, by its name alone"* ]]
	target_stop podman "$T_NAME"
	target_start podman "$T_NAME" bookworm -v "$BATS_TEST_TMPDIR:/b:ro" -v /:/host:ro --pid host >/dev/null
	run -0 in_it doctor
	[[ $output == *"host's files  /host"$'\n'* ]]
	run -0 unshare -Ur "$PORTHOLE" doctor
	[[ $output == *"own "*"user"* && $output == *"exec, of what runs "*" no "*"the host's user namespace"* ]]
}

@test "doctor in one of ours: with what it names, what it denied works" {
	require kit runc
	local p add
	WEB=$(uniq_name web)
	target_start runc "$WEB" busybox >/dev/null
	for p in inspect monitor; do
		run -125 "$PORTHOLE" host run --profile "$p" -- porthole exec --kit none "$WEB" true
		run -0 --separate-stderr "$PORTHOLE" host run -q --profile "$p" -- porthole doctor --json
		add=$(jq -r '.verbs[] | select(.verb == "exec, of what runs").add' <<<"$output")
		[[ $add == *"--cap-add SYS_ADMIN"* && $add != *--pid* ]] || die "$output"
		# shellcheck disable=SC2086 # words
		run -0 "$PORTHOLE" host run -q --profile "$p" $add -- porthole exec --kit none "pid:$(target_pid runc "$WEB")" true
	done
}

@test "host run in a container says that /host is that container's; not where / is the host's" {
	require kit
	run -0 --separate-stderr "$PORTHOLE" host run -q porthole host run true
	[[ $stderr == *"this runs in a container, as tells container= in the environment: /host and other"* ]] || die "$stderr"
	run -0 --separate-stderr "$PORTHOLE" host run -q porthole host run -q true
	[[ -z $stderr ]] || die "$stderr"
	if at_home; then
		run -0 --separate-stderr "$PORTHOLE" host run true
		[[ $stderr != *"in a container"* ]] || die "$stderr"
		run -0 --separate-stderr unshare -m "$PORTHOLE" host run true
		[[ $stderr != *"in a container"* ]] || die "$stderr"
	fi
}

@test "inside docker's default container: what is its own is not called the host's, and no sentence is for the host alone" {
	require docker runc
	CLI=(engine_cli docker)
	inside docker
	run -0 in_it inspect 1
	[[ $output == *"its own "*mnt*pid* && $output != *"in no container"* ]] || die "$output"
	[[ $(in_it inspect --json 1 | jq -c '[.namespaces.mnt.is, .namespaces.user.is]') == '["own","host"]' ]]
	run -125 in_it inspect "$WEB"
	[[ $output == *"without CAP_SYS_PTRACE and the host's processes"*"start this container with --pid host --cap-add SYS_PTRACE" ]] || die "$output"
	run -125 in_it host run true
	[[ $output == *"you are root without "*CAP_SYS_ADMIN*"start this container with "*"--cap-add SYS_ADMIN"* && $output != *sudo* ]] || die "$output"
	run -125 in_it exec --kit none 1 true
	[[ $output == *"no container but ours"* ]] || die "$output"
	run -0 --separate-stderr in_it ps
	[[ $stderr == *"start this container with --pid host --cap-add SYS_PTRACE" ]] || die "$stderr"
	# with every right, and none of the host's processes
	target_stop docker "$T_NAME"
	target_start docker "$T_NAME" bookworm -v "$BATS_TEST_TMPDIR:/b:ro" --cap-add ALL --cap-drop SYS_RESOURCE >/dev/null
	run -0 --separate-stderr in_it ps
	[[ $stderr == *"sees none of the host's: start it with --pid host" ]] || die "$stderr"
	run -125 in_it inspect "$WEB"
	[[ $output == *"nothing is named"*"sees none of the host's: start it with --pid host" ]] || die "$output"
}
