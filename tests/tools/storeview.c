/*
 * Run a command that sees the files of an archive, a directory or an image, as a session would.
 *
 *	storeview [-i] [-n NAME] [-l LIMIT] [-q] REF DIR [CMD [ARG...]]
 *
 * In a mount namespace of its own, read-only at the directory DIR. -i: REF is an image's name; -n:
 * which image of an archive; -l: bytes it may take. Without CMD it only tells: kind, label,
 * configuration, layers.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/str.h"
#include "check.h"
#include "store/store.h"

struct args {
	const char *ref, *dir, *name;
	uint64_t limit;
	bool image;
};

static void print_words(const char *what, const struct strv *v)
{
	for (size_t i = 0; i < v->n; i++)
		printf("%s: %s\n", what, v->v[i]);
}

static void tell(const struct store *s)
{
	const struct store_config *c = &s->config;

	printf("kind: %s\nlabel: %s\n", s->kind, s->label);
	printf("platform: %s/%s\n", c->os ?: "-", c->arch ?: "-");
	printf("user: %s\ncwd: %s\n", c->user ?: "-", c->cwd ?: "-");
	print_words("entrypoint", &c->entrypoint);
	print_words("cmd", &c->cmd);
	print_words("env", &c->env);
	for (size_t i = 0; i < s->n_layers; i++)
		printf("layer: %s\n", s->layers[i].path);
}

static void show(const struct store *s, const char *dir)
{
	struct err e = {};
	int m = store_mount_ro(s, NULL, &e);

	check_err(m, &e);
	check(unshare(CLONE_NEWNS) == 0, "unshare");
	check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "make private");
	check(move_mount(m, "", AT_FDCWD, dir, MOVE_MOUNT_F_EMPTY_PATH) == 0, "move_mount");
	close(m);
}

static void load_image(const char *ref, struct store *s)
{
	_cleanup_roots_ struct target_roots r = {};
	struct err e = {};

	check_err(target_roots_open(&r, &e), &e);
	check_err(store_of_image(&r, ref, s, &e), &e);
}

static void parse(int argc, char **argv, struct args *a)
{
	int c;

	while ((c = getopt(argc, argv, "+in:l:")) >= 0) {
		if (c == 'i')
			a->image = true;
		else if (c == 'n')
			a->name = optarg;
		else if (c != 'l' || str_to_size(optarg, &a->limit) < 0)
			exit(2);
	}
	if (argc - optind < 2)
		exit(2);
	a->ref = argv[optind++];
	a->dir = argv[optind++];
}

int main(int argc, char **argv)
{
	_cleanup_store_ struct store s = STORE_INIT;
	struct args a = {};
	struct err e = {};

	parse(argc, argv, &a);
	if (a.image)
		load_image(a.ref, &s);
	else
		check_err(store_of_path(a.ref, a.name, a.limit, NULL, NULL, &s, &e), &e);
	if (!argv[optind]) {
		tell(&s);
		return 0;
	}
	show(&s, a.dir);
	execvp(argv[optind], argv + optind);
	perror(argv[optind]);
	return 127;
}
