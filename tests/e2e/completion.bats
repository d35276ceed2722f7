#!/usr/bin/env bats
# porthole completion: TAB pressed in real shells. Names of containers are anybody's.
load ../lib/porthole

# A porthole that only knows containers, some with hostile names. They leave a file when run.
setup() {
	TRAP=$BATS_TEST_TMPDIR/trap
	mkdir "$BATS_TEST_TMPDIR/bin"
	cat >"$BATS_TEST_TMPDIR/bin/porthole" <<END
#!/bin/sh
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
END
}

# What starts a substitution is completed as text.
hostile() {
	run tab "$1" "porthole exec '\$(" "porthole exec ';" 'porthole exec \~'
	[[ ${lines[0]} == "[porthole][exec][\$(touch $TRAP)]" ]]
	[[ ${lines[1]} == "[porthole][exec][;touch $TRAP]" ]]
	[[ ${lines[2]} == "[porthole][exec][~root]" ]]
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
