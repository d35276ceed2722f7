# shellcheck shell=bash
# The odd containers. odd_start KIND starts one with no engine (plain) unless said otherwise below, and
# sets ODD_PID, ODD_NAME, ODD_ENGINE; odd_stop stops it. Each kind is a function _odd_KIND.
#
#   ro                       read-only root (so are all plain ones)
#   user nocaps              docker: --user 1000; and --cap-drop ALL, no-new-privileges
#   passwd-fifo passwd-dev passwd-big passwd-host
#                            /etc/passwd is a FIFO, a device, 1 GB (sparse), a link that leads to the host's
#   no-dev dev-link dev-ro no-proc bare      (bare: neither /dev nor /proc)
#   hostile-name             newline, escapes and ../ in its host name, command line and comm
#   huge-env                 one variable of 2 MB, HUGE, between GOOD and LAST (more than exec allows)
#   hostile-env              LD_PRELOAD, LD_LIBRARY_PATH, BASH_ENV, ENV, PATH and 2 MB in its environment
#   frozen pids-limit memory-limit           in a cgroup of that kind, at its limit
#   host-pid shared-net shared-pid           (shared with ODD_OTHER_PID)
#   userns                   user namespace, root inside, all capabilities there
#   exited                   docker: ended at once with code 3
#   zombie zombie-leader     init is an unreaped zombie; init's first thread has ended, another runs
#   attacker                 root with docker's default capabilities that attacks every new process and
#                            reports in ODD_REPORT (see tests/tools/attack.h)

