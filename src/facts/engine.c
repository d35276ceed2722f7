/* What the engine was told: from docker's two files, or the bundle's config.json of everyone else.
 */
#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "facts/facts.h"
#include "facts/parse.h"

enum { LIST_MAX = 64, ARGS_MAX = 100000 };

/* "0.0.0.0:8080->80/tcp" */
static int ports_add(json_t *ports, struct strv *out)
{
	const char *inside;
	json_t *list, *p;
	size_t i;

	json_object_foreach (ports, inside, list) {
		json_array_foreach (list, i, p) {
			char *s = str_fmt("%s:%s->%s", json_str(p, "HostIp", ""),
					  json_str(p, "HostPort", "?"), inside);

			if (out->n == LIST_MAX) {
				free(s);
				return 0;
			}
			if (strv_push(out, s) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

/* Labels and annotations that tell where a container comes from. */
static int labels_add(json_t *labels, struct strv *out)
{
	static const char *const keys[] = {
		"com.docker.compose.project",
		"com.docker.compose.service",
		"com.docker.compose.project.working_dir",
		"com.docker.swarm.service.name",
		"com.docker.stack.namespace",
		"io.kubernetes.pod.name",
		"io.kubernetes.pod.namespace",
		"io.kubernetes.container.name",
		"io.kubernetes.cri.sandbox-name",
		"io.kubernetes.cri.sandbox-namespace",
		"io.kubernetes.cri.container-name",
		"io.kubernetes.cri-o.KubeName",
		"io.kubernetes.cri-o.Namespace",
		"PODMAN_SYSTEMD_UNIT",
		"nerdctl/name",
		"org.opencontainers.image.version",
		"org.opencontainers.image.source",
		"org.opencontainers.image.revision",
		"maintainer",
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *v = json_string_value(json_object_get(labels, keys[i]));

		if (v && *v && strv_push(out, str_fmt("%s=%s", keys[i], v)) < 0)
			return -ENOMEM;
	}
	return 0;
}

static char *docker_restart(json_t *host)
{
	const char *name = json_str(host, "RestartPolicy.Name", "");
	int64_t most = json_int(host, "RestartPolicy.MaximumRetryCount", 0);

	if (!*name)
		return NULL;
	return most > 0 ? str_fmt("%s, at most %lld times", name, (long long)most) : strdup(name);
}

int facts_docker_parse(json_t *config, json_t *host, struct facts_engine *out)
{
	const char *mode = json_str(host, "NetworkMode", "");

	out->user = json_dup(config, "Config.User");
	out->workdir = json_dup(config, "Config.WorkingDir");
	out->hostname = json_dup(config, "Config.Hostname");
	out->stop_signal = json_dup(config, "Config.StopSignal");
	out->health = json_dup(config, "State.Health.Status");
	out->restart = docker_restart(host);
	out->network = *mode ? strdup(str_eq(mode, "default") ? "bridge" : mode) : NULL;
	out->runtime = json_dup(host, "Runtime");
	out->privileged = json_bool(host, "Privileged", false);
	out->restarts = json_int(config, "RestartCount", -1);
	if (json_strings(json_at(config, "Config.Entrypoint"), ARGS_MAX, &out->entrypoint) < 0 ||
	    json_strings(json_at(config, "Config.Cmd"), ARGS_MAX, &out->cmd) < 0 ||
	    ports_add(json_at(config, "NetworkSettings.Ports"), &out->ports) < 0 ||
	    labels_add(json_at(config, "Config.Labels"), &out->labels) < 0)
		return -ENOMEM;
	return 0;
}

int facts_oci_parse(json_t *config, struct facts_engine *out)
{
	json_t *notes = json_object_get(config, "annotations");
	const char *count =
		json_string_value(json_object_get(notes, "io.kubernetes.container.restartCount"));
	int64_t uid = json_int(config, "process.user.uid", -1);
	uint64_t n;

	if (uid >= 0)
		out->user = str_fmt("%lld:%lld", (long long)uid,
				    (long long)json_int(config, "process.user.gid", 0));
	out->workdir = json_dup(config, "process.cwd");
	out->hostname = json_dup(config, "hostname");
	if (json_is_string(json_object_get(notes, "org.opencontainers.image.stopSignal")))
		out->stop_signal = strdup(json_string_value(
			json_object_get(notes, "org.opencontainers.image.stopSignal")));
	out->restarts = count && str_to_u64(count, 0, INT64_MAX, &n) == 0 ? (int64_t)n : -1;
	if (json_strings(json_at(config, "process.args"), ARGS_MAX, &out->cmd) < 0 ||
	    labels_add(notes, &out->labels) < 0)
		return -ENOMEM;
	return 0;
}

/* A JSON file of the engine's, by its absolute path. */
static json_t *load(const struct target_roots *r, const char *path)
{
	const char *name = path + strspn(path, "/");
	json_t *j = NULL;

	if (json_file_at(r->root_fd, name, JSON_FILE_MAX, &j) == 0 ||
	    (r->host_fd > 0 && json_file_at(r->host_fd, name, JSON_FILE_MAX, &j) == 0))
		return j;
	return NULL;
}

static int docker_read(const struct target_roots *r, const char *file, struct facts_engine *out)
{
	size_t dir = strlen(file) - strlen("config.v2.json");
	_cleanup_free_ char *host_file = str_fmt("%.*shostconfig.json", (int)dir, file);
	_cleanup_json_ json_t *config = load(r, file);
	_cleanup_json_ json_t *host = host_file ? load(r, host_file) : NULL;

	if (!config)
		return -ENOENT;
	out->file = strdup(file);
	return facts_docker_parse(config, host, out);
}

int facts_engine_read(const struct target_roots *r, const struct target *t, struct facts *f)
{
	const struct target_roots at = target_roots_at(r, t->of_host, t->state_file);
	_cleanup_free_ char *file = NULL;
	_cleanup_json_ json_t *config = NULL;

	f->engine.restarts = -1;
	if (t->state_file && str_ends(t->state_file, "/config.v2.json"))
		return docker_read(&at, t->state_file, &f->engine);
	if (t->bundle)
		file = str_fmt("%s/config.json", t->bundle);
	else if (t->state_file && str_ends(t->state_file, "/config.json"))
		file = strdup(t->state_file);
	config = file ? load(&at, file) : NULL;
	if (!config)
		return 0; /* engines without such a file are no error */
	f->engine.file = TAKE_PTR(file);
	return facts_oci_parse(config, &f->engine);
}
