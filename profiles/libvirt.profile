# Virtual machines managed from a container; they go on when it ends.
summary = run virtual machines that outlive the container
share   = net pid ipc
caps    = all
seccomp = off
devices = all
outlive = guests
mount   = /dev /dev rw
mount   = /run /run rw rslave
mount   = /var/lib/libvirt /var/lib/libvirt rw rslave optional
mount   = /sys/fs/cgroup /sys/fs/cgroup rw
mount   = /sys/fs/selinux /sys/fs/selinux rw optional
mount   = /lib/modules /lib/modules ro optional
