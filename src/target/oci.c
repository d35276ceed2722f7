#include "target/oci.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"

/* One ROOT. */
struct root {
	int fd;
	const char *path;
	uid_t owner;
};

static int fill(struct look *l, const struct oci *o, const struct root *root, const char *id,
		const struct slice *v, struct target *t)
{
	char path[NAME_MAX + 16];

	t->engine = o->engine->name;
	t->id = strdup(id);
	t->name = strdup(id);
	t->bundle = o->bundle(v[OCI_BUNDLE]);
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

static int load(struct look *l, const struct want *w, const struct oci *o, const struct root *root,
		const char *id, struct targets *out)
{
	struct target t = TARGET_INIT;
	struct slice text, v[OCI_COUNT];
	char path[NAME_MAX + 32];

	if (!want_id(w, id) || !path_is_component(id))
		return 0;
	/* most likely podman's: whose storage, if it is elsewhere, only the processes lead to */
	if (!l->scan && id_is_full(id))
		return 0;
	snprintf(path, sizeof(path), "%s/%s", id, o->file);
	if (look_read(l, root->fd, root->path, path, STATE_FILE_MAX, &text) < 0)
		return 0;
	if (jpick(text, o->picks, OCI_COUNT, v) < 0) {
		look_warn(l, "/%s/%s is damaged: skipped", root->path, path);
		return 0;
	}
	if (fill(l, o, root, id, v, &t) < 0) {
		target_done(&t);
		return -ENOMEM;
	}
	return want_take(w, out, &t, NULL);
}

static int load_root(struct look *l, const struct want *w, const struct oci *o, const char *path,
		     uid_t owner, struct targets *out)
{
	_cleanup_close_ int fd = look_dir(l, l->roots->root_fd, path);
	struct root root = {.fd = fd, .path = path, .owner = owner};
	_cleanup_dir_ DIR *d = NULL;
	unsigned left = DIR_ENTRIES_MAX;
	const char *id;
	int r = 0;

	if (fd < 0)
		return 0;
	if (w->how == WANT_EXACT)
		return load(l, w, o, &root, w->text, out);
	d = look_opendir(l, fd, ".");
	while (d && r == 0 && (id = look_entry(l, d, &left)))
		r = load(l, w, o, &root, id, out);
	return r;
}

int oci_find(struct look *l, const struct want *w, const struct oci *o, struct targets *out)
{
	const struct users *u = look_users(l);
	char path[64];
	int r;

	snprintf(path, sizeof(path), "run/%s", o->dir);
	r = load_root(l, w, o, path, 0, out);
	for (size_t i = 0; i < u->n && r == 0; i++) {
		snprintf(path, sizeof(path), "%s/%s", u->v[i].run, o->dir);
		r = load_root(l, w, o, path, u->v[i].uid, out);
	}
	return r;
}
