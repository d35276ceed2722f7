#!/usr/bin/env bats
# kit build: from packages to one image; the same bytes each time, whole or not at all.
load ../lib/porthole

setup_file() {
	cd "$BATS_FILE_TMPDIR"
	chmod 755 . ..
	export XDG_CACHE_HOME=$BATS_FILE_TMPDIR/cache
	mkdir -p cache/porthole/debs
	chmod -R 1777 cache
	"$PORTHOLE" kit build -o small.erofs bash coreutils jq >summary
	"$PORTHOLE" kit build -o small/ bash coreutils jq >/dev/null
}

setup() {
	cd "$BATS_FILE_TMPDIR"
	WORK=$BATS_TEST_TMPDIR
}


teardown() {
	mountpoint -q "$WORK/full" && umount "$WORK/full"
	true
}

# at_work DIR: a build has begun to unpack there.
at_work() {
	compgen -G "$1/.x.erofs.porthole-*/root/b" >/dev/null
}

# build ARG...
build() {
	"$PORTHOLE" kit build "$@"
}

# empty DIR: nothing is in it, hidden or not.
empty() {
	[[ -z $(ls -A "$1") ]] || die "left in $1: $(ls -A "$1")"
}

@test "kit build: a summary in plain words; silent with -q; JSON with --json" {
	grep -q '^small.erofs: .* packages (3 asked for), built in ' summary
	grep -q 'patched: [1-9][0-9]* of [0-9]* ELF files' summary
	run -0 build -q -o "$WORK/q.erofs" bash
	[[ -z $output ]]
	run -0 --separate-stderr build --json -o "$WORK/j/" bash
	jq -e '.asked == 1 and .packages > 3 and .stuck == 0 and .missing_libraries == []' <<<"$output"
}

@test "kit build: a library that nobody brings is warned of, also with -q" {
	printf 'bash\ndrop */libtinfo.so*\n' >"$WORK/without.list"
	run -0 --separate-stderr build -q --list "$WORK/without.list" -o "$WORK/without/"
	[[ -z $output && $stderr == "porthole: warning: "*"needs the library libtinfo.so.6"*"'porthole kit check'"* ]]
	run -0 --separate-stderr build --json --list "$WORK/without.list" -o "$WORK/without2/"
	jq -e '.missing_libraries == ["libtinfo.so.6"]' <<<"$output"
}

@test "kit build: the image and the directory hold the same, and run with nothing else there" {
	mkdir "$WORK/at"
	"$PT_TOOLS/kitmount" -k small.erofs "$WORK/at" -- diff -r --no-dereference small "$WORK/at"
	for kit in small.erofs small; do
		run -0 "$PORTHOLE" kit check --json "$kit"
		jq -e '.ok and .functions > 3 and (.results | map(.program) | index("jq"))' <<<"$output"
	done
}

@test "kit build: two builds give identical bytes, whoever builds and wherever" {
	(umask 077 && cd / && TZ=Asia/Tokyo build -q -o "$WORK/again.erofs" bash coreutils jq)
	cmp small.erofs "$WORK/again.erofs"
	chmod 777 "$WORK"
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$(dirname "$WORK")"
	as_user env XDG_CACHE_HOME="$XDG_CACHE_HOME" "$(for_users "$PORTHOLE")" kit build -q -o "$WORK/user.erofs" \
		bash coreutils jq
	cmp small.erofs "$WORK/user.erofs"
}

@test "kit build: no file of a kit names a loader or an interpreter outside it" {
	local f n=0
	while read -r f; do
		run -0 readelf -lW "$f"
		[[ $output != *"program interpreter"* || $output == *"interpreter: /dev/p/ld.so]"* ]] ||
			die "$f: $output"
		n=$((n + 1))
	done < <(find small -type f -exec sh -c 'head -c4 "$1" | grep -q ELF' _ {} \; -print)
	((n > 50))
	refute grep -rlE --binary-files=without-match '^#! */(usr/)?bin/' small/b
	[[ -z $(find small -xtype l) && -z $(find small -lname '/*') ]]
}

@test "kit build: a list file; what it drops, adds and leaves out" {
	printf '%s\n' '# a comment' dash -libc-bin '?no-such-package-xyz' 'drop /usr/share/doc/*' \
		'keep /usr/share/doc/dash/copyright' 'link b/shell b/dash' 'file e/hello' $'\thello' >"$WORK/list"
	build -q --list "$WORK/list" -o "$WORK/kit/" coreutils
	[[ $(readlink "$WORK/kit/b/shell") == dash ]]
	[[ $(cat "$WORK/kit/e/hello") == hello ]]
	[[ -e $WORK/kit/s/doc/dash/copyright && -x $WORK/kit/b/ls ]]
	jq -e '.asked == ["coreutils", "dash"]' "$WORK/kit/manifest.json"
	jq -e '[.packages[].name] | index("libc-bin") == null' "$WORK/kit/manifest.json"
}

@test "kit build: an unknown package is named in one sentence; nothing is left" {
	mkdir "$WORK/d"
	run -125 build -o "$WORK/d/x.erofs" bash no-such-package-xyz
	[[ ${lines[0]} == "porthole: apt knows no package 'no-such-package-xyz'" ]]
	empty "$WORK/d"
	run -125 build -o "$WORK/d/x.erofs" '../etc/passwd'
	[[ $output == *"cannot be the name of a package"* ]]
	run -125 build -o "$WORK/d/x.erofs" -- --reinstall
	empty "$WORK/d"
}

