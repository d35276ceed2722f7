/* What may not be written to by whoever is not to be root of the host. */
#include "profile/precious.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/str.h"

/* Whose loss is root's loss, as a whole: what is below may be anybody's. */
static const char wholes[] =
	"/etc /usr /usr/local /var /var/lib /var/spool /home /opt /run /var/run "
	"/proc/sys /var/lib/docker/overlay2 /var/lib/containers/storage "
	"/var/lib/docker /var/lib/containers /var/lib/containerd "
	"/var/lib/kubelet";

/* With all that is below: programs, libraries, who one is, and what is started by itself. */
static const char *const trees[] = {
	"/root",
	"/boot",
	"/bin",
	"/sbin",
	"/lib",
	"/lib32",
	"/lib64",
	"/usr/bin",
	"/usr/sbin",
	"/usr/lib",
	"/usr/lib32",
	"/usr/lib64",
	"/usr/libexec",
	"/usr/local/bin",
	"/usr/local/sbin",
	"/usr/local/lib",
	"/var/spool/cron",
	"/var/lib/docker/containers",
	"/proc/sys/kernel",
	"/proc/sysrq-trigger",
	"/run/systemd",
	"/var/run/systemd",
	"/var/lib/dpkg",
	"/etc/alternatives",
	"/etc/anacrontab",
	"/etc/apt",
	"/etc/bash.bashrc",
	"/etc/bashrc",
	"/etc/cni",
	"/etc/containerd",
	"/etc/containers",
	"/etc/cron.d",
	"/etc/cron.daily",
	"/etc/cron.hourly",
	"/etc/cron.monthly",
	"/etc/cron.weekly",
	"/etc/crontab",
	"/etc/dbus-1",
	"/etc/default",
	"/etc/docker",
	"/etc/doas.conf",
	"/etc/environment",
	"/etc/fstab",
	"/etc/group",
	"/etc/gshadow",
	"/etc/init.d",
	"/etc/inittab",
	"/etc/kubernetes",
	"/etc/ld.so.cache",
	"/etc/ld.so.conf",
	"/etc/ld.so.conf.d",
	"/etc/ld.so.preload",
	"/etc/login.defs",
	"/etc/logrotate.d",
	"/etc/modprobe.d",
	"/etc/nsswitch.conf",
	"/etc/pam.conf",
	"/etc/pam.d",
	"/etc/passwd",
	"/etc/polkit-1",
	"/etc/profile",
	"/etc/profile.d",
	"/etc/rc.local",
	"/etc/security",
	"/etc/shadow",
	"/etc/ssh",
	"/etc/sudo.conf",
	"/etc/sudoers",
	"/etc/sudoers.d",
	"/etc/sysconfig",
	"/etc/sysctl.conf",
	"/etc/sysctl.d",
	"/etc/systemd",
	"/etc/tmpfiles.d",
	"/etc/udev",
	"/etc/yum.repos.d",
};

bool precious_path(const char *path)
{
	if (str_has_word(wholes, path))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(trees); i++)
		if (path_below(path, trees[i]))
			return true;
	return false;
}

bool precious_device(const char *device)
{
	/* and what goes on so: lines, sound, pictures, graphics */
	static const char *const kinds[] = {"/dev/ttyUSB", "/dev/ttyACM", "/dev/ttyS",
					    "/dev/serial", "/dev/snd",	  "/dev/video",
					    "/dev/dri",	   "/dev/nvidia", "/dev/kfd"};
	_cleanup_free_ char *path = strndup(device, strcspn(device, ":"));

	for (size_t i = 0; i < ARRAY_LEN(kinds) && path; i++)
		if (str_starts(path, kinds[i]) && !strstr(path, ".."))
			return false;
	return !path || !str_has_word("/dev/null /dev/zero /dev/full /dev/random /dev/urandom "
				      "/dev/tty /dev/kvm /dev/fuse /dev/net/tun",
				      path);
}
