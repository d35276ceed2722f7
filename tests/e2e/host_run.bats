#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets stderr
# host run: what a container of the host's has of it, profile by profile, and what it has not.
load ../lib/porthole

setup() {
	require kit
	DIR=$(test_dir)
}

teardown() {
	umount_below "$DIR"
}

# keeps PROFILE: which namespaces of ours its container is in.
keeps() {
	local n out
	out=$(hr --profile "$1" sh -c 'for n in pid net ipc uts cgroup mnt; do readlink /proc/self/ns/$n; done')
	for n in pid net ipc uts cgroup mnt; do
		grep -qxF "$(readlink /proc/self/ns/$n)" <<<"$out" && printf '%s ' "$n"
	done
	return 0
}

@test "each profile keeps the namespaces it names, and no other" {
	[[ $(keeps admin) == "pid net ipc uts cgroup " ]] || die "$(keeps admin)"
	[[ $(keeps inspect) == "pid net ipc uts cgroup " ]] || die "$(keeps inspect)"
	[[ $(keeps trace) == "pid net ipc uts cgroup " ]] || die "$(keeps trace)"
	[[ $(keeps toolbox) == "pid net ipc uts " ]] || die "$(keeps toolbox)"
	[[ $(keeps cockpit) == "pid net ipc " ]] || die "$(keeps cockpit)"
	[[ $(keeps libvirt) == "pid net ipc " ]] || die "$(keeps libvirt)"
	[[ $(keeps introspect) == "pid net " ]] || die "$(keeps introspect)"
	[[ $(keeps net) == "net " ]] || die "$(keeps net)"
	[[ $(keeps disk) == "ipc " ]] || die "$(keeps disk)"
	[[ $(keeps kmod) == "" ]] || die "$(keeps kmod)"
	[[ $(keeps monitor) == "" ]] || die "$(keeps monitor)"
}

@test "admin writes to the host's files; inspect reads all of them and writes none" {
	echo secret >"$DIR/of-root"
	chmod 600 "$DIR/of-root"
	run -0 hr sh -c "cat /host$DIR/of-root; echo changed >/host$DIR/by-admin"
	[[ $output == *secret* && $(<"$DIR/by-admin") == changed ]] || die "$output"
	run -0 hr --profile inspect cat "/host$DIR/of-root"
	[[ $output == *secret* ]] || die "$output"
	run hr --profile inspect sh -c "echo x >/host$DIR/by-inspect"
	[[ $status != 0 && ! -e $DIR/by-inspect ]] || die "$status $output"
}

# Whatever the caller's / is: the one of his mount namespace, a mount or a directory he has changed his root to, or one
# of an initramfs, which cannot be left (a tmpfs is taken for that).
@test "the host's / is the caller's, whole, whatever kind of root that is" {
	local kind
	mkdir -p "$DIR/root/"{proc,dev,sys,run,etc,tmp,below/sub} "$DIR/tmpfs"
	cp "$PORTHOLE" "$DIR/root/porthole"
	cp "$PORTHOLE_BUILD/kit.erofs" "$DIR/root/kit.erofs"
	echo mine >"$DIR/root/mine"
	for kind in directory mount tmpfs; do
		# shellcheck disable=SC2016
		run -0 timeout 60 unshare -m --propagation private bash -euc 'root=$1/root
			[[ $2 != mount ]] || mount --bind "$root" "$root"
			[[ $2 != tmpfs ]] || { mount -t tmpfs t "$1/tmpfs"; cp -a "$root/." "$1/tmpfs"; root=$1/tmpfs; }
			for d in proc dev sys; do mount --rbind "/$d" "$root/$d"; done
			mount -t tmpfs -o size=4k sub "$root/below/sub" && echo sub >"$root/below/sub/file"
			exec chroot "$root" /porthole host run -q sh -c "cat /host/mine /host/below/sub/file; echo inside >/host/new-$2
				ls /host/.. /host/../.. /host/host 2>/dev/null; grep -c \" /host \" /proc/self/mountinfo"' _ "$DIR" $kind
		[[ $output == *mine*sub* && $output != *"${DIR%/*}"* && $output == *1 ]] || die "$kind: $output"
		[[ $kind == tmpfs || $(<"$DIR/root/new-$kind") == inside ]] || die "$kind: $output"
	done
}

