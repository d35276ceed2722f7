# sysdig's and falco's: strace + tcpdump + htop + iftop + lsof for the host and every container.
summary = deep introspection of the host and every container
share   = pid net
caps    = docker bpf perfmon sys_ptrace syslog sys_admin sys_resource dac_read_search net_admin net_raw
seccomp = off
mount   = /var/run/docker.sock /host/var/run/docker.sock rw optional
mount   = /dev /host/dev rw
mount   = /proc /host/proc ro
mount   = /boot /host/boot ro optional
mount   = /lib/modules /host/lib/modules ro optional
mount   = /usr /host/usr ro
env     = SYSDIG_HOST_ROOT=/host
