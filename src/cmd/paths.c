/* porthole paths: what a half-typed TARGET:PATH may become, for shells; nobody types it. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/cli.h"
#include "cmd/spot.h"

enum { SECONDS = 2, ENTRIES_MAX = 100000, FOUND_MAX = 1000 };

/* Somebody waits at a prompt: what was found until now is what there is. */
static void too_late(int sig)
{
	(void)sig;
	_exit(0);
}

static bool is_dir(const struct place *p, const char *dir, const struct dirent *de)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -EBADF;

	if (de->d_type != DT_LNK && de->d_type != DT_UNKNOWN)
		return de->d_type == DT_DIR;
	path = str_fmt("%s/%s", dir, de->d_name);
	fd = path ? place_open(p, path, O_PATH | O_DIRECTORY) : -ENOMEM;
	return fd >= 0;
}

/* A name that no terminal takes for more than a name. */
static bool is_plain(const char *name)
{
	_cleanup_free_ char *safe = str_printable_dup(name);

	return safe && str_eq(safe, name);
}

/* `typed`: the word up to the last name's begin; `dir`: that directory; `start`: of the name. */
static void print_names(const struct place *p, const char *typed, size_t len, const char *dir,
			const char *start)
{
	_cleanup_dir_ DIR *d = dir_take(place_open(p, *dir ? dir : "/", O_RDONLY | O_DIRECTORY));
	struct dirent *de;
	int left = ENTRIES_MAX, found = 0;

	if (!d)
		return;
	while (left-- > 0 && found < FOUND_MAX && (de = dir_next(d))) {
		if (!str_starts(de->d_name, start) || (*de->d_name == '.' && !*start) ||
		    !is_plain(de->d_name))
			continue;
		printf("%.*s%s%s\n", (int)len, typed, de->d_name, is_dir(p, dir, de) ? "/" : "");
		found++;
	}
}

/* An archive would have to be unpacked. */
static bool is_slow(const char *target)
{
	struct stat st;

	return stat(target, &st) == 0 && S_ISREG(st.st_mode);
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	_cleanup_spot_ struct spot s = SPOT_INIT;
	_cleanup_free_ char *dir = NULL;
	const char *word = argv[0], *path, *name;

	(void)ctx, (void)opts, (void)argc;
	signal(SIGALRM, too_late);
	alarm(SECONDS);
	if (location_parse(word, &s.at, e) < 0 || !s.at.target || is_slow(s.at.target))
		return 0;
	if (target_roots_open(&roots, e) < 0 || spot_open(&roots, &s, e) < 0)
		return 0;
	path = word + strlen(s.at.target) + 1;
	name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	dir = strndup(path, (size_t)(name - path));
	if (dir)
		print_names(&s.place, word, (size_t)(name - word), dir, name);
	return 0;
}

const struct verb verb_paths = {
	.name = "paths",
	.args = "TARGET:PATH",
	.summary = "What a half-typed path may become, one a line, for shells' completion",
	.examples = "  porthole paths web:/et\n",
	.flags = VERB_HIDDEN,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
