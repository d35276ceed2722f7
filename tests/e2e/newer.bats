#!/usr/bin/env bats
# shellcheck disable=SC2154 # run sets stderr
# Engines of the next Debian: docker 26 (both of its image stores, and with remapped ids), podman 5 (its database is SQLite), crun and
# containerd of then, Incus.
load ../lib/porthole
load ../lib/stopped

setup() { ENGINE=; }
teardown() { stopped_teardown; }

# says ARG...: what Porthole prints, as one line.
says() {
	p "$@" 2>&1 | tr -s '\n ' ' '
}

# went_on: what was done in the container is there when it does not run, and what is done then is there when it runs again.
went_on() {
	local dir
	run -0 p exec -q "$NAME" sh -c 'cat /left; echo more >>/left; cat /left'
	[[ $output == $'left\nleft\nmore' ]] || die "$output"
	run -0 p cat "$NAME:/left"
	[[ $output == left ]] || die "$output"
	run -0 p diff "$NAME"
	[[ $output == *"A /left"* && $output != *"/app"* ]] || die "$output"
	dir=$(test_dir)
	echo hi >"$dir/hi"
	run -0 p cp "$dir/hi" "$NAME:/hi"
	run -0 p inject "$NAME" --from "$(image_root busybox)" --force
	engine_cli "$ENGINE" start "$NAME" >/dev/null
	run -0 in_it cat /hi /left
	[[ $output == $'hi\nleft' ]] || die "$output"
	run -0 p eject "$NAME"
	refute in_it cat /hi
}

@test "docker 26: running, stopped, changed, and started again" {
	stopped docker-newer scratch
	engine_cli docker-newer start "$NAME"
	p exec -q "$NAME" sh -c 'echo left >/left'
	[[ $(says ps -f "name=$NAME" --format '{{.Engine}} {{.State}} {{.Image}}') == "docker running pt/scratch:1 " ]]
	end
	[[ $(says ps -a -f "name=$NAME" --format '{{.State}}') == "exited (137) " ]]
	went_on
}

@test "docker 26 with containerd's image store" {
	PT_DOCKER_CONF='{"features":{"containerd-snapshotter":true}}' engine_start docker-newer@store
	stopped docker-newer@store scratch -v "vol$BASHPID:/vol"
	[[ $(engine_cli "$ENGINE" info -f '{{.Driver}}') == overlayfs ]]
	engine_cli "$ENGINE" start "$NAME"
	p exec -q "$NAME" sh -c 'echo left >/left; echo v >/vol/v'
	end
	run -0 p cat "$NAME:/vol/v"
	[[ $output == v ]]
	went_on
	engine_cli "$ENGINE" tag pt/scratch:1 "pt/$NAME:1" # a name that no other docker of the run has
	run -0 p exec -q "image://pt/$NAME:1" ls /app
}

@test "docker 26 with remapped ids" {
	PT_DOCKER_FLAGS="--userns-remap=app:app" engine_start docker-newer@remap
	stopped docker-newer@remap scratch
	engine_cli "$ENGINE" start "$NAME"
	[[ $(says ps -f "name=$NAME" --format '{{.Engine}} {{.Userns}}') == "docker uid 300000+ " ]]
	p exec -q "$NAME" sh -c 'echo left >/left'
	end
	went_on
}

@test "podman 5: running, stopped with its exit code, changed, and started again; what was refused; pods" {
	stopped podman-newer scratch -v "vol$BASHPID:/vol"
	[[ -e $(_engine_dir podman-newer)/p0/storage/db.sql ]]
	engine_cli podman-newer start "$NAME"
	p exec -q "$NAME" sh -c 'echo left >/left; echo v >/vol/v'
	end
	[[ $(says ps -a -f "name=$NAME" --format '{{.State}}') == "exited (137) " ]]
	run -0 p cat "$NAME:/vol/v"
	[[ $output == v ]]
	went_on
	target_start podman-newer "other$NAME" busybox >/dev/null
	engine_cli podman-newer run --name "code$NAME" docker.io/pt/busybox:1 sh -c 'exit 4' || true
	[[ $(says ps -a -f "name=code$NAME" --format '{{.State}}') == "exited (4) " ]]
	engine_cli podman-newer create --name "new$NAME" -u app docker.io/pt/busybox:1 /bin/true
	[[ $(says ps -a -f "name=new$NAME" --format '{{.State}}') == "created " ]]
	[[ $(says entrypoint "new$NAME") == *" uid 1000 (app)"* ]] # in the database alone
}

@test "podman 5 with a user namespace: its files, not the passing mount point of its bundle" {
	stopped podman-newer busybox --uidmap 0:200000:65536 --gidmap 0:200000:65536
	run -0 p exec -q "$NAME" ls -d /app /bin/busybox
	engine_cli podman-newer rm -f "$NAME"
}


@test "Incus: names, projects, image, running, stopped, privileged" {
	local pid dir
	ENGINE=incus
	require incus
	NAME=$(uniq_name inc)
	pid=$(target_start incus "$NAME")
	[[ $(says ps -f "name=$NAME" --format '{{.Engine}} {{.Pid}} {{.State}} {{.Image}} {{.Userns}}') == \
		"incus $pid running Test busybox 1.0 uid 1000000+ " ]]
	run -0 p exec -q "incus://$NAME" sh -c 'echo left >/left; cat /proc/1/comm; id -u'
	[[ $output == $'init\n0' ]]
	run -0 in_newer "$(_engine_dir incus)" incus exec "$NAME" -- cat /left
	[[ $output == left ]]
	engine_cli incus stop -f "$NAME" </dev/null
	[[ $(says ps -a -f "name=$NAME" --format '{{.State}}') == "exited " ]]
	run -0 p exec -q "$NAME" sh -c 'cat /left; echo more >>/left; stat -c %u:%g /left'
	[[ $output == $'left\n0:0' ]] || die "$output"
	dir=$(test_dir)
	echo hi >"$dir/hi"
	run -0 p cp "$dir/hi" "$NAME:/hi"
	engine_cli incus start "$NAME" </dev/null
	run -0 in_newer "$(_engine_dir incus)" incus exec "$NAME" -- sh -c 'cat /hi /left; stat -c %u:%g /hi'
	[[ $output == $'hi\nleft\n0:0' ]] || die "$output"
	# the same name in a project
	engine_cli incus project create prod -c features.images=false -c features.profiles=false
	engine_cli incus launch "$NAME" "$NAME" --project prod -c security.privileged=true </dev/null
	run -0 p exec -q "prod/$NAME" sh -c 'cat /proc/self/uid_map; [ ! -e /left ]'
	run -125 p exec -q "$NAME" true
	[[ $output == *"incus://prod_$NAME"* ]] || die "$output"
	run -125 p kill "prod/$NAME"
	[[ $output == *"incus stop -f $NAME --project prod"* ]]
	engine_cli incus delete -f --project prod "$NAME" </dev/null
}
