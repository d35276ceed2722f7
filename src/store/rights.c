/* What a user may do with the files of his own engines: all, in a user namespace of his own. */
#include <fcntl.h>
#include <linux/capability.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/idmap.h"
#include "sys/caps.h"
#include "sys/power.h"
#include "sys/userns.h"

static int again(int old, int now)
{
	_cleanup_close_ int fd = now;

	return dup3(fd, old, O_CLOEXEC) < 0 ? -errno : 0;
}

int store_rights(const struct target_roots *r, struct err *e)
{
	_cleanup_store_ struct store maps = STORE_INIT;
	struct target_roots now;
	char missing[64];
	int ret;

	if (!*power_missing(CAPS_BIT(CAP_SYS_ADMIN), missing, sizeof(missing)))
		return 0;
	ret = idmap_of_user(r, geteuid(), &maps, e);
	if (ret == 0)
		ret = userns_enter(maps.uid_map, maps.gid_map, e);
	if (ret == 0)
		ret = target_roots_open(&now, e);
	if (ret < 0)
		return ret;
	ret = again(r->root_fd, now.root_fd) ?: again(r->proc_fd, now.proc_fd);
	now.root_fd = now.proc_fd = -EBADF;
	target_roots_close(&now);
	return ret < 0 ? err_set(e, ret, "opening / again") : 0;
}
