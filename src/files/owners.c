/* Names of owners: the target's own, of files that are not to be trusted. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/etc.h"
#include "base/fd.h"
#include "base/path.h"
#include "files/listing.h"

void owners_done(struct owners *o)
{
	free(o->passwd);
	free(o->group);
	free(o->user);
	free(o->team);
	*o = (struct owners){};
}

static char *slurp(const struct place *p, const char *path)
{
	char *text = NULL;
	int r = p->kind == PLACE_HOST ? file_read_at(AT_FDCWD, path, ETC_FILE_MAX, &text, NULL)
				      : path_read_in_root(p->root, path, ETC_FILE_MAX, &text, NULL);

	return r < 0 ? NULL : text;
}

void owners_read(const struct place *p, struct owners *out)
{
	*out = (struct owners){
		.p = p, .passwd = slurp(p, "/etc/passwd"), .group = slurp(p, "/etc/group")};
}

/* The id's name in `text`; else its number, "-" for one that is not there inside. */
static char *name_of(const char *text, uint32_t id)
{
	char *name = text && id != UINT32_MAX ? etc_name(text, id) : NULL;

	if (name)
		return name;
	return id == UINT32_MAX ? strdup("-") : str_fmt("%u", id);
}

const char *owners_user(struct owners *o, uid_t uid)
{
	uint32_t id = place_uid_inside(o->p, uid);

	if (!o->user || o->uid != id) {
		free(o->user);
		o->user = name_of(o->passwd, id);
		o->uid = id;
	}
	return o->user;
}

const char *owners_group(struct owners *o, gid_t gid)
{
	uint32_t id = place_gid_inside(o->p, gid);

	if (!o->team || o->gid != id) {
		free(o->team);
		o->team = name_of(o->group, id);
		o->gid = id;
	}
	return o->team;
}

int owners_find_user(const struct owners *o, const char *name, uint32_t *id)
{
	_cleanup_etc_user_ struct etc_user u = {};

	if (etc_id(name, id) == 0)
		return 0;
	if (!o->passwd || etc_user_find(o->passwd, name, 0, &u) < 0)
		return -ENOENT;
	*id = u.uid;
	return 0;
}

int owners_find_group(const struct owners *o, const char *name, uint32_t *id)
{
	gid_t gid;

	if (etc_id(name, id) == 0)
		return 0;
	if (!o->group || etc_group_find(o->group, name, &gid) < 0)
		return -ENOENT;
	*id = gid;
	return 0;
}
