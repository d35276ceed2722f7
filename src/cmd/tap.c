/* porthole tap: what a process writes, and what it has open. */
#include "cmd/tap.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "out/human.h"
#include "out/json_print.h"
#include "sys/pidfd.h"
#include "sys/power.h"
#include "sys/proc.h"
#include "watch/tap.h"

struct tap_opts {
	bool list, deleted, follow, raw, json, quiet;
	struct strv fds;
	const char *recover, *tcp, *output;
};

#define O(field) offsetof(struct tap_opts, field)

static const struct opt options[] = {
	{OPT_CSV, O(fds), 0, "fd", "N[,N...]", "read these descriptors along (default: 1,2)", NULL},
	{OPT_FLAG, O(follow), 'f', "follow", NULL, "the processes that it starts, too", NULL},
	{OPT_FLAG, O(raw), 0, "raw", NULL, "to a terminal as it is, with its escape sequences",
	 NULL},
	{OPT_FLAG, O(list), 'l', "list", NULL, "list what its descriptors are", NULL},
	{OPT_FLAG, O(deleted), 0, "deleted", NULL,
	 "list deleted files that are open; with -o, recover the only one", NULL},
	{OPT_STR, O(recover), 0, "recover", "FD", "copy the open file of this descriptor", NULL},
	{OPT_STR, O(output), 'o', "output", "FILE", "where to, a new file; - is standard output",
	 NULL},
	{OPT_STR, O(tcp), 0, "tcp", "FD", "the state of this TCP socket, in words", NULL},
	{OPT_FLAG, O(quiet), 'q', "quiet", NULL, "only what was written", NULL},
	{OPT_FLAG, O(json), 0, "json", NULL, "print JSON", NULL},
	{},
};

struct tapped {
	struct ctx *ctx;
	const struct tap_opts *o;
	struct target_roots roots;
	struct target t;
	struct facts f;
	const struct fact_proc *p; /* the one asked for */
	bool named;		   /* it was asked for, not the default */
	int dir, pidfd;
};

static void tapped_done(struct tapped *x)
{
	if (x->dir != x->t.proc_fd)
		cleanup_close(&x->dir);
	if (x->pidfd != x->t.pidfd)
		cleanup_close(&x->pidfd);
	facts_done(&x->f);
	target_done(&x->t);
	target_roots_close(&x->roots);
}

/* --- which process --- */

static bool fits(const struct fact_proc *p, const char *name, uint64_t number)
{
	return number ? (p->inside ? p->inside : p->pid) == (pid_t)number : str_eq(p->comm, name);
}

static int choose(struct tapped *x, const char *spec, struct err *e)
{
	const struct facts_procs *l = &x->f.procs;
	_cleanup_buf_ struct buf all = {};
	uint64_t number = 0;
	size_t n = 0;

	x->p = l->n ? &l->v[0] : NULL;
	if (!x->p)
		return err_say(e, ESRCH, "'%s' has no process", x->t.name);
	if (!spec)
		return 0;
	x->named = true;
	if (str_to_u64(spec, 1, INT32_MAX, &number) < 0)
		number = 0;
	for (size_t i = 0; i < l->n; i++) {
		if (!fits(&l->v[i], spec, number))
			continue;
		x->p = &l->v[i];
		buf_printf(&all, "%s%d", n++ ? ", " : "",
			   (int)(x->p->inside ? x->p->inside : x->p->pid));
	}
	if (n == 1)
		return 0;
	if (n) {
		err_say(e, ENOTUNIQ, "'%s' has several processes called '%s': %s", x->t.name, spec,
			all.data);
		err_hint(e, "give one of these numbers instead");
		return -ENOTUNIQ;
	}
	err_say(e, ESRCH, "'%s' has no process %s%s", x->t.name, number ? "" : "called ", spec);
	err_hint(e, "'porthole exec %s ps -ef' lists them", x->t.name);
	return -ESRCH;
}

