/* porthole shim: commands of the host that are called by their names inside. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "cli/cli.h"
#include "launch/broker.h"
#include "out/json_print.h"

#define DEFAULT_DIR "/usr/local/bin"

struct shim_opts {
	bool remove, json;
	const char *dir;
};

struct shims {
	const char *dir;
	int fd;
	char self[PATH_MAX]; /* ours: what the links lead to */
};

/* Whether `name` in the directory is a link of ours. */
static bool is_ours(const struct shims *s, const char *name)
{
	char to[PATH_MAX];

	return link_read_at(s->fd, name, to, sizeof(to)) > 0 && str_eq(to, s->self) &&
	       !str_starts(name, "porthole");
}

/* Something else of that name comes first in PATH: say so, since nothing would tell. */
static void warn_hidden(const struct shims *s, const char *name)
{
	_cleanup_strv_ struct strv dirs = {};
	const char *path = getenv("PATH");
	bool there = false;

	if (!path || strv_split(&dirs, path, ":") < 0)
		return;
	for (size_t i = 0; i < dirs.n; i++) {
		_cleanup_free_ char *full = str_fmt("%s/%s", dirs.v[i], name);

		there = str_eq(dirs.v[i], s->dir);
		if (there)
			return;
		if (full && access(full, X_OK) == 0) {
			fprintf(stderr,
				"porthole: %s comes before %s/%s in PATH: put %s first, or call it "
				"by its path\n",
				full, s->dir, name, s->dir);
			return;
		}
	}
	fprintf(stderr, "porthole: %s is not in PATH\n", s->dir);
}

static int check_name(const char *name, struct err *e)
{
	if (path_is_component(name) && !str_starts(name, "porthole") && *name != '-')
		return 0;
	err_say(e, EINVAL, "'%s' is no name that a command could be called by", name);
	err_hint(e, "such as 'porthole shim systemctl useradd'");
	return err_exit(e, EXIT_USAGE);
}

static int add(const struct shims *s, const char *name, struct err *e)
{
	if (is_ours(s, name) || symlinkat(s->self, s->fd, name) == 0) {
		warn_hidden(s, name);
		return 0;
	}
	if (errno == EEXIST) {
		err_say(e, EEXIST, "there is a '%s' in %s already, which is not a shim; it stays",
			name, s->dir);
		err_hint(e, "--dir puts the shim somewhere else in PATH");
		return -EEXIST;
	}
	err_set(e, errno, "making the shim %s/%s", s->dir, name);
	if (errno == EROFS)
		err_hint(e, "--dir puts it somewhere else in PATH, such as /tmp/bin");
	return -e->num;
}

static int take(const struct shims *s, const char *name, struct err *e)
{
	if (!is_ours(s, name))
		return err_say(e, ENOENT, "there is no shim '%s' in %s", name, s->dir);
	return unlinkat(s->fd, name, 0) < 0
		       ? err_set(e, errno, "removing the shim %s/%s", s->dir, name)
		       : 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int list(const struct shims *s, const struct ctx *ctx, struct err *e)
{
	const struct out_style style = out_style_of(STDOUT_FILENO, ctx->color);
	_cleanup_json_ json_t *all = json_array();
	struct dirent **found = NULL;
	int n = scandirat(s->fd, ".", &found, NULL, by_name);

	if (n < 0)
		return err_set(e, errno, "reading %s", s->dir);
	for (int i = 0; i < n; i++) {
		const char *name = found[i]->d_name;
		_cleanup_free_ char *path = str_fmt("%s/%s", s->dir, name);
		_cleanup_free_ char *shown = path ? str_printable_dup(path) : NULL;

		if (is_ours(s, name) && !ctx->json)
			printf("%s\n", shown ?: "?");
		if (is_ours(s, name) && ctx->json)
			json_array_append_new(all, json_pack("{s:o, s:o}", "name", json_text(name),
							     "path", json_text(path)));
		free(found[i]);
	}
	free(found);
	return ctx->json ? out_json(stdout, all, &style, e) : 0;
}

static int open_shims(struct shims *s, bool make, struct err *e)
{
	if (link_read_at(AT_FDCWD, "/proc/self/exe", s->self, sizeof(s->self)) < 0)
		return err_set(e, errno, "finding our own file");
	if (make && mkdir(s->dir, 0755) < 0 && errno != EEXIST)
		return err_set(e, errno, "making %s", s->dir);
	s->fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return s->fd < 0 ? err_set(e, errno, "opening %s", s->dir) : 0;
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	const struct shim_opts *o = opts;
	struct shims s = {.dir = o->dir ? o->dir : DEFAULT_DIR, .fd = -EBADF};
	bool adds = argc && !o->remove;
	int r = 0;

	for (int i = 0; i < argc && r == 0; i++)
		r = check_name(argv[i], e);
	if (r == 0 && o->remove && !argc) {
		err_say(e, EINVAL, "--remove takes the names of shims");
		err_hint(e, "'porthole shim' lists them");
		return err_exit(e, EXIT_USAGE);
	}
	if (r == 0 && adds && access(BROKER_SOCKET, F_OK) < 0) {
		err_say(e, ENOENT,
			"there is no way to a host from here, so a shim would lead "
			"nowhere");
		err_hint(e, "'porthole host run' launches containers that have one");
		return -ENOENT;
	}
	if (r == 0)
		r = open_shims(&s, adds, e);
	for (int i = 0; i < argc && r == 0; i++)
		r = o->remove ? take(&s, argv[i], e) : add(&s, argv[i], e);
	if (r == 0 && !argc)
		r = list(&s, ctx, e);
	cleanup_close(&s.fd);
	return r;
}

#define O(field) offsetof(struct shim_opts, field)

static const struct opt options[] = {
	{OPT_STR, O(dir), 0, "dir", "DIR", "where they are put (default: " DEFAULT_DIR ")", NULL},
	{OPT_FLAG, O(remove), 0, "remove", NULL, "take these away again", NULL},
	{OPT_FLAG, O(json), 0, "json", NULL, "print the list and errors as JSON", NULL},
	{},
};

const struct verb verb_shim = {
	.name = "shim",
	.args = "[NAME...]",
	.summary = "Make commands of the host callable by their names inside a host container",
	.details =
		"In a container of 'porthole host run': from here on NAME is 'porthole host exec "
		"NAME', with its\n"
		"arguments, terminal, input and exit code. A shim is a link to porthole "
		"in " DEFAULT_DIR ", and gone with\n"
		"the container. A program of the container's own is never replaced; where one "
		"comes "
		"first in PATH, that\n"
		"is said. Without NAME: the shims there are.",
	.examples = "  porthole shim systemctl journalctl useradd\n"
		    "  systemctl status nginx                     the host's\n"
		    "  porthole shim                              which there are\n"
		    "  porthole shim --remove useradd\n",
	.opts = options,
	.opts_size = sizeof(struct shim_opts),
	.min_args = 0,
	.max_args = -1,
	.run = run,
};
