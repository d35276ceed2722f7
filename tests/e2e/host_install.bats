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

# What systemd runs as its first unit, in a machine of its own: one line "NAME: yes" or "NAME: no" a check.
under_systemd() {
	cat <<-'EOF'
		export PATH=$PATH:/opt/bin
		say() { what=$1; shift; if "$@" >/dev/null 2>&1; then echo "$what: yes"; else echo "$what: no"; fi; }
		within() { n=0; until "$@" >/dev/null 2>&1; do n=$((n + 1)); [ $n -lt 100 ] || return 1; sleep 0.1; done; }
		show() { systemctl show -p "$1" --value porthole-agent; }
		is() { [ "$(show "$1")" = "$2" ]; }
		sleeps() { [ "$(pidof sleep | wc -w)" = "$1" ]; }
		P=/opt/porthole
		# a process that lets no signal end it, in a session of its own, and one that lives on by itself
		$P host install agent --profile net -- sh -c 'echo hello $NAME; setsid sh -c "trap \"\" TERM HUP; sleep 1001; sleep 1001" & sleep 1002'
		systemctl daemon-reload
		say enable systemctl enable --now porthole-agent
		say runs within sleeps 2
		say active systemctl is-active porthole-agent
		say journal within bash -c 'journalctl -u porthole-agent | grep "hello agent"'
		say uninstall-enabled $P host uninstall agent
		kill -9 $(show MainPID)
		say restarted within is NRestarts 1
		say again within sleeps 2
		say one-only sleeps 2
		say control bash -c '[ -n "$(pidof sleep)" ] && ps | grep "[p]orthole: session" && cat /sys/block/loop*/loop/backing_file'
		say stop systemctl stop porthole-agent
		say left bash -c '[ -n "$(pidof sleep)" ]'
		say session bash -c 'ps | grep "[p]orthole: session"'
		say failed systemctl is-failed porthole-agent
		say cgroup ls -d /sys/fs/cgroup/system.slice/porthole-agent.service
		say loop bash -c 'cat /sys/block/loop*/loop/backing_file'
		systemctl disable porthole-agent
		say uninstall $P host uninstall agent
		systemctl daemon-reload
		say unit bash -c 'find /etc/systemd /run/systemd /run/porthole | grep porthole'
		echo end
	EOF
}

@test "a real systemd starts it, restarts it when it was killed, and its stop ends all of it" {
	require qemu kit
	local d
	d=$(test_dir)
	kernel_prepare trixie >&3
	image_cached systemd || die "cannot make the root for systemd"
	mkdir "$d/disk"
	cp -a "$PT_CACHE/systemd" "$d/disk/root"
	cp "$PORTHOLE" "$PORTHOLE_BUILD/kit.erofs" "$d/disk/"
	under_systemd >"$d/disk/script"
	run -0 kernel_run trixie "$d/disk" '
		R=/tmp/r
		mkdir /tmp/up $R && mount -t tmpfs up /tmp/up && mkdir /tmp/up/u /tmp/up/w
		mount -t overlay -o lowerdir=/mnt/root,upperdir=/tmp/up/u,workdir=/tmp/up/w none $R
		mkdir -p $R/opt/bin $R/proc $R/sys $R/dev $R/run $R/tmp $R/root
		cp /bin/busybox $R/opt/bin/
		for c in grep find ps pidof; do ln -s busybox $R/opt/bin/$c; done
		cp /mnt/porthole /mnt/kit.erofs /mnt/script $R/opt/
		echo "root:x:0:0:root:/root:/bin/bash" >$R/etc/passwd
		echo "root:x:0:" >$R/etc/group
		echo 0123456789abcdef0123456789abcdef >$R/etc/machine-id # else it is the first boot, and asks questions
		printf "[Service]\nType=oneshot\nExecStart=/bin/bash /opt/script\nStandardOutput=file:/out\n" \
			>$R/etc/systemd/system/t.service
		umount /sys/fs/cgroup
		unshare -m -p -f sh -c "mount -t proc proc $R/proc; mount -t sysfs sys $R/sys; mount --bind /dev $R/dev
			exec chroot $R /lib/systemd/systemd --unit=t.service --log-target=kmsg" &
		n=0
		until grep -q "^end" $R/out 2>/dev/null || [ $n = 700 ]; do
			sleep 0.2
			n=$((n + 1))
		done
		cat $R/out
		grep -q "^end" $R/out || dmesg | tail -n 30'
	local n
	for n in enable runs active journal restarted again one-only control stop uninstall; do
		grep -qx "$n: yes" <<<"$output" || die "$n is not: yes. $output"
	done
	for n in uninstall-enabled left session failed cgroup loop unit; do
		grep -qx "$n: no" <<<"$output" || die "$n is not: no. $output"
	done
}