odd_start() {
	local f=_odd_${1//-/_}
	_has "$f" || die "no odd container of kind $1" || return 1
	ODD_ENGINE=plain
	ODD_NAME=$(uniq_name "$1")
	ODD_PID=
	"$f" || return 1
	[[ -n $ODD_PID ]]
}

odd_stop() {
	target_stop "$ODD_ENGINE" "$ODD_NAME"
	[[ -z ${ODD_OTHER:-} ]] || target_stop plain "$ODD_OTHER"
	[[ -z ${ODD_CGROUP:-} ]] || wait_until 5 rmdir "$ODD_CGROUP"
	unset ODD_OTHER ODD_CGROUP
}

_odd() {
	ODD_PID=$(target_start "$ODD_ENGINE" "$ODD_NAME" "$@")
}

_odd_ro() { _odd; }
_odd_no_dev() { _odd --no-dev; }
_odd_dev_link() { _odd --dev-link; }
_odd_dev_ro() { _odd --dev-ro; }
_odd_no_proc() { _odd --no-proc; }
_odd_bare() { _odd --no-dev --no-proc; }
_odd_userns() { _odd busybox --userns --user 0 --caps --rw; }
_odd_host_pid() { _odd --host-ns pid; }
_odd_zombie_leader() { _odd -- /app --zombie-leader; }

_odd_user() {
	ODD_ENGINE=docker
	_odd busybox --user 1000
}

_odd_nocaps() {
	ODD_ENGINE=docker
	_odd --user 1000 --cap-drop ALL --security-opt no-new-privileges --read-only
}

_odd_exited() {
	ODD_ENGINE=docker
	_odd -- /app --exit 3
	ODD_PID=0
	wait_until 10 engine_says docker exited "$ODD_NAME"
}

# A writable busybox root, then COMMAND with its directory as last argument.
_odd_root() {
	_odd busybox --rw --user 0 || return 1
	"$@" "$(target_dir plain "$ODD_NAME")/rootfs"
}

_odd_passwd_fifo() { _odd_root _passwd_fifo; }
_odd_passwd_dev() { _odd_root _passwd_dev; }
_odd_passwd_big() { _odd_root _passwd_big; }
_odd_passwd_host() { _odd_root _passwd_host; }
_passwd_fifo() { rm "$1/etc/passwd" && mkfifo "$1/etc/passwd"; }
_passwd_dev() { rm "$1/etc/passwd" && mknod "$1/etc/passwd" c 1 5; }
_passwd_big() { truncate -s 1G "$1/etc/passwd"; }
_passwd_host() { ln -sf ../../../../../../../../../../etc/passwd "$1/etc/passwd"; }

_odd_hostile_name() {
	local evil=$'\e[31mred\e]0;title\a\nsecond line' root
	target_root "$(target_dir plain "$ODD_NAME")" busybox || return 1
	root=$(target_dir plain "$ODD_NAME")/rootfs
	cp "$root/app" "$root/$evil"
	ODD_PID=$(_plain_spawn "$ODD_NAME" --root "$root" --hostname $'h\e[31m\n../x' -- "/$evil" --port 1)
}

_odd_hostile_env() {
	_odd busybox --env LD_PRELOAD=/tmp/evil.so --env LD_LIBRARY_PATH=/tmp --env BASH_ENV=/tmp/evil.sh \
		--env ENV=/tmp/evil.sh --env PATH=/tmp/evil:/bin --env PROMPT_COMMAND='echo evil' \
		--env PYTHONSTARTUP=/tmp/evil.py --env TERM=$'evil\e[31m' --env GOOD=yes --big-env 2097152
}

_odd_huge_env() { _odd -- /app --env 2097152; }

# _plain_spawn NAME SCRATCH-ARG...: a plain target whose engine arguments are all given.
_plain_spawn() {
	local t
	engine_start plain || return 1
	t=$(target_dir plain "$1")
	shift
	mkdir -p "$t" && PT_MARK=$PT_RUN "$PT_TOOLS/scratch" "$@" </dev/null 3>&- >"$t/pid" || return 1
	pid_start "$(<"$t/pid")" >"$t/pid.start" || true
	cat "$t/pid"
}

_odd_frozen() {
	_odd || return 1
	ODD_CGROUP=$(cgroup_new freezer "$ODD_NAME") && echo "$ODD_PID" >"$ODD_CGROUP/cgroup.procs" &&
		cgroup_freeze "$ODD_CGROUP"
}

_odd_pids_limit() {
	_odd -- /app --forks 3 || return 1
	ODD_CGROUP=$(cgroup_new pids "$ODD_NAME") || return 1
	local p
	wait_until 5 _has_sharers "$ODD_PID" 4 || return 1
	for p in $(ns_sharers "$ODD_PID" | cut -d' ' -f1); do
		echo "$p" >"$ODD_CGROUP/cgroup.procs"
	done
	cat "$ODD_CGROUP/pids.current" >"$ODD_CGROUP/pids.max"
}

_has_sharers() {
	[[ $(ns_sharers "$1" | wc -l) == "$2" ]]
}

_odd_memory_limit() {
	ODD_CGROUP=$(cgroup_new memory "$ODD_NAME") || return 1
	local limit=$ODD_CGROUP/memory.limit_in_bytes now=$ODD_CGROUP/memory.usage_in_bytes
	[[ -e $limit ]] || limit=$ODD_CGROUP/memory.max now=$ODD_CGROUP/memory.current
	# born in the cgroup, so that what it eats is charged there
	ODD_PID=$(
		echo "$BASHPID" >"$ODD_CGROUP/cgroup.procs"
		_plain_spawn "$ODD_NAME" -- /app --eat 12
	) || return 1
	wait_until 5 grep -q '^State:.S' "/proc/$ODD_PID/status" &&
		wait_until 5 _set_limit "$limit" "$now"
}

# As much as is used now and 64 KB. (Refused while the kernel still reclaims: to be tried again.)
_set_limit() {
	echo $(($(<"$2") + 65536)) >"$1"
}

_odd_other() {
	ODD_OTHER=$(uniq_name other)
	ODD_OTHER_PID=$(target_start plain "$ODD_OTHER")
}

_odd_shared_net() { _odd_other && _odd --host-ns net --join "net:$ODD_OTHER_PID" -- /app --port 8081; }
_odd_shared_pid() { _odd_other && _odd --host-ns pid --join "pid:$ODD_OTHER_PID"; }

_odd_zombie() {
	local t
	engine_start plain || return 1
	t=$(target_dir plain "$ODD_NAME")
	mkdir -p "$t"
	spawn "$t/parent" "$t/log" "$PT_TOOLS/scratch" --no-reap --pidfile "$t/pid" -- /app --exit 0
	wait_until 5 test -s "$t/pid" && ODD_PID=$(<"$t/pid") &&
		wait_until 5 grep -q '^State:.Z' "/proc/$ODD_PID/status"
}

_odd_attacker() {
	ODD_ENGINE=docker
	_odd busybox --cap-add SYS_PTRACE --security-opt seccomp=unconfined -- /app --attack /attack.log ||
		return 1
	ODD_REPORT=/proc/$ODD_PID/root/attack.log
	wait_until 5 test -e "$ODD_REPORT"
}
