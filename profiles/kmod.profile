# Load a kernel module: its files come with the image, or from the host.
summary = load and unload kernel modules
share   =
caps    = docker sys_module
seccomp = off
mount   = /lib/modules /lib/modules ro optional
mount   = /sys /sys ro
