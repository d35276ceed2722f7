#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2016 # run sets stderr; nothing is to be expanded
# porthole explain, profile list and show: what a line gives a container; nothing of it is evaluated.
load ../lib/porthole

x() {
	timeout -k 2 20 "$PORTHOLE" explain "$@"
}

# ids KIND LINE: the ids of what it means, of one kind.
ids() {
	x --json "$2" | jq -r --arg k "$1" '[.means[] | select(.kind == $k) | .id] | join(" ")'
}

# enough LINE: the profile that would do; "null": none.
enough() {
	x --json "$1" | jq -r .enough
}

refused() {
	run -2 --separate-stderr x "${@:2}"
	[[ $stderr == "porthole: "*"$1"* && -z $output ]] || die "not '$1': $stderr$output"
}

@test "explain: the lines of cases.md, each by what it gives" {
	local agent='docker run -d --name dd-agent -h $(hostname) -v /var/run/docker.sock:/var/run/docker.sock -v /proc/:/host/proc/:ro -v /sys/fs/cgroup/:/host/sys/fs/cgroup:ro -e API_KEY=x datadog/docker-dd-agent'
	[[ $(ids root "$agent") == engine-socket && -z $(ids gone "$agent") && -z $(ids write "$agent") ]]
	[[ $(ids read "$agent") == "reads-proc reads-paths" ]]
	local sysdig='docker run --privileged --net host --pid host -v /var/run/docker.sock:/host/var/run/docker.sock -v /dev:/host/dev -v /proc:/host/proc:ro -v /boot:/host/boot:ro -v /lib/modules:/host/lib/modules:ro -v /usr:/host/usr:ro sysdig/sysdig'
	[[ $(ids root "$sysdig") == "privileged engine-socket" && $(ids gone "$sysdig") == "pid net filters" ]]
	[[ $(enough "$sysdig") == introspect ]]
	local spc='docker run --privileged --net=host --ipc=host --pid=host -v /:/host -v /run:/run -v /dev:/dev -v /sys:/sys -e sysimage=/host -e container=docker spc'
	[[ $(ids root "$spc") == "privileged root-writable dirs-writable"* && $(ids gone "$spc") == "pid net ipc filters" ]]
	[[ $(enough "$spc") == null ]] # no profile of less has / writable with /run and /sys
	local kmod='docker run --rm --privileged foobar /sbin/modprobe PATHTO/foobar-kmod'
	[[ $(ids root "$kmod") == privileged && $(enough "$kmod") == kmod ]]
	# a profile with an engine's socket, or without the device, would not be less, or not do
	[[ $(enough "docker run --security-opt seccomp=unconfined --device /dev/sda:/dev/sda x") == null ]]
	[[ $(enough "docker run --security-opt seccomp=unconfined x") == null ]]
	local nspawn='systemd-nspawn --directory=/x --capability=all --share-system --bind=/:/media/root --bind=/usr:/media/root/usr --bind=/run:/media/root/run --user=core'
	[[ $(ids root "$nspawn") == "privileged root-writable"* && $(ids gone "$nspawn") == "pid net ipc uts" ]]
	local plain='docker run --rm -ti --cap-drop ALL --read-only --user 1000 --security-opt no-new-privileges web -p 80'
	[[ -z $(ids root "$plain")$(ids gone "$plain")$(ids read "$plain")$(ids write "$plain")$(ids do "$plain") ]]
	x "$plain" | grep -q 'Capabilities: none'
	x "$plain" | grep -q 'root is read-only'
}

