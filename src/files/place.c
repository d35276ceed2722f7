#include "files/place.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/path.h"
#include "entry/root.h"
#include "sys/caps.h"
#include "sys/ns.h"
#include "sys/power.h"
#include "sys/userns.h"

void place_done(struct place *p)
{
	free(p->label);
	if (p->kind != PLACE_HOST)
		cleanup_close(&p->root);
	*p = PLACE_INIT;
}

static int set_label(struct place *p, const char *name, struct err *e)
{
	p->label = str_printable_dup(name ? name : "?");
	return p->label ? 0 : err_set(e, ENOMEM, "opening the files of a target");
}

int place_of_host(struct place *out, struct err *e)
{
	*out = PLACE_INIT;
	out->kind = PLACE_HOST;
	out->root = AT_FDCWD;
	return set_label(out, "", e);
}

/* Who owns a user namespace has every right in it, once he is in it. */
static int join_user_ns(const struct target *t, const struct place *p, struct err *e)
{
	int r = ns_join(t->pidfd, t->proc_fd, CLONE_NEWUSER);

	if (r == 0)
		return 0;
	err_set(e, r, "joining the user namespace of '%s'", p->label);
	if (r == -EPERM)
		err_hint(e, "without root only the files of one's own containers can be reached: "
			    "run with sudo");
	return r;
}

static int read_ids(const struct target *t, struct place *p, struct err *e)
{
	_cleanup_close_ int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	unsigned user = 0;
	char missing[64];
	int r;

	if (self < 0)
		return err_set(e, errno, "opening /proc/self");
	r = ns_different(t->proc_fd, self, CLONE_NEWUSER, &user, e);
	if (r < 0 || !user)
		return r;
	if (*power_missing(CAPS_BIT(CAP_SYS_ADMIN), missing, sizeof(missing)))
		return join_user_ns(t, p, e);
	r = idmap_read(t->proc_fd, "uid_map", &p->uids);
	if (r == 0)
		r = idmap_read(t->proc_fd, "gid_map", &p->gids);
	if (r == 0 && (!p->uids.n || !p->gids.n))
		r = -EINVAL;
	return r < 0 ? err_set(e, r, "reading the id maps of '%s'", p->label) : 0;
}

