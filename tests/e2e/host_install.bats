#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2016 # run sets stderr; nothing is to be expanded
# host install and uninstall: a unit of systemd's; in a mount namespace, where none of this machine's is.
load ../lib/porthole

UNITS=/etc/systemd/system
UNIT=$UNITS/porthole-t.service

# apart SCRIPT: bash runs it where no unit is, but for its own.
apart() {
	timeout -k 2 30 unshare -m bash -eu -c "mount -t tmpfs tmpfs $UNITS; UNIT=$UNIT UNITS=$UNITS; $1"
}

setup() {
	[[ -d $UNITS ]] || die "no $UNITS: systemd is a package of the tests"
}

@test "what --print shows is what is written, and systemd takes it; nothing of it is left" {
	run -0 apart '"$PORTHOLE" host install t --profile net -e "A=b %n \$X\"" -- true ";" "" | grep -q "daemon-reload && systemctl enable --now porthole-t"
		"$PORTHOLE" host install --print t --profile net -e "A=b %n \$X\"" -- true ";" "" | cmp - $UNIT
		[[ $(stat -c %a $UNIT) == 644 && $(ls -A $UNITS) == porthole-t.service ]]
		systemd-analyze --man=no verify $UNIT 2>&1 | (! grep porthole-t)
		grep ^ExecStart= $UNIT
		"$PORTHOLE" host uninstall t | grep -q daemon-reload
		[[ -z $(ls -A $UNITS) ]]'
	[[ $output == "ExecStart=$(readlink -f "$PORTHOLE") host run --quiet --name t --profile net -e \"A=b %%n \$\$X\\\"\" -- true \";\" \"\"" ]] || die "$output"
	[[ ! -e $UNIT ]]
}

@test "its command line starts the container" {
	require kit
	local words
	words=$("$PORTHOLE" host install --print t --profile monitor -- sh -c 'echo $NAME; ls /; exit 7' | sed -n 's/^ExecStart=//p')
	# a shell reads these words as systemd does, but for the doubled characters
	run -7 bash -c "timeout -k 2 30 ${words//\$\$/\\\$}"
	[[ $output == *t$'\n'* ]] || die "$output"
}

@test "what is not ours is left as it is, what was changed without --force, what is enabled" {
	run -0 apart 'echo mine >$UNIT
		"$PORTHOLE" host install --force t true && exit 1
		"$PORTHOLE" host uninstall --force t && exit 1
		[[ $(<$UNIT) == mine ]]
		ln -sf /dev/null $UNIT
		"$PORTHOLE" host install t true && exit 1
		[[ -L $UNIT ]]; rm $UNIT'
	[[ $output == *"$UNIT was not written by Porthole"* && $output != *Wrote* && $output != *Removed* ]] || die "$output"
	run -0 apart '"$PORTHOLE" host install t true
		"$PORTHOLE" host install t false
		grep -q "t false" $UNIT
		echo "# more" >>$UNIT
		"$PORTHOLE" host install t true && exit 1
		"$PORTHOLE" host uninstall t && exit 1
		grep -q "# more" $UNIT
		"$PORTHOLE" host install --force t true
		mkdir $UNITS/multi-user.target.wants; ln -s $UNIT $UNITS/multi-user.target.wants/
		"$PORTHOLE" host uninstall t && exit 1
		[[ -e $UNIT ]]; rm -r $UNITS/multi-user.target.wants
		echo "# more" >>$UNIT
		"$PORTHOLE" host uninstall --force t
		[[ ! -e $UNIT ]]
		"$PORTHOLE" host uninstall t && exit 1
		mount -o remount,ro $UNITS
		"$PORTHOLE" host install t true && exit 1
		[[ -z $(ls -A $UNITS) ]]'
	[[ $output == *"was changed since"*"--force"*"is enabled"*"systemctl disable --now porthole-t"*"there is no $UNIT"*"Read-only"* ]] || die "$output"
}

@test "what cannot be a unit's is said, and nothing is written" {
	local words
	while IFS='|' read -r words want; do
		# shellcheck disable=SC2086 # words
		run "$PORTHOLE" host install --print $words
		[[ ($status == 2 || $status == 125) && $output == "porthole: "*"$want"* && $output != *ExecStart* ]] || die "$words: $status $output"
	done <<-'END'
		t|say which command it is to run
		t --nosuch true|no option --nosuch
		t -d true|-d is nothing for a unit
		t --ask x true|--ask is nothing for a unit
		t --profile ./x true|by its full path
		t --image ./x|by its full path
		t --env-file x true|by its full path
		t -e A true|variable 'A'
		t --profile nosuch true|no profile 'nosuch'
		a/b true|'a/b' cannot be
		a@b true|'a@b' cannot be
	END
	run -2 "$PORTHOLE" host install --print t true $'\xff'
	[[ $output == *"not UTF-8"* ]] || die "$output"
	run -2 "$PORTHOLE" host uninstall ../x
}
