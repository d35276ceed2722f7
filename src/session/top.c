#include "session/top.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "session/wire.h"

bool top_is_sent(const struct plan *p, const struct view_parts *parts)
{
	return p->view == VIEW_KIT && p->cow.on && !p->rootless && !p->lodging && !parts->classic;
}

int top_dir(int root, const char *name)
{
	int fd = openat(root, name, ROOT_DIR_FLAGS);

	if (fd >= 0)
		return fd;
	if (errno != ENOENT &&
	    ((errno != ENOTDIR && errno != ELOOP) || unlinkat(root, name, 0) < 0))
		return -errno;
	if (mkdirat(root, name, 0755) < 0)
		return -errno;
	fd = openat(root, name, ROOT_DIR_FLAGS);
	return fd < 0 ? -errno : fd;
}

/* In the kit's root these are links into the kit, where nothing can be mounted (/lib/modules). What
 * has a mount at or below it becomes a directory instead; the kit's own programs do not look there,
 * and of the others' libraries it keeps what a loader finds by itself. */
static int make_way(int top, const char *dest)
{
	static const char *const links[] = {"usr/share", "lib", "usr/lib"};
#ifdef __aarch64__
	static const char libs[] = "aarch64-linux-gnu", to[] = "/dev/p/l/aarch64-linux-gnu";
#else
	static const char libs[] = "x86_64-linux-gnu", to[] = "/dev/p/l/x86_64-linux-gnu";
#endif
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(links); i++) {
		const char *below = path_below(dest + 1, links[i]);
		_cleanup_close_ int dir = below ? top_dir(top, links[i]) : -EBADF;

		if (below && dir < 0)
			r = dir;
		else if (below && *below && i > 0 && symlinkat(to, dir, libs) < 0)
			r = errno == EEXIST ? 0 : -errno;
	}
	return r;
}

/* Room for the plan's mounts; which of them cannot have it yet is seen when it is mounted. */
static int make_places(const struct plan *p, int top)
{
	int r = mkdirat(top, "dev", 0755) < 0 || mkdirat(top, "proc", 0755) < 0 ? -errno : 0;

	for (size_t i = 0; r == 0 && p->beside.on && i < p->cow.n; i++) {
		const struct cow_mount *m = &p->cow.v[i];
		struct stat st;

		r = make_way(top, m->dest);
		if (r == 0 && m->how == COW_BIND && fstat(m->fd, &st) == 0) {
			int at = path_make_in_root(top, m->dest, S_ISDIR(st.st_mode));

			cleanup_close(&at);
		}
	}
	return r;
}

int top_make(const struct plan *p, struct err *e)
{
	mode_t mask = umask(0);
	_cleanup_close_ int top = view_new_tmpfs(p->beside.on ? "50%" : "16m", view_own_attrs(p));
	int r = top < 0 ? top
			: view_fill_kit_root(top, p->beside.host ? p->beside.etc : VIEW_TARGET_ETC);

	if (r == 0)
		r = make_places(p, top);
	umask(mask);
	return r < 0 ? err_set(e, r, "making the root of '%s'", p->label) : TAKE_FD(top);
}

void top_send(const struct plan *p, int sock)
{
	struct wire_msg m = {.type = WIRE_ROOT};
	_cleanup_close_ int top = top_make(p, &m.err);

	wire_send(sock, &m, top); /* a dead agent is seen when its message is awaited */
}

int top_recv(int sock, struct err *e)
{
	_cleanup_close_ int top = -EBADF;
	struct wire_msg m;
	int r = wire_recv(sock, &m, &top);

	if (r != 1 || m.type != WIRE_ROOT)
		return err_set(e, r < 0 ? r : EPIPE, "waiting for the session's root");
	if (m.err.num)
		*e = m.err;
	return m.err.num ? -e->num : TAKE_FD(top);
}
