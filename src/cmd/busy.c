/* porthole busy: who keeps a mount, a device or a file in use, in any container. */
#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "out/json_print.h"
#include "out/table.h"
#include "sys/caps.h"
#include "sys/power.h"
#include "target/target.h"
#include "watch/uses.h"

struct busy_opts {
	bool quiet, json;
};

/* Whose a mount namespace is. */
struct owners {
	struct targets l;
	uint64_t *mnt_ns;
	char **label;
};

static void owners_done(struct owners *o)
{
	for (size_t i = 0; i < o->l.n; i++)
		free(o->label[i]);
	free(o->label);
	free(o->mnt_ns);
	targets_done(&o->l);
}

static int owners_find(const struct target_roots *roots, struct owners *o, struct err *e)
{
	int r = target_list(roots, false, &o->l, NULL, e);

	if (r < 0)
		return r;
	o->mnt_ns = calloc(o->l.n + 1, sizeof(*o->mnt_ns));
	o->label = calloc(o->l.n + 1, sizeof(*o->label));
	for (size_t i = 0; i < o->l.n && o->mnt_ns && o->label; i++) {
		o->mnt_ns[i] = proc_ns_inode_at(roots->proc_fd, o->l.v[i].pid, "mnt");
		o->label[i] = target_label(&o->l, i);
	}
	return o->mnt_ns && o->label ? 0 : err_set(e, ENOMEM, "listing the containers");
}

static const char *owner_of(const struct owners *o, const struct use *u)
{
	for (size_t i = 0; i < o->l.n && u->mnt_ns; i++)
		if (o->mnt_ns[i] == u->mnt_ns)
			return o->label[i];
	return NULL;
}

static const char *how_name(enum use_how how)
{
	static const char *const names[] = {
		[USE_ROOT] = "root",   [USE_CWD] = "cwd",     [USE_PROGRAM] = "program",
		[USE_MAPPED] = "map",  [USE_OPEN] = "open",   [USE_MOUNT] = "mount",
		[USE_BELOW] = "below", [USE_LOOP] = "device", [USE_SWAP] = "swap",
	};

	return names[how];
}

static const struct column columns[] = {
	{.name = "PID", .flags = COL_RIGHT},
	{.name = "PROCESS"},
	{.name = "CONTAINER", .flags = COL_SHRINK | COL_HIDE},
	{.name = "HOW"},
	{.name = "FD", .flags = COL_RIGHT | COL_HIDE},
	{.name = "WHAT", .flags = COL_SHRINK},
	{.name = "KEEPS", .flags = COL_HIDE},
};

static int print_table(const struct out_style *style, const struct uses *u, const struct owners *o,
		       bool is_mount, struct err *e)
{
	_cleanup_table_ struct table t = TABLE_INIT(columns);

	for (size_t i = 0; i < u->n; i++) {
		const struct use *one = &u->v[i];

		if (one->pid)
			table_addf(&t, OUT_PLAIN, "%d", (int)one->pid);
		else
			table_add(&t, OUT_PLAIN, "-");
		table_add(&t, OUT_PLAIN, one->comm);
		table_add(&t, OUT_PLAIN, owner_of(o, one));
		table_add(&t, OUT_PLAIN, how_name(one->how));
		if (one->how == USE_OPEN)
			table_addf(&t, OUT_PLAIN, "%d", one->fd);
		else
			table_add(&t, OUT_PLAIN, NULL);
		table_add(&t, OUT_PLAIN, one->path);
		table_add(&t, OUT_PLAIN, !is_mount ? NULL : one->same_mount ? "mount" : "device");
	}
	return table_print(stdout, &t, style, e);
}

static int print_json(const struct out_style *style, const struct uses *u, const struct owners *o,
		      const char *path, bool is_mount, struct err *e)
{
	_cleanup_json_ json_t *j = NULL;
	json_t *rows = json_array();

	for (size_t i = 0; i < u->n; i++) {
		const struct use *one = &u->v[i];
		json_t *row = json_pack("{s:i,s:o,s:o,s:s,s:o,s:b}", "pid", (int)one->pid, "name",
					json_text(one->comm), "target", json_text(owner_of(o, one)),
					"how", how_name(one->how), "path", json_text(one->path),
					"keeps_mount", is_mount && one->same_mount);

		if (row && one->how == USE_OPEN)
			json_object_set_new(row, "fd", json_integer(one->fd));
		if (json_array_append_new(rows, row) < 0)
			return err_set(e, ENOMEM, "printing JSON");
	}
	j = json_pack("{s:o,s:b,s:I,s:b,s:o}", "path", json_text(path), "is_mount", is_mount,
		      "unread", (json_int_t)u->unread, "cut", u->cut, "uses", rows);
	return out_json(stdout, j, style, e);
}

/* Distinct processes, or things of the kernel's, that hold the mount itself, or only its file
 * system. Rows of one process follow each other. */
static size_t count(const struct uses *u, bool same_mount)
{
	size_t n = 0;
	pid_t last = -1;

	for (size_t i = 0; i < u->n; i++) {
		if (u->v[i].same_mount != same_mount || (u->v[i].pid && u->v[i].pid == last))
			continue;
		last = u->v[i].pid;
		n++;
	}
	return n;
}

/* What hides processes from us. */
struct sight {
	bool denied;	 /* some were passed over for want of rights */
	char flags[160]; /* what our container lacks to see the host's; "" none */
};

static void sight_of(int proc_fd, const struct uses *u, struct sight *out)
{
	char missing[64];
	uint64_t need = CAPS_BIT(CAP_SYS_PTRACE);

	out->denied = u->unread && *power_missing(need, missing, sizeof(missing));
	power_flags(proc_fd, out->denied ? need : 0, out->flags, sizeof(out->flags));
}

