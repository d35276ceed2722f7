/* porthole ls: what is in a target's directories. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "cli/cli.h"
#include "cmd/file_row.h"
#include "cmd/spot.h"
#include "files/walk.h"
#include "out/human.h"
#include "out/json_print.h"
#include "out/table.h"

struct ls_opts {
	bool all, longer, recursive, directory, human, json;
};

struct show {
	const struct ls_opts *o;
	struct out_style style;
	bool tty;
	struct spot *s;
	struct owners owners;
	json_t *list;  /* of --json */
	size_t failed; /* directories and entries */
	bool headed;   /* something was printed */
};

static void show_done(struct show *w)
{
	owners_done(&w->owners);
}

/* The path of an entry as it is printed: below what was asked for. */
static char *path_of(const struct show *w, const char *below, const char *name)
{
	const char *base = w->s->at.path;
	size_t n = strlen(base);
	bool slash = n && base[n - 1] == '/';

	return str_fmt("%s%s%s%s%s", base, *below && !slash ? "/" : "", below,
		       *name && !(slash && !*below) ? "/" : "", name);
}

static enum out_color color_of(const struct listed *l)
{
	return S_ISDIR(l->st.st_mode)	 ? OUT_BLUE
	       : S_ISLNK(l->st.st_mode)	 ? OUT_CYAN
	       : !S_ISREG(l->st.st_mode) ? OUT_YELLOW
	       : l->st.st_mode & 0111	 ? OUT_GREEN
					 : OUT_PLAIN;
}

static const struct column columns[] = {
	{}, {.flags = COL_RIGHT}, {}, {}, {.flags = COL_RIGHT}, {}, {},
};

static void add_long(struct show *w, struct table *t, const struct listed *l)
{
	char mode[11], size[HUMAN_MAX], when[32];
	_cleanup_free_ char *tail = str_fmt("%s%s%s%s", l->name, l->link ? " -> " : "",
					    l->link ? l->link : "", l->mounted ? "  [mount]" : "");

	table_add(t, OUT_PLAIN, mode_text(l->st.st_mode, mode));
	table_addf(t, OUT_PLAIN, "%llu", (unsigned long long)l->st.st_nlink);
	table_add(t, OUT_PLAIN, owners_user(&w->owners, l->st.st_uid));
	table_add(t, OUT_PLAIN, owners_group(&w->owners, l->st.st_gid));
	if (S_ISCHR(l->st.st_mode) || S_ISBLK(l->st.st_mode))
		table_addf(t, OUT_PLAIN, "%u, %u", major(l->st.st_rdev), minor(l->st.st_rdev));
	else if (w->o->human)
		table_add(t, OUT_PLAIN, human_size((uint64_t)l->st.st_size, size));
	else
		table_addf(t, OUT_PLAIN, "%lld", (long long)l->st.st_size);
	table_add(t, OUT_PLAIN, file_time(l->st.st_mtim.tv_sec, when));
	table_add(t, color_of(l), tail);
}

static int print_long(struct show *w, const struct listing *l, struct err *e)
{
	_cleanup_table_ struct table t = TABLE_INIT(columns);
	struct out_style style = {.color = w->style.color};

	for (size_t i = 0; i < l->n; i++)
		add_long(w, &t, &l->v[i]);
	return table_print(stdout, &t, &style, e);
}

static void print_name(const struct show *w, const struct listed *l, int pad)
{
	_cleanup_free_ char *safe = str_printable_dup(l->name);
	enum out_color c = color_of(l);
	bool color = w->style.color && c != OUT_PLAIN;

	printf("%s%s%s%s", out_on(color, c), safe ? safe : "?", out_off(color, c),
	       w->tty && S_ISDIR(l->st.st_mode) ? "/" : "");
	if (pad)
		printf("%*s", pad, "");
}

