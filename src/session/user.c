/* Who the command runs as: docker's USER[:GROUP], read from the target's own files. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/etc.h"
#include "base/fd.h"
#include "base/path.h"
#include "session/plan.h"
#include "sys/cred.h"

enum { GROUPS_MAX = 256 };

/* Read a file of the target's (or, for sessions with the host's files, of ours). */
static char *slurp(const struct plan *p, const char *path)
{
	char *text = NULL;
	int r = p->root_fd >= 0 ? path_read_in_root(p->root_fd, path, ETC_FILE_MAX, &text, NULL)
				: file_read_at(AT_FDCWD, path, ETC_FILE_MAX, &text, NULL);

	return r < 0 ? NULL : text;
}

/* Find by name or, when `name` is NULL, by uid. Fills what it finds. */
static int find_passwd(const struct plan *p, const char *name, struct who *w)
{
	_cleanup_free_ char *text = slurp(p, "/etc/passwd");
	_cleanup_etc_user_ struct etc_user u = {};
	int r = text ? etc_user_find(text, name, w->uid, &u) : -ENOENT;

	if (r < 0)
		return r;
	w->uid = u.uid;
	w->gid = u.gid;
	w->name = TAKE_PTR(u.name);
	w->home = TAKE_PTR(u.home);
	free(w->shell);
	w->shell = TAKE_PTR(u.shell);
	return 0;
}

