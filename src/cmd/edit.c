/* porthole edit: a file of a target in one's own editor. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/path.h"
#include "cli/cli.h"
#include "cmd/spot.h"
#include "files/data.h"
#include "files/ends.h"
#include "files/put.h"

enum { EDIT_MAX_MIB = 512 };

struct edit_opts {
	bool quiet;
};

struct edit {
	struct spot s;
	struct dest at; /* the file itself, links followed */
	int fd;		/* of the original, open for reading; -EBADF: there is none */
	struct stat st; /* of it */
	char dir[4096]; /* private, outside */
	char *file;	/* the copy in it */
	bool keep;	/* it is all that is left of the work */
};

static void edit_done(struct edit *ed)
{
	if (ed->file && !ed->keep)
		unlink(ed->file);
	if (ed->dir[0] && !ed->keep)
		rmdir(ed->dir);
	free(ed->file);
	cleanup_close(&ed->fd);
	dest_done(&ed->at);
	spot_done(&ed->s);
}

static int open_original(struct edit *ed, struct err *e)
{
	_cleanup_close_ int path = -EBADF;
	const struct place *p = &ed->s.place;
	struct statvfs vfs;
	int r = dest_beside(p, ed->s.at.path, &ed->at, e);

	if (r < 0)
		return r;
	/* said before the work is done, not after it */
	if (p->kind != PLACE_STORE && fstatvfs(ed->at.dir, &vfs) == 0 && vfs.f_flag & ST_RDONLY)
		return place_err(p, -EROFS, "cannot edit", ed->s.at.path, e);
	path = openat(ed->at.dir, ed->at.name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (path < 0 && errno == ENOENT)
		return 0; /* a new file */
	if (path < 0 || fstat(path, &ed->st) < 0)
		return place_err(p, -errno, "cannot open", ed->s.at.path, e);
	if (!S_ISREG(ed->st.st_mode))
		return err_say(e, EINVAL, "%s in '%s' is no regular file, and so cannot be edited",
			       ed->s.at.path, p->label);
	if (ed->st.st_size >> 20 >= EDIT_MAX_MIB)
		return err_say(e, EFBIG,
			       "%s in '%s' is too large for an editor: copy it out and "
			       "in with 'porthole cp'",
			       ed->s.at.path, p->label);
	ed->fd = path_reopen(path);
	return ed->fd < 0 ? place_err(p, ed->fd, "cannot read", ed->s.at.path, e) : 0;
}

/* A copy that only we can read, under a name by which editors know what it is. */
static int copy_out(struct edit *ed, struct err *e)
{
	_cleanup_close_ int out = -EBADF;
	const char *tmp = getenv("TMPDIR");
	struct meter m = {};
	bool reading;
	int64_t n = 0;

	snprintf(ed->dir, sizeof(ed->dir), "%s/porthole-edit-XXXXXX",
		 tmp && *tmp == '/' ? tmp : "/tmp");
	if (!mkdtemp(ed->dir)) {
		int num = errno;

		ed->dir[0] = '\0';
		return err_set(e, num, "making a directory for the copy that is edited");
	}
	ed->file = str_fmt("%s/%s", ed->dir, ed->at.name);
	out = ed->file ? open(ed->file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)
		       : -1;
	if (out >= 0 && ed->fd >= 0)
		n = data_copy(ed->fd, out, &m, &reading);
	return out < 0 || n < 0 ? err_set(e, n < 0 ? (int)n : errno, "making a copy to edit") : 0;
}

static bool in_path(const char *name)
{
	_cleanup_strv_ struct strv dirs = {};
	const char *path = getenv("PATH");

	if (strv_split(&dirs, path ? path : "/usr/bin:/bin", ":") < 0)
		return false;
	for (size_t i = 0; i < dirs.n; i++) {
		_cleanup_free_ char *file = str_fmt("%s/%s", dirs.v[i], name);

		if (file && access(file, X_OK) == 0)
			return true;
	}
	return false;
}

static const char *find_editor(void)
{
	static const char *const usual[] = {"editor", "vim", "vi", "nano", "emacs"};
	const char *visual = getenv("VISUAL"), *editor = getenv("EDITOR");

	if (visual && *visual)
		return visual;
	if (editor && *editor)
		return editor;
	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		if (in_path(usual[i]))
			return usual[i];
	return NULL;
}

/* The editor has the terminal, and its Ctrl-C. */
static int run_editor(struct edit *ed, struct err *e)
{
	const char *editor = find_editor();
	_cleanup_free_ char *line = editor ? str_fmt("%s \"$1\"", editor) : NULL;
	int status = 0;
	pid_t pid;

	if (!editor) {
		err_say(e, ENOENT, "there is no editor on this host");
		err_hint(e, "set EDITOR, or use the kit's: porthole exec %s vim %s",
			 ed->s.place.label, ed->s.at.path);
		return -ENOENT;
	}
	if (!line)
		return err_set(e, ENOMEM, "starting the editor");
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	pid = fork();
	if (pid == 0) {
		signal(SIGINT, SIG_DFL);
		signal(SIGQUIT, SIG_DFL);
		execl("/bin/sh", "sh", "-c", line, "sh", ed->file, (char *)NULL);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid < 0)
		return err_set(e, errno, "starting the editor");
	if (status == 0)
		return 0;
	return err_say(e, ECANCELED, "the editor (%s) did not end well, and so nothing is changed",
		       editor);
}

/* 1: the copy differs from the original, 0: it does not. */
static int is_changed(const struct edit *ed, int copy)
{
	char a[65536], b[65536];
	off_t at = 0;

	if (ed->fd < 0)
		return 1;
	for (;;) {
		ssize_t n = pread(copy, a, sizeof(a), at), m = pread(ed->fd, b, sizeof(b), at);

		if (n < 0 || n != m || memcmp(a, b, (size_t)n) != 0)
			return 1;
		if (n == 0)
			return 0;
		at += n;
	}
}

/* Somebody else has changed it, or put another file there. */
static bool is_stale(const struct edit *ed, bool same_mount)
{
	struct stat st;

	if (fstatat(ed->at.dir, ed->at.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ed->fd >= 0;
	return ed->fd < 0 ||
	       (same_mount && (st.st_ino != ed->st.st_ino || st.st_dev != ed->st.st_dev)) ||
	       st.st_size != ed->st.st_size || st.st_mtim.tv_sec != ed->st.st_mtim.tv_sec ||
	       st.st_mtim.tv_nsec != ed->st.st_mtim.tv_nsec;
}

static int kept(struct edit *ed, struct err *e)
{
	ed->keep = true;
	err_hint(e, "what was edited is in %s", ed->file);
	return -e->num;
}

/* What does not run was mounted to be read while the editor had it; it may run by now, too. */
static int open_again(const struct target_roots *roots, struct edit *ed, struct err *e)
{
	_cleanup_free_ char *arg = str_fmt("%s:%s", ed->s.at.target, ed->s.at.path);
	int r = arg ? 0 : err_set(e, ENOMEM, "opening it again");

	dest_done(&ed->at);
	spot_done(&ed->s);
	ed->s.write = true;
	if (r == 0)
		r = spot_of_target(roots, arg, &ed->s, e);
	return r < 0 ? r : dest_beside(&ed->s.place, ed->s.at.path, &ed->at, e);
}

static int write_back(const struct target_roots *roots, struct edit *ed, int copy, struct err *e)
{
	static const struct attrs_keep keep = {.owner = true, .power = true};
	const struct place *p = &ed->s.place;
	_cleanup_attrs_ struct attrs a = {.mode = S_IFREG | 0644, .owner = true};
	_cleanup_put_ struct put put = PUT_INIT;
	struct meter m = {};
	bool reading, same_mount = p->kind != PLACE_STORE;
	int64_t n;
	int r;

	r = ed->fd < 0 ? 0 : attrs_read(p, ed->fd, &ed->st, &keep, &a);
	if (r == 0 && !same_mount)
		r = open_again(roots, ed, e);
	if (r < 0)
		return r;
	if (is_stale(ed, same_mount))
		return err_say(e, ESTALE,
			       "%s in '%s' was changed by somebody else meanwhile, and "
			       "so is left as it is",
			       ed->s.at.path, p->label);
	a.times = false;
	place_begin_writing(p);
	r = put_begin(&put, p, ed->at.dir, ed->at.name, false, 0);
	n = r < 0 ? r : data_copy(copy, put.fd, &m, &reading);
	r = n < 0 ? (int)n : put_end(&put, &a, NULL);
	place_end_writing();
	return r < 0 ? place_err(p, r, "writing", ed->s.at.path, e) : spot_check(roots, &ed->s, e);
}

/* A file of several names is not that of the others any more. */
static void tell_names(const struct edit *ed)
{
	char safe[256];
	struct stat st;

	if (ed->st.st_nlink < 2 || !S_ISREG(ed->st.st_mode) ||
	    fstatat(ed->at.dir, ed->at.name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_nlink > 1)
		return;
	str_printable(ed->s.at.path, strlen(ed->s.at.path), safe, sizeof(safe));
	fprintf(stderr,
		"porthole: %s was one of %llu names of a file (hard links); under the "
		"others it is as it was\n",
		safe, (unsigned long long)ed->st.st_nlink);
}

static int edit(const struct target_roots *roots, struct edit *ed, const struct edit_opts *o,
		struct err *e)
{
	_cleanup_close_ int copy = -EBADF;
	int r = open_original(ed, e);

	if (r == 0)
		r = copy_out(ed, e);
	if (r == 0)
		r = run_editor(ed, e);
	if (r < 0)
		return r;
	copy = open(ed->file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (copy < 0 && ed->fd < 0)
		return err_say(e, ECANCELED, "nothing was written, and so nothing is made");
	if (copy < 0)
		return err_set(e, errno, "reading what was edited");
	if (!is_changed(ed, copy)) {
		if (!o->quiet)
			fprintf(stderr, "porthole: not changed\n");
		return 0;
	}
	r = write_back(roots, ed, copy, e);
	if (r == 0 && !o->quiet)
		tell_names(ed);
	return r < 0 ? kept(ed, e) : 0;
}

static int run(struct ctx *ctx, void *opts, int argc, char **argv, struct err *e)
{
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	_cleanup_(edit_done) struct edit ed = {.s = SPOT_INIT, .at = DEST_INIT, .fd = -EBADF};
	int r = target_roots_open(&roots, e);

	(void)ctx;
	(void)argc;
	if (r == 0)
		r = spot_of_target(&roots, argv[0], &ed.s, e);
	if (r < 0)
		return r;
	if (ed.s.s.image) {
		err_say(e, EROFS, "'%s' is no container, and so not changed", ed.s.place.label);
		err_hint(e, "porthole cat %s:%s shows it", ed.s.place.label, ed.s.at.path);
		return -EROFS;
	}
	return edit(&roots, &ed, opts, e);
}

static const struct opt options[] = {
	{OPT_FLAG, offsetof(struct edit_opts, quiet), 'q', "quiet", NULL,
	 "do not say that nothing was changed", NULL},
	{},
};

const struct verb verb_edit = {
	.name = "edit",
	.args = "TARGET:PATH",
	.summary = "Edit a file of a container in your own editor",
	.details =
		"Opens a private copy in $VISUAL, $EDITOR, or the editor that this host has, and "
		"puts it back when the editor\n"
		"has ended: as a whole, with the owner, mode and extended attributes that the file "
		"had. The container needs\n"
		"no editor. A file that somebody else changed meanwhile is left as it is, and the "
		"copy is kept. A PATH that\n"
		"does not exist becomes a new file of the target's root. The container may be "
		"stopped.",
	.examples = "  porthole edit web:/etc/nginx/nginx.conf\n"
		    "  EDITOR='sed -i s/8080/80/' porthole edit web:/app/config\n",
	.opts = options,
	.opts_size = sizeof(struct edit_opts),
	.complete = COMPLETE_PATH,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
