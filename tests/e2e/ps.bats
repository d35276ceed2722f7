#!/usr/bin/env bats
# porthole ps.
load ../lib/porthole

setup_file() {
	PS_TAG=$(uniq_name ps)
	export PS_TAG
}

# Two running, one ended, one of another engine: NAME is $PS_TAG-web, -db, -done, -pod.
containers() {
	require docker runc
	[[ -e $PT_RUN/$PS_TAG ]] && return
	target_start docker "$PS_TAG-web" busybox --label com.docker.compose.project=shop
	target_start docker "$PS_TAG-db"
	target_start docker "$PS_TAG-done" -- /app --exit 3
	target_start runc "$PS_TAG-raw"
	wait_until 10 engine_says docker exited "$PS_TAG-done"
	: >"$PT_RUN/$PS_TAG"
}

ps() {
	"$PORTHOLE" ps -f "name=$PS_TAG" "$@"
}

@test "the table: running ones, sorted, with header" {
	containers
	run -0 ps
	[[ ${lines[0]} == NAME*ENGINE*IMAGE*PID*STATE*AGE*USERNS*POD ]]
	((${#lines[@]} == 4))
	[[ ${lines[1]} == "$PS_TAG-db "*docker*pt/scratch:1*"$(target_pid docker "$PS_TAG-db")"*running*host* ]]
	[[ ${lines[2]} == "$PS_TAG-web "*docker*pt/busybox:1*running*shop ]]
	[[ ${lines[3]} == "$PS_TAG-raw "*runc*"$(target_pid runc "$PS_TAG-raw")"*running*host* ]]
	[[ $output != *$'\e'* ]]
}

@test "-a adds what does not run, with its exit code" {
	containers
	run -0 ps -a
	((${#lines[@]} == 5))
	[[ $output == *"$PS_TAG-done "*"exited (3)"* ]]
}

@test "-q: one name a line" {
	containers
	run -0 ps -q
	[[ $output == "$PS_TAG-db"$'\n'"$PS_TAG-web"$'\n'"$PS_TAG-raw" ]]
}

@test "--json: an array of objects" {
	containers
	run -0 ps -a --json
	[[ $(jq -r '.[] | select(.name == "'"$PS_TAG"'-done") | "\(.state) \(.exit_code) \(.pid) \(.engine)"' \
		<<<"$output") == "exited 3 null docker" ]]
	[[ $(jq -r '.[] | select(.name == "'"$PS_TAG"'-web") | "\(.pid) \(.pod) \(.userns) \(.image) \(.target)"' \
		<<<"$output") == "$(target_pid docker "$PS_TAG-web") shop host pt/busybox:1 $PS_TAG-web" ]]
	[[ $(jq '[.[] | .started > 1700000000 and .started <= now] | all' <<<"$output") == true ]]
	run -0 "$PORTHOLE" ps -f name=no-such-name --json
	[[ $output == "[]" ]]
}

@test "--format: fields, escapes, a table, JSON lines" {
	containers
	run -0 ps --format '{{.Name}}\t{{ .Engine }}|{{.PID}}'
	[[ ${lines[0]} == "$PS_TAG-db"$'\t'"docker|$(target_pid docker "$PS_TAG-db")" ]]
	run -0 ps --format 'table {{.ID}}\t{{.Name}}'
	[[ ${lines[0]} =~ ^ID\ +NAME$ ]]
	[[ ${lines[1]} =~ ^[0-9a-f]{12}\ +$PS_TAG-db$ ]]
	run -0 ps --no-trunc --format '{{.ID}}'
	[[ ${lines[0]} == "$(target_id docker "$PS_TAG-db")" ]]
	run -0 ps --format json
	((${#lines[@]} == 3))
	[[ $(jq -r .name <<<"${lines[1]}") == "$PS_TAG-web" ]]
}

@test "filters: of one key any, of different keys all" {
	containers
	run -0 ps -f engine=runc -q
	[[ $output == "$PS_TAG-raw" ]]
	run -0 ps -f engine=runc -f engine=docker -q
	((${#lines[@]} == 3))
	run -0 ps -f engine=docker -f image=busybox -q
	[[ $output == "$PS_TAG-web" ]]
	run -0 ps -a -f state=exited -q
	[[ $output == "$PS_TAG-done" ]]
	# whoever asks for what has ended gets it, without -a, as with docker
	run -0 ps -f status=exited -q
	[[ $output == "$PS_TAG-done" ]]
	run -0 ps -f exit=3 -q
	[[ $output == "$PS_TAG-done" ]]
	run -0 ps -f state=running -f engine=docker -q
	[[ $output == "$PS_TAG-db"$'\n'"$PS_TAG-web" ]]
	run -0 ps -f "id=$(target_id docker "$PS_TAG-db" | cut -c-10)" -q
	[[ $output == "$PS_TAG-db" ]]
	run -0 "$PORTHOLE" ps -q -f "name=$PS_TAG-[dw]*"
	[[ $output == "$PS_TAG-db"$'\n'"$PS_TAG-web" ]]
	run -0 ps -f user=nobody-such -q
	[[ -z $output ]]
}

@test "wrong usage is status 2, and says what there is" {
	run -2 --separate-stderr "$PORTHOLE" ps --format '{{.Nam}}'
	[[ $stderr == *"no field '.Nam'"*".Name"*".PID"* ]]
	run -2 --separate-stderr "$PORTHOLE" ps --format '{{.Name'
	run -2 --separate-stderr "$PORTHOLE" ps -f colour=red
	[[ $stderr == *"no key 'colour'"*"name, engine"* ]]
	run -2 --separate-stderr "$PORTHOLE" ps -f name
	[[ $stderr == *"KEY=VALUE"* ]]
	run -2 --separate-stderr "$PORTHOLE" ps -f state=foo
	[[ $stderr == *"'foo'"*"states are created, running, paused, exited, dead, restarting"* ]]
	run -2 --separate-stderr "$PORTHOLE" ps -f 'status=foo*'
	run -0 "$PORTHOLE" ps -f 'state=run*' -f status=dead
	run -2 --separate-stderr "$PORTHOLE" ps web
}

@test "a user's own containers: whose, and where their ids are" {
	require podman-rootless
	local name uid
	name=$(uniq_name mine)
	target_start podman-rootless "$name"
	uid=$(id -u "$(test_user)")
	run -0 "$PORTHOLE" ps -f "name=$name" --format '{{.Engine}} {{.User}} {{.Userns}}'
	[[ $output == "podman $(test_user) uid $uid"* ]]
	run -0 "$PORTHOLE" ps -f "user=$(test_user)" -q
	[[ $output == *"$name"* ]]
}

@test "remapped ids" {
	require docker-userns
	local name
	name=$(uniq_name remap)
	target_start docker-userns "$name"
	run -0 "$PORTHOLE" ps -f "name=$name" --format '{{.Userns}}'
	[[ $output =~ ^uid\ [0-9]{5,}\+$ ]]
}

@test "every engine at once, each container once" {
	require docker podman containerd runc lxc nspawn bwrap plain
	local k tag n
	tag=$(uniq_name all)
	for k in docker podman containerd runc lxc nspawn bwrap plain; do
		target_start "$k" "$tag-$k"
	done
	run -0 "$PORTHOLE" ps -f "name=$tag" --format '{{.Name}} {{.Engine}}'
	((${#lines[@]} == 8)) || die "$output"
	for k in docker podman containerd runc lxc nspawn bwrap; do
		[[ $output == *"$tag-$k $k"* ]]
	done
	[[ $output == *"$tag-plain none"* ]]
	n=$("$PORTHOLE" ps --format '{{.PID}}' | sort | uniq -d | wc -l)
	((n == 0))
}