/* Columns, as wide as the longest name, down and then to the right. */
static void print_columns(const struct show *w, const struct listing *l)
{
	int widest = 1, width = w->style.width ? w->style.width : 80;
	size_t per_row, rows;

	for (size_t i = 0; i < l->n; i++) {
		_cleanup_free_ char *safe = str_printable_dup(l->v[i].name);
		int n = out_width(safe ? safe : "?") + !!S_ISDIR(l->v[i].st.st_mode);

		widest = n > widest ? n : widest;
	}
	per_row = widest + 2 < width ? (size_t)(width / (widest + 2)) : 1;
	rows = (l->n + per_row - 1) / per_row;
	for (size_t row = 0; row < rows; row++) {
		for (size_t i = row; i < l->n; i += rows) {
			_cleanup_free_ char *safe = str_printable_dup(l->v[i].name);
			int n = out_width(safe ? safe : "?") + !!S_ISDIR(l->v[i].st.st_mode);

			print_name(w, &l->v[i], i + rows < l->n ? widest + 2 - n : 0);
		}
		putchar('\n');
	}
}

static int print_listing(struct show *w, const char *below, const struct listing *l, struct err *e)
{
	w->failed += l->failed;
	for (size_t i = 0; w->list && i < l->n; i++) {
		_cleanup_free_ char *path = path_of(w, below, l->v[i].name);
		json_t *j = file_json(&w->owners, path, &l->v[i]);

		if (json_array_append_new(w->list, j) < 0)
			return err_set(e, ENOMEM, "listing files");
	}
	if (w->list)
		return 0;
	if (w->o->longer)
		return print_long(w, l, e);
	if (w->tty)
		print_columns(w, l);
	for (size_t i = 0; !w->tty && i < l->n; i++) {
		print_name(w, &l->v[i], 0);
		putchar('\n');
	}
	return 0;
}

struct deep {
	struct show *w;
	struct err *e;
};

static void complain(struct show *w, const char *path, int r)
{
	struct err why = {};

	place_err(&w->s->place, r, "cannot list", path, &why);
	fprintf(stderr, "porthole: %s\n", why.msg);
	w->failed++;
}

/* --recursive: each directory with its path before it. */
static int print_dir(struct walk_entry *e, void *data)
{
	_cleanup_listing_ struct listing l = {};
	struct deep *d = data;
	struct show *w = d->w;
	_cleanup_free_ char *path = path_of(w, e->path, "");
	_cleanup_free_ char *safe = path ? str_printable_dup(path) : NULL;
	int r;

	if (e->fd < 0)
		return 0;
	if (e->depth && *e->name == '.' && !w->o->all)
		return WALK_SKIP;
	r = listing_read(e->fd, w->o->all, &l);
	if (r < 0) {
		complain(w, path, r);
		return 0;
	}
	if (!w->list)
		printf("%s%s:\n", w->headed ? "\n" : "", safe ? safe : "?");
	w->headed = true;
	return print_listing(w, e->path, &l, d->e);
}

static int not_entered(const char *path, int r, void *data)
{
	struct deep *d = data;
	_cleanup_free_ char *whole = path_of(d->w, path, "");

	complain(d->w, whole ? whole : "?", r);
	return 0;
}

static int print_tree(struct show *w, int fd, struct err *e)
{
	static const struct walk_how how = {.sorted = true};
	static const struct walk_ops ops = {.entry = print_dir, .failed = not_entered};
	struct deep d = {.w = w, .e = e};

	return walk(fd, &how, &ops, &d);
}

static int print_single(struct show *w, int path, struct err *e)
{
	_cleanup_listing_ struct listing l = {};
	int r = listing_add(&l, path, "");

	if (r == 0) {
		free(l.v[0].name);
		l.v[0].name = w->list ? strdup("") : strdup(w->s->at.path);
	}
	if (r < 0 || !l.v[0].name)
		return place_err(&w->s->place, r < 0 ? r : -ENOMEM, "cannot list", w->s->at.path,
				 e);
	return print_listing(w, "", &l, e);
}

