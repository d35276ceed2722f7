# Partitions, file systems, LVM, mounts: the host's devices and its mounts, both ways.
summary = disks and file systems of the host
share   = ipc
caps    = docker sys_admin sys_rawio mknod dac_read_search sys_resource
seccomp = off
devices = all
mount   = / /host rw rslave
mount   = /dev /dev rw
mount   = /run/udev /run/udev ro optional
mount   = /sys /sys rw
