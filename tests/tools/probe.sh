#!/bin/sh
# What a container of 'host run' is: what it sees, what it may write, which rights it has, one fact a
# line. $1: the host's namespaces ("pid:[1] net:[2] ..."), $2: a directory of the host's to write to, $3: a
# process of the host's, $4: seconds that a command may take.
for n in pid net ipc uts cgroup mnt user time; do
	case " $1 " in
	*" $(readlink "/proc/self/ns/$n") "*) echo "ns $n: the host's" ;;
	*) echo "ns $n: its own" ;;
	esac
done
grep -E '^(Uid|Gid|Groups|Cap...|NoNewPrivs|Seccomp):' /proc/self/status | tr -s '\t ' ' ' | sed 's/ $//'
echo "umask $(umask), in $(pwd), host name $(hostname)"
env | grep -v '^PORTHOLE_\|^_=\|^PWD=\|^SHLVL=\|^OLDPWD=' | sort | sed 's/^/env /'
for d in / /dev /host /host/proc /host/sys /media/root /etc /sys /sys/fs/cgroup /proc; do
	# what goes by numbers changes all the time
	# shellcheck disable=SC2010 # names of the kernel and of ours
	ls -1 "$d" 2>/dev/null | grep -v '^[0-9]*$' | sed "s|^|sees $d: |"
done
# MOUNTPOINT OPTIONS TYPE, and whether the host's changes come
awk '$5 ~ /^(.host|.media.root)?.(tmp|var.tmp|var.lib|run)./ {next} {p = "own"; for (i = 7; $i != "-"; i++) p = $i; sub(/:.*/, "", p); print "mount", $5, $6, $(i + 1), p}' \
	/proc/self/mountinfo | sort
for d in / /tmp /etc /root /usr /run /dev /dev/shm /host /host/dev/shm /host/run /host/tmp "/host$2" "/media/root$2" /sys/fs/cgroup \
	/host/sys/fs/cgroup; do
	# shellcheck disable=SC2015
	[ -d "$d" ] && (: >"$d/.probe-$$") 2>/dev/null && rm -f "$d/.probe-$$" && echo "writes $d" || echo "cannot write $d"
done
for f in /proc/sys/vm/drop_caches /proc/sysrq-trigger /proc/sys/kernel/core_pattern /host/proc/sys/vm/drop_caches \
	/media/root/proc/sys/vm/drop_caches /sys/kernel/uevent_helper /sys/kernel/mm/ksm/run /host/sys/kernel/mm/ksm/run; do
	# opened, and nothing is written
	# shellcheck disable=SC2015
	[ -e "$f" ] && (: >"$f") 2>/dev/null && echo "opens $f" || echo "cannot open $f"
done
# masked or denied (AppArmor), nothing comes
[ "$(timeout 5 head -c 1 /proc/kcore 2>/dev/null)" ] && echo "reads /proc/kcore" || echo "nothing of /proc/kcore"
for c in "head -c 1 /dev/kmsg" "dmesg" "cat /host/etc/shadow" "mount -t tmpfs none /mnt" "unshare -m true" \
	"nsenter -t 1 -u true" "chroot /host true" "kill -0 $3" "ls /proc/$3/root/" "ip link add probe0 type dummy" "hostname $(hostname)"; do
	if timeout "${4:-5}" $c >/dev/null 2>&1; then echo "can $c"; else echo "cannot $c"; fi | sed "s/$3/PID/"
done
ip link del probe0 2>/dev/null
umount /mnt 2>/dev/null
true
