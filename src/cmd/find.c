/* porthole find: files of a target, by find(1)'s tests. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/cli.h"
#include "cmd/file_row.h"
#include "cmd/find_top.h"
#include "cmd/progress.h"
#include "cmd/spot.h"
#include "files/match.h"
#include "files/walk.h"
#include "out/json_print.h"

struct find_opts {
	struct strv names, inames, paths;
	const char *type, *size, *mtime, *mmin, *newer, *user, *group, *perm, *max_depth;
	uint64_t top;
	bool empty, xdev, print0, ls, json;
};

struct find {
	struct ctx *ctx;
	const struct find_opts *o;
	struct match m;
	struct spot s;
	struct owners owners;
	struct top top;
	struct meter meter;
	uint64_t found, failed;
	struct err *e;
};

static void find_done(struct find *f)
{
	top_done(&f->top);
	owners_done(&f->owners);
	spot_done(&f->s);
}

static char *path_of(const struct find *f, const char *below)
{
	const char *base = f->s.at.path;
	size_t n = strlen(base);

	return str_fmt("%s%s%s", base, *below && n && base[n - 1] != '/' ? "/" : "", below);
}

/* --- what is printed --- */

static int print_json(struct find *f, const struct walk_entry *e, const char *path)
{
	_cleanup_listing_ struct listing l = {};
	_cleanup_json_ json_t *j = NULL;

	if (listing_add(&l, *e->name ? e->dir : e->fd >= 0 ? e->fd : e->dir, e->name) < 0)
		return 0; /* gone */
	j = file_json(&f->owners, path, &l.v[0]);
	printf("%s", f->found > 1 ? "," : "");
	return out_json_line(stdout, j, f->e);
}

static int print_row(struct find *f, const struct walk_entry *e, const char *path)
{
	_cleanup_free_ char *safe = str_printable_dup(path), *user = NULL, *group = NULL;
	const char *raw_user = owners_user(&f->owners, e->st.st_uid);
	const char *raw_group = owners_group(&f->owners, e->st.st_gid);
	char mode[11], when[32];

	user = raw_user ? str_printable_dup(raw_user) : NULL;
	group = raw_group ? str_printable_dup(raw_group) : NULL;
	if (!safe || !user || !group)
		return err_set(f->e, ENOMEM, "printing what was found");
	if (f->o->ls)
		printf("%s %3llu %-8s %-8s %12lld %s  %s\n", mode_text(e->st.st_mode, mode),
		       (unsigned long long)e->st.st_nlink, user, group, (long long)e->st.st_size,
		       file_time(e->st.st_mtim.tv_sec, when), safe);
	else
		puts(safe);
	return 0;
}

static int print(struct find *f, const struct walk_entry *e)
{
	_cleanup_free_ char *path = path_of(f, e->path);

	f->found++;
	if (!path)
		return err_set(f->e, ENOMEM, "printing what was found");
	if (f->ctx->json)
		return print_json(f, e, path);
	if (f->o->print0)
		return fwrite(path, strlen(path) + 1, 1, stdout) == 1
			       ? 0
			       : err_set(f->e, errno, "writing to standard output");
	return print_row(f, e, path);
}

/* --- the walk --- */

static bool is_empty(const struct walk_entry *e)
{
	_cleanup_dir_ DIR *d = NULL;

	if (e->fd < 0)
		return true; /* match_is() has seen to it */
	d = dir_open(e->fd, ".");
	return d && !dir_next(d);
}

static int visit(struct walk_entry *e, void *data)
{
	struct find *f = data;
	const char *slash = strrchr(f->s.at.path, '/');
	const char *name = *e->name ? e->name : slash && slash[1] ? slash + 1 : f->s.at.path;
	_cleanup_free_ char *path = f->m.paths.n ? path_of(f, e->path) : NULL;
	bool is = match_is(&f->m, name, path ? path : "", &e->st,
			   place_uid_inside(&f->s.place, e->st.st_uid),
			   place_gid_inside(&f->s.place, e->st.st_gid));
	int r = meter_tick(&f->meter, 0);

	if (r < 0)
		return r;
	e->mine = is;
	if (f->o->top)
		return top_entry(&f->top, e, is);
	return is && (!f->o->empty || is_empty(e)) ? print(f, e) : 0;
}

