#!/usr/bin/env bats
# The command line itself: help, wrong usage, errors as JSON, where output goes, what gets installed.
load ../lib/porthole

verbs() {
	"$PORTHOLE" help --names
}

# split COMMAND...: runs it; sets status, out and err.
split() {
	status=0
	"$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null || status=$?
	out=$(<"$BATS_TEST_TMPDIR/out") err=$(<"$BATS_TEST_TMPDIR/err")
}

# on_terminal COMMAND...: what it prints on one.
on_terminal() {
	TERM=${TERM_IS-xterm} script -qec "$(printf '%q ' "$@")" /dev/null </dev/null
}

has_escape() {
	grep -q $'\e'
}

# refused CODE PART WORD...: porthole WORD... says PART in one sentence (and a hint) and exits with CODE.
refused() {
	local code=$1 part=$2
	shift 2
	split "$PORTHOLE" "$@"
	[[ $status == "$code" ]] || die "porthole $*: exit $status, not $code" || return 1
	[[ -z $out ]] || die "porthole $*: on standard output: $out" || return 1
	[[ $err == "porthole: "*"$part"* ]] || die "porthole $*: $err" || return 1
	[[ $(wc -l <"$BATS_TEST_TMPDIR/err") -le 2 ]] || die "porthole $*: $err"
}

@test "alone it shows what there is, as wrong usage" {
	split "$PORTHOLE"
	[[ $status == 2 && -z $out && $err == *"Usage: porthole VERB"* ]]
}

@test "--help, -h and help are the same" {
	local how
	split "$PORTHOLE" --help
	[[ $status == 0 && -z $err && $out == *"Usage: porthole VERB"*"Verbs:"*"Examples:"* ]]
	for how in -h help; do
		[[ $("$PORTHOLE" $how) == "$out" ]]
	done
}

@test "every verb's help: usage, options, examples, on the screen's width" {
	local verb n=0
	while IFS= read -r verb; do
		# shellcheck disable=SC2086
		split "$PORTHOLE" $verb --help
		[[ $status == 0 && -z $err ]]
		[[ $out == *"Usage: porthole $verb [OPTION...]"*"Options:"*"--help"*"Examples:"*"porthole"* ]] ||
			die "$verb: $out"
		[[ $("$PORTHOLE" $verb -h) == "$out" && $("$PORTHOLE" help $verb) == "$out" ]]
		[[ -z $(sed '/^Examples/,$d' <<<"$out" | grep -E '^.{81}') ]] || die "$verb: a line is too long"
		[[ $("$PORTHOLE" --help) == *"  $verb "* ]] || die "$verb is not in the list"
		((n += 1))
	done < <(verbs)
	((n >= 11))
}

@test "a list in a verb's help stays one" {
	split "$PORTHOLE" inject --help
	[[ $out == *$'SOURCE is:\n\n  debian    the essential'*$'\n  busybox   one'*$'\n  DIR       a'*$'apk)\n\nNo file'* ]] || die "$out"
}

@test "verbs of two words: their group" {
	split "$PORTHOLE" kit --help
	[[ $status == 0 && $out == *"kit build"*"kit check"* && $out != *"porthole exec"* ]]
	[[ $("$PORTHOLE" help kit) == "$out" ]]
	refused 2 "needs a second word: one of build, " kit
	refused 2 "'kit' has no 'zap': it takes one of build, " kit zap
	[[ $err != *"did you mean"* ]]
	refused 2 "'host' has no 'umount'" host umount web /x
	[[ $err == *"did you mean 'porthole host unmount'?"* ]]
	refused 2 "'host' has no 'kill'" host kill web
	[[ $err == *"did you mean 'porthole kill'?"* ]]
}