/* On standard error: the answer is not the whole one. */
static void tell_sight(const struct sight *s, const struct uses *u)
{
	if (*s->flags)
		fprintf(stderr,
			"porthole: this container does not see all of the host's processes: start "
			"it with %s\n",
			s->flags);
	else if (s->denied)
		fprintf(stderr,
			"porthole: %zu processes of others could not be looked into: run "
			"with sudo to see all\n",
			u->unread);
}

static void say(const char *path, const struct uses *u, bool is_mount, bool is_blind)
{
	size_t keep = count(u, true), else_where = count(u, false);
	_cleanup_free_ char *name = str_printable_dup(path);
	const char *p = name ? name : "it";

	if (!is_mount)
		printf(u->n	  ? ""
		       : is_blind ? "Nothing that may be looked at here uses %s.\n"
				  : "Nothing uses %s.\n",
		       p);
	else if (keep)
		printf("%s cannot be unmounted while %s.\n", p,
		       keep == 1 ? "that one uses the mount" : "these use the mount");
	else
		printf("Nothing%s keeps %s from being unmounted.\n",
		       is_blind ? " that may be looked at here" : "", p);
	if (is_mount && else_where)
		printf("Its file system is in use through other mounts: it, and its device, stay "
		       "in use until those are\ngone too (KEEPS device).\n");
	if (u->cut)
		printf("There are more than %d uses; these are the first.\n", USES_MAX);
}

/* `path`: of a disk, the file system on it counts as well. */
static int look(const char *path, const struct used *what, bool is_mount, int proc_fd,
		struct uses *u, struct err *e)
{
	struct used wanted[2] = {*what};
	struct stat st;
	int n = 1, r = 0;

	if (is_mount)
		wanted[0].ino = 0;
	if (stat(path, &st) == 0 && S_ISBLK(st.st_mode))
		wanted[n++].dev = st.st_rdev;
	for (int i = 0; i < n && r == 0; i++) {
		r = uses_of_processes(proc_fd, &wanted[i], u);
		if (r == 0 && (is_mount || i))
			r = uses_of_mounts(proc_fd, &wanted[i], u);
		if (r == 0)
			r = uses_of_kernel(proc_fd, &wanted[i], u);
	}
	return r < 0 ? err_set(e, -r, "looking through the processes") : 0;
}

/* Of those that keep what was asked for. */
static int print_pids(const struct uses *u)
{
	pid_t last = 0;

	for (size_t i = 0; i < u->n; i++) {
		if (!u->v[i].same_mount || !u->v[i].pid || u->v[i].pid == last)
			continue;
		last = u->v[i].pid;
		printf("%d\n", (int)last);
	}
	return 0;
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	struct out_style style = out_style_of(STDOUT_FILENO, ctx->color);
	const struct busy_opts *o = opts;
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	_cleanup_(owners_done) struct owners owners = {};
	_cleanup_uses_ struct uses u = {};
	struct sight sight = {};
	struct used what;
	bool is_mount;
	int r = used_of(argv[0], &what, &is_mount, e);

	(void)argc;
	if (r == -ENOENT)
		err_hint(e, "PATH is one of the host's: where something is mounted, a file or a "
			    "directory");
	if (r == 0)
		r = target_roots_open(&roots, e);
	if (r == 0)
		r = owners_find(&roots, &owners, e);
	if (r == 0)
		r = look(argv[0], &what, is_mount, roots.proc_fd, &u, e);
	if (r < 0)
		return r;
	sight_of(roots.proc_fd, &u, &sight);
	if (ctx->json)
		r = print_json(&style, &u, &owners, argv[0], is_mount, e);
	else if (o->quiet)
		r = print_pids(&u);
	else if (u.n)
		r = print_table(&style, &u, &owners, is_mount, e);
	if (r == 0 && !ctx->json && !o->quiet)
		say(argv[0], &u, is_mount, sight.denied || *sight.flags);
	if (r == 0)
		tell_sight(&sight, &u);
	return r < 0 ? r : u.n ? 0 : 1;
}

static const struct opt options[] = {
	{OPT_FLAG, offsetof(struct busy_opts, quiet), 'q', "quiet", NULL,
	 "only the numbers of the processes that keep PATH itself busy", NULL},
	{OPT_FLAG, offsetof(struct busy_opts, json), 0, "json", NULL, "print JSON", NULL},
	{},
};

const struct verb verb_busy = {
	.name = "busy",
	.args = "PATH",
	.summary = "Name who keeps a mount or a file busy, in any container",
	.details =
		"Says which processes use PATH, whatever namespaces they are in, and whose they "
		"are. Where\n"
		"something is mounted at PATH the whole mount counts, and also: mounts below it, "
		"mounts of\n"
		"the same file system in other mount namespaces, loop devices and swap files. "
		"Otherwise\n"
		"that file or directory alone counts; of a disk (/dev/sdb1), the file system on it "
		"too, also\n"
		"where it is mounted no more and somebody still has a file of it.\n\n"
		"HOW is root, cwd, program, map (mapped into memory), open (FD is the "
		"descriptor), mount,\n"
		"below, device (a loop device's file) or swap. KEEPS tells what it keeps busy: "
		"the mount,\n"
		"which then cannot be unmounted, or only the file system behind it and so its "
		"device. WHAT\n"
		"is a path as that process sees it.",
	.examples = "  porthole busy /mnt/data          who keeps it from being unmounted?\n"
		    "  porthole busy /var/log/app.log   who has this file open?\n"
		    "  porthole busy /dev/sdb1          who keeps mkfs from having it?\n"
		    "  kill $(porthole busy -q /mnt/data)\n",
	.opts = options,
	.opts_size = sizeof(struct busy_opts),
	.complete = COMPLETE_FILE,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