static int add_group(void *data, gid_t gid)
{
	struct who *w = data;
	gid_t *g;

	for (size_t i = 0; i < w->ngroups; i++)
		if (w->groups[i] == gid)
			return 0;
	if (w->ngroups >= GROUPS_MAX)
		return 0;
	g = reallocarray(w->groups, w->ngroups + 1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	w->groups = g;
	g[w->ngroups++] = gid;
	return 0;
}

/* The groups `user` is listed in (NULL: none), and the id of the group called `want` (NULL: none).
 */
static int find_groups(const struct plan *p, const char *user, const char *want, struct who *w)
{
	_cleanup_free_ char *text = slurp(p, "/etc/group");
	int r = want ? -ENOENT : 0;

	if (text && want)
		r = etc_group_find(text, want, &w->gid);
	if (r == 0 && text && user)
		r = etc_groups_of(text, user, add_group, w);
	return r;
}

/* The target's own ids, as it runs now. They are read in our user namespace and must be turned into
 * the numbers that are valid inside. */
static int target_user(struct plan *p, struct err *e)
{
	struct cred st;
	struct idmap uids, gids;
	int r = cred_read(p->target->proc_fd, &st);

	if (r < 0)
		return err_set(e, r, "reading who '%s' runs as", p->label);
	p->who.uid = st.euid;
	p->who.gid = st.egid;
	if (p->ns_join & CLONE_NEWUSER) {
		if (idmap_read(p->target->proc_fd, "uid_map", &uids) < 0 ||
		    idmap_read(p->target->proc_fd, "gid_map", &gids) < 0)
			return err_say(e, EIO, "reading the id maps of '%s' failed", p->label);
		p->who.uid = (uid_t)idmap_to_inside(&uids, st.euid);
		p->who.gid = (gid_t)idmap_to_inside(&gids, st.egid);
		for (size_t i = 0; i < st.ngroups; i++)
			st.groups[i] = (gid_t)idmap_to_inside(&gids, st.groups[i]);
	}
	for (size_t i = 0; i < st.ngroups; i++)
		if (st.groups[i] != (gid_t)-1 && add_group(&p->who, st.groups[i]) < 0)
			return err_set(e, ENOMEM, "reading who '%s' runs as", p->label);
	return 0;
}

/* Root, or the first id that exists in a user namespace that maps no root. */
static int default_user(struct plan *p, struct err *e)
{
	struct idmap m;

	if (!(p->ns_join & CLONE_NEWUSER))
		return 0;
	if (idmap_read(p->target->proc_fd, "uid_map", &m) < 0 || m.n == 0)
		return err_say(e, EINVAL, "'%s' is in a user namespace that maps no ids", p->label);
	p->who.uid = (uid_t)idmap_first_inside(&m);
	if (idmap_read(p->target->proc_fd, "gid_map", &m) < 0 || m.n == 0)
		return err_say(e, EINVAL, "'%s' is in a user namespace that maps no groups",
			       p->label);
	p->who.gid = (gid_t)idmap_first_inside(&m);
	return 0;
}

/* The USER half of USER[:GROUP]. */
static int asked_user(struct plan *p, const char *user, struct err *e)
{
	unsigned id;
	int r;

	if (etc_id(user, &id) == 0) {
		p->who.uid = id; /* docker: a number needs no entry; its group is 0 then */
		r = find_passwd(p, NULL, &p->who);
		return r == -ENOMEM ? err_set(e, r, "looking up the user '%s'", user) : 0;
	}
	if (strspn(user, "0123456789") == strlen(user))
		return err_say(e, EINVAL, "%s is no user's number: they end at %u", user,
			       UINT32_MAX - 1);
	r = find_passwd(p, user, &p->who);
	if (r == 0 || (str_eq(user, "root") && r == -ENOENT))
		return 0;
	err_say(e, ENOENT, "there is no user '%s' in the /etc/passwd of '%s'", user, p->label);
	err_hint(e, "a number such as -u 1000 needs no entry%s",
		 p->beside.host ? "" : "; -u target is the app's own user");
	return -ENOENT;
}

static int find_user(struct plan *p, const char *spec, struct err *e)
{
	_cleanup_free_ char *copy = spec ? strdup(spec) : NULL;
	char *group = copy ? strchr(copy, ':') : NULL;
	unsigned gid;
	bool dflt;
	int r;

	if (spec && !copy)
		return err_set(e, ENOMEM, "looking up the user '%s'", spec);
	if (group)
		*group++ = '\0';
	dflt = !copy || !*copy; /* ":GROUP" is docker's too */
	if (dflt)
		r = default_user(p, e);
	else if (str_eq(copy, "target"))
		r = target_user(p, e);
	else
		r = asked_user(p, copy, e);
	if (r < 0)
		return r;
	if (!p->who.name) {
		uid_t uid = p->who.uid;
		gid_t own = p->who.gid;

		find_passwd(p, NULL, &p->who);
		p->who.uid = uid;
		if (dflt || str_eq(copy, "target"))
			p->who.gid = own;
	}
	if (!p->who.name)
		p->who.name = p->who.uid == 0 ? strdup("root") : str_fmt("%u", p->who.uid);
	if (spec && group && etc_id(group, &gid) == 0)
		p->who.gid = gid;
	else if (spec && !str_eq(copy, "target")) {
		r = find_groups(p, p->who.name, group, &p->who);
		if (r < 0)
			return err_say(e, ENOENT,
				       "there is no group '%s' in the /etc/group of '%s'", group,
				       p->label);
	}
	return 0;
}

int plan_groups_add(struct plan *p, const struct strv *groups, struct strv *unknown)
{
	_cleanup_free_ char *text = groups->n ? slurp(p, "/etc/group") : NULL;
	int r = 0;

	for (size_t i = 0; i < groups->n && r == 0; i++) {
		gid_t gid;

		if (etc_id(groups->v[i], &gid) == 0 ||
		    (text && etc_group_find(text, groups->v[i], &gid) == 0))
			r = add_group(&p->who, gid);
		else
			r = strv_push(unknown, str_printable_dup(groups->v[i]));
	}
	return r;
}

int plan_user(struct plan *p, const char *spec, struct err *e)
{
	/* nobody runs there: who would */
	if (p->store && str_eq(spec, "target"))
		spec = p->store->config.user;
	return find_user(p, spec && *spec ? spec : NULL, e);
}
