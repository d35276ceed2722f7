#!/usr/bin/env bats
# porthole exec: --ns, --caps, --cgroup, --view, --kit, --explain, --prove, --force.
load ../lib/porthole

setup_file() {
	web_and_bare '.root.readonly=false' '.process.noNewPrivileges=true' \
		'.process.user={"uid":1000,"gid":1000}' '.process.capabilities={"bounding":["CAP_KILL","CAP_CHOWN"],
		"effective":["CAP_CHOWN"],"permitted":["CAP_CHOWN"],"inheritable":["CAP_CHOWN"],"ambient":["CAP_CHOWN"]}'
}

teardown_file() {
	web_and_bare_stop
}

ns() {
	readlink "/proc/$1/ns/$2"
}

# ns_of ARG...: the namespaces that a command of exec ARG... is in, one a line.
ns_of() {
	x "$@" sh -c 'for n in mnt net pid ipc uts cgroup user; do readlink /proc/self/ns/$n; done'
}

@test "all namespaces of the target's own, but for a mount namespace that only the session has" {
	local n got
	got=$(ns_of "$WEB")
	for n in net pid ipc uts cgroup; do
		grep -qxF "$(ns "$WEB_PID" $n)" <<<"$got"
		refute grep -qxF "$(ns self $n)" <<<"$got"
	done
	grep -qxF "$(ns self user)" <<<"$got"
	refute grep -qxF "$(ns self mnt)" <<<"$got"
	refute grep -qxF "$(ns "$WEB_PID" mnt)" <<<"$got"
	# without the kit no other mount namespace is needed for it, and still the target's is never changed
	run -0 x --kit none "$WEB" sh -c 'mount -t tmpfs none /mnt 2>/dev/null || mount -t tmpfs none /tmp; echo mounted'
	[[ $output == mounted ]]
	refute grep -qE ' /(tmp|mnt) ' "/proc/$WEB_PID/mountinfo"
}

@test "mounts of a session reach neither the target nor the host" {
	run -0 x "$WEB" bash -c 'mkdir -p /run/m && mount -t tmpfs none /run/m && grep -c " /run/m " /proc/self/mountinfo; rmdir /run/m 2>/dev/null; umount /run/m && rmdir /run/m'
	[[ $output == 1 ]]
	refute grep -q ' /run/m ' "/proc/$WEB_PID/mountinfo"
	refute grep -q ' /run/m ' /proc/self/mountinfo
}

@test "--ns net: the host's tools and files in the target's network" {
	app_in "$BARE_PID" "$BATS_TEST_TMPDIR"
	run -0 x --ns net "$BARE_PID" -- ss -Htln
	[[ $output == *"127.0.0.1:$APP_PORT"* ]]
	run -0 x --ns net "$BARE_PID" bash -c 'readlink /proc/self/ns/net /proc/self/ns/mnt; echo $$ $PATH $PWD'
	[[ ${lines[0]} == "$(ns "$BARE_PID" net)" && ${lines[1]} == "$(ns self mnt)" ]]
	[[ ${lines[2]} == *" $PATH $PWD" ]]
	kill -0 "${lines[2]%% *}" 2>/dev/null || true
	run -0 ss -Htln
	[[ $output != *"127.0.0.1:$APP_PORT"* ]]
	end_spawned "$BATS_TEST_TMPDIR/app.pid"
}

@test "--ns uts,ipc and --ns pid,mnt; names in every way" {
	local got
	got=$(ns_of --ns uts,ipc "$WEB")
	grep -qxF "$(ns "$WEB_PID" uts)" <<<"$got"
	grep -qxF "$(ns self net)" <<<"$got"
	grep -qxF "$(ns self mnt)" <<<"$got"
	got=$(ns_of --ns pid --ns mnt "$WEB")
	grep -qxF "$(ns "$WEB_PID" pid)" <<<"$got"
	grep -qxF "$(ns self net)" <<<"$got"
	[[ $(x --ns pid,mnt "$WEB" cat /etc/passwd) == *app:x:1000* ]]
	[[ $(x --ns pid,mnt "$WEB" cat /proc/1/comm) == app ]]
	# processes of the target, files of the host
	run -0 x --ns pid "$WEB" cat /etc/passwd
	[[ $output == "$(cat /etc/passwd)" ]]
	# its files, our processes: /proc is of our own pid namespace
	run -0 x --ns mnt "$WEB" bash -c 'readlink /proc/self/ns/pid; cat /etc/group | wc -l'
	[[ ${lines[0]} == "$(ns self pid)" && ${lines[1]} == 3 ]]
}

