#!/usr/bin/env bats
# Other kernels than this one, really booted: 5.10 (loop device, no idmapped mounts), 6.1, 6.12 (file-backed
# EROFS) and the newest there is; all with the v2 cgroup hierarchy alone, which this machine has not.
load ../lib/porthole

# What runs in there: one line "ok NAME" or "BAD NAME: WHY" a check.
inside() {
	cat <<-'EOF'
		cd /mnt/b
		check() { # NAME PATTERN COMMAND...
			name=$1 pattern=$2
			shift 2
			"$@" >/tmp/out 2>&1
			echo "exit $?" >>/tmp/out
			if tr '\n' ' ' </tmp/out | grep -qE "$pattern"; then
				echo "ok $name"
			else
				echo "BAD $name: $(tail -n 5 /tmp/out | tr '\n' ' ')"
			fi
		}
		made() { # PATTERN: where mount_setattr(2) is missing, that it is said
			if [ "$OLD" ]; then echo '^porthole: this kernel is too old.* exit (125|2)'; else echo "$1"; fi
		}
		no_loop() {
			for n in 1 2 3 4 5 6; do
				sleep 0.3
				cat /sys/block/loop*/loop/backing_file 2>/dev/null || return 0
			done
			return 1
		}
		no_cgroup() { ! ls -d /sys/fs/cgroup/porthole-* 2>/dev/null && ! grep memory /sys/fs/cgroup/cgroup.subtree_control; }
		killed() {
			./porthole exec "$1" bash -c 'sleep 321 & setsid sleep 321 & sleep 321' &
			pid=$!
			n=0
			until [ "$(pidof sleep | wc -w)" = 3 ]; do sleep 0.2; done
			kill -9 $pid
			# one second on a real processor; this one is emulated
			while pidof sleep >/dev/null; do
				sleep 0.5
				n=$((n + 1))
				[ $n -lt 10 ] || return 1
			done
			no_loop
		}
		everywhere() { # NAME TARGET
			check "$1: its files" '^app dev proc exit 0' ./porthole exec "$2" ls /
			check "$1: gdb" 'GNU gdb' ./porthole exec "$2" gdb -nx -batch -ex 'show version'
			check "$1: exit code" '^exit 7' ./porthole exec "$2" bash -c 'exit 7'
			check "$1: terminal" '^/dev/pts/[0-9]+. exit 0' ./porthole exec -t "$2" tty
			check "$1: the kit as root" 'app dev proc exit 0' ./porthole exec --view kit "$2" ls /target
			check "$1: proof" 'nothing changed exit 0' ./porthole exec --prove "$2" true
			check "$1: a view that forgets" "$(made '^x A /new exit 0')" ./porthole exec --view cow --diff "$2" bash -c 'echo x >/new; cat /new'
			check "$1: it forgot" '^app dev proc exit 0' ./porthole exec "$2" ls /
			check "$1: kill -9" '^exit 0' killed "$2"
			check "$1: no loop device stays" '^exit 0' no_loop
		}
		P=$(./scratch --app ./app --rw)
		U=$(./scratch --app ./app --rw --userns)
		check 'in the list' " $P .* $U " ./porthole ps
		check 'inspect' 'exit 0' ./porthole inspect $P
		check 'the rung' "$RUNG.*exit 0" ./porthole exec $P df /dev/p
		everywhere plain $P
		everywhere 'user namespace' $U
		N=$(./scratch --app ./app --rw --no-proc)
		check 'no /proc: a view that forgets' "$(made '^x exit 0')" ./porthole exec --view cow $N bash -c 'echo x >/new; cat /new'
		check 'a cgroup of its own' '^0::.*porthole-.*exit 0' ./porthole exec --cgroup own --memory 64m $P \
			cat /proc/self/cgroup
		check 'its limit holds' 'exit 137' ./porthole exec --cgroup own --memory 64m $P /app --eat 200
		check 'which goes' '^exit 0' no_cgroup
		mkdir -p /tmp/root/etc
		cp app /tmp/root
		check 'a directory' "$(made '^app dev etc proc sys exit 0')" ./porthole exec /tmp/root/ ls /
		check 'a directory, its own program' "$(made '^exit 5')" ./porthole exec /tmp/root/ /app --exit 5
		tar cf /tmp/root.tar -C /tmp/root .
		check 'an archive' "$(made '^app dev etc proc sys exit 0')" ./porthole exec /tmp/root.tar ls /
		mkdir -p /var/lib/lxc/c1/rootfs /tmp/vol
		cp app /tmp/vol/run
		printf '%s\n' 'lxc.rootfs.path = dir:/var/lib/lxc/c1/rootfs' 'lxc.init.cmd = /srv/v/run' \
			'lxc.mount.entry = /tmp/vol srv/v none bind,create=dir 0 0' >/var/lib/lxc/c1/config
		check 'where we are' '"mnt": "host".*"net": "host".*exit 0' ./porthole doctor --json
		check 'where we are, in a container' '"mnt": "own".*"pid": "own".*"net": "own".*exit 0' \
			unshare -m -n -p -f sh -c 'mount -t proc proc /proc; exec ./porthole doctor --json'
		# kthreadd has the root that switch_root(8) left
		check 'the host'"'"'s containers, from one that sees its processes' '^c1 +lxc .*exit 0' unshare -m sh -c '
			mkdir /tmp/c; mount -t tmpfs c /tmp/c; mkdir /tmp/c/proc; cp porthole /tmp/c
			mount -t proc proc /tmp/c/proc; exec chroot /tmp/c /porthole ps -a -f engine=lxc --format "{{.Name}} {{.Engine}} "'
		check 'a program on a volume' "$(made 'program +/srv/v/run, (x86-64|aarch64 .arm64.), static .*exit 0')" ./porthole entrypoint c1
		mkdir -p /tmp/v /var/lib/lxc/x/rootfs/data
		echo there >/tmp/v/f
		printf 'lxc.rootfs.path = dir:/var/lib/lxc/x/rootfs\nlxc.mount.entry = /tmp/v data none bind 0 0\n' \
			>/var/lib/lxc/x/config
		check 'a volume of what does not run' "$(made '^there exit 0')" ./porthole cat lxc:x:/data/f
		check 'its names' "$(made '^f exit 0')" ./porthole ls lxc:x:/data
		check 'written to' "$(made '^exit 0')" ./porthole cp /tmp/v/f lxc:x:/data/g
		check 'and compared' "$(made 'D /data .*exit 1')" ./porthole diff lxc:x: /tmp/root/
		mkdir -p /var/lib/lxc/c2 /tmp/lo/bin /tmp/up/new
		printf '%s\n' 'lxc.rootfs.path = overlay:/tmp/lo:/tmp/up' 'lxc.init.cmd = /app' >/var/lib/lxc/c2/config
		check 'what does not run, of two layers' "$(made 'bin dev new proc sys exit 0')" ./porthole exec c2 ls /
		check 'the kit, for all to see' 'exit 0' ./porthole mount $P
		check 'by any process' '^b .* exit 0' ./porthole exec --kit none $P /dev/p/b/ls /dev/p
		check 'and taken away' 'exit 0' ./porthole unmount $P
		check 'frozen' '^exit 0' ./porthole exec --freeze $P true
		n=0
		until rmmod erofs 2>/dev/null || [ $n = 60 ]; do # the last mount goes a moment after its session
			sleep 0.5
			n=$((n + 1))
		done
		check 'without EROFS: unpacked' 'tmpfs.*exit 0' ./porthole exec $P bash -c 'df -T /dev/p'
		check 'and gone' '^exit 0' no_loop
	EOF
}

# boots SUITE RUNG [OLD]: RUNG is what df says of the kit; OLD: a kernel before 5.12.
boots() {
	local disk=$BATS_FILE_TMPDIR/disk out
	require qemu kit
	kernel_prepare "$1" >&3
	if [[ ! -e $disk ]]; then
		mkdir -p "$disk/b"
		cp "$PORTHOLE" "$PT_TOOLS/scratch" "$PT_TOOLS/app" "$PORTHOLE_BUILD/kit.erofs" "$disk/b/"
	fi
	out=$(kernel_run "$1" "$disk" "RUNG='$2' OLD='${3:-}'; $(inside)") || die "$(grep -v '^ok' <<<"$out")"
	[[ $(grep -c '^ok' <<<"$out") == 45 && $out != *BAD* ]] ||
		die "$(grep -c '^ok' <<<"$out") ok; $(grep -v '^ok' <<<"$out")"
}

@test "Linux 5.10" { boots bullseye /dev/loop old; }
@test "Linux 6.1" { boots bookworm /dev/loop; }
@test "Linux 6.12" { boots trixie '(/proc/self/fd|kit)'; }
@test "the newest Linux" { boots sid '(/proc/self/fd|kit)'; }