static int leave(struct walk_entry *e, void *data)
{
	struct find *f = data;

	return f->o->top ? top_leave(&f->top, e, e->mine) : 0;
}

static int unreadable(const char *path, int r, void *data)
{
	struct find *f = data;
	_cleanup_free_ char *whole = path_of(f, path);
	struct err why = {};

	place_err(&f->s.place, r, "cannot read", whole ? whole : "?", &why);
	progress_hide();
	fprintf(stderr, "porthole: %s\n", why.msg);
	f->failed++;
	return 0;
}

static int search(struct find *f, const struct walk_how *how, struct err *e)
{
	static const struct walk_ops ops = {.entry = visit, .leave = leave, .failed = unreadable};
	_cleanup_close_ int top = place_open(&f->s.place, f->s.at.path, O_PATH);
	int r = top < 0 ? top : 0;

	if (r == 0 && f->ctx->json && !f->o->top)
		fputs("[", stdout);
	if (r == 0)
		r = walk(top, how, &ops, f);
	if (r < 0 && r != -ECANCELED)
		return e->num ? r : place_err(&f->s.place, r, "cannot search", f->s.at.path, e);
	if (f->ctx->json && !f->o->top)
		fputs("]\n", stdout);
	return r;
}

/* --- the options --- */

static int parse_numbers(const struct find_opts *o, struct match *m, struct err *e)
{
	int r = o->size ? match_number_parse(o->size, true, "--size", &m->size, e) : 0;

	if (r == 0 && o->mtime)
		r = match_number_parse(o->mtime, false, "--mtime", &m->mtime, e);
	if (r == 0 && o->mmin)
		r = match_number_parse(o->mmin, false, "--mmin", &m->mmin, e);
	if (r == 0 && o->perm)
		r = match_perm_parse(o->perm, m, e);
	if (r == 0 && o->type)
		r = match_types_check(o->type, e);
	return r;
}

static int parse(const struct find_opts *o, struct match *m, struct walk_how *how, struct err *e)
{
	uint64_t depth = 0;
	int r;

	*m = (struct match){.names = o->names,
			    .inames = o->inames,
			    .paths = o->paths,
			    .types = o->type,
			    .perm = -1,
			    .empty = o->empty,
			    .now = time(NULL)};
	*how = (struct walk_how){.sorted = true, .xdev = o->xdev};
	r = parse_numbers(o, m, e);
	if (r == 0 && o->max_depth && str_to_u64(o->max_depth, 0, WALK_DEPTH_MAX, &depth) < 0)
		r = err_say(e, EINVAL, "--maxdepth takes a number from 0 to %d, not '%s'",
			    WALK_DEPTH_MAX, o->max_depth);
	how->max_depth = o->max_depth && !depth ? -1 : (int)depth;
	return r;
}

/* What is said in the target's own terms: its users, a file of it. */
static int look_up(struct find *f, struct err *e)
{
	const struct find_opts *o = f->o;
	_cleanup_close_ int fd = -EBADF;
	struct stat st;

	owners_read(&f->s.place, &f->owners);
	f->m.user = o->user;
	f->m.group = o->group;
	if (o->user && owners_find_user(&f->owners, o->user, &f->m.uid) < 0)
		return err_say(e, ENOENT, "'%s' has no user '%s'", f->s.place.label, o->user);
	if (o->group && owners_find_group(&f->owners, o->group, &f->m.gid) < 0)
		return err_say(e, ENOENT, "'%s' has no group '%s'", f->s.place.label, o->group);
	if (!o->newer)
		return 0;
	fd = place_open(&f->s.place, o->newer, O_PATH);
	if (fd < 0 || fstat(fd, &st) < 0)
		return place_err(&f->s.place, fd < 0 ? fd : -errno, "cannot look at", o->newer, e);
	f->m.newer = true;
	f->m.newer_than = st.st_mtim;
	return 0;
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	_cleanup_(find_done) struct find f = {
		.ctx = ctx, .o = opts, .s = SPOT_INIT, .meter = {.tick = progress_tick}, .e = e};
	struct walk_how how;
	int r = parse(f.o, &f.m, &how, e), sig;

	(void)argc;
	if (r < 0)
		return err_exit(e, EXIT_USAGE);
	r = target_roots_open(&roots, e);
	if (r == 0)
		r = spot_of_target(&roots, argv[0], &f.s, e);
	if (r == 0)
		r = look_up(&f, e);
	if (r < 0)
		return r;
	f.top.limit = f.o->top;
	progress_begin(true);
	r = search(&f, &how, e);
	sig = progress_end();
	if (sig)
		return 128 + sig;
	if (r == 0 && f.o->top)
		r = top_print(&f.top, ctx, f.s.at.path, e);
	return r < 0 ? r : f.failed ? 1 : 0;
}