static int hold(struct tapped *x, struct err *e)
{
	x->dir = x->t.proc_fd;
	x->pidfd = x->t.pidfd;
	if (x->p->pid == x->t.pid)
		return 0;
	x->dir = proc_dir_open(x->roots.proc_fd, x->p->pid);
	if (x->dir < 0)
		return err_say(e, ESRCH, "process %d ended meanwhile", (int)x->p->pid);
	x->pidfd = pidfd_get(x->p->pid);
	return 0;
}

static int find(struct tapped *x, const char *target, const char *spec, struct err *e)
{
	int r = target_open(&x->roots, target, &x->t, e);

	if (r < 0)
		return r;
	r = facts_ns_read(&x->roots, &x->t, &x->f);
	if (r == 0)
		r = facts_procs_read(&x->roots, &x->t, &x->f);
	if (r < 0)
		return err_set(e, r, "reading the processes of '%s'", x->t.name);
	r = choose(x, spec, e);
	return r < 0 ? r : hold(x, e);
}

static int descriptor(const char *s, struct err *e)
{
	uint64_t n;

	if (str_to_u64(s, 0, INT32_MAX, &n) < 0)
		return err_say(e, EINVAL, "'%s' is no number of a descriptor", s);
	return (int)n;
}

/* --- descriptors --- */

static int read_fds(struct tapped *x, int dir, struct fds *l, struct err *e)
{
	int r = fds_read(dir, l);

	if (r < 0) {
		err_set(e, r, "reading the descriptors of process %d", (int)x->p->pid);
		power_hint(e, 1ull << CAP_SYS_PTRACE);
	}
	return r;
}

static int list_one(struct tapped *x, const struct fact_proc *p, int dir, json_t *all,
		    struct err *e)
{
	_cleanup_fds_ struct fds l = {};
	int r = read_fds(x, dir, &l, e);

	if (r < 0)
		return r;
	if (!x->o->deleted) {
		fds_find_sockets(dir, &l);
		r = fds_find_peers(x->roots.proc_fd, p->pid, &l);
	}
	if (r < 0)
		return err_set(e, r, "looking for the other ends of pipes");
	return tap_list(x->ctx, p, &l, x->o->deleted, all, e);
}

/* The process asked for, or every one. */
static int list(struct tapped *x, struct err *e)
{
	struct out_style style = out_style_of(STDOUT_FILENO, x->ctx->color);
	_cleanup_json_ json_t *all = json_array();
	int r = 0;

	if (x->named)
		r = list_one(x, x->p, x->dir, all, e);
	for (size_t i = 0; i < x->f.procs.n && r == 0 && !x->named; i++) {
		const struct fact_proc *p = &x->f.procs.v[i];
		_cleanup_close_ int dir = proc_dir_open(x->roots.proc_fd, p->pid);

		if (dir >= 0 && p->state != 'Z')
			r = list_one(x, p, dir, all, e);
		if (e->num == ENOENT || e->num == ESRCH) /* it ended meanwhile */
			r = 0;
	}
	return r == 0 && x->ctx->json ? out_json(stdout, all, &style, e) : r;
}

static int output_open(const char *path, struct err *e)
{
	int fd;

	if (str_eq(path, "-"))
		return STDOUT_FILENO;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST) {
		err_say(e, EEXIST, "%s is there already", path);
		err_hint(e, "name a file that does not exist: nothing is overwritten");
		return -EEXIST;
	}
	return fd < 0 ? err_set(e, errno, "making %s", path) : fd;
}

static int recover(struct tapped *x, int fd, struct err *e)
{
	const char *path = x->o->output;
	char size[HUMAN_MAX];
	uint64_t bytes;
	int out, r;

	if (!path && x->ctx->tty_out)
		return err_say(e, EINVAL, "say where the file is to go with -o FILE");
	out = output_open(path ? path : "-", e);
	if (out < 0)
		return out;
	r = fds_recover(x->dir, fd, out, &bytes, e);
	if (out != STDOUT_FILENO) {
		if (close(out) < 0 && r == 0)
			r = err_set(e, errno, "writing %s", path);
		if (r < 0)
			unlink(path);
	}
	if (r == 0 && !x->o->quiet && path && !str_eq(path, "-"))
		fprintf(stderr, "porthole: descriptor %d of process %d: %s, now in %s\n", fd,
			(int)x->p->pid, human_size(bytes, size), path);
	return r;
}

