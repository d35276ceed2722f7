# shellcheck shell=bash disable=SC2034,SC2206
# How bash completes; what there is to complete stands before this, made from the option tables.
# Names of containers are anybody's: nothing here lets the shell expand them (compgen -W would).
#
# Variables of _porthole() that all share: `cur` what the word starts with, `head` what stands before
# that in the same word (--option=), `typed` what was typed of it and stays (bash replaces only what
# follows the last = or :), `open` whether a quote is still open.

# Offer those words that start like the one typed.
_porthole_offer() {
	local w
	for w; do
		[[ $w == "$cur"* ]] || continue
		w=$head$w
		[[ $open ]] || printf -v w %q "$w"
		COMPREPLY+=("${w#"$typed"}")
	done
}

# Offer what `kind` says.
_porthole_kind() {
	local found=()
	case $kind in
	target) mapfile -t found < <(porthole ps --quiet 2>/dev/null) ;;
	command) mapfile -t found < <(compgen -c -- "$cur" | sort -u) ;;
	path | copy)
		mapfile -t found < <(porthole ps --quiet 2>/dev/null)
		found=("${found[@]/%/:}")
		[[ $cur != *:* ]] || mapfile -t -O ${#found[@]} found < <(porthole paths "$cur" 2>/dev/null)
		[[ $kind == path ]] || mapfile -t -O ${#found[@]} found < <(_porthole_files)
		;;
	words) found=($words) ;;
	list) # A,B,...: the last one; a comma needs no quotes
		[[ $cur != *,* ]] || { head+=${cur%,*},; cur=${cur##*,}; }
		found=($words) open=1
		;;
	file)
		mapfile -t found < <(compgen -f -- "$cur")
		compopt -o filenames 2>/dev/null && open=1 # then readline quotes them
		;;
	esac
	_porthole_offer "${found[@]}"
	# a directory, or a target, goes on
	[[ $kind == path || $kind == copy ]] && ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} == *[:/] ]] &&
		compopt -o nospace 2>/dev/null
	return 0
}

# Files of the host's, directories with a slash.
_porthole_files() {
	local f
	while IFS= read -r f; do
		[[ ! -d $f ]] || f+=/
		printf '%s\n' "$f"
	done < <(compgen -f -- "$cur")
}

# Is the value of the option(s) $1 the next word? Sets `option` to the one that takes it.
_porthole_wants() {
	local k=1
	option=$1
	if [[ $1 != --* ]]; then
		for (( ; k < ${#1}; k++)); do
			option=-${1:k:1}
			[[ $vals == *" $option "* ]] && break
		done
		((k == ${#1} - 1)) || return 1
	fi
	[[ $vals == *" $option "* ]]
}

# _porthole_join WORD: sets `line` to the words before the cursor, without bash's cuts at = : and @; and
# what belongs to the last of them, of which bash will replace WORD.
_porthole_join() {
	local i w glue='' n=0
	for ((i = 1; i <= COMP_CWORD; i++)); do
		w=${COMP_WORDS[i]}
		if ((n)) && [[ $w && -z ${w//[=:@]/} ]]; then
			line[n-1]+=$w glue=1
		elif [[ $glue && ($w || ${COMP_LINE:0:COMP_POINT} != *[[:space:]]) ]]; then
			line[n-1]+=$w glue=''
		else
			line[n++]=$w glue=''
		fi
	done
	cur=${line[n-1]} w=${COMP_WORDS[COMP_CWORD]}
	if [[ $w == [\'\"]* ]]; then
		open=1 typed=${cur%"$w"}
		cur=$typed${w:1}
	else
		typed=${cur%"$1"} cur=${cur//\\/}
	fi
}

_porthole() {
	local IFS=$' \t\n' cur='' head='' typed='' open='' verb opts='' vals='' kind=none stop='' words='' option=''
	local line=() args=0 last='' ended='' i=1 w
	COMPREPLY=()
	_porthole_join "$2"
	if ((${#line[@]} < 2)); then
		_porthole_group ''
		_porthole_offer $words --help --version
		return
	fi
	verb=${line[0]}
	if _porthole_group "$verb"; then
		if ((${#line[@]} == 2)); then
			_porthole_offer $words
			return
		fi
		verb+=" ${line[1]}" i=2
	fi
	_porthole_verb "$verb" || return 0
	while ((i < ${#line[@]} - 1)); do
		w=${line[i++]}
		if [[ $ended || $w != -?* ]]; then
			((args += 1))
			last=$w ended=$ended$stop
		elif [[ $w == -- ]]; then
			ended=1
		elif _porthole_wants "$w"; then
			((i++ < ${#line[@]} - 1)) && continue
			_porthole_values "$verb $option" # it is the word to complete
			ended=1 stop='' args=0
		fi
	done
	if [[ ! $ended && $cur == --*=* ]]; then
		head=${cur%%=*}= cur=${cur#*=}
		_porthole_values "$verb ${head%=}"
	elif [[ ! $ended && $cur == -* ]]; then
		kind=words words=$opts
	elif [[ $stop ]] && ((args)); then
		kind='file'
		((args > 1)) || [[ $cur == */* ]] || kind='command'
	elif [[ $kind == verb ]]; then
		_porthole_group "$last" && kind=words
	elif [[ $kind == target ]] && ((args)); then
		kind=none
	fi
	_porthole_kind
}
complete -F _porthole porthole
