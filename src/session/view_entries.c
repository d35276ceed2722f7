/* The entries of a directory, to be had again elsewhere. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "session/view.h"
#include "sys/mountlist.h"

/* The host's nodes a target without /dev is given. */
static const char *const basic_nodes[] = {"null", "zero", "full", "random", "urandom", "tty"};

void view_entries_done(struct view_entries *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].name);
		free(l->v[i].link);
		cleanup_close(&l->v[i].fd);
	}
	free(l->v);
	*l = (struct view_entries){};
}

static bool listed(const char *const *names, const char *name)
{
	for (; names && *names; names++)
		if (str_eq(*names, name))
			return true;
	return false;
}

/* Fill one entry; -EAGAIN: leave it out. `dev`: the file system of the directory. */
static int entry_read(int dirfd, const char *name, enum view_how how, dev_t dev,
		      struct view_entry *en)
{
	struct mount_attr slave = {.propagation = MS_SLAVE};
	char link[PATH_MAX];
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return -EAGAIN;
	*en = (struct view_entry){.fd = -EBADF, .dir = S_ISDIR(st.st_mode)};
	if (S_ISLNK(st.st_mode)) {
		if (how == VIEW_MOUNTS)
			return -EAGAIN;
		if (link_read_at(dirfd, name, link, sizeof(link)) < 0)
			return -EAGAIN;
		en->link = strdup(link);
		if (!en->link)
			return -ENOMEM;
	} else if (how == VIEW_NODES && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) &&
		   st.st_dev == dev && st.st_rdev) {
		en->node = st;
	} else if (how == VIEW_MOUNTS && !en->dir && st.st_dev == dev) {
		return -EAGAIN;
	} else if (how != VIEW_LIST) {
		en->fd = open_tree(dirfd, name,
				   OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW |
					   AT_RECURSIVE);
		if (en->fd < 0)
			return errno == ENOSYS ? -ENOSYS : -EAGAIN;
		/* or what is mounted there in the session would be there, too (Linux 5.12) */
		mount_setattr(en->fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &slave, sizeof(slave));
	}
	en->name = strdup(name);
	if (en->name)
		return 0;
	cleanup_close(&en->fd);
	free(en->link);
	return -ENOMEM;
}

/* Nothing to attach: no directory, and nothing is mounted on it, by what can be told without asking
 * for each of the hundred names in a /dev. */
static bool is_bare(const struct dirent *de, const struct strv *mounted)
{
	return de->d_type != DT_DIR && de->d_type != DT_UNKNOWN && !strv_has(mounted, de->d_name);
}

int view_entries_read(int dirfd, const char *const *skip, enum view_how how, struct view_entries *l)
{
	_cleanup_dir_ DIR *d = NULL;
	_cleanup_close_ int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_strv_ struct strv mounted = {};
	struct dirent *de;
	struct stat st;
	bool told;

	*l = (struct view_entries){};
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	told = how == VIEW_MOUNTS && mountlist_names(fd, &mounted) == 0;
	d = fdopendir(fd);
	if (!d)
		return -errno;
	TAKE_FD(fd);
	while (l->n < VIEW_ENTRIES_MAX && (de = readdir(d))) {
		int r;

		if (str_eq(de->d_name, ".") || str_eq(de->d_name, "..") ||
		    listed(skip, de->d_name) || (told && is_bare(de, &mounted)))
			continue;
		if (l->n % 32 == 0) {
			void *v = reallocarray(l->v, l->n + 32, sizeof(*l->v));

			if (!v)
				return -ENOMEM;
			l->v = v;
		}
		r = entry_read(dirfd, de->d_name, how, st.st_dev, &l->v[l->n]);
		if (r == 0)
			l->n++;
		else if (r != -EAGAIN)
			return r;
	}
	return 0;
}

/* The same node, mode and owner. */
static int make_node(int dirfd, const struct view_entry *en)
{
	const struct stat *st = &en->node;

	if (mknodat(dirfd, en->name, st->st_mode & (S_IFMT | 0777), st->st_rdev) < 0)
		return -errno;
	if ((st->st_uid || st->st_gid) &&
	    fchownat(dirfd, en->name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

int view_entry_make(int dirfd, const struct view_entry *en)
{
	_cleanup_close_ int fd = -EBADF;

	if (en->link)
		return symlinkat(en->link, dirfd, en->name) < 0 ? -errno : 0;
	if (en->dir)
		return mkdirat(dirfd, en->name, 0755) < 0 && errno != EEXIST ? -errno : 0;
	if (en->node.st_rdev)
		return make_node(dirfd, en);
	fd = openat(dirfd, en->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	return fd < 0 && errno != EEXIST ? -errno : 0;
}

int view_basic_nodes(struct view_entries *l)
{
	_cleanup_close_ int dev = open("/dev", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	*l = (struct view_entries){};
	if (dev < 0)
		return -errno;
	l->v = calloc(ARRAY_LEN(basic_nodes), sizeof(*l->v));
	if (!l->v)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_LEN(basic_nodes); i++)
		if (entry_read(dev, basic_nodes[i], VIEW_CLONE, 0, &l->v[l->n]) == 0)
			l->n++;
	return 0;
}