/* The only deleted file that is open. */
static int recover_deleted(struct tapped *x, struct err *e)
{
	_cleanup_fds_ struct fds l = {};
	int r = read_fds(x, x->dir, &l, e), fd = -1;
	uint64_t ino = 0;

	for (size_t i = 0; i < l.n && r == 0; i++) {
		if (!l.v[i].deleted || l.v[i].ino == ino)
			continue;
		if (fd >= 0) {
			err_say(e, ENOTUNIQ, "process %d has several deleted files open",
				(int)x->p->pid);
			err_hint(e, "--deleted alone lists them; then --recover FD");
			return -ENOTUNIQ;
		}
		fd = l.v[i].fd;
		ino = l.v[i].ino;
	}
	if (r == 0 && fd < 0)
		r = err_say(e, ENOENT, "process %d has no deleted file open", (int)x->p->pid);
	return r < 0 ? r : recover(x, fd, e);
}

static int tcp(struct tapped *x, struct err *e)
{
	struct tcpinfo info;
	int fd = descriptor(x->o->tcp, e), r = fd;

	if (r >= 0)
		r = tcpinfo_read(x->pidfd, fd, &info, e);
	return r < 0 ? r : tap_tcp(x->ctx, x->p, fd, &info, e);
}

/* --- reading along --- */

static void print_json(const struct tap_piece *p)
{
	static const char *const names[] = {[TAP_DATA] = "data",
					    [TAP_UNSEEN] = "unseen",
					    [TAP_LOST] = "lost",
					    [TAP_ENDED] = "ended",
					    [TAP_STARTED] = "started"};
	json_t *j = json_pack("{s:s,s:i,s:i,s:i,s:I}", "event", names[p->kind], "pid", (int)p->pid,
			      "inside", (int)p->inside, "fd", p->fd,
			      p->kind == TAP_ENDED ? "code" : "more", (json_int_t)p->more);

	if (p->kind == TAP_DATA)
		json_object_set_new(j, "data", json_bytes(p->data, p->len));
	out_json_line(stdout, j, NULL);
	fflush(stdout);
	json_decref(j);
}

/* Lines stay lines; what a terminal would act upon is spelt out. */
static void print_safe(FILE *out, const char *data, size_t len)
{
	static char text[4 * TAP_PIECE + 1];

	while (len) {
		size_t n = 0;

		while (n < len && data[n] != '\n' && data[n] != '\t')
			n++;
		fwrite(text, 1, str_printable(data, n, text, sizeof(text)), out);
		if (n < len)
			fputc(data[n++], out);
		data += n;
		len -= n;
	}
}

static void print_data(const struct tapped *x, const struct tap_piece *p)
{
	FILE *out = p->fd == STDERR_FILENO ? stderr : stdout;

	if (isatty(fileno(out)) && !x->o->raw)
		print_safe(out, p->data, p->len);
	else
		fwrite(p->data, 1, p->len, out);
	fflush(out);
}

/* "process 17, 4242 on the host," as the lists name it. */
static void print_who(const char *before, const struct tap_piece *p)
{
	fprintf(stderr, "porthole: %sprocess %d", before, (int)(p->inside ? p->inside : p->pid));
	if (p->inside && p->inside != p->pid)
		fprintf(stderr, ", %d on the host,", (int)p->pid);
}

