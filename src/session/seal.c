#include "session/seal.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "kit/kit.h"
#include "sys/caps.h"
#include "sys/cred.h"

enum { ARGS_MAX = 8 << 20 };

#define SELF  "/proc/self/exe"
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

bool session_traceable(const struct plan *p)
{
	struct cred c;

	/* with the host's processes and these rights, all of the host can be had anyway */
	if (p->beside.host && p->ns_same & CLONE_NEWPID)
		return false;
	if (p->beside.on && plan_caps_of(p) & CAPS_BIT(CAP_SYS_PTRACE))
		return true;
	if (p->beside.on && !((p->ns_join | p->ns_same) & CLONE_NEWPID))
		return false;
	if (p->store && !p->beside.on) /* nothing is there but what the session starts */
		return plan_caps_of(p) & CAPS_BIT(CAP_SYS_PTRACE);
	return !(p->ns_join & CLONE_NEWUSER) &&
	       (cred_read(p->target->proc_fd, &c) < 0 || c.cap_bnd & CAPS_BIT(CAP_SYS_PTRACE));
}

static bool is_sealed(void)
{
	_cleanup_close_ int fd = open(SELF, O_RDONLY | O_CLOEXEC);
	struct statvfs fs;
	int seals;

	if (fd < 0)
		return false;
	seals = fcntl(fd, F_GET_SEALS);
	return (seals > 0 && seals & F_SEAL_WRITE) ||
	       (fstatvfs(fd, &fs) == 0 && fs.f_flag & ST_RDONLY);
}

static int read_only_mount(void)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	_cleanup_close_ int fd = open_tree(AT_FDCWD, SELF, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* Of the program alone: a kit that may be appended stays where it is. */
static int sealed_copy(size_t size)
{
	_cleanup_close_ int from = open(SELF, O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int fd = memfd_create("porthole", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (from < 0 || fd < 0 || fchmod(fd, 0555) < 0)
		return -errno;
	while (size) {
		ssize_t n = sendfile(fd, from, NULL, size);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		size -= (size_t)n;
	}
	return fcntl(fd, F_ADD_SEALS, SEALS) < 0 ? -errno : TAKE_FD(fd);
}

/* The kit is looked for beside the executable and in it, which the new one cannot tell. Returns
 * where the program itself ends. */
static int name_kit(size_t *size)
{
	_cleanup_kit_ struct kit kit = KIT_INIT;
	struct stat st, self;

	if (stat(SELF, &self) < 0)
		return -errno;
	*size = (size_t)self.st_size;
	if (kit_find(NULL, &kit, NULL) < 0)
		return 0; /* --kit may name one, and else the plan says so */
	if (kit.kind == KIT_IMAGE && fstat(kit.fd, &st) == 0 && st.st_ino == self.st_ino &&
	    st.st_dev == self.st_dev)
		*size = kit.offset;
	return setenv("PORTHOLE_KIT", kit.path, 1) < 0 ? -errno : 0;
}

/* With our arguments as they were given: the parser sorts argv. */
static int start_over(int fd, struct err *e)
{
	_cleanup_close_ int from = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	_cleanup_strv_ struct strv args = {};
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r = from < 0 ? -errno : fd_read_all(from, ARGS_MAX, &text, &len);

	for (size_t i = 0; i < len && r == 0; i += strlen(text + i) + 1)
		r = strv_add(&args, text + i);
	if (r == 0) {
		fexecve(fd, args.v, environ);
		r = -errno;
	}
	return err_set(e, r, "running from a protected copy");
}

int session_seal(struct plan *p, struct err *e)
{
	p->traceable = session_traceable(p);
	return p->traceable ? session_seal_now(e) : 0;
}

int session_seal_now(struct err *e)
{
	_cleanup_close_ int fd = -EBADF;
	size_t size;
	int r;

	if (is_sealed()) {
		prctl(PR_SET_NAME, "porthole", 0, 0, 0); /* started by descriptor it is a number */
		return 0;
	}
	r = name_kit(&size);
	if (r < 0)
		return err_set(e, r, "preparing to run from a protected copy");
	fd = read_only_mount();
	if (fd < 0)
		fd = sealed_copy(size);
	if (fd < 0)
		return err_set(e, fd,
			       "protecting our executable from a target that may trace processes");
	return start_over(fd, e);
}
