#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "target/bolt.h"
#include "target/sqlite.h"
#include "target/storage.h"

int storage_record(int graph, const char *id, const char *what, char **out, size_t *len)
{
	enum { COLUMN_JSON = 3 }; /* of both tables */
	const char *keys[] = {"ctr", id, what};
	_cleanup_sqlite_ struct sqlite s = SQLITE_INIT;
	_cleanup_bolt_ struct bolt b = BOLT_INIT;
	int r = bolt_open(&b, graph, "libpod/bolt_state.db");

	if (r == 0)
		r = bolt_get(&b, keys, ARRAY_LEN(keys), out, len);
	if (r == 0 || sqlite_open(&s, graph, "db.sql") < 0)
		return r;
	return sqlite_get(&s, str_eq(what, "state") ? "ContainerState" : "ContainerConfig", id,
			  COLUMN_JSON, out, len);
}

static void from_crio(struct look *l, int data, const char *path, struct target *t)
{
	static const char *const picks[] = {"exitCode", "finished"};
	struct slice text, v[2];
	char file[NAME_MAX + 32];

	snprintf(file, sizeof(file), "%s/userdata/state.json", t->id);
	if (look_read(l, data, path, file, STATE_FILE_MAX, &text) < 0 ||
	    jpick(text, picks, 2, v) < 0)
		return;
	t->exit_code = (int)jpick_int(v[0], -1);
	t->finished = jpick_time(v[1]);
}

static void from_podman(int data, struct target *t)
{
	static const char *const picks[] = {"exitCode", "finishedTime", "oomKilled", "error",
					    "startedTime"};
	_cleanup_close_ int graph = openat(data, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *json = NULL;
	struct slice v[5];
	size_t len;

	if (graph < 0 || storage_record(graph, t->id, "state", &json, &len) < 0 ||
	    jpick((struct slice){json, len}, picks, ARRAY_LEN(picks), v) < 0)
		return;
	/* left out when it is 0 */
	t->exit_code = (int)jpick_int(v[0], 0);
	t->finished = jpick_time(v[1]);
	t->oom_killed = jpick_bool(v[2], false);
	t->error = jpick_str(v[3]);
	if (v[4].n && !jpick_time(v[4]) && !t->finished) { /* its runtime refused to start it */
		t->state = TARGET_CREATED;
		t->exit_code = -1;
	}
}

void storage_exit(struct look *l, int data, const char *path, struct target *t)
{
	if (str_eq(t->engine, "crio"))
		from_crio(l, data, path, t);
	else
		from_podman(data, t);
}