@test "--ns: what is no namespace" {
	says 127 "there is no command 'no-such' in the host's PATH" --ns net "$WEB" no-such
	says 125 "nonsense" --ns net,nonsense "$WEB" true
	says 125 "--ns takes a list, not ''" --ns '' "$WEB" true
	says 125 "--view kit needs mnt in the list of --ns" --ns net --view kit "$WEB" true
	says 125 "--kit needs mnt in the list of --ns" --ns net --kit "$PORTHOLE_BUILD/kit.erofs" "$WEB" true
}

# caps ARG...: the effective, permitted, bounding and ambient sets of a command of exec ARG...
caps() {
	x "$@" sed -nE 's/^Cap(Eff|Prm|Bnd|Amb):\t0*([0-9a-f])/\2/p' /proc/self/status | tr '\n' ' '
}

# set_of PID NAME: a capability set without leading zeros.
set_of() {
	sed -nE "s/^Cap$2:\t0*([0-9a-f])/\1/p" "/proc/$1/status"
}

@test "--caps: all that we have unless told otherwise; none for a user who is not root" {
	local all
	all=$(set_of self Bnd)
	[[ $(caps "$WEB") == "$all $all $all 0 " || $(caps "$WEB") == "$all $all $all  " ]]
	[[ $(caps --caps all "$WEB") == "$(caps "$WEB")" ]]
	[[ $(caps -u 1000 "$WEB") == "0 0 $all 0 " ]]
	[[ $(caps -u 1000 --caps all "$WEB") == "$all $all $all $all " ]]
	run -125 --separate-stderr x --caps nonsense "$WEB" true
	[[ $stderr == *"no capability 'nonsense'"*"'all', 'none', 'docker', 'target'" ]] || die "$stderr"
}

@test "--caps target: what the target's first process has" {
	[[ $(set_of "$WEB_PID" Prm) == 1 ]] # chown
	[[ $(caps --caps target "$WEB") == "1 1 1 0 " ]]
	[[ $(caps --caps target -u target "$WEB") == "1 1 1 1 " ]]
	[[ $(caps --caps target "$BARE_PID") == "0 0 0 0 " ]]
	[[ $(x --caps target "$WEB" grep NoNewPrivs /proc/self/status) == *1 ]]
	[[ $(x "$WEB" grep NoNewPrivs /proc/self/status) == *0 ]]
}

@test "--caps LIST, for root and for another user" {
	[[ $(caps --caps net_raw,CAP_KILL "$WEB") == "2020 2020 2020 0 " ]]
	[[ $(caps -u 1000 --caps net_raw,kill "$WEB") == "2020 2020 2020 2020 " ]]
	[[ $(caps --caps none "$WEB") == "0 0 0 0 " ]]
	run -1 x --caps none "$WEB" chown 1:1 /tmp
	run -0 x --caps chown "$WEB" sh -c 'chown 1:1 /tmp && chown 0:0 /tmp'
	says 125 "net_rawr" --caps net_rawr "$WEB" true
}

@test "--caps: what we do not have ourselves is said" {
	run --separate-stderr -0 setpriv --bounding-set=-net_raw "$PORTHOLE" exec --caps net_raw,kill "$WEB" \
		sed -nE 's/^CapEff:\t0*//p' /proc/self/status
	[[ $output == 20 && $stderr == "porthole: capabilities asked for that we do not have ourselves: net_raw (no packets can be captured, and ping may fail)" ]]
}

