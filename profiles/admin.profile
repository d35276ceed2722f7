# The classic super privileged container: only its mount namespace is its own.
summary = everything the host's root can do, with tools of its own
share   = pid net ipc uts cgroup
caps    = all
seccomp = off
host-exec = yes
devices = all
mount   = / /host rw rslave
mount   = /dev /dev rw
mount   = /run /run rw rslave
mount   = /sys /sys rw
mount   = /etc/localtime /etc/localtime ro optional
mount   = /etc/machine-id /etc/machine-id ro optional
