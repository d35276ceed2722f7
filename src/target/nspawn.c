/*
 * systemd-nspawn: those that systemd-machined knows are in /run/systemd/machines/NAME; others are
 * found by their supervisor, whose child is the container's init. What does not run has its files
 * in /var/lib/machines.
 */
#include "target/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "target/scan.h"

#define MACHINES "run/systemd/machines"
#define IMAGES	 "var/lib/machines"

/* systemd's escaping in its own files: \xNN and backslash before a character. In place. */
static void unescape(char *s)
{
	char *o = s;

	while (*s) {
		unsigned c;

		if (*s == '\\' && s[1] == 'x' && sscanf(s + 2, "%2x", &c) == 1 && c) {
			*o++ = (char)c;
			s += s[3] ? 4 : 3;
		} else if (*s == '\\' && s[1]) {
			*o++ = s[1];
			s += 2;
		} else {
			*o++ = *s++;
		}
	}
	*o = '\0';
}

/* The value after `key`, "KEY=", in a file of lines; a new string, NULL: none. */
static char *value(const char *text, const char *key)
{
	const char *at = str_line(text, key);
	char *v = at ? strndup(at, strcspn(at, "\n")) : NULL;

	if (v)
		unescape(v);
	return v;
}

static int load_machine(struct look *l, const struct want *w, int dir, const char *name,
			struct targets *out)
{
	_cleanup_free_ char *class = NULL, *service = NULL, *leader = NULL, *scope = NULL;
	struct target t = TARGET_INIT;
	struct slice text;
	uint64_t pid;

	/* "unit:NAME" are links beside the machines */
	if (strchr(name, ':') || !path_is_component(name) ||
	    look_read(l, dir, "/" MACHINES, name, STATE_FILE_MAX, &text) < 0)
		return 0;
	class = value(text.p, "CLASS=");
	service = value(text.p, "SERVICE=");
	leader = value(text.p, "LEADER=");
	scope = value(text.p, "SCOPE=");
	if (str_eq(class, "vm") || str_to_u64(leader, 1, INT32_MAX, &pid) < 0) {
		if (!leader)
			look_warn(l, "/" MACHINES "/%s is damaged: skipped", name);
		return 0;
	}
	t.engine = service && !str_eq(service, "systemd-nspawn") ? "machined" : "nspawn";
	t.name = strdup(name);
	t.image = value(text.p, "ROOT=");
	t.state_file = str_fmt("/" MACHINES "/%s", name);
	t.exit_code = -1;
	t.pid = (pid_t)pid;
	t.state = TARGET_RUNNING;
	if (t.name && t.state_file)
		target_verify(l, &t, scope, NULL);
	return want_take(w, out, &t, NULL);
}

static int from_machined(struct look *l, const struct want *w, struct targets *out)
{
	_cleanup_dir_ DIR *d = look_opendir(l, l->root_fd, MACHINES);
	unsigned left = DIR_ENTRIES_MAX;
	const char *name;
	int r = 0;

	if (!d || w->pod)
		return 0;
	if (w->how == WANT_EXACT)
		return load_machine(l, w, dirfd(d), w->text, out);
	while (r == 0 && (name = look_entry(l, d, &left)))
		r = load_machine(l, w, dirfd(d), name, out);
	return r;
}

/* The argument of -X or --long, also glued on (-Mname). */
static const char *option(const struct monitor *m, const char *letter, const char *name)
{
	const char *v = proc_arg(m->args, m->len, name);

	if (!v)
		v = proc_arg(m->args, m->len, letter);
	for (const char *p = m->args; !v && p < m->args + m->len; p += strlen(p) + 1)
		if (str_starts(p, letter) && p[2])
			v = p + 2;
	return v;
}

static int from_supervisors(struct look *l, const struct want *w, struct targets *out)
{
	const struct monitor *m;
	size_t i = 0;

	while ((m = scan_monitor(l, &i))) {
		struct target t = TARGET_INIT;
		const char *name, *root;
		pid_t pid;

		pid = m->kind == MONITOR_NSPAWN ? scan_init(l, m) : 0;
		if (!pid)
			continue;
		name = option(m, "-M", "--machine");
		root = option(m, "-D", "--directory");
		if (!root)
			root = option(m, "-i", "--image");
		if (!name && root && strrchr(root, '/'))
			name = strrchr(root, '/') + 1;
		t.engine = engine_nspawn.name;
		t.name = strdup(name ? name : root ? root : "nspawn");
		t.image = root ? strdup(root) : NULL;
		t.state_file = str_fmt("/proc/%d", (int)m->pid);
		t.exit_code = -1;
		t.owner_uid = m->uid;
		t.owner = look_owner(l, m->uid);
		if (!target_take_pid(l, &t, pid))
			target_done(&t);
		else if (want_take(w, out, &t, NULL) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* A directory with files of a system in it, or a disk image: other things lie about there, too. */
static bool is_machine(int dir, const char *ent)
{
	static const char *const marks[] = {"usr", "bin", "etc", "sbin"};
	struct stat st;

	if (fstatat(dir, ent, &st, 0) < 0)
		return false;
	if (S_ISREG(st.st_mode))
		return str_ends(ent, ".raw");
	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		char path[2 * NAME_MAX];

		snprintf(path, sizeof(path), "%s/%s", ent, marks[i]);
		if (faccessat(dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return true;
	}
	return false;
}

/* NAME of a directory NAME or a disk image NAME.raw. */
static char *disk_name(const char *ent)
{
	size_t n = strlen(ent);

	return strndup(ent, str_ends(ent, ".raw") && n > 4 ? n - 4 : n);
}

/* In /var/lib/machines, and not among those that run. */
static int from_disk(struct look *l, const struct want *w, const struct targets *live,
		     struct targets *out)
{
	_cleanup_dir_ DIR *d = look_opendir(l, l->root_fd, IMAGES);
	unsigned left = DIR_ENTRIES_MAX;
	const char *ent;

	while (d && !w->pod && (ent = look_entry(l, d, &left))) {
		struct target t = TARGET_INIT;
		bool runs = false;

		if (!is_machine(dirfd(d), ent))
			continue;
		t.engine = engine_nspawn.name;
		t.name = disk_name(ent);
		t.image = str_fmt("/" IMAGES "/%s", ent);
		t.state_file = str_fmt("/" IMAGES "/%s", ent);
		t.exit_code = -1;
		t.state = TARGET_EXITED;
		for (size_t i = 0; i < live->n; i++)
			runs |= str_eq(live->v[i].name, t.name) ||
				str_eq(live->v[i].image, t.image);
		if (runs || !t.name || !t.image || !t.state_file)
			target_done(&t);
		else if (want_take(w, out, &t, NULL) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Who does not run is known once all who run are. */
static int more(struct look *l, const struct want *w, struct targets *out)
{
	_cleanup_targets_ struct targets live = {};
	struct want all = {.how = WANT_ALL, .live = true};
	int r = from_supervisors(l, w, out);

	if (r < 0 || !w->stopped || faccessat(l->root_fd, IMAGES, F_OK, 0) < 0)
		return r;
	r = from_machined(l, &all, &live);
	if (r == 0)
		r = from_supervisors(l, &all, &live);
	return r == 0 ? from_disk(l, w, &live, out) : r;
}

static const char *const others[] = {"machined", NULL};
const struct engine engine_nspawn = {
	.name = "nspawn",
	.others = others,
	.find = from_machined,
	.more = more,
};
