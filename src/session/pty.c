#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "session/agent.h"

int session_pty(const struct plan *p, int *master, int *slave, struct err *e)
{
	_cleanup_close_ int pts = open("/dev/pts", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int m = -EBADF, s = -EBADF;
	struct statfs fs;
	int unlock = 0;

	if (pts < 0 || fstatfs(pts, &fs) < 0 || fs.f_type != DEVPTS_SUPER_MAGIC)
		return err_say(e, ENODEV, "'%s' has no devpts at /dev/pts for a terminal",
			       p->label);
	m = openat(pts, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	if (m < 0)
		return err_set(e, errno, "opening a terminal in '%s'", p->label);
	if (ioctl(m, TIOCSPTLCK, &unlock) < 0)
		return err_set(e, errno, "unlocking a terminal in '%s'", p->label);
	s = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (s < 0)
		return err_set(e, errno, "opening a terminal in '%s'", p->label);
	if (fchown(s, p->who.uid, (gid_t)-1) < 0 && errno != EPERM && errno != EINVAL)
		return err_set(e, errno, "handing the terminal to uid %u", p->who.uid);
	*master = TAKE_FD(m);
	*slave = TAKE_FD(s);
	return 0;
}
