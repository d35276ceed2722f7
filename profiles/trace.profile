# strace, gdb, bpftrace and perf on any process of the host.
summary = trace the host's processes and kernel
share   = pid net ipc uts cgroup
caps    = docker bpf perfmon sys_ptrace syslog sys_admin sys_resource dac_read_search
seccomp = off
mount   = / /host ro rslave
mount   = /sys /sys ro
mount   = /sys/kernel/tracing /sys/kernel/tracing rw optional
mount   = /sys/kernel/debug /sys/kernel/debug rw optional
mount   = /lib/modules /lib/modules ro optional
