#include "target/docker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "target/api.h"

#define SOCK "run/docker.sock"

const char *const docker_picks[DOCKER_COUNT] = {
	[DOCKER_NAME] = "Name",
	[DOCKER_PID] = "State>Pid",
	[DOCKER_RUNNING] = "State>Running",
	[DOCKER_PAUSED] = "State>Paused",
	[DOCKER_RESTARTING] = "State>Restarting",
	[DOCKER_DEAD] = "State>Dead",
	[DOCKER_EXIT] = "State>ExitCode",
	[DOCKER_OOM] = "State>OOMKilled",
	[DOCKER_ERROR] = "State>Error",
	[DOCKER_STARTED] = "State>StartedAt",
	[DOCKER_FINISHED] = "State>FinishedAt",
	[DOCKER_CREATED] = "Created",
	[DOCKER_IMAGE] = "Config>Image",
	[DOCKER_IMAGE_ID] = "Image",
	[DOCKER_PROJECT] = "Config>Labels>com.docker.compose.project",
	[DOCKER_SERVICE] = "Config>Labels>com.docker.compose.service",
};

static enum target_state state_of(const struct slice *v, pid_t pid)
{
	if (jpick_bool(v[DOCKER_DEAD], false))
		return TARGET_DEAD;
	if (pid > 0 && jpick_bool(v[DOCKER_RUNNING], false))
		return jpick_bool(v[DOCKER_PAUSED], false) ? TARGET_PAUSED : TARGET_RUNNING;
	if (jpick_bool(v[DOCKER_RESTARTING], false))
		return TARGET_RESTARTING;
	return jpick_time(v[DOCKER_STARTED]) ? TARGET_EXITED : TARGET_CREATED;
}

int docker_fill(struct look *l, const char *id, const struct slice *v, struct target *t)
{
	char *name = jpick_str(v[DOCKER_NAME]);
	pid_t pid = (pid_t)jpick_int(v[DOCKER_PID], 0);

	t->engine = engine_docker.name;
	t->state = state_of(v, pid);
	t->pid = t->state == TARGET_RUNNING || t->state == TARGET_PAUSED ? pid : 0;
	t->id = strdup(id);
	t->name = name && *name == '/' ? strdup(name + 1) : TAKE_PTR(name);
	free(name);
	t->image = jpick_str(v[DOCKER_IMAGE]);
	t->image_id = jpick_str(v[DOCKER_IMAGE_ID]);
	t->pod = jpick_str(v[DOCKER_PROJECT]);
	t->owner = look_owner(l, t->owner_uid);
	t->exit_code = (int)jpick_int(v[DOCKER_EXIT], -1);
	t->oom_killed = jpick_bool(v[DOCKER_OOM], false);
	t->error = jpick_str(v[DOCKER_ERROR]);
	t->created = jpick_time(v[DOCKER_CREATED]);
	t->started = jpick_time(v[DOCKER_STARTED]);
	t->finished = t->pid ? 0 : jpick_time(v[DOCKER_FINISHED]);
	return t->id ? 0 : -ENOMEM;
}

/* Where its files are, if we find them where the daemon does; else the socket. A new string. */
static char *state_file_of(struct look *l, const char *id, struct slice text)
{
	_cleanup_free_ char *data = docker_data_of(text);
	_cleanup_free_ char *file =
		data ? str_fmt("%s/containers/%s/config.v2.json", data, id) : NULL;
	_cleanup_close_ int fd = file ? path_open_in_root(l->root_fd, file, O_PATH) : -ENOENT;

	return fd >= 0 ? TAKE_PTR(file) : strdup("/" SOCK);
}

/* One container by id, name or prefix of an id. 1 when the daemon does not answer: no use to go on.
 */
static int ask_one(struct look *l, const struct want *w, const char *what, struct targets *out)
{
	static const char *const id_pick[] = {"Id"};
	_cleanup_free_ char *path = str_fmt("/containers/%s/json", what), *body = NULL, *id = NULL;
	struct slice v[DOCKER_COUNT], id_v, text;
	struct target t = TARGET_INIT;
	size_t len;
	int r;

	if (!path)
		return -ENOMEM;
	r = api_get(l, SOCK, path, &body, &len);
	if (r == -ETIMEDOUT) {
		look_warn(l, "/" SOCK " does not answer within %d ms", API_TIMEOUT_MS);
		return 1;
	}
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	text = (struct slice){body, len};
	if (jpick(text, id_pick, 1, &id_v) < 0 || !(id = jpick_str(id_v)) || !id_is_full(id) ||
	    jpick(text, docker_picks, DOCKER_COUNT, v) < 0)
		return 0;
	t.state_file = state_file_of(l, id, text);
	if (!t.state_file || docker_fill(l, id, v, &t) < 0) {
		target_done(&t);
		return -ENOMEM;
	}
	return want_take(w, out, &t, NULL);
}

static int ask_all(struct look *l, const struct want *w, struct targets *out)
{
	static const char *const id_pick[] = {"Id"};
	_cleanup_free_ char *body = NULL;
	struct slice text, elem, v;
	size_t len;
	int r;

	r = api_get(l, SOCK, w->stopped ? "/containers/json?all=1" : "/containers/json", &body,
		    &len);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	while (len && (body[len - 1] == '\n' || body[len - 1] == '\r'))
		len--;
	text = (struct slice){body, len};
	for (r = 0; r == 0 && jpick_next(&text, NULL, &elem);) {
		_cleanup_free_ char *id = NULL;

		if (jpick(elem, id_pick, 1, &v) == 0 && (id = jpick_str(v)) && id_is_full(id))
			r = ask_one(l, w, id, out);
	}
	return r < 0 ? r : 0;
}

int docker_ask(struct look *l, const struct want *w, struct targets *out)
{
	int r;

	if (w->how == WANT_ALL)
		return ask_all(l, w, out);
	/* the text becomes part of a URL */
	if (w->pod || w->text[strspn(w->text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					      "0123456789_.-")])
		return 0;
	r = ask_one(l, w, w->text, out);
	return r < 0 ? r : 0;
}
