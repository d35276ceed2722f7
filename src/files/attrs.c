#include "files/attrs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/str.h"

void attrs_done(struct attrs *a)
{
	for (size_t i = 0; i < a->n_x; i++) {
		free(a->x[i].name);
		free(a->x[i].value);
	}
	free(a->x);
	*a = (struct attrs){};
}

/* Takes both strings over, also on error. */
static int add_owned(struct attrs *a, char *name, void *value, size_t len)
{
	void *v = NULL;

	if (a->n_x < ATTRS_XATTRS_MAX && name && value)
		v = reallocarray(a->x, a->n_x + 1, sizeof(*a->x));
	if (!v) {
		free(name);
		free(value);
		return a->n_x < ATTRS_XATTRS_MAX ? -ENOMEM : -E2BIG;
	}
	a->x = v;
	a->x[a->n_x++] = (struct xattr){.name = name, .value = value, .len = len};
	return 0;
}

int attrs_add(struct attrs *a, const char *name, const void *value, size_t len)
{
	char *v = malloc(len + 1);

	if (v)
		memcpy(v, value, len);
	return add_owned(a, strdup(name), v, len);
}

bool attrs_is_kept(const char *name, const struct attrs_keep *keep)
{
	if (str_eq(name, "security.capability"))
		return keep->power;
	if (str_starts(name, "user.overlay.") || str_starts(name, "trusted.overlay."))
		return false;
	return str_starts(name, "user.") || str_starts(name, "trusted.") ||
	       str_eq(name, "system.posix_acl_access") || str_eq(name, "system.posix_acl_default");
}

static int read_one(const struct place *from, int fd, const char *name, struct attrs *out)
{
	ssize_t n = fgetxattr(fd, name, NULL, 0);
	void *value = n >= 0 && n <= ATTRS_VALUE_MAX ? malloc((size_t)n + 1) : NULL;
	size_t len;

	if (!value)
		return n < 0 || n > ATTRS_VALUE_MAX ? 0 : -ENOMEM;
	n = fgetxattr(fd, name, value, (size_t)n);
	len = n < 0 ? 0 : (size_t)n;
	if (n < 0 || attrs_map_value(from, true, name, &value, &len) < 0) {
		free(value);
		return 0;
	}
	return add_owned(out, strdup(name), value, len);
}

static int read_xattrs(const struct place *from, int fd, const struct attrs_keep *keep,
		       struct attrs *out)
{
	char few[1024];
	_cleanup_free_ char *many = NULL;
	char *list = few;
	ssize_t n = flistxattr(fd, few, sizeof(few));
	int r = 0;

	if (n < 0 && errno == ERANGE) {
		list = many = malloc(ATTRS_VALUE_MAX);
		n = many ? flistxattr(fd, many, ATTRS_VALUE_MAX) : 0;
	}
	for (ssize_t at = 0; at < n && r == 0; at += (ssize_t)strlen(list + at) + 1)
		if (attrs_is_kept(list + at, keep) && out->n_x < ATTRS_XATTRS_MAX)
			r = read_one(from, fd, list + at, out);
	return r;
}

int attrs_read(const struct place *from, int fd, const struct stat *st,
	       const struct attrs_keep *keep, struct attrs *out)
{
	*out = (struct attrs){
		.mode = st->st_mode,
		.owner = keep->owner || keep->give,
		.uid = keep->owner ? place_uid_inside(from, st->st_uid) : keep->uid,
		.gid = keep->owner ? place_gid_inside(from, st->st_gid) : keep->gid,
		.times = true,
		.atime = st->st_atim,
		.mtime = st->st_mtim,
		.rdev = st->st_rdev,
	};
	if (!keep->power) {
		bool device = S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);

		out->mode &= ~(mode_t)(device ? 07177 : S_ISDIR(st->st_mode) ? 0 : 06000);
	}
	return fd >= 0 ? read_xattrs(from, fd, keep, out) : 0;
}

/* Nobody inside has it: as the kernel shows such an id. */
static uint32_t outside_uid(const struct place *to, uint32_t uid)
{
	uint32_t id = place_uid_outside(to, uid);

	return id == UINT32_MAX ? place_uid_outside(to, 65534) : id;
}

static uint32_t outside_gid(const struct place *to, uint32_t gid)
{
	uint32_t id = place_gid_outside(to, gid);

	return id == UINT32_MAX ? place_gid_outside(to, 65534) : id;
}

static int apply_xattr(const struct place *to, int fd, const struct xattr *x)
{
	void *value = malloc(x->len + 1);
	size_t len = x->len;
	int r;

	if (!value)
		return -ENOMEM;
	memcpy(value, x->value, len);
	r = attrs_map_value(to, false, x->name, &value, &len);
	if (r == 0 && fsetxattr(fd, x->name, value, len, 0) < 0)
		r = -errno;
	free(value);
	return r;
}

int attrs_apply(const struct place *to, int fd, const struct attrs *a, size_t *lost)
{
	if (a->owner && fchown(fd, outside_uid(to, a->uid), outside_gid(to, a->gid)) < 0)
		return -errno;
	for (size_t i = 0; i < a->n_x; i++)
		if (apply_xattr(to, fd, &a->x[i]) < 0 && lost)
			++*lost;
	if (fchmod(fd, a->mode & 07777) < 0)
		return -errno;
	if (a->times && futimens(fd, (struct timespec[2]){a->atime, a->mtime}) < 0)
		return -errno;
	return 0;
}

int attrs_apply_path(const struct place *to, int fd, const struct attrs *a)
{
	struct timespec times[2] = {a->atime, a->mtime};

	if (a->owner &&
	    fchownat(fd, "", outside_uid(to, a->uid), outside_gid(to, a->gid), AT_EMPTY_PATH) < 0)
		return -errno;
	return a->times && utimensat(fd, "", times, AT_EMPTY_PATH) < 0 ? -errno : 0;
}
