/* Flatpak: a directory for each running instance, /run/user/UID/.flatpak/N, made by `flatpak run`.
 */
#include "target/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "sys/proc.h"

/* name= below [Application] in `info`. */
static char *app_name(const char *text)
{
	const char *p = strstr(text, "[Application]"), *next;

	if (!p)
		return NULL;
	next = strstr(p + 1, "\n[");
	p = strstr(p, "\nname=");
	if (!p || (next && p > next))
		return NULL;
	return strndup(p + 6, strcspn(p + 6, "\n"));
}

/* The child of the bwrap that the instance's `pid` file names. */
static pid_t child_of(struct look *l, int dir, const char *path, const char *id)
{
	static const char *const picks[] = {"child-pid"};
	char file[NAME_MAX + 32];
	struct proc_stat st, outer;
	struct slice text, v;
	pid_t pid, bwrap;

	snprintf(file, sizeof(file), "%s/pid", id);
	bwrap = look_pid_file(dir, file);
	snprintf(file, sizeof(file), "%s/bwrapinfo.json", id);
	if (look_read(l, dir, path, file, STATE_FILE_MAX, &text) < 0 ||
	    jpick(text, picks, 1, &v) < 0)
		return 0;
	pid = (pid_t)jpick_int(v, 0);
	if (pid <= 0 || proc_stat_read_at(l->roots->proc_fd, pid, &st) < 0 || st.ppid != bwrap ||
	    proc_stat_read_at(l->roots->proc_fd, bwrap, &outer) < 0 || !str_eq(outer.comm, "bwrap"))
		return 0;
	return pid;
}

static int load(struct look *l, const struct want *w, int dir, const char *path, const char *id,
		uid_t owner, struct targets *out)
{
	struct target t = TARGET_INIT;
	char file[NAME_MAX + 32];
	struct slice text;
	pid_t pid;

	snprintf(file, sizeof(file), "%s/info", id);
	if (look_read(l, dir, path, file, STATE_FILE_MAX, &text) < 0 ||
	    (!want_id(w, id) && !want_maybe(w, text)))
		return 0;
	t.name = app_name(text.p);
	pid = t.name ? child_of(l, dir, path, id) : 0;
	if (!pid || !target_take_pid(l, &t, pid)) {
		target_done(&t);
		return 0;
	}
	t.engine = engine_flatpak.name;
	t.id = strdup(id);
	t.image = strdup(t.name);
	t.state_file = str_fmt("/%s/%s", path, file);
	t.exit_code = -1;
	t.owner_uid = owner;
	t.owner = look_owner(l, owner);
	return want_take(w, out, &t, NULL);
}

static int load_user(struct look *l, const struct want *w, const char *run, uid_t owner,
		     struct targets *out)
{
	_cleanup_free_ char *path = str_fmt("%s/.flatpak", run);
	_cleanup_dir_ DIR *d = path ? look_opendir(l, l->root_fd, path) : NULL;
	unsigned left = DIR_ENTRIES_MAX;
	const char *id;
	int r = 0;

	while (d && r == 0 && (id = look_entry(l, d, &left)))
		if (strspn(id, "0123456789") == strlen(id))
			r = load(l, w, dirfd(d), path, id, owner, out);
	return r;
}

static int find(struct look *l, const struct want *w, struct targets *out)
{
	const struct users *u = look_users(l);
	int r = load_user(l, w, "run/user/0", 0, out);

	for (size_t i = 0; i < u->n && r == 0; i++)
		r = load_user(l, w, u->v[i].run, u->v[i].uid, out);
	return r;
}

const struct engine engine_flatpak = {.name = "flatpak", .find = find};