@test "explain: one right at a time, with the line that does not have it" {
	local base='docker run'
	check() { # KIND ID OPTIONS
		[[ " $(ids "$1" "$base $3 img") " == *" $2 "* ]] || die "$3: no $2"
		[[ " $(ids "$1" "$base img") " != *" $2 "* ]] || die "$2 without $3"
	}
	check gone pid --pid=host
	check gone pid '--pid host'
	check gone net '--network host'
	check gone ipc --ipc=host
	check gone uts --uts=host
	check gone cgroup --cgroupns=host
	check gone joined '--net container:web'
	check gone filters '--security-opt seccomp=unconfined'
	check root sys-module '--cap-add SYS_MODULE'
	check root sys-admin '--cap-add=CAP_SYS_ADMIN'
	check root ptrace-host '--pid host --cap-add SYS_PTRACE'
	check root root-writable '-v /:/host'
	check root dirs-writable '-v/etc:/e'
	check root dirs-writable '-v /etc/shadow:/x'
	check root dirs-writable '-v /usr/local/bin/tool:/x'
	check root dirs-writable '-v /etc/systemd/system:/x'
	for line in /etc/localtime:/etc/localtime /etc/shadow:/x:ro /usr/share/zoneinfo:/z /var/lib/docker/volumes/v/_data:/d /etcetera:/e; do
		[[ -z $(ids root "docker run -v $line x") ]] || die "$line"
	done
	check root dbus '-v /run/dbus/system_bus_socket:/run/dbus/system_bus_socket:ro'
	check root dbus '-v /var/run/dbus:/d'
	[[ $(x docker run -v /run/dbus:/d x) != *"can write"* ]]
	[[ -z $(ids root 'docker run -u 1000 -v /run/dbus:/d x') ]]
	check gone joined '--volumes-from web:ro'
	[[ $(x docker run --volumes-from web:ro x) == *"It shares the volumes and host paths of web."* ]]
	check do gpus '--gpus all'
	[[ $(x docker run --gpus device=1 x) == *"Use its GPUs (device=1)"* ]]
	check root proc-writable '-v /proc:/hp'
	check root devices '--device /dev/sda'
	[[ -z $(ids root 'docker run --device /dev/ttyUSB0 --device /dev/dri --device /dev/snd:/dev/snd x') ]]
	[[ -z $(ids root 'docker run --device /dev/kvm:/dev/kvm:rw x') ]] # no disk
	[[ $(x docker run --device=/dev/fuse x) == *"What it can write"*/dev/fuse* ]]
	check root root-writable '-v /root/..//.:/host' # docker cleans paths by their words
	check root root-writable '--mount type=bind,src=/../usr/..,dst=/host'
	[[ $(x docker run -v /srv/../srv/./data:/d x) == *"/srv/data (at /d)"* ]]
	check read reads-any '--cap-add dac_read_search'
	check read reads-root '--mount type=bind,source=/,target=/h,readonly'
	check write shallow-ro '-v /:/host:ro'
	check root engine-socket '-v /:/host:ro'
	check root engine-socket '-v /var/run:/x:ro'
	[[ -z $(ids root 'docker run --user 1000 -v /:/host:ro x')$(ids root 'docker run -v /srv:/x:ro x') ]] || die "a socket"
	check write writes-paths '-v /srv/data:/data'
	check do net-admin '--net=host --cap-add net_admin'
	check do kernel-watch '--cap-add BPF'
	check note pinned '-v /:/host:ro'
	check note slave '-v /:/host:ro,rslave'
	check note ports '-itp 80:80'
	check note unknown --frobnicate
	check note open-image '$OPTS'
	check note open-image '--frobnicate 3'
	[[ $(ids note 'docker run --frobnicate=3 img sh') != *open-image* ]]
	[[ $(ids note 'docker run --frobnicate -v /a:/b img sh') != *open-image* ]]
	[[ $(ids note 'docker run $IMAGE') != *open-image* ]] # nothing follows that could be meant otherwise
	# podman's and bwrap's read-only of their own: bwrap's is recursive
	[[ $(ids write 'bwrap --ro-bind / / --unshare-all true') != *shallow-ro* ]]
	[[ $(ids gone 'bwrap --ro-bind / / --unshare-all --share-net true') == "net"* ]]
	# bwrap makes everything a slave, and has no word for that
	[[ $(ids note 'sudo bwrap --ro-bind / / true') == received && $(ids note 'sudo bwrap --ro-bind /usr /usr true') == "" ]]
	# who runs it is not said: root has all of that, a user nothing of it
	[[ $(ids note 'bwrap --ro-bind /usr /usr true') == by-user && $(ids note 'bwrap --unshare-user --ro-bind /usr /usr true') == "" ]]
	# letters of nspawn's that look like options with a value
	[[ $(x --json 'systemd-nspawn -U -j -bD /srv/x' | jq -r .image) == /srv/x ]]
	[[ $(x 'systemd-nspawn -bUD /srv/x') == *"root in it is nobody outside"* && $(x 'systemd-nspawn -bD /srv/x') != *"nobody outside"* ]]
	check root dirs-writable '-v /proc/sys/kernel/core_pattern:/x'
	[[ -z $(ids root 'docker run -v /proc/sys/net:/x y') ]]
	[[ $("$PORTHOLE" explain 'bwrap --bind / /host sh') != *rslave* ]]
	# only engines refuse to start with less than was asked for
	less() { setpriv --bounding-set -sys_time "$PORTHOLE" explain "$1"; }
	[[ $(less 'docker run --privileged img') == *"cannot give"*sys_time* ]]
	[[ $(less 'bwrap --dev-bind / / true') != *"cannot give"* ]]
	# what is another's is not its own
	run -0 x docker run --network container:web --ipc container:web --uts host img
	[[ $output == *"Of its own: file systems, processes."* ]] || die "$output"
	run -0 x docker run img
	[[ $output == *"Of its own: file systems, processes, network, shared memory, host name."* ]] || die "$output"
	# a value that is written with the option, and false
	[[ -z $(ids root 'docker run --privileged=false img') ]]
	[[ $(ids root 'docker -H unix:///x.sock container run --privileged img') == privileged ]]
}

