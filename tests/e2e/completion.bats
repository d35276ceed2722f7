#!/usr/bin/env bats
# porthole completion: TAB pressed in real shells. Names of containers are anybody's.
# shellcheck disable=SC2154 # run sets stderr
load ../lib/porthole

# A porthole that only knows containers and what is in them, some with hostile names. They leave a file when run.
setup() {
	TRAP=$BATS_TEST_TMPDIR/trap
	mkdir "$BATS_TEST_TMPDIR/bin"
	cat >"$BATS_TEST_TMPDIR/bin/porthole" <<END
#!/bin/sh
[ "\$1" != paths ] || exec grep -F -- "\$2" $BATS_TEST_TMPDIR/paths
[ "\$*" = "ps --quiet" ] || exit 1
cat <<'NAMES'
web-1
web-2
docker://api
pid:42
db@1
my con
\$(touch $TRAP)
\`touch $TRAP\`
;touch $TRAP
it's "x"
*
~root
NAMES
END
	chmod +x "$BATS_TEST_TMPDIR/bin/porthole"
	printf '%s\n' web-1:/etc/ web-1:/exec.log 'web-1:/my file' docker://api:/data/ "web-1:/q/\$(touch $TRAP)" \
		web-1:rel/x 'web-1:/etc/hosts' >"$BATS_TEST_TMPDIR/paths"
	mkdir "$BATS_TEST_TMPDIR/files"
	touch "$BATS_TEST_TMPDIR/files/tools.erofs"
	cd "$BATS_TEST_TMPDIR" || return 1
}

# tab SHELL LINE...: the words of each LINE after TAB.
tab() {
	local shell=$1
	shift
	"$PORTHOLE" completion "$shell" >"$BATS_TEST_TMPDIR/script"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH HOME=$BATS_TEST_TMPDIR timeout 60 \
		/usr/bin/python3 "$PORTHOLE_SRC/tests/tools/tab.py" "$shell" "$BATS_TEST_TMPDIR/script" "$@"
}

# expect SHELL: each line typed becomes these words.
expect() {
	local typed=() want=() line
	while IFS='|' read -r line words; do
		typed+=("porthole $line")
		want+=("[porthole]$words")
	done
	run tab "$1" "${typed[@]}"
	[[ $status == 0 ]] || die "$output"
	diff -u <(printf '%s\n' "${want[@]}") <(echo "$output") || return 1
	[[ ! -e $TRAP ]] || die "a name was run"
}

everything() {
	expect "$1" <<'END'
insp|[inspect]
kit bui|[kit][build]
kit build --lis|[kit][build][--list]
help entr|[help][entrypoint]
exec --memory 1 --vi|[exec][--memory][1][--view]
exec --cgroup ow|[exec][--cgroup][own]
exec --cgroup=ow|[exec][--cgroup=own]
exec --ns ut|[exec][--ns][uts]
exec --ns mnt,ut|[exec][--ns][mnt,uts]
inspect --section rights,files,proc|[inspect][--section][rights,files,process]
inspect -s lim|[inspect][-s][limits]
exec --cgroup='ow|[exec][--cgroup=own]
exec --kit=files/t|[exec][--kit=files/tools.erofs]
kit info files/t|[kit][info][files/tools.erofs]
exec web-|[exec][web-]
exec doc|[exec][docker://api]
exec docker:|[exec][docker://api]
exec docker://a|[exec][docker://api]
exec "docker:|[exec][docker://api]
exec pid:|[exec][pid:42]
exec -it db@|[exec][-it][db@1]
exec -itu root db|[exec][-itu][root][db@1]
exec -e A=B=C db|[exec][-e][A=B=C][db@1]
exec -- db|[exec][--][db@1]
exec my|[exec][my con]
exec my\ c|[exec][my con]
exec 'my c|[exec][my con]
exec it|[exec][it's "x"]
inspect pi|[inspect][pid:42]
exec web-1 cat files/t|[exec][web-1][cat][files/tools.erofs]
exec web-1 cat --cg|[exec][web-1][cat][--cg]
ls web-|[ls][web-]
ls web-1|[ls][web-1:]
ls docker:|[ls][docker://api:]
cat web-1:/et|[cat][web-1:/etc/]
cat web-1:/etc/h|[cat][web-1:/etc/hosts]
cat web-1:/exe|[cat][web-1:/exec.log]
cat -n web-1:/my|[cat][-n][web-1:/my file]
cat 'web-1:/my|[cat][web-1:/my file]
ls web-1:r|[ls][web-1:rel/x]
ls docker://api:/d|[ls][docker://api:/data/]
diff web-1:/etc/ web-1:/exe|[diff][web-1:/etc/][web-1:/exec.log]
cp web-1:/exec.log files/to|[cp][web-1:/exec.log][files/tools.erofs]
cp files/to|[cp][files/tools.erofs]
cp files/tools.erofs web-1:/et|[cp][files/tools.erofs][web-1:/etc/]
END
}

# What starts a substitution is completed as text.
hostile() {
	run tab "$1" "porthole exec '\$(" "porthole exec ';" 'porthole exec \~'
	[[ ${lines[0]} == "[porthole][exec][\$(touch $TRAP)]" ]]
	[[ ${lines[1]} == "[porthole][exec][;touch $TRAP]" ]]
	[[ ${lines[2]} == "[porthole][exec][~root]" ]]
	run tab "$1" "porthole cat web-1:/q"
	[[ ${lines[0]} == "[porthole][cat][web-1:/q/\$(touch $TRAP)]" ]] || die "$output"
	[[ ! -e $TRAP ]]
}

@test "bash" {
	everything bash
	hostile bash
}

@test "zsh" {
	require zsh
	everything zsh
	hostile zsh
}

@test "fish" {
	require fish
	everything fish
	hostile fish
}

@test "bash: all candidates, called as readline does" {
	eval "$("$PORTHOLE" completion bash)"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH
	COMP_WORDS=(porthole exec '') COMP_CWORD=2 COMP_LINE='porthole exec ' COMP_POINT=14
	_porthole porthole '' exec
	((${#COMPREPLY[@]} == 12))
	[[ ${COMPREPLY[0]} == web-1 && ${COMPREPLY[2]} == docker://api ]]
	[[ ${COMPREPLY[6]} == "\\\$\\(touch\\ $TRAP\\)" ]]
	COMP_WORDS=(porthole '') COMP_CWORD=1 COMP_LINE='porthole ' COMP_POINT=9
	_porthole porthole '' porthole
	[[ " ${COMPREPLY[*]} " == *" exec "*" inspect "*" kit "*" --version "* ]]
	COMP_WORDS=(porthole inspect web-1 '') COMP_CWORD=3 COMP_LINE='porthole inspect web-1 ' COMP_POINT=23
	_porthole porthole '' web-1 # takes one target only
	((${#COMPREPLY[@]} == 0))
	COMP_WORDS=(porthole nosuch '') COMP_CWORD=2 COMP_LINE='porthole nosuch ' COMP_POINT=16
	_porthole porthole '' nosuch
	((${#COMPREPLY[@]} == 0))
	[[ ! -e $TRAP ]]
}

@test "every verb and option is offered" {
	eval "$("$PORTHOLE" completion bash)"
	local verb option n=0
	while IFS= read -r verb; do
		# shellcheck disable=SC2206
		COMP_WORDS=(porthole $verb --) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		COMP_LINE="${COMP_WORDS[*]}" COMP_POINT=${#COMP_LINE}
		_porthole porthole -- x
		while IFS= read -r option; do
			[[ " ${COMPREPLY[*]} " == *" $option "* ]] || die "$verb: no $option"
			((n += 1))
		done < <("$PORTHOLE" help $verb | grep -oE '^ +(-., )?--[a-z0-9-]+' | grep -oE -- '--.*')
	done < <("$PORTHOLE" help --names)
	((n > 40))
}

@test "another shell is a wrong usage" {
	run "$PORTHOLE" completion tcsh
	[[ $status == 2 && $output == *"'tcsh'"*"bash, zsh, fish"* ]]
}

# names of WORD: what the helper says, sorted.
names() {
	timeout 20 "$PORTHOLE" paths "$1" | sort | tr '\n' ' '
}

@test "paths of a target, running and stopped: bounded, silent, no hostile name" {
	require docker
	local name pid r
	name=$(uniq_name paths)
	pid=$(target_start docker "$name" busybox)
	r=/proc/$pid/root
	mkdir -p "$r/data/dir" "$r/data/many"
	touch "$r/data/file" "$r/data/.hidden" "$r/data/my file" "$r/data/"$'evil\e[2J' "$r/data/"$'new\nline'
	ln -s /data/dir "$r/data/link"
	ln -s /proc/1/root/etc "$r/data/proc"
	mkfifo "$r/data/fifo"
	[[ $(names "$name:/da") == "$name:/data/ " ]] || die "$(names "$name:/da")"
	[[ $(names "$name:/data/f") == "$name:/data/fifo $name:/data/file " ]]
	[[ $(names "$name:/data/") == *"$name:/data/dir/ "*"$name:/data/link/ "*"$name:/data/my file "* ]]
	[[ $(names "$name:/data/") != *evil* && $(names "$name:/data/") != *new* && $(names "$name:/data/") != *hidden* ]]
	[[ $(names "$name:/data/.h") == "$name:/data/.hidden " && $(names "$name:data/fil") == "$name:data/file " ]]
	# what leads outside is looked for inside
	[[ $(names "$name:/data/../../../../dat") == "$name:/data/../../../../data/ " ]]
	(cd "$r/data/many" && seq 3000 | xargs touch)
	[[ $(timeout 20 "$PORTHOLE" paths "$name:/data/many/" | wc -l) == 1000 ]]
	for w in "$name:/no/such" no-such-target:/x /etc/pass "$name" '' : "$name:/data/fifo/"; do
		run -0 --separate-stderr timeout 20 "$PORTHOLE" paths "$w"
		[[ -z $output && -z $stderr ]] || die "$w: $output$stderr"
	done
	engine_cli docker stop -t 0 "$name" >/dev/null
	[[ $(names "$name:/data/fil") == "$name:/data/file " ]]
	refute grep -qx paths <<<"$("$PORTHOLE" help --names)"
	target_stop docker "$name"
}
