#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets stderr
# exec in what does not run: the files as they were left, in namespaces of the session's own, and nothing of
# the engine's storage changes.
load ../lib/porthole

# xd ARG...: porthole exec ARG... where the engine of the test has its paths, without the line that tells the state.
xd() {
	in_engine "$ENGINE" timeout -k 2 20 "$PORTHOLE" exec -q "$@"
}

# storage DIR...: names, modes, owners, times and contents of all below them.
storage() {
	in_engine "$ENGINE" sh -c 'for d; do
		find "$d" -printf "%p %y %m %U:%G %s %T@ %C@ %l\n" | sort
		find "$d" -type f ! -name "*.db" ! -name "*.lock" -print0 | sort -z | xargs -0r sha256sum
	done' sh "$@"
}

# left ENGINE IMAGE FLAG...: NAME is a container in which something was done, and which was killed since.
left() {
	ENGINE=$1
	shift
	require "$ENGINE" kit
	NAME=$(uniq_name left)
	PID=$(target_start "$ENGINE" "$NAME" "$@")
	xd "$NAME" sh -c 'echo left >/left; rm /etc/os-release; mkdir -p /data; echo v >/data/v; ln -s /left /link
		rm -rf /home; mkdir /home; chown 1000:1001 /left
		[ ! -d /vol ] || { echo v >/vol/v; chown 7:8 /vol/v; }'
	kill -KILL "$PID"
	wait_until 10 _is_over
}

_is_over() {
	! pid_alive "$PID" || return 1
	case $ENGINE in
	docker*) [[ $(engine_cli "$ENGINE" inspect -f '{{.State.Status}}' "$NAME") == exited ]] ;;
	podman*) [[ $(engine_cli "$ENGINE" inspect -f '{{.State.Status}}' "$NAME") == exited ]] ;;
	esac
}

# as_left: all that APP did is there, and nothing that was not.
as_left() {
	run -0 xd "$NAME" sh -c 'cat /left /link /data/v; ls -A /home; stat -c %u:%g /left; ls /etc/os-release; true'
	[[ $output == $'left\nleft\nv\n1000:1001\nls: cannot access \'/etc/os-release\''* ]] || die "$ENGINE: $output"
}

teardown() {
	[[ -z ${NAME:-} ]] || target_stop "$ENGINE" "$NAME"
}

@test "docker: files, volume, environment, user, directory, host name, capabilities, and storage as before" {
	left docker-default busybox -v "vol$BASHPID:/data" -e FOO=bar -e LD_PRELOAD=/x -w /etc -u 1000:1001 \
		--hostname inside --tmpfs /t --user 0
	storage /var/lib/docker >"$BATS_TEST_TMPDIR/before"
	residue_snapshot "$BATS_TEST_TMPDIR/r"
	as_left
	# shellcheck disable=SC2016
	run -0 xd "$NAME" sh -c 'echo "$FOO$LD_PRELOAD $(pwd) $(hostname) $(id -u)"; grep -c ^127 /etc/hosts
		grep CapEff /proc/self/status; ls -A /t; echo $$; ls /sys/class/net; stat -fc %T /dev/shm /t'
	[[ $output == $'bar /etc inside 0\n1\nCapEff:\t00000000a80425fb\n2\nlo\ntmpfs\ntmpfs' ]] || die "$output"
	run -0 xd --caps all "$NAME" grep CapEff /proc/self/status
	[[ $output != *a80425fb ]]
	# all can be written; --diff tells exactly what was
	run -0 --separate-stderr xd --diff --keep "$BATS_TEST_TMPDIR/kept" "$NAME" sh -c 'rm /left; echo w >>/data/v; echo n >/new; echo h >>/etc/hosts; echo t >/t/in'
	[[ $stderr == $'C /data/v\nC /etc/hosts\nD /left\nA /new\nA /t/in' && $(<"$BATS_TEST_TMPDIR/kept/files/t/in") == t ]] || die "$stderr"
	as_left
	run -0 --separate-stderr xd --prove "$NAME" sh -c 'rm -rf /left /data/v /etc'
	[[ $stderr == *"entries of its /"*"nothing changed"* ]] || die "$stderr"
	proves xd --prove "$NAME" sh -c 'rm -rf /left /data/v /etc'
	storage /var/lib/docker | diff "$BATS_TEST_TMPDIR/before" - || die "the storage was changed"
	residue_assert_same "$BATS_TEST_TMPDIR/r"
	[[ $(engine_cli docker-default inspect -f '{{.State.Status}}' "$NAME") == exited ]]
}