@test "--cgroup: the caller's, unless told otherwise; target: the target's" {
	local c
	in_session "$WEB"
	[[ $(cat "/proc/$S_CMD/cgroup") == "$(cat /proc/self/cgroup)" ]]
	end_session
	in_session --cgroup target "$WEB"
	for c in memory pids cpu freezer; do
		[[ $(cgroup_dir "$S_CMD" $c) == "$(cgroup_dir "$WEB_PID" $c)" ]]
		[[ $(cgroup_dir "$S_CMD" $c) != "$(cgroup_dir self $c)" ]]
		[[ $(cgroup_dir "$S_PID" $c) == "$(cgroup_dir self $c)" ]] # Porthole itself is not charged
	done
	end_session
}

# limit PID CONTROLLER V1-FILE V2-FILE
limit() {
	cat "$(cgroup_dir "$1" "$2")/$3" 2>/dev/null || cat "$(cgroup_dir "$1" "$2")/$4"
}

@test "--cgroup own: limits, and gone at the end" {
	local d
	in_session --cgroup own --memory 64m --pids 20 --cpus 0.5 "$WEB"
	d=$(cgroup_dir "$S_CMD" memory)
	[[ $d == */porthole-* && -d $d ]]
	[[ $(limit "$S_CMD" memory memory.limit_in_bytes memory.max) == 67108864 ]]
	[[ $(limit "$S_CMD" pids pids.max pids.max) == 20 ]]
	[[ $(limit "$S_CMD" cpu cpu.cfs_quota_us cpu.max) == 50000* ]]
	[[ $(cgroup_dir "$S_PID" memory) != */porthole-* ]]
	end_session
	[[ ! -e $d ]]
	[[ -z $(find /sys/fs/cgroup -type d -name "${d##*/}") ]]
	# a limit alone means own
	in_session --pids 9 "$WEB"
	[[ $(limit "$S_CMD" pids pids.max pids.max) == 9 ]]
	end_session
}

@test "--memory: who takes more is killed, and only the session" {
	run -137 x --cgroup own --memory 32m "$BARE_PID" /app --eat 200
	pid_alive "$BARE_PID"
	run -0 x --cgroup own --memory 32m "$BARE_PID" /app --exit 0
}

@test "--pids: no more processes than that" {
	run x --pids 5 "$WEB" bash -c 'for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; echo all'
	[[ $output != all && $output == *"fork"* ]]
	run -0 x --pids 50 "$WEB" bash -c 'for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; echo all'
	[[ $output == all ]]
}

@test "--view kit: the kit's root, the target at /target" {
	run -0 x --view kit "$BARE_PID" sh -c 'ls /target; cat /proc/1/comm; ls -d /usr/bin/gdb; hostname'
	[[ ${lines[*]} == *app* && $output == *$'\napp\n/usr/bin/gdb\n'* && ${lines[-1]} == "$BARE" ]]
	run -0 x --view kit "$WEB" sh -c 'cat /etc/passwd; echo live >/target/run/seen; touch /own; ls /'
	[[ $output == *app:x:1000* && $output == *own* && $(<"/proc/$WEB_PID/root/run/seen") == live ]]
	[[ ! -e /proc/$WEB_PID/root/own && ! -e /own ]]
	rm "/proc/$WEB_PID/root/run/seen"
	[[ $(x --view kit -u app "$WEB" id -un) == app ]]
	says 125 "--view kit cannot be without a kit" --view kit --kit none "$WEB" true
}

@test "--kit none: the target alone" {
	[[ $(x --kit none "$WEB" sh -c 'echo $PATH; ls -d /dev/p 2>&1') == *:*/bin*"No such file"* ]]
	says 127 "there is no command 'ls' in the PATH" --kit none "$BARE_PID" ls
	[[ $stderr == *"without --kit none the kit's tools would be there too"* ]]
	[[ $(x --kit none "$BARE_PID" /app --get 8080) == "hello from scratch app" ]]
}

