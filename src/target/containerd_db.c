/* What containerd's database (ROOT/io.containerd.metadata.v1.bolt/meta.db) adds: image names, and
 * the containers that have no task. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "target/containerd.h"

#define DB_FILE "io.containerd.metadata.v1.bolt/meta.db"

static const struct bolt *db(struct ctd *c)
{
	if (!c->db_tried && c->data >= 0)
		bolt_open(&c->db, c->data, DB_FILE);
	c->db_tried = true;
	return c->db.fd >= 0 ? &c->db : NULL;
}

static char *value(struct ctd *c, const char *ns, const char *id, const char *key,
		   const char *label)
{
	const char *keys[] = {"v1", ns, "containers", id, key, label};
	char *out = NULL;

	return db(c) && bolt_get(&c->db, keys, label ? 6 : 5, &out, NULL) == 0 ? out : NULL;
}

char *ctd_image(struct ctd *c, const char *ns, const char *id)
{
	return value(c, ns, id, "image", NULL);
}

/* Go's time.MarshalBinary: a version byte, seconds since the year 1 (big-endian), ... */
static int64_t created(struct ctd *c, const char *ns, const char *id)
{
	const char *keys[] = {"v1", ns, "containers", id, "createdat"};
	_cleanup_free_ char *raw = NULL;
	uint64_t be;
	size_t len;

	if (!db(c) || bolt_get(&c->db, keys, ARRAY_LEN(keys), &raw, &len) < 0 || len < 9)
		return 0;
	memcpy(&be, raw + 1, sizeof(be));
	return (int64_t)(be64toh(be) - 62135596800u);
}

/* How a CRI container ended: ROOT/io.containerd.grpc.v1.cri/containers/ID/status. Times are in ns.
 */
static void fill_cri_status(struct look *l, struct ctd *c, struct target *t)
{
	static const char *const picks[] = {"ExitCode", "FinishedAt", "StartedAt", "Reason",
					    "Message"};
	struct slice text, v[5];
	_cleanup_free_ char *reason = NULL;
	char path[NAME_MAX + 64];

	snprintf(path, sizeof(path), "io.containerd.grpc.v1.cri/containers/%s/status", t->id);
	if (look_read(l, c->data, c->path, path, STATE_FILE_MAX, &text) < 0 ||
	    jpick(text, picks, ARRAY_LEN(picks), v) < 0)
		return;
	reason = jpick_str(v[3]);
	if (str_eq(reason, "StartError"))
		t->error = jpick_str(v[4]);
	t->started = jpick_int(v[2], 0) / 1000000000;
	t->finished = jpick_int(v[1], 0) / 1000000000;
	t->state = t->started ? TARGET_EXITED : TARGET_CREATED;
	if (t->finished)
		t->exit_code = (int)jpick_int(v[0], -1);
}

static void fill(struct look *l, struct ctd *c, const char *ns, struct target *t)
{
	char *kind = value(c, ns, t->id, "labels", "io.cri-containerd.kind");

	t->engine = "containerd";
	t->state = TARGET_UNKNOWN; /* created, or ended: that is not recorded */
	t->exit_code = -1;
	t->owner_uid = c->owner;
	t->owner = look_owner(l, c->owner);
	t->image = ctd_image(c, ns, t->id);
	t->created = created(c, ns, t->id);
	t->data = c->root ? strdup(c->root) : NULL;
	t->state_file = str_fmt("%s/" DB_FILE, c->root ? c->root : "");
	if (kind) {
		t->engine = "cri";
		t->sandbox = str_eq(kind, "sandbox");
		t->name = t->sandbox
				  ? strdup(SANDBOX_NAME)
				  : value(c, ns, t->id, "labels", "io.kubernetes.container.name");
		t->pod = value(c, ns, t->id, "labels", "io.kubernetes.pod.name");
		t->pod_ns = value(c, ns, t->id, "labels", "io.kubernetes.pod.namespace");
		fill_cri_status(l, c, t);
		free(kind);
		return;
	}
	t->name = value(c, ns, t->id, "labels", "nerdctl/name");
	if (t->name)
		t->engine = "nerdctl";
	t->pod_ns = strdup(ns);
}

struct each {
	struct look *l;
	const struct want *w;
	struct ctd *c;
	struct targets *out;
	char ns[NAME_MAX + 1];
};

static bool copy_key(char *out, const char *key, size_t len)
{
	if (len == 0 || len > NAME_MAX || memchr(key, '\0', len))
		return false;
	memcpy(out, key, len);
	out[len] = '\0';
	return path_is_component(out);
}

static int each_container(void *arg, const char *key, size_t len)
{
	struct target t = TARGET_INIT;
	struct each *x = arg;
	char id[NAME_MAX + 1], path[2 * NAME_MAX + 2];

	if (!copy_key(id, key, len))
		return 0;
	snprintf(path, sizeof(path), "%s/%s", x->ns, id);
	if (faccessat(x->c->task, path, F_OK, 0) == 0) /* it has a task */
		return 0;
	t.id = strdup(id);
	if (!t.id)
		return -ENOMEM;
	fill(x->l, x->c, x->ns, &t);
	return want_take(x->w, x->out, &t, NULL);
}

static int each_ns(void *arg, const char *key, size_t len)
{
	const char *keys[] = {"v1", NULL, "containers"};
	struct each *x = arg;
	int r;

	if (!copy_key(x->ns, key, len) || ctd_is_docker_ns(x->ns))
		return 0;
	keys[1] = x->ns;
	r = bolt_each(&x->c->db, keys, ARRAY_LEN(keys), each_container, x);
	return r == -ENOENT ? 0 : r;
}

int ctd_stopped(struct look *l, const struct want *w, struct ctd *c, struct targets *out)
{
	struct each x = {.l = l, .w = w, .c = c, .out = out};
	const char *keys[] = {"v1"};
	int r = db(c) ? bolt_each(&c->db, keys, 1, each_ns, &x) : 0;

	if (r == -EBADMSG)
		look_warn(
			l,
			"the database of /%s is damaged: containers without a task may be missing",
			c->path);
	return r == -ENOMEM ? r : 0;
}