@test "nothing of the host can be reached: no processes, no network, no devices, no switches" {
	left docker-default busybox
	# shellcheck disable=SC2016
	run -0 xd "$NAME" sh -c '[ "$(ps -e | tail -n +2 | wc -l)" -le 6 ] || ps -e
		for w in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/sys/kernel/hostname /sys/kernel/uevent_helper; do
			(: >"$w") 2>/dev/null && echo "can write $w"; done
		mknod /tmp/vda b 254 0 && head -c 1 /tmp/vda >/dev/null 2>&1 && echo device
		mknod /dev/vda b 254 0 && head -c 1 /dev/vda >/dev/null 2>&1 && echo device
		head -c 1 /proc/kcore 2>/dev/null | grep -q . && echo kcore
		mount -t tmpfs none /tmp 2>/dev/null && echo mount
		ls /proc/1/root/ /proc/1/cwd/ 2>/dev/null && echo agent; true'
	[[ -z $output ]] || die "$output"
	# nor with all capabilities: the host's mounts are not below the session's
	run -0 xd --caps all "$NAME" sh -c 'grep -c " / / " /proc/self/mountinfo; grep -v -e " /dev" -e " /proc" -e " /sys" /proc/self/mountinfo | wc -l'
	[[ $output == $'1\n1' ]] || die "$output"
}

@test "states: never started, ended with a code; live, --ns, --cgroup target, --freeze, --follow are refused" {
	local words
	ENGINE=docker-default
	require docker-default kit
	engine_start docker-default
	left docker-default busybox
	for words in "--view live" "--ns net" "--cgroup target" --freeze --follow; do
		# shellcheck disable=SC2086
		run --separate-stderr -125 xd $words "$NAME" true
		[[ $stderr == "porthole: '$NAME' does not run"* ]] || die "$words: $stderr"
	done
	run -0 xd --explain "$NAME"
	[[ $output == *"docker overlay2"* && $output == *exited* && $output == *"mnt,pid,net,ipc,uts,cgroup"* ]] || die "$output"
	run -0 xd --json --explain "$NAME"
	jq -e '.forgets and (.joins == []) and (.makes | length == 6)' <<<"$output"
	run -7 xd "$NAME" sh -c 'exit 7'
	run -127 xd "$NAME" nosuch
	run -137 xd "$NAME" sh -c 'kill -KILL $$'
	run -0 xd --view kit "$NAME" cat /target/left
	[[ $output == left ]]
	run -0 xd -u 1000 --cgroup own --memory 64m "$NAME" id -u
	[[ $output == 1000 ]]
	run -0 xd --kit none "$NAME" /bin/busybox echo own
	[[ $output == own ]]
}

@test "a greeting tells the state" {
	left docker-default busybox
	run -0 in_engine docker-default env TERM=xterm timeout 20 /usr/bin/python3 \
		"$PORTHOLE_SRC/tests/tools/term.py" 'expect:137 .SIGKILL. ' 'expect:forgotten when you leave' 'send:exit\r' -- "$PORTHOLE" exec "$NAME"
}

@test "what is written to a container that does not run is not forgotten silently: one line, with the state" {
	local said="porthole: 'NAME' exited with code 137 (SIGKILL) *; these are its files as it left them"
	left docker-default busybox
	xq() { in_engine docker-default timeout -k 2 20 "$PORTHOLE" exec "$@"; }
	run -0 --separate-stderr xq "$NAME" sh -c 'echo to stderr >&2; echo w >/left'
	# the command may be the first of the two to write
	[[ $(grep -cx 'to stderr' <<<"$stderr") == 1 ]] || die "$stderr"
	stderr=$(grep -vx 'to stderr' <<<"$stderr")
	# shellcheck disable=SC2053 # a pattern
	[[ -z $output && $stderr == ${said/NAME/$NAME}', and what you write is forgotten' ]] || die "$stderr"
	run -0 --separate-stderr xq "$NAME" <<<'echo w >/left' # no terminal, no CMD
	# shellcheck disable=SC2053
	[[ -z $output && $stderr == ${said/NAME/$NAME}', and what you write is forgotten' ]] || die "$stderr"
	run -0 --separate-stderr xq --keep "$BATS_TEST_TMPDIR/kept" "$NAME" sh -c 'echo kept >/left'
	# shellcheck disable=SC2053
	[[ $stderr == ${said/NAME/$NAME} && $(<"$BATS_TEST_TMPDIR/kept/files/left") == kept ]] || die "$stderr"
	run -0 --separate-stderr xq -q "$NAME" cat /left
	[[ $output == left && -z $stderr ]] || die "$output$stderr"
}

