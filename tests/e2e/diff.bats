#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets stderr
# porthole diff: what changed in a container, as its engine tells it; how two trees differ.
load ../lib/porthole

# p ARG...: porthole where the engine of the test has its paths.
p() {
	in_engine "$ENGINE" timeout -k 2 60 "$PORTHOLE" "$@"
}

teardown() {
	[[ -z ${NAME:-} ]] || target_stop "$ENGINE" "$NAME"
}

# changed ENGINE: NAME is a container in which something of every kind was done.
changed() {
	ENGINE=$1
	require "$ENGINE" kit
	NAME=$(uniq_name diff)
	PID=$(target_start "$ENGINE" "$NAME" busybox -v "vol$BASHPID:/vol")
	p exec -q "$NAME" sh -c 'mkdir -p /opt/new/sub; echo 1 >/opt/new/sub/f; echo more >>/etc/group; rm /etc/os-release
		chmod 600 /etc/passwd; ln -s /x /link; mkfifo /fifo; echo v >/vol/v; touch "/new
line"; '"${2:-}"
}

# as_engine: what we say is what the engine says, with the container running and stopped.
as_engine() {
	local want=$BATS_TEST_TMPDIR/want is=$BATS_TEST_TMPDIR/is
	engine_cli "$ENGINE" diff "$NAME" >"$want.raw" # a newline is a newline to engines
	sed ':a;N;$!ba;s/\nline/\\x0aline/' "$want.raw" | sort >"$want"
	grep -q '^A /opt/new/sub/f$' "$want" && grep -q '^D /etc/os-release$' "$want" && grep -q '^C /etc/passwd$' "$want"
	run -0 --separate-stderr p diff "$NAME"
	[[ -z $stderr ]] || die "$stderr"
	sort <<<"$output" | diff "$want" - || die "running"
	kill -KILL "$PID"
	wait_until 5 refute pid_alive "$PID"
	run -0 p diff "$NAME"
	sort <<<"$output" | diff "$want" - || die "stopped"
}

@test "docker: line for line what docker diff says, running and stopped" {
	local image
	changed docker-default 'chown 5 /tmp; rm -rf /home; mkdir /home; echo x >/home/x; rm /bin/busybox; cp /app /bin/busybox'
	as_engine
	run -0 p diff "$NAME:/etc"
	[[ $(sort <<<"$output") == $'C /etc\nC /etc/group\nC /etc/passwd\nD /etc/os-release' ]] || die "$output"
	run -0 p diff --stat "$NAME:/opt/"
	[[ $output == *$'A /opt/new/sub/f  2 B\n4 added, 0 changed, 0 deleted: 2 B more in files'* ]] || die "$output"
	run -0 p diff --json "$NAME"
	jq -e '.b == null and (.cut | not) and any(.changes[]; .path == "/opt/new/sub/f" and .kind == "A" and .a == null and .b.size == 2)
		and any(.changes[]; .path == "/etc/passwd" and .differs == ["mode"] and .b.mode == "0600")' <<<"$output"
	# the image is not looked through
	run -0 --separate-stderr in_engine docker-default strace -f -e trace=getdents64 -o "$BATS_TEST_TMPDIR/trace" "$PORTHOLE" diff "$NAME"
	(($(grep -c getdents64 "$BATS_TEST_TMPDIR/trace") < 150)) || die "$(wc -l "$BATS_TEST_TMPDIR/trace")"
	# against an image that is named: volumes count, and so do contents
	image=image://$(engine_cli docker-default inspect -f '{{.Image}}' "$NAME")
	run -1 p diff "$image" "$NAME"
	[[ $output == *$'A /opt\n'* && $output == *"D /etc/os-release"* && $output == *"C /etc/passwd  mode 644 -> 600"* ]] ||
		die "$output"
	[[ $output == *"C /tmp  owner 0:0 -> 5:0"* ]]
	run -0 p diff "$image" "$image"
	[[ -z $output ]]
}

@test "podman: line for line what podman diff says, running and stopped" {
	changed podman-default
	as_engine
}