@test "explain: nothing is evaluated, in any way of writing it" {
	local t=$BATS_TEST_TMPDIR/ran
	for line in "docker run \$(touch $t) img" "docker run \`touch $t\` img" "docker run -e \"A=\$(touch $t)\" img" \
		"docker run img; touch $t" "docker run img && touch $t" "docker run img | tee $t" "docker run img >$t"; do
		run -0 x "$line"
		[[ $output == *"nothing is evaluated"* || $output == *"Not looked at"* ]] || die "$line: $output"
		[[ ! -e $t ]]
	done
	run -0 x "docker run '\$(touch $t)' img" # in single quotes it is text for a shell, too
	[[ $output != *evaluated* && ! -e $t ]]
	printf 'docker run \\\n  --privileged \\\n  img\n' | x - | grep -q 'Root in it is root of the host'
	run -0 x docker run --privileged img
	[[ $output == *"--privileged:"* ]]
}

@test "explain: a prompt that was pasted with the line is passed over, and no word of a line is one" {
	local p
	for p in '# ' '$ ' 'root@host:~# ' '[me@host ~]$ ' 'bash-5.1# ' '  % ' 'host:/srv> ' '#  '; do
		[[ $(ids root "${p}sudo docker run --privileged img") == privileged ]] || die "$p"
	done
	[[ $(printf '$ docker run \\\n--privileged img\n' | x --json - | jq -r .image) == img ]]
	refused "this is 'docker'" '# docker'
	refused "no command in this line" '#docker run img'
	refused "'a' is no command" 'a docker run # img'
	[[ $(x --json "docker run img a# b" | jq -r .image) == img ]]
}

@test "explain: bad lines: one sentence each, and what to do" {
	refused "no command in this line" ''
	refused "'ls' is no command that starts a container" 'ls -l'
	[[ $stderr == *"reads docker run, podman run, systemd-nspawn and bwrap"* ]]
	refused "this is 'ps'" 'docker ps -a'
	refused "this is 'compose'" 'docker compose up -d'
	refused "this is 'kube'" 'podman kube play pod.yaml'
	[[ $stderr == *"written in its file"* ]]
	refused "a ' that is not closed" "docker run 'img"
	refused "a '(' that is not closed" 'docker run $(date'
	refused "should have a value" 'docker run -v'
	refused "no capability" 'docker run --cap-add NONSENSE img'
	refused "should have 2 words" 'bwrap --bind /'
	refused "not closed" $'docker run "\e[31m'
	run -125 --separate-stderr x - < <(head -c 140000 /dev/zero | tr '\0' x)
	[[ $stderr == *"reading the line from standard input: File too large"* ]]
	run -0 x $'docker run -v /a\e[31mb:/c img'
	refute grep -qP '[\x00-\x09\x0b-\x1f\x7f]' <<<"$output"
}

@test "profile list and show: what comes with Porthole, one's own, and what is not right" {
	run -0 "$PORTHOLE" profile list
	for name in monitor inspect net trace introspect disk kmod libvirt cockpit admin toolbox; do
		[[ $output == *$'\n'"$name "* ]] || die "no $name"
		run -0 "$PORTHOLE" profile show "$name"
		diff <(echo "$output") "$PORTHOLE_SRC/profiles/$name.profile"
		run -0 "$PORTHOLE" profile list
	done
	# the least: nothing it has is root's, but what a socket gives; inspect writes nothing
	[[ $("$PORTHOLE" profile show --json inspect | jq -r '[.means[].id] | join(" ")') != *writ* ]]
	[[ $("$PORTHOLE" profile show --json admin | jq -r '[.means[].id] | join(" ")') == *root-writable* ]]
	run -125 --separate-stderr "$PORTHOLE" profile show nonsense
	[[ $stderr == *"no profile 'nonsense'"*"there are: monitor"* ]]
	local f=$BATS_TEST_TMPDIR/mine.profile
	printf 'summary = mine\nmount = /srv /srv rw\n' >"$f"
	"$PORTHOLE" profile show "$f" | grep -q mine
	while IFS='|' read -r text words; do
		printf '%b\n' "$text" >"$f"
		run -125 --separate-stderr "$PORTHOLE" profile show "$f"
		[[ $stderr == *"$words"* ]] || die "$text: $stderr"
	done <<-'END'
		share = moon\nsummary = x|line 1: 'moon' is no value of 'share', which takes pid, net, ipc, uts and cgroup
		summary = x\nfrob = 1|line 2: there is no key 'frob'
		summary = x\nmount = srv /srv rw|line 2: a mount is HOST-PATH INSIDE-PATH
		summary = x\ncaps = everything|line 2:
		summary = x\nrubbish|line 2: 'rubbish' is not KEY = VALUE
		share = pid|has no summary
	END
	# a name is none of a file elsewhere
	run -125 --separate-stderr "$PORTHOLE" profile show ..
	[[ $stderr == *"no profile '..'"* ]]
}
