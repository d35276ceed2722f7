#include "target/oci.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "sys/proc.h"
#include "target/pid.h"

static const struct oci *const runtimes[] = {&oci_runc, &oci_crun};

/* One ROOT. */
struct root {
	int fd;
	char path[64];
	uid_t owner;
};

#define ROOT_INIT ((struct root){.fd = -EBADF})

static void root_done(struct root *r)
{
	cleanup_close(&r->fd);
}

/* The next ROOT that is there, from *i = 0 on; `only` (NULL: any) is the user whose it is. */
static bool root_next(struct look *l, const struct oci *o, const uid_t *only, size_t *i,
		      struct root *r)
{
	const struct users *u = look_users(l);

	while (*i <= u->n) {
		const struct user *v = *i ? &u->v[*i - 1] : NULL;

		(*i)++;
		r->owner = v ? v->uid : 0;
		if (only && *only != r->owner)
			continue;
		snprintf(r->path, sizeof(r->path), "%s/%s", v ? v->run : "run", o->dir);
		cleanup_close(&r->fd);
		r->fd = look_dir(l, l->root_fd, r->path);
		if (r->fd >= 0)
			return true;
	}
	return false;
}

static int fill(struct look *l, const struct oci *o, const struct root *root, const char *id,
		const struct slice *v, struct target *t)
{
	char path[NAME_MAX + 16];

	t->engine = o->engine->name;
	t->id = strdup(id);
	t->name = strdup(id);
	t->bundle = o->bundle ? o->bundle(v[OCI_BUNDLE]) : NULL;
	t->image = jpick_str(v[OCI_IMAGE]);
	t->state_file = str_fmt("/%s/%s/%s", root->path, id, o->file);
	t->owner_uid = root->owner;
	t->owner = look_owner(l, root->owner);
	t->created = jpick_time(v[OCI_CREATED]);
	t->exit_code = -1;
	t->pid = (pid_t)jpick_int(v[OCI_PID], 0);
	t->start = (uint64_t)jpick_int(v[OCI_START], 0);
	if (!t->id || !t->name || !t->state_file)
		return -ENOMEM;

	snprintf(path, sizeof(path), "%s/exec.fifo", id);
	t->state = TARGET_RUNNING;
	/* the file stays when the container ends, until it is deleted */
	if (t->pid <= 0 || t->start == 0 || !target_verify(l, t, NULL, NULL)) {
		t->state = TARGET_EXITED;
		t->pid = 0;
	} else if (faccessat(root->fd, path, F_OK, 0) == 0) {
		t->state = TARGET_CREATED;
		t->pid = 0;
	}
	return 0;
}

/* 1 when *t was filled, 0 when there is no such container here, or -ENOMEM. */
static int read_state(struct look *l, const struct oci *o, const struct root *root, const char *id,
		      struct target *t)
{
	struct slice text, v[OCI_COUNT];
	char path[NAME_MAX + 32];

	snprintf(path, sizeof(path), "%s/%s", id, o->file);
	if (look_read(l, root->fd, root->path, path, STATE_FILE_MAX, &text) < 0)
		return 0;
	if (jpick(text, o->picks, OCI_COUNT, v) < 0) {
		look_warn(l, "/%s/%s is damaged: skipped", root->path, path);
		return 0;
	}
	if (fill(l, o, root, id, v, t) == 0)
		return 1;
	target_done(t);
	return -ENOMEM;
}

static int load(struct look *l, const struct want *w, const struct oci *o, const struct root *root,
		const char *id, struct targets *out)
{
	struct target t = TARGET_INIT;
	int r;

	if (!want_id(w, id) || !path_is_component(id))
		return 0;
	/* most likely podman's: whose storage, if it is elsewhere, only the processes lead to */
	if (!l->scan && id_is_full(id))
		return 0;
	r = read_state(l, o, root, id, &t);
	return r > 0 ? want_take(w, out, &t, NULL) : r;
}

int oci_find(struct look *l, const struct want *w, const struct oci *o, struct targets *out)
{
	_cleanup_(root_done) struct root root = ROOT_INIT;
	int r = 0;

	for (size_t i = 0; r == 0 && root_next(l, o, NULL, &i, &root);) {
		_cleanup_dir_ DIR *d = NULL;
		unsigned left = DIR_ENTRIES_MAX;
		const char *id;

		if (w->how == WANT_EXACT) {
			r = load(l, w, o, &root, w->text, out);
			continue;
		}
		d = look_opendir(l, root.fd, ".");
		while (d && r == 0 && (id = look_entry(l, d, &left)))
			r = load(l, w, o, &root, id, out);
	}
	return r;
}

/* A user's state file can name any process; here it would pass for an engine's container. */
static bool is_owners(struct look *l, const struct target *t)
{
	_cleanup_close_ int fd = t->owner_uid ? proc_dir_open(l->roots->proc_fd, t->pid) : -EBADF;

	return !t->owner_uid || (fd >= 0 && target_is_of(fd, t->owner_uid) > 0);
}

bool oci_runs(struct look *l, struct target *t)
{
	_cleanup_(root_done) struct root root = ROOT_INIT;

	for (size_t k = 0; k < ARRAY_LEN(runtimes); k++)
		for (size_t i = 0; root_next(l, runtimes[k], &t->owner_uid, &i, &root);) {
			_cleanup_target_ struct target s = TARGET_INIT;

			if (read_state(l, runtimes[k], &root, t->id, &s) <= 0 ||
			    !target_is_live(&s) || !is_owners(l, &s))
				continue;
			t->pid = s.pid;
			t->start = s.start;
			t->started = s.started;
			t->state = s.state;
			return true;
		}
	return false;
}

int oci_strangers(struct look *l, bool (*known)(const void *arg, const char *id), const void *arg,
		  struct targets *out)
{
	static const struct want w = {.how = WANT_ALL, .live = true};
	_cleanup_(root_done) struct root root = ROOT_INIT;
	int r = 0;

	for (size_t k = 0; k < ARRAY_LEN(runtimes); k++)
		for (size_t i = 0; r == 0 && root_next(l, runtimes[k], NULL, &i, &root);) {
			_cleanup_dir_ DIR *d = look_opendir(l, root.fd, ".");
			unsigned left = DIR_ENTRIES_MAX;
			const char *id;

			while (d && r == 0 && (id = look_entry(l, d, &left)))
				if (id_is_full(id) && !known(arg, id))
					r = load(l, &w, runtimes[k], &root, id, out);
		}
	return r;
}