static int ls_spot(struct show *w, struct err *e)
{
	_cleanup_listing_ struct listing l = {};
	_cleanup_close_ int fd = -EBADF, path = -EBADF;
	struct stat st;
	int r;

	/* a link is shown as one in the long list, as ls does it */
	path = place_open(&w->s->place, w->s->at.path, O_PATH | (w->o->directory ? O_NOFOLLOW : 0));
	if (path < 0 || fstat(path, &st) < 0)
		return place_err(&w->s->place, path < 0 ? path : -errno, "cannot list",
				 w->s->at.path, e);
	if (!S_ISDIR(st.st_mode) || w->o->directory)
		return print_single(w, path, e);
	if (w->o->recursive)
		return print_tree(w, path, e);
	fd = openat(path, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = fd < 0 ? -errno : listing_read(fd, w->o->all, &l);
	if (r < 0)
		return place_err(&w->s->place, r, "cannot list", w->s->at.path, e);
	return print_listing(w, "", &l, e);
}

static int ls_one(const struct target_roots *roots, const char *arg, struct show *w, struct err *e)
{
	_cleanup_spot_ struct spot s = SPOT_INIT;
	int r = spot_of_target(roots, arg, &s, e);

	if (r < 0)
		return r;
	w->s = &s;
	owners_read(&s.place, &w->owners);
	r = ls_spot(w, e);
	owners_done(&w->owners);
	return r;
}

static void print_header(struct show *w, const char *arg)
{
	_cleanup_free_ char *safe = str_printable_dup(arg);

	if (!w->list && !w->o->recursive)
		printf("%s%s:\n", w->headed ? "\n" : "", safe ? safe : "?");
	w->headed = true;
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	_cleanup_json_ json_t *list = ctx->json ? json_array() : NULL;
	_cleanup_(show_done) struct show w = {.o = opts,
					      .style = out_style_of(STDOUT_FILENO, ctx->color),
					      .tty = ctx->tty_out,
					      .list = list};
	int r = target_roots_open(&roots, e);

	for (int i = 0; i < argc && r == 0; i++) {
		if (argc > 1)
			print_header(&w, argv[i]);
		r = ls_one(&roots, argv[i], &w, e);
	}
	if (r == 0 && list)
		r = out_json(stdout, list, &w.style, e);
	if (r < 0)
		return r;
	return w.failed ? 1 : 0;
}

static const struct opt options[] = {
	{OPT_FLAG, offsetof(struct ls_opts, longer), 'l', "long", NULL,
	 "mode, links, owner, group, size, time; and what is a mount point", NULL},
	{OPT_FLAG, offsetof(struct ls_opts, all), 'a', "all", NULL,
	 "names that begin with a dot too", NULL},
	{OPT_FLAG, offsetof(struct ls_opts, recursive), 'R', "recursive", NULL,
	 "directories in it too", NULL},
	{OPT_FLAG, offsetof(struct ls_opts, directory), 'd', "directory", NULL,
	 "the directory (or link) itself, not what is in it", NULL},
	{OPT_FLAG, offsetof(struct ls_opts, human), 0, "human", NULL, "sizes in KiB, MiB and so on",
	 NULL},
	{OPT_FLAG, offsetof(struct ls_opts, json), 0, "json", NULL, "print JSON", NULL},
	{},
};

const struct verb verb_ls = {
	.name = "ls",
	.args = "TARGET[:PATH]...",
	.summary = "List files of a container",
	.details = "Links are resolved inside the target and never lead out of it. The target may "
		   "be running, stopped, an image\n"
		   "or an archive, and needs no tool. Owners are those that the target sees, by "
		   "the names of its own passwd file.\n"
		   "Control characters in names are shown as \\xNN.",
	.examples =
		"  porthole ls web:/etc\n"
		"  porthole ls -la web:/var/log\n"
		"  porthole ls -R image://busybox:/etc\n"
		"  porthole ls --json web:/srv | jq -r '.[] | select(.size > 1000000) | .path'\n",
	.opts = options,
	.opts_size = sizeof(struct ls_opts),
	.complete = COMPLETE_PATH,
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
