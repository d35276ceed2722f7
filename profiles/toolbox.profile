# CoreOS toolbox: / at /media/root; ~/.toolboxrc is read.
summary = CoreOS toolbox: the host below /media/root
share   = pid net ipc uts
caps    = all
seccomp = off
host-exec = yes
devices = all
mount   = / /media/root rw rslave
mount   = /usr /media/root/usr rw rslave
mount   = /run /media/root/run rw rslave
mount   = /dev /dev rw