# waiting FLAG...: a session in it that has written /mine and does nothing until go_on; what it says is in OUT.
waiting() {
	OUT=$BATS_TEST_TMPDIR/out
	rm -f "$BATS_TEST_TMPDIR/go"
	mkfifo "$BATS_TEST_TMPDIR/go"
	x -i "$@" "$NAME" sh -c 'echo y >/mine; echo in; read x' <"$BATS_TEST_TMPDIR/go" >"$OUT" 2>&1 3>&- &
	SESSION=$!
	exec 7>"$BATS_TEST_TMPDIR/go"
	wait_until 20 grep -qx in "$OUT"
}

go_on() {
	echo go >&7
	exec 7>&-
	wait "$SESSION"
}

@test "started or removed meanwhile: nothing of that is in --diff, and the removal is told" {
	left docker busybox
	waiting --diff
	engine_cli docker start "$NAME"
	go_on
	[[ $(grep '^[ACD] ' "$OUT") == "A /mine" ]] || die "$(<"$OUT")"
	engine_cli docker kill "$NAME"
	wait_until 20 engine_says docker exited "$NAME"
	waiting
	engine_cli docker rm "$NAME"
	go_on
	[[ $(grep -c "'$NAME' was removed by its engine" "$OUT") == 1 ]] || die "$(<"$OUT")"
}

@test "podman" { left podman-default busybox && as_left; }
@test "rootless podman: owners as the container sees them" { left podman-rootless busybox && as_left; }
# owners ENGINE FLAG...: in a volume they are those that the container sees, and can be written to as such.
owners() {
	local dir flags=("${@:2}")
	require "$1" kit
	dir=$(test_dir)
	[[ $1 != podman-rootless ]] || chown "$(test_user)" "$dir"
	left "$1" busybox -v "vol$BASHPID:/vol" -v "$dir:/bound" "${flags[@]}"
	ENGINE=$1
	run -0 --separate-stderr xd --diff "$NAME" sh -c 'echo more >>/vol/v; stat -c "%n %u:%g" /vol /vol/v /data; chown 5:6 /vol/v; stat -c %u:%g /vol/v'
	[[ $output == $'/vol 0:0\n/vol/v 7:8\n/data 0:0\n5:6' && $stderr == *'C /vol/v' ]] || die "$ENGINE: $output $stderr"
}