static const struct opt options[] = {
	{OPT_LIST, offsetof(struct find_opts, names), 0, "name", "GLOB",
	 "the last part of the path fits; of several, one must", NULL},
	{OPT_LIST, offsetof(struct find_opts, inames), 0, "iname", "GLOB",
	 "the same, whether large or small letters", NULL},
	{OPT_LIST, offsetof(struct find_opts, paths), 0, "path", "GLOB", "the whole path fits",
	 NULL},
	{OPT_STR, offsetof(struct find_opts, type), 0, "type", "LETTERS",
	 "f file, d directory, l link, p FIFO, s socket, c or b device; or a list: f,l", NULL},
	{OPT_STR, offsetof(struct find_opts, size), 0, "size", "[+-]N[cwbkMG]",
	 "more than, less than, or exactly N of these units", NULL},
	{OPT_STR, offsetof(struct find_opts, mtime), 0, "mtime", "[+-]DAYS",
	 "changed so many days ago; -1 is within a day", NULL},
	{OPT_STR, offsetof(struct find_opts, mmin), 0, "mmin", "[+-]MINUTES",
	 "changed so many minutes ago", NULL},
	{OPT_STR, offsetof(struct find_opts, newer), 0, "newer", "PATH",
	 "changed after this file of the target", NULL},
	{OPT_STR, offsetof(struct find_opts, user), 0, "user", "USER",
	 "owned by this user of the target, by name or number", NULL},
	{OPT_STR, offsetof(struct find_opts, group), 0, "group", "GROUP",
	 "of this group of the target", NULL},
	{OPT_STR, offsetof(struct find_opts, perm), 0, "perm", "[-/]MODE",
	 "exactly this octal mode; with - all of its bits, with / any of them", NULL},
	{OPT_FLAG, offsetof(struct find_opts, empty), 0, "empty", NULL,
	 "files without bytes, directories without entries", NULL},
	{OPT_STR, offsetof(struct find_opts, max_depth), 0, "maxdepth", "N",
	 "look no deeper than this", NULL},
	{OPT_FLAG, offsetof(struct find_opts, xdev), 0, "xdev", NULL,
	 "do not go into what is mounted there", NULL},
	{OPT_UINT, offsetof(struct find_opts, top), 0, "top", "N",
	 "the N files and directories that take most room, biggest first", NULL},
	{OPT_FLAG, offsetof(struct find_opts, ls), 0, "ls", NULL,
	 "mode, links, owner, group, size and time too", NULL},
	{OPT_FLAG, offsetof(struct find_opts, print0), 0, "print0", NULL,
	 "raw paths, each ended by a zero byte", NULL},
	{OPT_FLAG, offsetof(struct find_opts, json), 0, "json", NULL, "print JSON", NULL},
	{},
};

const struct verb verb_find = {
	.name = "find",
	.args = "TARGET[:PATH]",
	.summary = "Find files of a container, and what fills its disk",
	.details = "All that is asked for must be so, as with find(1); -name, -type and so on may "
		   "be written with one dash. Links are\n"
		   "shown, not followed. The target may be running, stopped, an image or an "
		   "archive, and needs no tool.\n\n"
		   "--top counts blocks on disk, files with several names once, directories with "
		   "all that is in them.",
	.examples = "  porthole find web:/var -name '*.log' -size +10M\n"
		    "  porthole find web -perm /6000 -xdev           set-id programs\n"
		    "  porthole find web:/etc -newer /etc/hostname   changed since it was made\n"
		    "  porthole find web --top 20 -xdev              who eats the disk?\n",
	.opts = options,
	.opts_size = sizeof(struct find_opts),
	.flags = VERB_WORDS,
	.complete = COMPLETE_PATH,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
