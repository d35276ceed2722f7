/*
 * Who the command runs as: USER[:GROUP] looked up in the root's own files, as runtimes do: a name
 * must be there; a number need not, and has group 0 where it is not.
 */
#include <errno.h>
#include <stdio.h>

#include "base/etc.h"
#include "base/path.h"
#include "entry/lint_priv.h"
#include "sys/caps.h"

static int add_group(void *data, gid_t gid)
{
	struct lint_who *w = data;

	if (w->n_groups < LINT_GROUPS_MAX)
		w->groups[w->n_groups++] = gid;
	return 0;
}

/* A file of /etc; what is wrong with it becomes a finding where it matters (`needed`). */
static char *etc_read(struct lint *l, const char *path, const char *needed)
{
	char *text = NULL;
	int r = path_read_in_root(l->root, path, ETC_FILE_MAX, &text, NULL);

	if (r == 0)
		return text;
	if (needed && (r == -ENOENT || r == -ENOTDIR))
		lint_add(l, "user-unknown", false,
			 str_fmt("It should run as '%s', and there is no %s to look that up in.",
				 needed, path),
			 str_fmt("Give a number (USER 1000), which needs no entry, or bring a %s "
				 "into the image.",
				 path));
	else if (needed)
		lint_add(l, "user-unknown", false,
			 str_fmt("It should run as '%s', and %s is not a plain file of a sensible "
				 "size.",
				 needed, path),
			 str_fmt("Make %s a regular file again, or give a number (USER 1000).",
				 path));
	return NULL;
}

static void find_user(struct lint *l, const char *user)
{
	_cleanup_etc_user_ struct etc_user u = {};
	struct entry_report *out = l->out;
	uint32_t id = 0;
	bool number = etc_id(user, &id) == 0;
	bool root = str_eq(user, "root");
	_cleanup_free_ char *text = etc_read(l, "/etc/passwd", number || root ? NULL : user);
	int r = text ? etc_user_find(text, user, 0, &u) : -ENOENT;

	if (r == -ENOENT && text && number)
		r = etc_user_find(text, NULL, id, &u);
	if (r == 0) {
		out->user_name = TAKE_PTR(u.name);
		out->home = TAKE_PTR(u.home);
		out->uid = u.uid;
		out->gid = u.gid;
	} else if (number) {
		out->uid = id;
	}
	out->user_known = r == 0 || number || root;
	if (!out->user_known && text)
		lint_add(l, "user-unknown", false,
			 str_fmt("It should run as '%s', and there is no such user in its "
				 "/etc/passwd.",
				 user),
			 str_fmt("Create it in the image (RUN useradd -r %s, or adduser -S %s on "
				 "Alpine), or give its number.",
				 user, user));
}

static void find_group(struct lint *l, const char *group)
{
	struct lint_who *w = &l->who;
	_cleanup_free_ char *text = etc_read(l, "/etc/group", NULL);
	uint32_t gid;

	if (group && etc_id(group, &gid) == 0) {
		l->out->gid = gid;
	} else if (group && text && etc_group_find(text, group, &gid) == 0) {
		l->out->gid = gid;
	} else if (group) {
		lint_add(l, "group-unknown", false,
			 str_fmt("It should run in the group '%s', and there is no such group in "
				 "its /etc/group.",
				 group),
			 str_fmt("Create it in the image (RUN groupadd %s), or give its number.",
				 group));
	}
	if (!group && text && l->out->user_name)
		etc_groups_of(text, l->out->user_name, add_group, w);
}

static void check_mapped(struct lint *l, const char *what, const struct idmap *m, uint32_t id)
{
	if (!m->n || idmap_to_outside(m, id) != (uint32_t)-1)
		return;
	lint_add(
		l, "user-unmapped", false,
		str_fmt("It should run with %s %u, which its user namespace does not have: it ends "
			"at %u.",
			what, id, m->r[m->n - 1].inside + m->r[m->n - 1].count - 1),
		str_fmt("Use a smaller number, or give the engine a larger range in "
			"/etc/subuid and /etc/subgid."));
}

void lint_user(struct lint *l)
{
	const char *asked = l->en->user;
	_cleanup_free_ char *copy = strdup(asked ? asked : "");
	char *group = copy ? strchr(copy, ':') : NULL;
	struct lint_who *w = &l->who;
	uint64_t caps = l->en->caps_known ? l->en->caps : CAPS_DOCKER;

	if (!copy) {
		l->oom = true;
		return;
	}
	if (group)
		*group++ = '\0';
	find_user(l, *copy ? copy : "0");
	find_group(l, group && *group ? group : NULL);
	if (!l->out->user_known)
		return;
	w->uid = l->out->uid;
	w->gid = l->out->gid;
	check_mapped(l, "uid", &l->en->uids, w->uid);
	check_mapped(l, "gid", &l->en->gids, w->gid);
	w->override = w->uid == 0 && caps & CAPS_BIT(1); /* CAP_DAC_OVERRIDE */
	w->search = w->uid == 0 && caps & CAPS_BIT(2);	 /* CAP_DAC_READ_SEARCH */
}