@test "wrong usage: one sentence and the right exit code" {
	refused 2 "there is no verb 'nosuch'" nosuch
	refused 2 "there is no verb ''" ''
	refused 2 "there is no verb 'inspekt'" inspekt web
	[[ $err == *"did you mean 'porthole inspect'?"* ]]
	refused 2 "there is no verb 'umount'" umount web
	[[ $err == *"did you mean 'porthole unmount'?"* ]]
	refused 2 "there is no verb 'stop'" stop web
	[[ $err == *"did you mean 'porthole kill'?"* ]]
	refused 2 "there is no verb 'rm'" rm web
	[[ $err != *"did you mean"* ]]
	refused 2 "'--bogus' where a verb is expected" --bogus
	refused 2 "there is no verb 'nosuch'" help nosuch
	refused 2 "does not take 'more'" help exec more
	refused 2 "there is no option --bogus" ps --bogus
	refused 125 "there is no option --pid" host run --pid=host true # nor --pids shortened
	[[ $err == *"--ns +net keeps the host's"* ]]
	refused 125 "there is no option --privileged" host run --privileged true
	[[ $err == *"leave it out"* ]]
	refused 2 "there is no option -Z" ps -aZ
	refused 2 "could be --filter or --format" ps --f x
	refused 2 "option --format needs a value" ps --format
	refused 2 "needs TARGET" inspect
	refused 2 "does not take 'b'" inspect a b
	refused 2 "--section does not take 'nosuch': it takes one of process" inspect -s nosuch x
	refused 2 "needs bash|zsh|fish" completion
	refused 2 "needs -o FILE" kit attach
	# a verb that runs a command: docker's contract
	refused 125 "there is no option --bogus" exec --bogus web
	refused 125 "needs TARGET" exec
	refused 125 "could be --env or" exec --en A=1 web
	refused 125 "it takes one of host, own, target" exec --cgroup nobody web
	refused 125 "a number" exec --pids many web
	refused 125 "a size" exec --memory much web
	refused 125 "takes a list" exec --ns '' web
	refused 125 "--ns does not take 'nosuch': it takes one of mnt, net" exec --ns nosuch "$$"
}

@test "no such target: 125 for all verbs" {
	refused 125 "pt-nosuch-$$" exec "pt-nosuch-$$" true
	refused 125 "pt-nosuch-$$" inspect "pt-nosuch-$$"
	refused 125 "" exec $'pt\e[31m-nosuch' true
	refute has_escape <<<"$err"
}

# json_error CODE WORD...
json_error() {
	local code=$1
	shift
	split "$PORTHOLE" "$@"
	[[ $status == "$code" && -z $out ]] || die "porthole $*: exit $status: $out" || return 1
	jq -e --argjson code "$code" '.error | (.message | length > 0) and (.hint | type == "string") and
		(.errno > 0) and .exit == $code' "$BATS_TEST_TMPDIR/err" >/dev/null || die "porthole $*: $err"
	[[ $(wc -l <"$BATS_TEST_TMPDIR/err") == 1 ]]
}

@test "--json: errors are JSON too" {
	json_error 2 nosuch --json
	json_error 2 ps --json --bogus
	json_error 2 ps --bogus --json
	json_error 2 inspect --json
	json_error 125 inspect --json "pt-nosuch-$$"
	json_error 125 exec --json "pt-nosuch-$$" true
	json_error 125 exec --bogus --json web
	json_error 125 kit info --json /dev/null
	json_error 125 kit info --json "/nosuch\"\\"$'\e\xff'
	refused 125 "there is no option" exec --bogus web --json # the command's --json, not ours
}

