#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2016 # run sets stderr; nothing is to be expanded
# host run --profile toolbox: ~/.toolboxrc is read, and never evaluated.
load ../lib/porthole

setup() {
	require kit
	HOME_DIR=$(test_dir)
	RC=$HOME_DIR/.toolboxrc
}

# toolbox ARG...: with that home, and for which no option says otherwise.
toolbox() {
	HOME=$HOME_DIR timeout -k 2 60 "$PORTHOLE" host run --profile toolbox "$@"
}

@test "without the file, and with one that says nothing" {
	run -0 toolbox sh -c 'echo $IMAGE $NAME'
	[[ $output == *"kit toolbox"* && $output != *toolboxrc* ]] || die "$output"
	printf '# nothing\n' >"$RC"
	run -0 toolbox sh -c 'echo $IMAGE $NAME'
	[[ $output == *"kit toolbox"* && $output != *toolboxrc* ]] || die "$output"
}

@test "an engine's image, the name and the user; options go before them; other profiles do not read it" {
	require docker
	local name
	name=$(uniq_name rc)
	target_start docker "$name" busybox >/dev/null
	engine_cli docker tag pt/busybox:1 "pt/$name:7"
	printf 'TOOLBOX_DOCKER_IMAGE="pt/%s" # x\nexport TOOLBOX_DOCKER_TAG=7\nTOOLBOX_NAME=box.x\nTOOLBOX_USER=app\n' "$name" >"$RC"
	run -0 toolbox sh -c 'echo $IMAGE $NAME $(id -u); cat /etc/os-release; ls /media/root/bin/sh'
	[[ $output == *"pt/$name:7 box.x 1000"*"Test image"*/media/root/bin/sh* && $output != *toolboxrc* ]] || die "$output"
	run -0 toolbox --image "$(image_root busybox)" --name mine --user root sh -c 'echo $IMAGE $NAME $(id -u)'
	[[ $output == *"$(image_root busybox) mine 0"* ]] || die "$output"
	run -0 env HOME="$HOME_DIR" timeout -k 2 60 "$PORTHOLE" host run --profile net sh -c 'echo $IMAGE $NAME $(id -u)'
	[[ $output == *"kit net 0"* ]] || die "$output"
	target_stop docker "$name"
}

@test "an archive by its full path" {
	printf 'TOOLBOX_DOCKER_ARCHIVE=%s\n' "$(image_archive busybox)" >"$RC"
	run -0 toolbox sh -c 'cat /etc/os-release'
	[[ $output == *"Test image"* ]] || die "$output"
}

@test "what is not there is not pulled, and a directory of the same name is not taken" {
	local name
	name=$(uniq_name none)
	mkdir -p "$HOME_DIR/$name/bin"
	printf 'REGISTRY=\nIMAGE=%s\n' "$name" >"$RC"
	cd "$HOME_DIR"
	run -125 toolbox true
	[[ $output == *"no engine on this host has an image '$name'"*".toolboxrc names it, and nothing is pulled"* ]] || die "$output"
	run -125 toolbox --image "other-$name" true
	[[ $output == *"'other-$name'"* && $output != *toolboxrc* ]] || die "$output"
}

@test "nothing is evaluated, and what is not understood is named once" {
	local t=$HOME_DIR/ran
	printf 'IMAGE=$(touch %s)\nREGISTRY=`touch %s`\ntouch %s\nTOOLBOX_BIND=--x\nTOOLBOX_\e[31mX=1\nTOOLBOX_USER=root; touch %s\n' \
		"$t" "$t" "$t" "$t" >"$RC"
	run -0 --separate-stderr toolbox sh -c 'echo $IMAGE'
	[[ $output == kit && ! -e $t ]] || die "$output"
	[[ $(grep -c 'toolboxrc' <<<"$stderr") == 1 ]] || die "$stderr"
	[[ $stderr == *"line 1 (IMAGE), line 2 (REGISTRY), line 3 (touch), line 4 (TOOLBOX_BIND)"*"line 6 (TOOLBOX_USER)"* ]] || die "$stderr"
	refute grep -qP '[\x00-\x09\x0b-\x1f\x7f]' <<<"$stderr"
	head -c 70000 /dev/zero | tr '\0' x >"$RC"
	run -125 toolbox true
	[[ $output == *"reading $RC: File too large"* ]] || die "$output"
	printf 'TOOLBOX_NAME=a/b\n' >"$RC"
	run -125 toolbox true
	[[ $output == *"a/b"* ]] || die "$output"
}
