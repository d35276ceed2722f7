#!/usr/bin/env bats
# shim: commands of the host by their names, inside a host container.
load ../lib/porthole

hr() { hr_quiet "$@"; }

setup() {
	require kit
	DIR=$(test_dir)
	# a command that only the host has
	printf '#!/bin/sh\necho "host: $0 $*"; readlink /proc/self/ns/mnt; cat\nexit 3\n' >"$DIR/only-on-host"
	chmod 755 "$DIR/only-on-host"
	export PATH=$PATH:$DIR
}

@test "a shim runs the host's command, with its arguments, input and exit code; the container's own stay" {
	run -3 hr --ns none sh -c 'porthole shim only-on-host && echo in | only-on-host "a  b" -x'
	[[ $output == "host: "*"/only-on-host a  b -x"*"$(readlink /proc/self/ns/mnt)"*in ]] || die "$output"
	run -127 hr sh -c 'only-on-host'
	# what is there already stays, and what comes first in PATH is said
	run -125 hr sh -c 'echo mine >/usr/local/bin/tool; porthole shim tool'
	[[ $output == *"not a shim; it stays"* ]] || die "$output"
	run -0 hr sh -c 'porthole shim ls'
	[[ $output == *"/dev/p/b/ls comes before /usr/local/bin/ls in PATH"* ]] || die "$output"
}

@test "they are listed and taken away, and nothing else is" {
	run -0 hr sh -c 'porthole shim only-on-host useradd 2>/dev/null; porthole shim; porthole shim --json; porthole shim --remove useradd; echo; porthole shim'
	[[ $output == "/usr/local/bin/only-on-host"$'\n'"/usr/local/bin/useradd"$'\n'*'"name": "useradd"'*$'\n\n'"/usr/local/bin/only-on-host" ]] || die "$output"
	run -125 hr sh -c 'echo mine >/usr/local/bin/tool; porthole shim --remove tool'
	[[ $output == *"no shim 'tool'"* ]] || die "$output"
	run -0 hr sh -c 'porthole shim --dir /tmp/bin only-on-host; echo | PATH=/tmp/bin:$PATH only-on-host; [ $? = 3 ]'
}

@test "a denied command is denied by its shim, too" {
	run -126 hr --allow id sh -c 'porthole shim only-on-host; only-on-host'
	[[ $output == *"not among what this container may run"* ]] || die "$output"
}

@test "names that are none, and a place without a way to a host: one sentence; another name of porthole is porthole" {
	run -2 hr porthole shim ../x
	[[ $output == *"no name that a command could be called by"* ]] || die "$output"
	run -2 hr porthole shim --remove
	run -125 "$PORTHOLE" shim ls
	[[ $output == *"no way to a host from here"* ]] || die "$output"
	ln -s "$PORTHOLE" "$DIR/ph"
	run -0 "$DIR/ph" version
	[[ $output == *orthole* ]] || die "$output"
}
