/* Who the target runs as and what it may do: ids with the names of its own files, labels, maps. */
#include <fcntl.h>
#include <stdio.h>

#include "base/etc.h"
#include "base/fd.h"
#include "base/path.h"
#include "facts/facts.h"
#include "facts/parse.h"

enum { GROUPS_SHOWN = 32 };

static enum plain_file etc_read(int rootfd, const char *path, char **text)
{
	int r = path_read_in_root(rootfd, path, ETC_FILE_MAX, text, NULL);

	if (r == 0)
		return FILE_OK;
	*text = NULL;
	if (r == -ENOENT || r == -ENOTDIR)
		return FILE_MISSING;
	return r == -ENOTSUP || r == -EFBIG || r == -ELOOP ? FILE_STRANGE : FILE_UNREAD;
}

static int groups_fill(struct facts_rights *g, const char *group_text)
{
	for (size_t i = 0; i < g->cred.ngroups && i < GROUPS_SHOWN; i++) {
		uint32_t gid = idmap_to_inside(&g->gid_map, g->cred.groups[i]);
		_cleanup_free_ char *name = group_text ? etc_name(group_text, gid) : NULL;
		char *s;

		if (gid == g->gid)
			continue;
		if (gid == (uint32_t)-1)
			s = str_fmt("unmapped %u", g->cred.groups[i]);
		else
			s = name ? str_fmt("%u (%s)", gid, name) : str_fmt("%u", gid);
		if (strv_push(&g->groups, s) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void label_read(int proc_fd, struct facts_rights *g)
{
	if (file_read_small_at(proc_fd, "attr/current", g->label, sizeof(g->label)) < 0)
		g->label[0] = '\0';
	g->label[strcspn(g->label, "\n")] = '\0';
}

int facts_rights_read(const struct target_roots *r, const struct target *t, struct facts *f)
{
	_cleanup_close_ int root = openat(t->proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *passwd = NULL, *group = NULL;
	struct facts_rights *g = &f->rights;
	int err = cred_read(t->proc_fd, &g->cred);

	(void)r;
	if (err < 0)
		return err;
	g->known = true;
	label_read(t->proc_fd, g);
	if (idmap_read(t->proc_fd, "uid_map", &g->uid_map) < 0 ||
	    idmap_read(t->proc_fd, "gid_map", &g->gid_map) < 0)
		return -EIO;
	g->uid = idmap_to_inside(&g->uid_map, g->cred.euid);
	g->gid = idmap_to_inside(&g->gid_map, g->cred.egid);
	for (size_t i = 0; i < f->procs.n; i++)
		f->procs.v[i].uid = idmap_to_inside(&g->uid_map, f->procs.v[i].uid);
	if (root < 0) {
		g->passwd = FILE_UNREAD;
		return groups_fill(g, NULL);
	}
	g->passwd = etc_read(root, "/etc/passwd", &passwd);
	etc_read(root, "/etc/group", &group);
	g->user = passwd ? etc_name(passwd, g->uid) : NULL;
	g->group = group ? etc_name(group, g->gid) : NULL;
	return groups_fill(g, group);
}
