# Host management: programs prefix paths with $sysimage and reach systemd through /run's D-Bus.
summary = manage the host: its files, its services, its devices
share   = pid net ipc
caps    = all
seccomp = off
host-exec = yes
devices = all
mount   = / /host rw rslave
mount   = /dev /dev rw
mount   = /run /run rw rslave
mount   = /sys /sys rw
