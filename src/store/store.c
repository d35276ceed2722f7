#include "store/store.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "store/refs.h"

static void config_done(struct store_config *c)
{
	strv_done(&c->entrypoint);
	strv_done(&c->cmd);
	strv_done(&c->env);
	strv_done(&c->labels);
	free(c->user);
	free(c->cwd);
	free(c->hostname);
	free(c->os);
	free(c->arch);
	confine_done(&c->confine);
}

static void mount_done(struct store_mount *m)
{
	free(m->dest);
	free(m->source);
	free(m->options);
	cleanup_close(&m->fd);
}

void store_done(struct store *s)
{
	for (size_t i = 0; i < s->n_layers; i++) {
		cleanup_close(&s->layers[i].fd);
		free(s->layers[i].path);
	}
	for (size_t i = 0; i < s->n_mounts; i++)
		mount_done(&s->mounts[i]);
	free(s->layers);
	free(s->mounts);
	config_done(&s->config);
	free(s->label);
	free(s->kind);
	free(s->uid_map);
	free(s->gid_map);
	cleanup_close(&s->temp);
	*s = STORE_INIT;
}

int store_add_layer(struct store *s, int fd, char *path)
{
	_cleanup_close_ int own_fd = fd;
	_cleanup_free_ char *own_path = path;
	void *v;

	if (!path)
		return -ENOMEM;
	if (s->n_layers == STORE_LAYERS_MAX)
		return -E2BIG;
	v = reallocarray(s->layers, s->n_layers + 1, sizeof(*s->layers));
	if (!v)
		return -ENOMEM;
	s->layers = v;
	s->layers[s->n_layers++] =
		(struct store_layer){.fd = TAKE_FD(own_fd), .path = TAKE_PTR(own_path)};
	return 0;
}

int store_add_mount(struct store *s, struct store_mount *m)
{
	void *v = NULL;

	if (m->dest && s->n_mounts < STORE_MOUNTS_MAX)
		v = reallocarray(s->mounts, s->n_mounts + 1, sizeof(*s->mounts));
	if (!v) {
		int r = !m->dest || s->n_mounts < STORE_MOUNTS_MAX ? -ENOMEM : -E2BIG;

		mount_done(m);
		return r;
	}
	s->mounts = v;
	s->mounts[s->n_mounts++] = *m;
	*m = (struct store_mount){.fd = -EBADF};
	return 0;
}

bool store_is_foreign(const struct store *s)
{
	const char *host = ref_host_arch(), *arch = s->config.arch;

	if (s->config.os && !str_eq(s->config.os, "linux"))
		return true;
	return arch && *arch && !str_eq(arch, host) &&
	       !(str_eq(host, "amd64") && str_eq(arch, "386")) &&
	       !(str_eq(host, "arm64") && str_eq(arch, "arm"));
}