@test "what is mounted over a device of the host's, or below a directory of its /dev, is there inside" {
	echo over >"$DIR/over"
	# shellcheck disable=SC2016
	run -0 timeout 60 unshare -m --propagation private bash -euc 'mount --bind "$1/over" /dev/full
		mount -t tmpfs -o size=4k t /dev/shm && echo shm >/dev/shm/file
		exec "$2" host run -q cat /dev/full /dev/shm/file /host/dev/full' _ "$DIR" "$PORTHOLE"
	[[ $output == *over*shm*over* ]] || die "$output"
	run -0 hr -q sh -c 'head -c 3 /dev/zero | wc -c; ls /dev'
	[[ $output == *3*null*zero* ]] || die "$output"
}

@test "what is mounted in the kit's own directories has its place there, and the kit's programs go on" {
	mkdir -p "$DIR/modules/1.2.3"
	run -0 --separate-stderr hr --profile net -v "$DIR/modules:/lib/modules:ro" -v "$DIR/modules:/usr/share/x" \
		sh -c 'ls /lib /lib/modules /usr/share/x; touch /lib/modules/new; python3 -c "import ssl; print(1 + 1)"'
	[[ $output == *-linux-gnu*modules*1.2.3*1.2.3*2 && $stderr != *"is not in this view"* ]] || die "$output $stderr"
	[[ ! -e $DIR/modules/new ]]
}

@test "its own files can be written to, and are forgotten; read-only ones cannot" {
	run -0 hr sh -c 'echo a >/tmp/x; echo b >/root/x; echo c >/x; cat /tmp/x /root/x /x'
	[[ $output == *a*b*c* ]] || die "$output"
	run -0 hr sh -c 'ls /tmp /root /'
	[[ $output != *x* ]] || die "$output"
	run hr --read-only sh -c 'echo a >/etc/x'
	[[ $status != 0 ]] || die "$output"
}

@test "the variables say where the host is, and none leads nowhere" {
	run -0 hr env
	for v in HOST=/host sysimage=/host HOST_ROOT=/host SYSDIG_HOST_ROOT=/host HOST_PROC=/host/proc HOST_SYS=/host/sys \
		HOST_ETC=/host/etc HOST_VAR=/host/var HOST_RUN=/host/run container=porthole NAME=admin IMAGE=kit \
		SYSTEMD_IGNORE_CHROOT=1; do
		grep -qxF "$v" <<<"$output" || die "$v: $output"
	done
	run -0 hr --profile toolbox --name box env
	[[ $output == *sysimage=/media/root* && $output == *NAME=box* && $output != *=/host* ]] || die "$output"
	run -0 hr --profile net env
	[[ $output != *HOST* && $output != *sysimage* && $output == *container=porthole* ]] || die "$output"
	run -0 hr --profile monitor env
	[[ $output == *HOST_PROC=/host/proc* && $output != *HOST_ETC* ]] || die "$output"
}

# caps ARG...: the effective capabilities of a command there.
caps() {
	hr "$@" sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status
}

@test "/dev/shm is the host's where ipc is, and only there" {
	local at
	at=$(mktemp /dev/shm/pt.XXXXXX)
	echo "the host's" >"$at"
	run -0 hr -q cat "$at"
	[[ $output == *"the host's" ]] || die "$output"
	run -0 hr -q --profile inspect cat "$at"
	run -1 hr -q --ns=-ipc cat "$at"
	run -1 hr -q --profile net cat "$at"
	rm "$at"
}