static void print(void *data, const struct tap_piece *p)
{
	const struct tapped *x = data;

	if (x->ctx->json) {
		print_json(p);
		return;
	}
	if (p->kind == TAP_DATA)
		print_data(x, p);
	if (x->o->quiet || (p->kind == TAP_DATA && !p->more))
		return;
	if (p->kind == TAP_STARTED) {
		print_who("reading along what ", p);
		fputs(" writes; it is slower meanwhile; Ctrl-C ends this, not the process\n",
		      stderr);
	} else if (p->kind == TAP_ENDED) {
		print_who("", p);
		fprintf(stderr, " ended with exit code %d\n", (int)p->more);
	} else if (p->kind == TAP_UNSEEN)
		fprintf(stderr,
			"porthole: %llu bytes went to descriptor %d from another one, unseen "
			"(splice)\n",
			(unsigned long long)p->more, p->fd);
	else
		fprintf(stderr, "porthole: %llu bytes were left out\n",
			(unsigned long long)p->more);
}

static int read_along(struct tapped *x, struct err *e)
{
	struct tap_plan plan = {.pid = x->p->pid,
				.proc_fd = x->roots.proc_fd,
				.dir = x->dir,
				.fds = {1, 2},
				.n_fds = 2,
				.follow = x->o->follow};

	if (x->o->fds.n > TAP_FDS_MAX)
		return err_say(e, EINVAL, "--fd takes at most %d descriptors", TAP_FDS_MAX);
	for (size_t i = 0; i < x->o->fds.n; i++) {
		plan.fds[i] = descriptor(x->o->fds.v[i], e);
		if (plan.fds[i] < 0)
			return plan.fds[i];
		plan.n_fds = x->o->fds.n;
	}
	return tap_run(&plan, print, x, e);
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	const struct tap_opts *o = opts;
	_cleanup_(tapped_done) struct tapped x = {
		.ctx = ctx,
		.o = o,
		.roots = {.root_fd = -EBADF, .proc_fd = -EBADF},
		.t = TARGET_INIT,
		.dir = -EBADF,
		.pidfd = -EBADF,
	};
	int r;

	if (o->list + !!o->recover + !!o->tcp + o->deleted > 1) {
		err_say(e, EINVAL, "--list, --deleted, --recover and --tcp are for one at a time");
		return err_exit(e, EXIT_USAGE);
	}
	r = find(&x, argv[0], argc > 1 ? argv[1] : NULL, e);
	if (r < 0)
		return r;
	if (o->recover) {
		r = descriptor(o->recover, e);
		return r < 0 ? r : recover(&x, r, e);
	}
	if (o->deleted && o->output)
		return recover_deleted(&x, e);
	if (o->list || o->deleted)
		return list(&x, e);
	return o->tcp ? tcp(&x, e) : read_along(&x, e);
}

const struct verb verb_tap = {
	.name = "tap",
	.args = "TARGET [PID|NAME]",
	.summary = "Read what a process writes, and see what it has open",
	.details = "Reads along what a process of the container writes to its standard output and "
		   "error, wherever that goes:\n"
		   "also when the logs are lost, redirected to /dev/null, or in a file nobody can "
		   "open. The process is not\n"
		   "changed or restarted; it runs slower while it is read along, and on as before "
		   "when that ends, however\n"
		   "it ends. PID is its number inside (the first process unless given).\n\n"
		   "--list tells what descriptors really are: files, also deleted ones, pipes with "
		   "whoever is at the other\n"
		   "end, sockets with addresses and state. --recover copies a file that is open, "
		   "deleted or not. --tcp\n"
		   "tells how a connection fares.",
	.examples =
		"  porthole tap web                          what its first process writes\n"
		"  porthole tap -f web nginx                 nginx and all that it starts\n"
		"  porthole tap --fd 5 web 17                another descriptor, of process 17\n"
		"  porthole tap --list web                   what is open in all of it\n"
		"  porthole tap --deleted -o app.log web     the log that was deleted under it\n"
		"  porthole tap --recover 7 web >data.db     what descriptor 7 has\n"
		"  porthole tap --tcp 9 web                  is the peer slow, or we?\n",
	.opts = options,
	.opts_size = sizeof(struct tap_opts),
	.complete = COMPLETE_TARGET,
	.min_args = 1,
	.max_args = 2,
	.run = run,
};
