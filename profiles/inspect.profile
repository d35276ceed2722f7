# Look at everything, change nothing: host / is read-only with all that is mounted below it.
# Root could still signal the host's processes and write to its sockets: it runs as a user that may
# read every file, and that nobody else is: not even the user nobody, since /proc/PID/root of
# one's own processes leads out of what is read-only. Without sys_ptrace, for the same reason.
summary = look at the whole host, read-only
share   = pid net ipc uts cgroup
user    = 65533:65533
caps    = dac_read_search syslog
no-new-privileges = yes
ipc     = ro
mount   = / /host ro rslave
mount   = /dev/shm /dev/shm ro optional
env     = HOME=/tmp