@test "--version" {
	split "$PORTHOLE" --version
	[[ $status == 0 && $out =~ ^porthole\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
	[[ $("$PORTHOLE" version) == "$out" && $("$PORTHOLE" -V) == "$out" ]]
	[[ porthole\ $("$PORTHOLE" version --json | jq -r .version) == "$out" ]]
}

@test "colours on a terminal only, and not against NO_COLOR or TERM=dumb" {
	on_terminal "$PORTHOLE" nosuch | has_escape
	on_terminal "$PORTHOLE" version --bogus | has_escape
	refute has_escape < <(NO_COLOR=1 on_terminal "$PORTHOLE" nosuch)
	refute has_escape < <(TERM_IS=dumb on_terminal "$PORTHOLE" nosuch)
	NO_COLOR='' on_terminal "$PORTHOLE" nosuch | has_escape # empty is as if not set
	refute has_escape < <("$PORTHOLE" nosuch 2>&1)
	refute has_escape < <("$PORTHOLE" ps -a 2>&1)
	refute has_escape < <("$PORTHOLE" --help 2>&1)
	on_terminal "$PORTHOLE" ps | has_escape # its header
	refute has_escape < <(NO_COLOR=1 on_terminal "$PORTHOLE" ps)
}

# to_nowhere WORD...: a closed and a full standard output are errors.
to_nowhere() {
	local status=0 err
	err=$("$PORTHOLE" "$@" 2>&1 >&-) || status=$?
	[[ $status == 125 && $err == *"cannot write to standard output: Bad file descriptor"* ]] ||
		die "porthole $* >&-: $status: $err" || return 1
	status=0
	err=$("$PORTHOLE" "$@" 2>&1 >/dev/full) || status=$?
	[[ $status == 125 && $err == *"No space left on device"* ]] || die "porthole $* >/dev/full: $status: $err"
}

@test "a closed or full standard output is an error" {
	require kit
	local pid
	pid=$(target_start plain "$(uniq_name full)") # ps needs something to print
	to_nowhere --help
	to_nowhere help exec
	to_nowhere version
	to_nowhere version --json
	to_nowhere ps --format json -a
	to_nowhere ps
	to_nowhere ps --json
	to_nowhere completion bash
	to_nowhere inspect "$$"
	to_nowhere inspect --json "$$"
	to_nowhere kit list
	to_nowhere kit list --json
	to_nowhere kit info
	to_nowhere kit info --json
	to_nowhere exec --explain "$pid"
	to_nowhere exec --explain --json "$pid"
}

@test "closed standard input and error do no harm" {
	[[ $("$PORTHOLE" version <&- 2>&-) == porthole\ * ]]
	split bash -c "\"$PORTHOLE\" nosuch 2>&-"
	[[ $status == 2 && -z $out ]]
}

@test "a reader that goes away ends it" {
	local status=0
	set +o pipefail
	"$PORTHOLE" completion bash | head -n 1 >/dev/null
	[[ ${PIPESTATUS[0]} == 0 || ${PIPESTATUS[0]} == 141 ]]
}

@test "every man page: made, and each option in it" {
	command -v scdoc >/dev/null || skip "no scdoc"
	command -v man >/dev/null || skip "no man"
	local verb page option n=0
	while IFS= read -r verb; do
		page=$PORTHOLE_BUILD/man/porthole-${verb// /-}.1
		[[ -s $page ]] || die "$page is missing"
		man --warnings=all -l "$page" >"$BATS_TEST_TMPDIR/page" 2>"$BATS_TEST_TMPDIR/warnings"
		[[ ! -s $BATS_TEST_TMPDIR/warnings ]] || die "$page: $(<"$BATS_TEST_TMPDIR/warnings")"
		refute grep -nE '@[A-Z]+@' "$page"
		for option in NAME SYNOPSIS DESCRIPTION OPTIONS EXAMPLES 'EXIT STATUS' 'SEE ALSO'; do
			grep -qx "$option" "$BATS_TEST_TMPDIR/page" || die "$page: no $option"
		done
		while IFS= read -r option; do
			grep -qE -- "(^| )$option( |\$)" "$BATS_TEST_TMPDIR/page" || die "$page: no $option"
			((n += 1))
		done < <("$PORTHOLE" help $verb | grep -oE '^ +(-., )?--[a-z0-9-]+' | grep -oE -- '--.*')
	done < <(verbs)
	((n > 40))
	[[ -s $PORTHOLE_BUILD/man/porthole.1 ]]
	refute man --warnings=all -l "$PORTHOLE_BUILD/man/porthole.1" 2>&1 >/dev/null | grep .
}

@test "make install: binary, kit, man pages, completion" {
	local to=$BATS_TEST_TMPDIR/to build=$BATS_TEST_TMPDIR/build share f
	meson setup -Doptimization=0 "$build" "$PORTHOLE_SRC" >/dev/null # what is installed is looked at, not what it can
	make -s -C "$PORTHOLE_SRC" BUILD="$build" PREFIX=/opt/ph DESTDIR="$to" install
	share=$to/opt/ph/share
	[[ $("$to/opt/ph/bin/porthole" version) == "$("$PORTHOLE" version)" ]]
	for f in bash-completion/completions/porthole zsh/site-functions/_porthole \
		fish/vendor_completions.d/porthole.fish; do
		[[ -s $share/$f ]] || die "no $f"
	done
	bash -n "$share/bash-completion/completions/porthole"
	[[ $(head -n 1 "$share/zsh/site-functions/_porthole") == "#compdef porthole" ]]
	if command -v scdoc >/dev/null; then
		[[ $(find "$share/man/man1" -name 'porthole*.1' | wc -l) == $(($(verbs | wc -l) + 1)) ]]
	fi
	[[ ! -e $to/opt/ph/lib ]] # no kit was built
	echo not a kit >"$build/kit.erofs"
	make -s -C "$PORTHOLE_SRC" BUILD="$build" PREFIX=/opt/ph DESTDIR="$to" install
	# it is found from the installed binary: this one is damaged, and so refused by name
	run env -u PORTHOLE_KIT "$to/opt/ph/bin/porthole" kit info
	[[ $status == 125 && $output == *"lib/porthole/kit.erofs"* ]] || die "$output"
}

@test "make dist: the thin binary, and one that carries its kit anywhere" {
	require kit
	local dist=$BATS_TEST_TMPDIR/dist alone=$BATS_TEST_TMPDIR/alone thin full
	(cd "$PORTHOLE_SRC" && tools/dist "$PORTHOLE_BUILD" "$dist")
	(cd "$dist" && sha256sum --quiet -c SHA256SUMS)
	thin=$(echo "$dist"/porthole-*-thin) full=${thin%-thin}
	(($(stat -c %s "$thin") < 3 << 20))
	mkdir "$alone"
	mv "$full" "$alone/porthole"
	cd "$alone"
	unset PORTHOLE_KIT
	[[ $(./porthole kit info --json | jq -r '.appended, .kind') == $'true\nimage' ]]
	[[ $(./porthole kit list | wc -l) -gt 100 ]]
	mv "$thin" thin
	refused_thin
}

# Nothing beside it, nothing in it.
refused_thin() {
	[[ -e /usr/lib/porthole/kit.erofs || -e /usr/local/lib/porthole/kit.erofs ]] && return 0
	run ./thin kit info
	[[ $status == 125 && $output == *"there is no kit"* ]]
}

@test "the full binary: a tool in a container that has none" {
	require root kit
	local full=$BATS_TEST_TMPDIR/porthole name pid
	"$PORTHOLE" kit attach --kit "${PORTHOLE_KIT:-$PORTHOLE_BUILD/kit.erofs}" -o "$full"
	name=$(uniq_name clifull)
	pid=$(target_start unshare "$name" scratch)
	[[ $(env -u PORTHOLE_KIT "$full" exec "$pid" readlink /proc/self/exe) == /dev/p/b/readlink ]]
	[[ ! -e /proc/$pid/root/dev/p ]]
	target_stop unshare "$name"
}

# In a virtual machine each is a matter for the hypervisor. What is left is asked when a library is first used.
@test "a start asks the processor nothing (cpuid) that glibc would" {
	[[ $(ldd --version | sed -n '1s/.* //p') == 2.36 && $(uname -m) == x86_64 ]] || skip "another C library's start"
	(($(objdump -d --no-show-raw-insn "$PORTHOLE" | grep -cw cpuid) < 20)) || die "glibc's start is linked"
	run -0 env -i GLIBC_TUNABLES=glibc.malloc.perturb=1 "$PORTHOLE" version
	[[ $output == porthole* ]]
}
