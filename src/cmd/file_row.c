#include "cmd/file_row.h"

#include <stdio.h>
#include <sys/sysmacros.h>
#include <time.h>

char *file_time(int64_t seconds, char out[32])
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (!localtime_r(&t, &tm) || strftime(out, 32, "%Y-%m-%d %H:%M", &tm) == 0)
		snprintf(out, 32, "%lld", (long long)seconds);
	return out;
}

static json_t *id_json(uint32_t id)
{
	return id == UINT32_MAX ? json_null() : json_integer(id);
}

json_t *file_json(struct owners *o, const char *path, const struct listed *l)
{
	const struct stat *st = &l->st;
	char mode[16];
	json_t *j;

	snprintf(mode, sizeof(mode), "%04o", st->st_mode & 07777U);
	j = json_pack("{s:o,s:s,s:s,s:o,s:o,s:o,s:o,s:I,s:I,s:I,s:I,s:b}", "path", json_text(path),
		      "type", kind_name(st->st_mode), "mode", mode, "uid",
		      id_json(place_uid_inside(o->p, st->st_uid)), "gid",
		      id_json(place_gid_inside(o->p, st->st_gid)), "user",
		      json_text(owners_user(o, st->st_uid)), "group",
		      json_text(owners_group(o, st->st_gid)), "size", (json_int_t)st->st_size,
		      "disk", (json_int_t)st->st_blocks * 512, "mtime",
		      (json_int_t)st->st_mtim.tv_sec, "links", (json_int_t)st->st_nlink, "mount",
		      l->mounted);
	if (j && l->link)
		json_object_set_new(j, "link", json_text(l->link));
	if (j && (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)))
		json_object_set_new(
			j, "device",
			json_pack("[i,i]", (int)major(st->st_rdev), (int)minor(st->st_rdev)));
	return j;
}