@test "docker with --userns-remap: owners in volumes as the container sees them" { owners docker-userns; }
@test "rootless podman: owners in volumes" { owners podman-rootless; }
@test "podman with --uidmap: owners in volumes" {
	local dir
	require podman-default
	engine_start podman-default
	dir=$(test_dir)
	mkdir "$dir/lower" "$dir/ov"
	chown 200007:200008 "$dir/lower"
	in_engine podman-default mount -t overlay none "$dir/ov" -o "lowerdir=$dir/lower:$(mktemp -d -p "$dir")"
	owners podman-default --uidmap 0:200000:65536 --gidmap 0:200000:65536 -v "$dir/ov:/ov:ro"
	# an overlay cannot be id-mapped: said once
	run -0 --separate-stderr in_engine "$ENGINE" timeout -k 2 20 "$PORTHOLE" exec "$NAME" stat -c %u:%g /ov /vol/v
	[[ $output == $'200007:200008\n7:8' && ${#stderr_lines[@]} == 2 && ${stderr_lines[1]} == *" exited with "* &&
		${stderr_lines[0]} == "porthole: owners in /ov are shown as they are on disk: what it lies on cannot be id-mapped" ]] ||
		die "$output $stderr"
}

@test "cri" { left cri busybox && as_left; }
@test "lxc" { left lxc busybox && as_left; }

@test "runc, a read-only bundle: all can be written to" {
	require runc kit
	local pid
	ENGINE=runc NAME=$(uniq_name left)
	pid=$(target_start runc "$NAME" busybox)
	kill -KILL "$pid"
	wait_until 5 refute pid_alive "$pid"
	run -0 --separate-stderr x --diff "$NAME" sh -c 'touch /x && rm /etc/passwd'
	[[ $stderr == "porthole: '$NAME' "*'; these are its files as it left them, and what you write is forgotten'$'\nD /etc/passwd\nA /x' ]] ||
		die "$stderr"
}

@test "a directory, an archive, an image: opened as what does not run; nothing is changed" {
	require docker-default kit
	local d arch f
	d=$(test_dir)
	target_root "$d" busybox
	tar -C "$d/rootfs" -czf "$d/fs.tar.gz" .
	engine_start docker-default
	target_start docker-default "$(uniq_name img)" busybox >/dev/null
	find "$d/rootfs" -printf '%p %m %s %T@\n' | sort >"$BATS_TEST_TMPDIR/before"
	cd "$d"
	for f in "$d/rootfs/" rootfs/ ./rootfs "$d/fs.tar.gz" ./fs.tar.gz fs.tar.gz; do
		run -0 --separate-stderr x --diff "$f" sh -c 'cat /etc/os-release; touch /x; echo $$'
		[[ $output == *"Test image"*$'\n2' && $stderr == *"A /x" ]] || die "$f: $output$stderr"
	done
	find "$d/rootfs" -printf '%p %m %s %T@\n' | sort | diff "$BATS_TEST_TMPDIR/before" -
	ENGINE=docker-default
	f=$(uniq_name only)
	engine_cli docker-default tag pt/busybox:1 "${f,,}:1"
	run -0 xd "image://${f,,}:1" cat /etc/os-release
	[[ $output == *"Test image"* ]]
	# for another machine: said, and opened
	arch=$BATS_TEST_TMPDIR/oci
	mkdir "$arch"
	echo '{"architecture":"s390x","os":"linux","config":{"Cmd":["/app"]},"rootfs":{"type":"layers","diff_ids":[]}}' >"$arch/c.json"
	tar -C "$d/rootfs" -cf "$arch/l.tar" .
	jq -c --arg d "sha256:$(sha256sum <"$arch/l.tar" | cut -d' ' -f1)" '.rootfs.diff_ids = [$d]' "$arch/c.json" >"$arch/config.json"
	echo '[{"Config":"config.json","RepoTags":["far:1"],"Layers":["l.tar"]}]' >"$arch/manifest.json"
	tar -C "$arch" -cf "$arch/save.tar" config.json manifest.json l.tar
	run -0 --separate-stderr x "$arch/save.tar" cat /etc/os-release
	[[ $output == *"Test image"* && $stderr == *"for another machine (s390x)"* ]] || die "$output$stderr"
	says 125 "no engine on this host has an image" image://no/such:image true
	says 125 "No such file" "$d/nothing" true
	says 125 "no tar" "$arch/c.json" true
	mkfifo "$arch/fifo"
	says 125 "$arch/fifo is a FIFO"$'\n'"          of files, an archive or a directory can be opened" "$arch/fifo" true
	says 125 "/dev/zero is a character device" /dev/zero true
	mkdir "$arch/plain.d"
	cd "$arch"
	says 125 "there is a directory 'plain.d': that is named with a slash, plain.d/" plain.d true
	says 125 "99999999999 is no user's number" -u 99999999999 "$d/rootfs/" true
}

@test "an archive whose manifest is rubbish, or without any files, is no empty root; one with files beside is a root" {
	local d f what
	require kit
	d=$(test_dir)
	cd "$d"
	for what in 5 '[]' '{' '[{"Layers":7}]' '{"layers":[]}'; do
		echo "$what" >manifest.json
		tar -cf "$d/bad.tar" manifest.json
		gzip -kf bad.tar
		for f in ./bad.tar ./bad.tar.gz; do
			run -125 --separate-stderr x "$f" true
			[[ $stderr =~ ^porthole:\ cannot\ read\ .*(is\ no\ JSON|names\ no\ image) ]] || die "$what: $stderr"
		done
	done
	mkdir -p root/bin
	cp manifest.json root/
	echo root >root/bin/app
	tar -C root -cf root.tar .
	run -0 --separate-stderr x -q ./root.tar cat /bin/app
	[[ $output == root ]]
	head -c 10240 /dev/zero >zeros.tar
	gzip -k zeros.tar
	: | gzip >none.tar.gz
	for f in ./zeros.tar ./zeros.tar.gz ./none.tar.gz; do
		says 125 "'$f' is an archive without any files in it" "$f" true
	done
}

@test "kill -9 of any of the processes: nothing stays, nothing is changed" {
	local roles
	left lxc busybox
	cp "$PORTHOLE" "$BATS_TEST_TMPDIR/porthole"
	storage "/var/lib/lxc/$NAME" "$(target_dir lxc "$NAME")" >"$BATS_TEST_TMPDIR/before"
	residue_snapshot "$BATS_TEST_TMPDIR/r"
	for roles in supervisor agent supervisor,guard agent,guard; do
		run timeout 60 /usr/bin/python3 "$PORTHOLE_SRC/tests/tools/kill9.py" "$roles" 0 24 2 \
			"$BATS_TEST_TMPDIR/porthole" exec --kit "$PORTHOLE_BUILD/kit.erofs" "lxc://$NAME" \
			sh -c 'trap "" TERM HUP; echo x >/killed; sleep 300 & setsid sleep 300 & sleep 300'
		[[ $status == 0 && $output == *"gone within"* ]] || die "$roles: $output"
	done
	residue_assert_same "$BATS_TEST_TMPDIR/r"
	storage "/var/lib/lxc/$NAME" "$(target_dir lxc "$NAME")" | diff "$BATS_TEST_TMPDIR/before" -
}
