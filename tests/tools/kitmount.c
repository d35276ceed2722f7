/*
 * Mount a kit as a session does, and run a command that sees it.
 *
 *	kitmount [-c] [-u PID] [-k KIT] [-p] DIR -- CMD [ARG...]
 *
 * In a mount namespace of its own, at the directory DIR (empty; -c: on a tmpfs put over its
 *parent). -c: the classic way. -u: id-mapped into the user namespace of PID. -n: repeat the
 *mounting N times and print the median, in microseconds. Says on stderr which rung was taken:
 *"rung: file".
 */
#include <fcntl.h>
#include <libgen.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "check.h"
#include "kit/kit.h"

struct args {
	const char *kit, *dir;
	int userns_fd;
	bool classic;
	unsigned repeat;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* kit_find() and kit_mount(), again and again. */
static void measure(const struct args *a)
{
	double *t = calloc(a->repeat, sizeof(*t));

	check(t != NULL, "calloc");
	for (unsigned i = 0; i < a->repeat; i++) {
		_cleanup_kit_ struct kit k = KIT_INIT;
		struct err e = {};
		enum kit_rung rung;
		double start = now();
		int m;

		check_err(kit_find(a->kit, &k, &e), &e);
		m = kit_mount(&k, a->userns_fd, &rung, &e);
		check_err(m, &e);
		t[i] = now() - start;
		close(m);
	}
	qsort(t, a->repeat, sizeof(*t), by_value);
	printf("%.0f\n", t[a->repeat / 2]);
	free(t);
}

/* As `mount --make-rprivate` in `unshare -m`. */
static void own_namespace(void)
{
	check(unshare(CLONE_NEWNS) == 0, "unshare");
	check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "make private");
}

static void mount_detached(const struct args *a, const struct kit *k)
{
	enum kit_rung rung = KIT_RUNG_DIR;
	struct err e = {};
	int m = kit_mount(k, a->userns_fd, &rung, &e);

	check_err(m, &e);
	fprintf(stderr, "rung: %s\n", kit_rung_name(rung));
	own_namespace();
	check(move_mount(m, "", AT_FDCWD, a->dir, MOVE_MOUNT_F_EMPTY_PATH) == 0, "move_mount");
	close(m);
}

static void mount_classic(const struct args *a, const struct kit *k)
{
	_cleanup_kit_ready_ struct kit_ready ready = KIT_READY_INIT;
	char copy[4096];
	const char *parent;
	enum kit_rung rung = KIT_RUNG_DIR;
	struct err e = {};

	snprintf(copy, sizeof(copy), "%s", a->dir);
	parent = dirname(copy);
	check_err(kit_prepare(k, &ready, &e), &e);
	own_namespace();
	check(mount("tmpfs", parent, "tmpfs", MS_NOSUID, "mode=755") == 0, "mount tmpfs");
	check(mkdir(a->dir, 0755) == 0, "mkdir");
	check_err(kit_mount_at(k, &ready, a->dir, parent, &rung, &e), &e);
	fprintf(stderr, "rung: %s\n", kit_rung_name(rung));
}

static void parse(int argc, char **argv, struct args *a)
{
	char path[64];
	int c;

	while ((c = getopt(argc, argv, "+ck:u:n:")) >= 0) {
		switch (c) {
		case 'c':
			a->classic = true;
			break;
		case 'k':
			a->kit = optarg;
			break;
		case 'u':
			snprintf(path, sizeof(path), "/proc/%s/ns/user", optarg);
			a->userns_fd = open(path, O_RDONLY | O_CLOEXEC);
			check(a->userns_fd >= 0, path);
			break;
		case 'n':
			a->repeat = (unsigned)atoi(optarg);
			break;
		default:
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct args a = {.userns_fd = -1};
	struct kit k = KIT_INIT;
	struct err e = {};

	parse(argc, argv, &a);
	if (a.repeat) {
		measure(&a);
		return 0;
	}
	if (argc - optind < 2)
		return 2;
	a.dir = argv[optind++];
	if (str_eq(argv[optind], "--"))
		optind++;
	check_err(kit_find(a.kit, &k, &e), &e);
	if (a.classic)
		mount_classic(&a, &k);
	else
		mount_detached(&a, &k);
	kit_done(&k);
	execvp(argv[optind], argv + optind);
	perror(argv[optind]);
	return 127;
}