@test "podman without root: an upper directory without privileges is understood" {
	changed podman-rootless 'rm -rf /home; mkdir /home; echo x >/home/x'
	run -0 p diff "$NAME"
	[[ $output == *"D /etc/os-release"* && $output == *"A /home/x"* && $output == *"D /home/app"* && $output == *"C /etc/passwd"* && $output != *"/vol/"* ]] ||
		die "$output"
}

@test "two containers: volumes and owners as inside; one subtree against another" {
	local a b d
	require plain runc kit
	ENGINE=runc NAME=$(uniq_name two)
	a=$(target_start runc "$NAME" busybox)
	d=$(test_dir)
	target_root "$d" busybox
	[[ -n $a ]]
	run -0 p diff "$NAME" "$d/rootfs/"
	[[ -z $output ]] || die "$output"
	echo other >"$d/rootfs/etc/other"
	run -1 p diff "$NAME:/etc" "$d/rootfs/:/etc"
	[[ $output == "A /etc/other" ]]
	run -1 p diff "$d/rootfs/:/etc/other" "$NAME:/etc/passwd"
	[[ $output == "C /etc/other"*"size "* ]] || die "$output"
	# nothing it was made of
	run -2 --separate-stderr p diff "$NAME"
	[[ $stderr == *"'$NAME'"*"plain directory"*"porthole diff A B"* ]] || die "$stderr"
	run -2 --separate-stderr p diff "$d/rootfs/"
	[[ $stderr == *"is no container"* ]]
	run -2 --separate-stderr p diff "$NAME:/nosuch" "$d/rootfs/"
	[[ $stderr == *"/nosuch in '$NAME'"* ]] || die "$stderr"
	run -2 p diff
	run -2 p diff "$(uniq_name none)"
}

@test "every way in which two files differ; what is endless, special or deep is no trouble" {
	local d s
	ENGINE=plain
	d=$(test_dir)
	cd "$d"
	for s in a b; do
		mkdir -p $s/d $s/same
		echo $s >$s/content
		echo x >$s/mode
		echo equal >$s/same/file
		ln -s $s $s/link
		mkfifo $s/fifo
		truncate -s 4T $s/huge
		echo end >>$s/huge
	done
	chmod 600 b/mode
	chown 5:6 b/d
	echo longer >b/size
	echo x >a/size
	mknod a/node c 1 3
	mknod b/node c 1 5
	echo file >a/kind
	mkfifo b/kind
	touch $'a/only\n\e[31m' -d 2001-01-01
	touch -d 2001-01-01 a/same/file
	mkdir -p b/more/of/it
	ln -s ../../../../etc a/same/out
	ln -s ../../../../etc b/same/out
	run -1 timeout 20 "$PORTHOLE" diff ./a ./b
	diff - <(echo "$output") <<-'END'
		C /content  content
		C /d  owner 0:0 -> 5:6
		C /kind  file -> fifo
		C /link  content
		C /mode  mode 644 -> 600
		A /more
		C /node  device
		D /only\x0a\x1b[31m
		C /size  size 2 -> 7
	END
	run -0 timeout 20 "$PORTHOLE" diff ./b ./b
	# one byte at the end of 4 TB of nothing
	printf x | dd of=b/huge bs=1 seek=$((4 << 40)) conv=notrunc status=none
	run -1 timeout 20 "$PORTHOLE" diff ./a:/huge ./b:/huge
	[[ $output == "C /huge  content" ]] || die "$output"
	# deeper than descriptors go
	python3 - "$d/a/same" "$d/b/same" <<-'END'
		import os, sys
		for top in sys.argv[1:]:
		    os.chdir(top)
		    for i in range(400):
		        os.mkdir("deep"); os.chdir("deep")
	END
	run -1 --separate-stderr timeout 20 "$PORTHOLE" diff ./a:/same ./b:/same
	[[ -z $output && $stderr == *"there is more"*"deeper than 200"* ]] || die "$output$stderr"
}

@test "docker's storage driver vfs: each layer is a whole copy" {
	export PT_DOCKER_FLAGS=--storage-driver=vfs
	changed docker@vfs
	[[ $(engine_cli docker@vfs info -f '{{.Driver}}') == vfs ]]
	as_engine
	target_stop docker@vfs "$NAME"
	NAME=
	engine_stop docker@vfs
}