@test "capabilities are the profile's, changed by switches, as far as we have them" {
	local bound
	bound=$((16#$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status)))
	(((16#$(caps)) == bound)) || die "admin: $(caps)"
	(((16#$(caps --profile net)) == ((0xa80425fb | 1 << 12 | 1 << 13 | 1 << 10) & bound))) || die "net"
	(((16#$(caps --profile net --cap-drop ALL)) == 0)) || die "net without"
	(((16#$(caps --profile net --cap-drop ALL --cap-add NET_RAW)) == 1 << 13)) || die "net, one"
	(((16#$(caps --profile inspect)) == (1 << 2 | 1 << 34))) || die "inspect"
	(((16#$(caps -u 1000)) == 0)) || die "a user"
}

@test "--ns, -v, --ro and --mask change a profile" {
	echo one >"$DIR/file"
	mkdir "$DIR/d"
	[[ $(hr --profile net --ns +uts,-net readlink /proc/self/ns/uts) == "$(readlink /proc/self/ns/uts)" ]] || die "uts"
	[[ $(hr --profile net --ns +uts,-net readlink /proc/self/ns/net) != "$(readlink /proc/self/ns/net)" ]] || die "net"
	[[ $(hr --ns none readlink /proc/self/ns/net) != "$(readlink /proc/self/ns/net)" ]] || die "none"
	run -0 hr --profile net -v "$DIR:/data" sh -c 'cat /data/file; echo two >/data/new'
	[[ $output == *one* && $(<"$DIR/new") == two ]] || die "$output"
	run hr --profile net -v "$DIR:/data:ro" sh -c 'cat /data/file; echo two >/data/ro'
	[[ $status != 0 && $output == *one* && ! -e $DIR/ro ]] || die "$output"
	run hr --ro sh -c "cat /host$DIR/file; echo two >/host$DIR/ro"
	[[ $status != 0 && $output == *one* && ! -e $DIR/ro ]] || die "$output"
	[[ $output == *"--ro keeps from mistakes only"*"Profile inspect is a boundary"* ]] || die "$output"
	run -0 hr --ro --cap-drop sys_admin --profile disk true
	[[ $output != *"mount the host's files again"* ]] || die "$output"
	run -0 hr --mask "/host$DIR" sh -c "ls -A /host$DIR; ls /host/tmp | wc -l"
	[[ $output != *file* ]] || die "$output"
	run -0 --separate-stderr hr --mask "/host$DIR/nosuch" --mask "/host$DIR" true
	[[ $stderr == *"porthole: --mask /host$DIR/nosuch: there is nothing to mask"* && $stderr != *"mask /host$DIR:"* ]] || die "$stderr"
	run hr --mask "/host$DIR/file" cat "/host$DIR/file" "/host$DIR/new"
	[[ $'\n'$output == *$'\n'two* && $'\n'$output != *$'\n'one* ]] || die "$output"
}

@test "an image is its root, with the host's names and Porthole in PATH" {
	mkdir -p "$DIR/i/bin" "$DIR/i/etc"
	cp /bin/busybox "$DIR/i/bin/"
	run -0 hr --image "$DIR/i" /bin/busybox sh -c \
		'/bin/busybox cat /etc/resolv.conf /etc/hosts; /bin/busybox ls /host/bin/sh; porthole version; echo $IMAGE'
	[[ $output == *"$(</etc/hosts)"* && $output == */host/bin/sh* && $output == *"$DIR/i"* ]] || die "$output"
	[[ $output == *"$("$PORTHOLE" version | head -1)"* ]] || die "$output"
	[[ $(ls "$DIR/i" "$DIR/i/etc") == "$(printf '%s:\nbin\netc\n\n%s:' "$DIR/i" "$DIR/i/etc")" ]] || die "$(find "$DIR/i")"
	run -127 hr --image "$DIR/i" nosuch
	[[ $output == *"no command 'nosuch'"* ]] || die "$output"
}

@test "'host' alone is a shell, and its exit code is its own" {
	run -42 timeout -k 2 30 "$PORTHOLE" host <<<'exit 42'
	run -0 timeout -k 2 30 "$PORTHOLE" host --profile net -- true
	run -0 timeout -k 2 30 "$PORTHOLE" host --help
	[[ $output == *"host run"* ]] || die "$output"
	run -143 hr sh -c 'kill -TERM $$'
}

@test "what is not there is said in one sentence" {
	run -125 hr --profile nosuch true
	[[ $output == *"no profile 'nosuch'"*monitor* ]] || die "$output"
	printf 'summary = x\nshare = everything\n' >"$DIR/bad.profile"
	run -125 hr --profile "$DIR/bad.profile" true
	[[ $output == *"bad.profile, line 2"*everything* ]] || die "$output"
	run -125 hr -v "$DIR/nosuch:/x" true
	[[ $output == *"$DIR/nosuch"*"/x"*"No such file"* ]] || die "$output"
	run -125 hr -v "$DIR:/host/nosuch/dir" true
	[[ $output == *"/nosuch/dir of the host"* && ! -e /nosuch ]] || die "$output"
	run -125 hr -v "$DIR:/x:strange" true
	[[ $output == *"-v '$DIR:/x:strange': there is no option 'strange'"* ]] || die "$output"
	run -0 hr -v "$DIR:/x:ro,Z" -v "$DIR:/y:z" true
	run -125 hr --profile "$DIR/" true
	[[ $output == *"the profile $DIR/ is no file"* ]] || die "$output"
	run -125 hr -v "$DIR:relative" true
	[[ $output == *"-v takes HOST:PATH"*"PATH is absolute"* ]] || die "$output"
	run -125 hr -v "$DIR:/x" -v /etc:/y -v "/usr:/x:ro" true
	[[ $output == *"two -v are for the same path inside: /x"* ]] || die "$output"
	run -0 hr -v "$DIR:/x" -v "$DIR:/y" true
	run -125 hr --ns everything true
	[[ $output == *everything* ]] || die "$output"
	run -125 hr --ns nosuch true
	[[ $output == *"--ns takes pid, net, ipc, uts, cgroup, all or none, not 'nosuch'"* ]] || die "$output"
	run -125 hr --kit none true
	[[ $output == *"--kit none needs --image"* && $output != *--view* ]] || die "$output"
	run -127 hr porthole host exec nosuch
	[[ $output == *"no command 'nosuch' in the host's PATH"* && $output != *--ns* ]] || die "$output"
	run -125 hr --mask relative true
	[[ $output == *"absolute path"* ]] || die "$output"
	mkdir "$DIR/empty"
	run -127 hr --image "$DIR/empty" sh
	[[ $output == *"no command 'sh'"*"with --kit FILE"* ]] || die "$output"
	run as_user timeout 30 "$(for_users "$PORTHOLE")" host run --kit "$PORTHOLE_BUILD/kit.erofs" true
	[[ $status == 125 && $output == *CAP_SYS_ADMIN*sudo* ]] || die "$status $output"
}

# back TOOL PROFILE: what `explain` reads in TOOL's line of PROFILE: paths, and which isolation is gone.
back() {
	local line
	line=$(hr --profile "$2" --explain --json -- id | jq -r ".lines.$1")
	"$PORTHOLE" explain --json "$line" | jq -c '[[.mounts[] | [.host, .inside, .read_only]], [.means[].id | select(startswith("ns") or startswith("gone"))]]'
}

@test "--explain does nothing, and prints lines of other tools that give the same again" {
	local p want
	run -0 hr --explain -- touch "/host$DIR/done"
	[[ ! -e $DIR/done && $output == *"by docker:"*"by podman:"*"by nspawn, with the image's files in /var/lib/machines/"*"--directory=/var/lib/machines/"*"by kubernetes"* ]] ||
		die "$output"
	mkdir "$DIR/root"
	run -0 hr --image "$DIR/root/" --explain -- true
	[[ $output == *"by nspawn:"*"--directory=$DIR/root/ "* ]] || die "$output"
	for p in monitor net inspect trace introspect disk libvirt cockpit toolbox admin; do
		want=$("$PORTHOLE" profile show "$p" | awk '$1 == "mount" {printf "%s%s:%s:%s", s, $3, $4, $5; s = " "}')
		for tool in docker podman nspawn; do
			run -0 back "$tool" "$p"
			[[ $(jq -r '[.[0][] | "\(.[0]):\(.[1]):\(if .[2] then "ro" else "rw" end)"] | join(" ")' <<<"$output") == "$want" ]] ||
				die "$tool, $p: $output, not $want"
		done
		[[ $(back docker "$p") == "$(back podman "$p")" ]] || die "$p: docker and podman differ"
	done
	run -0 hr --profile trace --explain --json -- id
	jq -e '.profile == "trace" and .kubernetes.spec.hostPID and .kubernetes.spec.hostNetwork and
		(.kubernetes.spec.volumes[0].hostPath.path == "/")' <<<"$output" || die "$output"
	run -0 hr --profile net --explain --json -- id
	jq -e '(.kubernetes.spec.hostPID | not) and (.lines.docker | contains("--network=host") and (contains("--pid") | not))' <<<"$output" ||
		die "$output"
}

@test "inspect: no path below /host can be written to, whatever it is" {
	mkdir -m 777 "$DIR/own"
	run -0 timeout -k 2 120 "$PORTHOLE" host run --profile inspect -v "$DIR/own:/own" \
		-v "$BATS_TEST_DIRNAME/../tools/writable.py:/w.py:ro" -- python3 /w.py /own /host/dev /host/run /host/etc /host/tmp \
		/host/proc/sys /host/proc/self /host/sys/fs/cgroup /host/sys/kernel
	# the control: what is given to it can be written to, and is found
	[[ ${lines[0]} == /own && -d $DIR/own/porthole-was-here ]] || die "$output"
	[[ ${lines[1]} == "tried "* && ${lines[1]#tried } -gt 1000 ]] || die "$output"
	# nor can it signal the host's processes, as root could
	run hr --profile inspect kill -0 $$
	[[ $status != 0 ]] || die "$output"
	run -0 hr kill -0 $$
}

@test "inspect: queues, semaphores and shared memory of the host are looked at, and not changed" {
	local way
	# the host's IPC here is a namespace of the test's, of small queues: what a user may have of them is one sum for all
	# shellcheck disable=SC2016
	run -0 unshare --ipc timeout -k 2 60 bash -euc '
		echo 1 >/proc/sys/fs/mqueue/msg_default
		echo 128 >/proc/sys/fs/mqueue/msgsize_default
		ids=$(python3 "$0" make /q)
		for p in inspect trace; do
			echo "$p"
			"$PORTHOLE" host run -q --profile $p -v "$0:/ipc.py:ro" -- python3 /ipc.py try /q $ids 2>/dev/null
		done' "$BATS_TEST_DIRNAME/../tools/ipc.py"
	[[ $output == $'inspect\nread shm\nread msg\nread sem\nread mq\ntrace\n'* ]] || die "$output"
	# the control: profile trace shares it, and can
	for way in shmat shmget msgsnd msgrcv msgget semop setval semget "mq write" "mq both" "mq receive" "mq make" "mq file" "mq unlink"; do
		grep -qx "$way" <<<"${output#*trace}" || die "$way: $output"
	done
}

@test "inspect: every mount below /host is read-only and without devices, also what the host mounts later" {
	# the host here is a mount namespace of the test's, whose mounts are shared as systemd makes them
	mkdir "$DIR/before" "$DIR/later"
	PT_MARK=$PT_RUN run -0 timeout -k 2 60 unshare -m bash -eu -c '
		# without the mounts of other runs of tests, which end who has copies of them
		awk "\$5 ~ \"^/tmp/pt\" { print \$5 }" /proc/self/mountinfo | tac | xargs -rn 1 umount -l || :
		mount --make-rshared /
		mount -t tmpfs -o mode=1777 t "$0/before"
		for p in inspect admin; do
			"$PORTHOLE" host run -q -d --profile $p --name "$1-$p" sleep 1000
		done >/dev/null 2>&1
		mount -t tmpfs -o mode=1777 t "$0/later"
		mknod -m 666 "$0/later/zero" c 1 5
		for p in inspect admin; do
			init=$(jq .pid "/run/porthole/$1-$p/state")
			n=0 # it comes a moment later, and read-only from its first
			until grep -q "/host$0/later ro,nodev" "/proc/$init/mountinfo" || [ $((n += 1)) = 50 ]; do sleep 0.1; done
			for d in before later; do
				"$PORTHOLE" exec -q --kit none "$1-$p" sh -c "touch /host$0/$d/$p" && echo "$p writes $d"
			done
			"$PORTHOLE" exec -q --kit none "$1-$p" sh -c "head -c 1 /host$0/later/zero >/dev/null" && echo "$p opens a device"
			echo "$p: $(grep -c " /host" "/proc/$init/mountinfo") mounts, of them" \
				"$(grep " /host" "/proc/$init/mountinfo" | grep -vc " /host[^ ]* ro,[^ ]*nodev") for writing"
			"$PORTHOLE" kill "$1-$p"
		done' "$DIR" "$(uniq_name late)" 2>/dev/null
	[[ $output == *"inspect: "[1-9]*"mounts, of them 0 for writing"* && $output != *"inspect writes"* && $output != *"inspect opens"* ]] ||
		die "$output"
	# the control
	[[ $output == *"admin writes before"*"admin writes later"*"admin opens a device"*"admin: "*"of them "[1-9]* ]] || die "$output"
}

@test "inspect: a process of the host's user nobody is no way out of what is read-only" {
	local p uid
	setpriv --reuid 65534 --regid 65534 --clear-groups sleep 60 3>&- &
	p=$!
	wait_until 5 grep -q '^Uid:.65534' "/proc/$p/status"
	chmod 755 "$DIR" && mkdir -m 777 "$DIR/open"
	for uid in "" "-u 65534:65534"; do
		run hr --profile inspect $uid sh -c "touch /proc/$p/root$DIR/open/x; kill -0 $p"
		if [[ -n $uid ]]; then # the control: as that user there is one
			[[ $status == 0 && -e $DIR/open/x ]] || die "$output"
		else
			[[ $status != 0 && ! -e $DIR/open/x ]] || die "$output"
		fi
	done
	kill "$p"
}

@test "porthole inside has its kit, so exec into the host's containers works there" {
	local pid
	pid=$("$PORTHOLE_BUILD/tests/scratch" --hostname hr)
	run -0 hr sh -c "porthole exec $pid bash -c 'ls /dev/p/b/gdb; hostname'"
	kill "$pid"
	[[ $output == *"/dev/p/b/gdb"*hr ]] || die "$output"
}

# filtered PROFILE: how seccomp is on in it, and how many filters there are.
filtered() {
	hr -q --profile "$@" sed -n 's/^Seccomp[^0-9]*//p' /proc/self/status 2>/dev/null | tr '\n' ' '
}

# call NUMBER ARG...: a system call's error in it; "0" where there is none.
call() {
	hr -q --profile net "${@:3}" perl -e '$! = 0; syscall($ARGV[0], $ARGV[1], 0, 0); print $! + 0' "$1" "$2"
}

@test "system calls are filtered where the profile does not say seccomp = off, by its capabilities" {
	local how
	for how in net monitor inspect; do
		[[ $(filtered $how) == "2 1 " ]] || die "$how: $(filtered $how)"
	done
	[[ $(filtered admin) == "0 0 " && $(filtered trace) == "0 0 " ]]
	{ "$PORTHOLE" profile show net | sed '/^seccomp/d' && echo "seccomp = off"; } >"$DIR/own.profile"
	[[ $(filtered "$DIR/own.profile") == "0 0 " ]] || die "$(filtered "$DIR/own.profile")"
	for how in U n m; do
		run -1 hr -q --profile net unshare -$how true
		[[ $output == *"Operation not permitted"* ]] || die "$how: $output"
	done
	run -0 hr -q --profile net --cap-add SYS_ADMIN unshare -m mount -t tmpfs none /tmp
	if [[ $(uname -m) == x86_64 ]]; then
		[[ $(call 250 0) == 1 && $(call 250 0 --cap-add ALL) == 1 ]] # keyctl: nobody
		[[ $(call 134 0x40000) == 1 ]]                              # uselib
		[[ $(call 500 0) == 38 && $(call 39 0) == 0 ]]              # one to come; getpid
	fi
	# what tools need is allowed: processes, threads, tracing them, the network
	run -0 hr -q --profile net strace -f -o /dev/null sh -c 'true | true'
	run -0 hr -q --profile net python3 -c 'import threading as t; x = t.Thread(target=print, args=("ran",)); x.start(); x.join()'
	[[ $output == ran ]]
	run -0 hr --profile net --explain true
	[[ $output == *"system calls as docker's default filter has it"* ]] || die "$output"
	run -0 hr --profile admin --explain true
	[[ $output == *"system calls all of them: no filter"* ]] || die "$output"
	[[ $(hr --profile net --explain --json true | jq .filtered) == true ]]
}

@test "the filter is docker's, but for what docker learnt after 20.10" {
	require docker
	[[ $(uname -m) == x86_64 ]] || skip "the numbers are those of x86-64"
	local name pid more fewer
	name=$(uniq_name filter)
	pid=$(target_start docker "$name" busybox --cap-add NET_ADMIN)
	/usr/bin/python3 "$PORTHOLE_SRC/tests/tools/filter.py" "$pid" >"$DIR/docker"
	grep -q '^0 allow$' "$DIR/docker"
	spawn "$DIR/pid" "$DIR/out" "$PORTHOLE" host run -q --profile net --ns +pid sh -c 'echo $$; exec sleep 60'
	wait_until 10 grep -q . "$DIR/out"
	/usr/bin/python3 "$PORTHOLE_SRC/tests/tools/filter.py" "$(<"$DIR/out")" >"$DIR/ours"
	end_spawned "$DIR/pid"
	# name_to_handle_at, process_vm_*, pkey_*, and those after Linux 5.17; io_uring is no more
	more=$(comm -13 <(grep allow "$DIR/docker" | sort) <(grep allow "$DIR/ours" | sort) | sort -n | tr '\n' ' ')
	fewer=$(comm -23 <(grep allow "$DIR/docker" | sort) <(grep allow "$DIR/ours" | sort) | sort -n | tr '\n' ' ')
	[[ ${more// allow} == "303 310 311 329 330 331 451 452 453 454 455 456 " ]] || die "more: $more"
	[[ ${fewer// allow} == "425 426 427 " ]] || die "fewer: $fewer"
	target_stop docker "$name"
}