@test "--kit FILE and --kit DIR" {
	local d=$BATS_TEST_TMPDIR
	mkdir -p "$d/kit/b"
	cp "$PT_TOOLS/app" "$d/kit/b/own-app"
	mkfs.erofs --quiet "$d/kit.erofs" "$d/kit" >/dev/null
	[[ $(x --kit "$d/kit.erofs" "$BARE_PID" own-app --get 8080) == "hello from scratch app" ]]
	[[ $(x --kit "$d/kit" "$BARE_PID" own-app --get 8080) == "hello from scratch app" ]]
	says 127 "there is no command 'bash'" --kit "$d/kit" "$BARE_PID" bash
	says 125 "/no/such/kit" --kit /no/such/kit "$BARE_PID" true
	says 125 "is no kit" --kit "$PT_TOOLS/app" "$BARE_PID" true
}

@test "--explain: the plan in words and as JSON, and nothing is done" {
	local d=$BATS_TEST_TMPDIR/r
	residue_snapshot "$d" "$WEB_PID"
	run --separate-stderr -0 x --explain -u app --caps target -e A=1 "$WEB" touch "/tmp/a b"
	[[ -z $stderr && ! -e "/proc/$WEB_PID/root/tmp/a b" ]]
	grep -qE "^target +$WEB \(runc, pid $WEB_PID\)$" <<<"$output"
	grep -qE "^joins +mnt,pid,net,ipc,uts,cgroup$" <<<"$output"
	grep -qE "^user +app \(uid 1000, gid 1000\)$" <<<"$output"
	grep -qE "^capabilities +chown$" <<<"$output"
	grep -qE "^command +touch '/tmp/a b'$" <<<"$output"
	run --separate-stderr -0 x --explain --json "$WEB" touch /tmp/a
	[[ $(jq -r '[.target.pid, .view, .user.name, (.joins | length), .cgroup, .command[1]] | @csv' <<<"$output") == \
		"$WEB_PID,\"live\",\"root\",6,\"host\",\"/tmp/a\"" ]]
	[[ ! -e /proc/$WEB_PID/root/tmp/a ]]
	run -0 x --explain --cgroup own "$WEB" true
	residue_assert_same "$d"
}

@test "--prove: nothing changed" {
	run --separate-stderr -5 x --prove "$WEB" sh -c 'ls / >/dev/null; exit 5'
	[[ $stderr == *"the target's mounts"*"nothing changed"* ]]
	proves x --prove "$WEB" sh -c 'ls /'
	run --separate-stderr -0 x --prove --json "$WEB" true
	unchanged "$stderr"
	[[ $(jq '[.mounts, .processes, .cgroup, .root, .dev, .host_mounts, .loops | .changed | length] | add == $all' --argjson all "$(jq .changed <<<"$stderr")" <<<"$stderr") == true ]]
	[[ $(jq -r '[.[] | objects | .compared > 0] | map(select(.)) | length' <<<"$stderr") -ge 6 ]]
	proves x --prove --cgroup own "$WEB" true
}

@test "--prove: what the command itself changed is shown" {
	run --separate-stderr -0 x --prove "$WEB" touch /left
	[[ $stderr == *"entries of its /  "*"changed:"*"+left mode 100644"* && $stderr != *"proof: nothing changed" ]]
	run --separate-stderr -0 x --prove --json "$WEB" rm /left
	[[ $(jq -r '.root.changed[]' <<<"$stderr") == *"-left mode"* ]]
}

@test "the host's own namespaces: refused, unless forced" {
	local pid
	sleep 60 3>&- &
	pid=$!
	wait_until 5 grep -q sleep /proc/$pid/comm
	says 125 "process $pid (sleep) is in the host's own namespaces, so there is nothing to enter" pid:$pid true
	[[ $stderr == *--force* ]]
	[[ $(x --force pid:$pid bash -c 'echo $(readlink /proc/self/ns/net) /dev/p/b/gdb') == "$(ns self net) /dev/p/b/gdb" ]]
	[[ ! -e /dev/p ]]
	# some shared, as far as --ns asks
	says 125 "shares what --ns asks for" --ns user "$WEB" true
	run -0 x --force --ns user "$WEB" true
	kill $pid
}
