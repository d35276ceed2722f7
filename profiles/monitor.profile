# The Datadog agent's three mounts, and nothing else: no namespace of the host's, no capability.
summary = metrics of the host and its containers, as an agent reads them
share   =
caps    = docker
mount   = /var/run/docker.sock /var/run/docker.sock ro optional
mount   = /proc /host/proc ro
mount   = /sys/fs/cgroup /host/sys/fs/cgroup ro