@test "kit build: rubbish instead of a list" {
	local bad
	mkfifo "$WORK/fifo"
	: >"$WORK/empty"
	head -c 3000000 /dev/zero | tr '\0' a >"$WORK/huge"
	cp "$PT_TOOLS/app" "$WORK/elf"
	printf 'bash\nfrobnicate everything\n' >"$WORK/word"
	printf 'link /etc/passwd b/x\n' >"$WORK/out"
	for bad in fifo empty huge elf word out none; do
		run -125 timeout 20 "$PORTHOLE" kit build --list "$WORK/$bad" -o "$WORK/x.erofs"
		[[ $output == porthole:*"$WORK/$bad"* ]] || die "$bad: $output"
		[[ ! -e $WORK/x.erofs ]]
	done
	run -125 build --list "$WORK/word" -o "$WORK/x.erofs"
	[[ $output == *"line 2: 'frobnicate' is neither a package nor a directive"* ]]
}

@test "kit build: without apt, without package lists, without mkfs.erofs" {
	local tool
	mkdir "$WORK/bin"
	for tool in dpkg-deb tar; do
		ln -s "$(command -v $tool)" "$WORK/bin/"
	done
	PATH=$WORK/bin run -125 "$PORTHOLE" kit build -o "$WORK/x.erofs" bash
	[[ ${lines[0]} == "porthole: there is no apt-get on this machine"* ]]
	mkdir -p "$WORK/lists/partial"
	echo "Dir::State::lists \"$WORK/lists\";" >"$WORK/apt.conf"
	APT_CONFIG=$WORK/apt.conf run -125 build -o "$WORK/x.erofs" bash
	[[ ${lines[0]} == "porthole: apt has no package lists on this machine" ]]
	[[ $output == *"apt-get update"* ]]
	for tool in apt-get apt-config xz zstd gzip; do
		ln -s "$(command -v $tool)" "$WORK/bin/"
	done
	PATH=$WORK/bin run -125 "$PORTHOLE" kit build -o "$WORK/x.erofs" bash
	[[ ${lines[0]} == "porthole: there is no mkfs.erofs on this machine" ]]
	[[ ! -e $WORK/x.erofs ]]
}

@test "kit build: a full disk leaves nothing half-done, at whatever size it fills up" {
	local size
	mkdir "$WORK/full"
	for size in 1m 4m 12m; do
		mount -t tmpfs -o size=$size porthole-test "$WORK/full"
		run -125 build -o "$WORK/full/x.erofs" bash coreutils jq
		empty "$WORK/full"
		umount "$WORK/full"
		[[ $output == *"No space left on device"* ]] || die "$size: $output"
	done
}

@test "kit build: killed half-way it leaves a hidden directory, and the next run removes it" {
	mkdir "$WORK/d"
	echo old >"$WORK/d/x.erofs"
	spawn "$WORK/pid" "$WORK/log" "$PORTHOLE" kit build -o "$WORK/d/x.erofs" bash coreutils jq
	wait_until 60 at_work "$WORK/d"
	kill -9 "$(cat "$WORK/pid")"
	wait_until 5 pid_gone "$(cat "$WORK/pid")"
	[[ $(cat "$WORK/d/x.erofs") == old ]]
	[[ -d $(echo "$WORK"/d/.x.erofs.porthole-*) ]]
	build -q -o "$WORK/d/x.erofs" bash coreutils jq
	cmp small.erofs "$WORK/d/x.erofs"
	[[ $(ls -A "$WORK/d") == x.erofs ]]
}

@test "kit build: interrupted it cleans up after itself" {
	mkdir "$WORK/d"
	spawn "$WORK/pid" "$WORK/log" "$PORTHOLE" kit build -o "$WORK/d/x.erofs" bash coreutils jq
	wait_until 60 at_work "$WORK/d"
	kill -TERM "$(cat "$WORK/pid")"
	wait_until 30 pid_gone "$(cat "$WORK/pid")"
	grep -q 'the build was stopped' "$WORK/log"
	empty "$WORK/d"
}

@test "kit build: two builds of the same output at once do not disturb each other" {
	mkdir "$WORK/d"
	build -q -o "$WORK/d/x.erofs" bash coreutils jq 3>&- &
	build -q -o "$WORK/d/x.erofs" bash coreutils jq
	wait $!
	cmp small.erofs "$WORK/d/x.erofs"
	[[ $(ls -A "$WORK/d") == x.erofs ]]
}

@test "kit build: what is in the way is not overwritten" {
	mkdir -p "$WORK/dir" "$WORK/mine"
	echo precious >"$WORK/mine/file"
	run -125 build -o "$WORK/dir" bash
	[[ ${lines[0]} == *"$WORK/dir is a directory" ]]
	run -125 build -o "$WORK/mine/" bash
	[[ ${lines[0]} == *"holds other files and is not replaced" ]]
	[[ $(cat "$WORK/mine/file") == precious ]]
	run -125 build -o "$WORK/none/x.erofs" bash
	run -125 build -o /dev/null bash
	[[ -c /dev/null ]]
	ln -s mine/file "$WORK/link"
	run -125 build -o "$WORK/link" bash
	[[ ${lines[0]} == *"$WORK/link is no regular file" && -L $WORK/link ]]
	# a kit may be replaced by a kit
	build -q -o "$WORK/dir/" dash
	build -q -o "$WORK/dir/" bash
	[[ -x $WORK/dir/b/bash && $(ls -A "$WORK" | grep -c porthole-) == 0 ]]
}