int place_of_target(const struct target *t, struct place *out, struct err *e)
{
	int r;

	*out = PLACE_INIT;
	out->kind = PLACE_LIVE;
	r = set_label(out, t->name, e);
	if (r == 0)
		r = read_ids(t, out, e);
	if (r < 0)
		return r;
	out->pidfd = t->pidfd;
	out->root = openat(t->proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (out->root >= 0)
		return 0;
	if (errno == ENOENT || errno == ESRCH)
		return err_say(e, ESRCH, "'%s' exited while its files were being opened",
			       out->label);
	err_set(e, errno, "opening the root directory of '%s'", out->label);
	if (errno == EACCES || errno == EPERM)
		power_hint(e, CAPS_BIT(CAP_SYS_PTRACE));
	return -e->num;
}

int place_of_store(const struct store *s, struct place *out, struct err *e)
{
	_cleanup_entry_ struct entry en = {};
	int r;

	*out = PLACE_INIT;
	out->kind = PLACE_STORE;
	out->ro = true;
	r = set_label(out, s->label, e);
	if (r < 0)
		return r;
	if (s->uid_map) {
		entry_idmap_parse(s->uid_map, &en.uids);
		entry_idmap_parse(s->gid_map ? s->gid_map : s->uid_map, &en.gids);
	}
	out->root = entry_root_of_store(s, &en, true, e);
	if (out->root < 0)
		return out->root;
	if (!en.ids_inside) {
		out->uids = en.uids;
		out->gids = en.gids;
	}
	return 0;
}

int place_of_store_rw(const struct store *s, int proc_fd, struct place *out, struct err *e)
{
	int r;

	*out = PLACE_INIT;
	out->kind = PLACE_STORE;
	r = set_label(out, s->label, e);
	if (r < 0)
		return r;
	if (s->uid_map && !s->layers[0].ids_inside && !userns_is_ours(s->uid_map, s->gid_map)) {
		entry_idmap_parse(s->uid_map, &out->uids);
		entry_idmap_parse(s->gid_map ? s->gid_map : s->uid_map, &out->gids);
	}
	out->root = entry_root_writable(s, proc_fd, e);
	return out->root < 0 ? out->root : 0;
}

int place_open(const struct place *p, const char *path, int flags)
{
	int fd;

	if (p->kind != PLACE_HOST)
		return path_open_in_root(p->root, path, flags);
	fd = openat(p->root, path, flags | O_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

static bool is_dots(const char *s)
{
	return str_eq(s, ".") || str_eq(s, "..");
}

int place_parent(const struct place *p, const char *path, int *dir, char **name)
{
	_cleanup_free_ char *copy = strdup(path);
	size_t n = copy ? strlen(copy) : 0;
	char *slash, *last;

	*dir = -EBADF;
	*name = NULL;
	if (!copy)
		return -ENOMEM;
	if (!n)
		return -ENOENT;
	while (n > 1 && copy[n - 1] == '/')
		copy[--n] = '\0';
	slash = strrchr(copy, '/');
	last = slash ? slash + 1 : copy;
	if (!*last || is_dots(last)) { /* the directory itself is all there is */
		*name = strdup(".");
		*dir = *name ? place_open(p, copy, O_PATH | O_DIRECTORY) : -ENOMEM;
	} else {
		*name = strdup(last);
		*last = '\0';
		*dir = !*name ? -ENOMEM
			      : place_open(p,
					   slash		   ? copy
					   : p->kind == PLACE_HOST ? "."
								   : "/",
					   O_PATH | O_DIRECTORY);
	}
	if (*dir >= 0)
		return 0;
	free(TAKE_PTR(*name));
	n = (size_t) - *dir;
	*dir = -EBADF;
	return -(int)n;
}

uint32_t place_uid_inside(const struct place *p, uid_t uid)
{
	return p->uids.n ? idmap_to_inside(&p->uids, uid) : uid;
}

uint32_t place_gid_inside(const struct place *p, gid_t gid)
{
	return p->gids.n ? idmap_to_inside(&p->gids, gid) : gid;
}

uint32_t place_uid_outside(const struct place *p, uint32_t uid)
{
	return p->uids.n ? idmap_to_outside(&p->uids, uid) : uid;
}

uint32_t place_gid_outside(const struct place *p, uint32_t gid)
{
	return p->gids.n ? idmap_to_outside(&p->gids, gid) : gid;
}

void place_begin_writing(const struct place *p)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3];

	if (p->kind != PLACE_LIVE || !p->uids.n || !p->gids.n || syscall(SYS_capget, &h, d) < 0)
		return;
	setfsgid(idmap_to_outside(&p->gids, idmap_first_inside(&p->gids)));
	setfsuid(idmap_to_outside(&p->uids, idmap_first_inside(&p->uids)));
	syscall(SYS_capset, &h, d); /* the kernel took those over others' files */
}

void place_end_writing(void)
{
	setfsuid(geteuid());
	setfsgid(getegid());
}

bool place_is_gone(const struct place *p)
{
	struct pollfd fd = {.fd = p->pidfd, .events = POLLIN};

	return p->pidfd >= 0 && poll(&fd, 1, 0) > 0;
}

static void hint(const struct place *p, int r, struct err *e)
{
	if (place_is_gone(p))
		err_hint(e, "'%s' has ended meanwhile", p->label);
	else if (r == -EROFS && p->kind == PLACE_LIVE)
		err_hint(e,
			 "that is mounted read-only in '%s'; a volume or tmpfs of it may be "
			 "writable: porthole inspect %s",
			 p->label, p->label);
	else if (r == -EROFS && p->kind == PLACE_STORE)
		err_hint(
			e,
			"'%s' does not run: a tmpfs of it is there only while it does, and what it "
			"has read-only stays so",
			p->label);
	else if (r == -EACCES || r == -EPERM)
		power_hint(e, CAPS_BIT(CAP_DAC_OVERRIDE));
	else if (r == -ELOOP)
		err_hint(e, "its links go round in a circle, or it is a link of the kernel's own");
}

int place_err(const struct place *p, int r, const char *doing, const char *path, struct err *e)
{
	if (p->kind == PLACE_HOST)
		err_set(e, r, "%s %s", doing, path);
	else
		err_set(e, r, "%s %s in '%s'", doing, path, p->label);
	hint(p, r, e);
	return r < 0 ? r : -r;
}
