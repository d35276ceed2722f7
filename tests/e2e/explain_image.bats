#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2016 # run sets stderr; nothing is to be expanded
# porthole explain image://NAME: the labels of an image that an engine has; nothing of them is evaluated.
load ../lib/porthole

x() {
	timeout -k 2 60 "$PORTHOLE" explain "$@"
}

# labelled ENGINE NAME LABEL...: that engine has an image NAME with these labels (KEY="VALUE").
labelled() {
	local engine=$1 name=$2 label changes=()
	shift 2
	for label; do
		changes+=(--change "LABEL $label")
	done
	tar -C "$(image_root scratch)" -c . | engine_cli "$engine" import "${changes[@]}" - "$name" >/dev/null
}

setup() {
	NAME=$(uniq_name lab)
}

@test "the RUN label, filled in; INSTALL and UNINSTALL are named" {
	require docker
	local t=$BATS_TEST_TMPDIR/ran
	engine_start docker
	labelled docker "pt/$NAME:1" 'RUN="docker run -d --privileged --name NAME -v /:/host -v \${CONFDIR}:/c \${OPT1} IMAGE \$(touch '"$t"')"' \
		'INSTALL="docker run --rm -v /etc:/e IMAGE install"' 'UNINSTALL="docker rm NAME"'
	run -0 x "image://pt/$NAME:1"
	[[ $output == *"Label RUN"*'docker run -d --privileged --name NAME'*"Label INSTALL (not explained here)"*"-v /etc:/e"* ]] || die "$output"
	[[ $output == *"Label UNINSTALL (not explained here)"*"docker rm NAME"*"become root of the host"* ]] || die "$output"
	[[ $output == *'$(touch'*"nothing is evaluated"* && $output != *'${OPT1} of the line'* && ! -e $t ]] || die "$output"
	run -0 x --json "image://pt/$NAME:1"
	[[ $(jq -r '.image, .labels.UNINSTALL, .mounts[1].host' <<<"$output") == "pt/$NAME:1"$'\n'"docker rm NAME"$'\n'"/etc/$NAME" ]] || die "$output"
	# the same by the line itself
	[[ $(jq -c '[.means[].id]' <<<"$output") == "$(x --json "docker run --privileged -v /:/host -v /etc/$NAME:/c x" | jq -c '[.means[].id]')" ]]
	[[ $(x --json 'docker run x' | jq .labels) == null ]]
	engine_cli docker rmi "pt/$NAME:1" >/dev/null
}

@test "no RUN label, one that starts no container, one that is not closed, no image" {
	require docker
	engine_start docker
	labelled docker "pt/$NAME:1" 'INSTALL="docker run IMAGE in\u001b[31mstall"'
	run -125 --separate-stderr x "image://pt/$NAME:1"
	[[ $stderr == *"the image 'pt/$NAME:1' has no RUN label"*"its label INSTALL=docker run"* && -z $output ]] || die "$stderr"
	labelled docker "pt/$NAME:2" 'RUN="rm -rf /"'
	run -125 --separate-stderr x "image://pt/$NAME:2"
	[[ $stderr == *"'rm' is no command that starts a container"* && -z $output ]] || die "$stderr"
	labelled docker "pt/$NAME:3" "RUN=\"docker run 'x\""
	run -125 --separate-stderr x "image://pt/$NAME:3"
	[[ $stderr == *"a ' that is not closed"* && -z $output ]] || die "$stderr"
	run -125 --separate-stderr x "image://pt/$NAME-none"
	[[ $stderr == *"no engine on this host has an image 'pt/$NAME-none'"* ]] || die "$stderr"
	engine_cli docker rmi "pt/$NAME:1" "pt/$NAME:2" "pt/$NAME:3" >/dev/null
}

@test "podman's images, with labels in small letters, and bytes that a terminal would obey" {
	require podman
	target_start podman "$NAME" busybox >/dev/null # where its storage is, is seen by what runs
	labelled podman "localhost/$NAME:1" "run=\"podman run --net=host -v /a"$'\e'"[31m:/c IMAGE\""
	run -0 x "image://localhost/$NAME:1"
	[[ $output == *"Label RUN"*"net"* ]] || die "$output"
	refute grep -qP '[\x00-\x09\x0b-\x1f\x7f]' <<<"$output"
	engine_cli podman rmi "localhost/$NAME:1" >/dev/null
	target_stop podman "$NAME"
}
