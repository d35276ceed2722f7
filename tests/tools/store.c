/*
 * What a store holds, for tests: store TARGET [COMMAND...]
 *
 * Without a command it is printed, one KEY=VALUE a line. Else the command is run in the store's
 * layers, put together and read-only, as its current directory; what is mounted is not there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "store/store.h"

static void say(const char *key, const char *value)
{
	_cleanup_free_ char *safe = value ? str_printable_dup(value) : NULL;

	if (safe)
		printf("%s=%s\n", key, safe);
}

static void say_all(const char *key, const struct strv *v)
{
	for (size_t i = 0; i < v->n; i++)
		say(key, v->v[i]);
}

static void say_map(const char *key, char *map)
{
	for (char *p = map ? strtok(map, "\n") : NULL; p; p = strtok(NULL, "\n"))
		say(key, p);
}

static void say_config(const struct store_config *c)
{
	say_all("entrypoint", &c->entrypoint);
	say_all("cmd", &c->cmd);
	say_all("env", &c->env);
	say("user", c->user);
	say("cwd", c->cwd);
	say("hostname", c->hostname);
	say("os", c->os);
	say("arch", c->arch);
	printf("shell_form=%d\nroot_ro=%d\nno_new_privs=%d\n", c->shell_form, c->root_ro,
	       c->no_new_privs);
	if (c->caps_known)
		printf("caps=%llx\n", (unsigned long long)c->caps);
	printf("memory=%llu\npids=%llu\ncpus=%g\n", (unsigned long long)c->memory,
	       (unsigned long long)c->pids, c->cpus);
}

static void say_store(struct store *s)
{
	say("label", s->label);
	say("kind", s->kind);
	for (size_t i = 0; i < s->n_layers; i++)
		say(s->layers[i].ids_inside ? "layer(ids_inside)" : "layer", s->layers[i].path);
	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct store_mount *m = &s->mounts[i];
		_cleanup_free_ char *text = str_fmt(
			"%s %s%s%s%s", m->dest, m->tmpfs ? "tmpfs" : m->source, m->ro ? " ro" : "",
			m->missing ? " missing" : "", m->ids_inside ? " ids_inside" : "");

		say("mount", text);
	}
	say_config(&s->config);
	say_map("uid_map", s->uid_map);
	say_map("gid_map", s->gid_map);
	printf("user_xattr=%d\n", s->user_xattr);
}

static int run(const struct store *s, char **argv, struct err *e)
{
	int fd = store_mount_ro(s, NULL, e);

	if (fd < 0)
		return fd;
	if (fchdir(fd) < 0)
		return err_set(e, errno, "entering it");
	execvp(*argv, argv);
	return err_set(e, errno, "running %s", *argv);
}

int main(int argc, char **argv)
{
	_cleanup_roots_ struct target_roots r = {.root_fd = -EBADF, .proc_fd = -EBADF};
	_cleanup_target_ struct target t = TARGET_INIT;
	_cleanup_store_ struct store s = STORE_INIT;
	struct err e = {};
	int err;

	if (argc < 2)
		return 2;
	err = target_roots_open(&r, &e);
	if (err == 0)
		err = target_resolve(&r, argv[1], &t, &e);
	if (err == 0)
		err = store_of_target(&r, &t, &s, &e);
	if (err == 0 && argc > 2)
		err = run(&s, argv + 2, &e);
	if (err < 0) {
		fprintf(stderr, "store: %s\nstore: hint: %s\n", e.msg, e.hint);
		return 1;
	}
	say_store(&s);
	return 0;
}
