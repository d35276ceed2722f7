#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "target/bolt.h"
#include "target/storage.h"

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

/* podman 4: GRAPH/libpod/bolt_state.db, ctr/ID/state is JSON */
static void from_podman(int data, struct target *t)
{
	static const char *const picks[] = {"exitCode", "finishedTime", "oomKilled", "error",
					    "startedTime"};
	const char *keys[] = {"ctr", t->id, "state"};
	_cleanup_close_ int graph = openat(data, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_bolt_ struct bolt b = BOLT_INIT;
	_cleanup_free_ char *json = NULL;
	struct slice v[5];
	size_t len;

	if (graph < 0 || bolt_open(&b, graph, "libpod/bolt_state.db") < 0 ||
	    bolt_get(&b, keys, ARRAY_LEN(keys), &json, &len) < 0 ||
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
