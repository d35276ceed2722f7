#include "target_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

static char *full(const struct tree *t, const char *path)
{
	return str_fmt("%s/root/%s", t->dir, path);
}

static void make_dirs(char *path, bool last)
{
	for (char *p = path + 1; *p; p++)
		if (*p == '/') {
			*p = '\0';
			check(mkdir(path, 0755) == 0 || errno == EEXIST, path);
			*p = '/';
		}
	if (last)
		check(mkdir(path, 0755) == 0 || errno == EEXIST, path);
}

void tree_mkdir(struct tree *t, const char *path)
{
	_cleanup_free_ char *p = full(t, path);

	make_dirs(p, true);
}

void tree_put(struct tree *t, const char *path, const char *text, size_t len)
{
	_cleanup_free_ char *p = full(t, path);
	_cleanup_close_ int fd = -EBADF;

	make_dirs(p, false);
	fd = open(p, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	check(fd >= 0 && fd_write_all(fd, text, len) == 0, p);
}

void tree_puts(struct tree *t, const char *path, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	check(n >= 0, path);
	tree_put(t, path, text, (size_t)n);
}

void tree_link(struct tree *t, const char *path, const char *to)
{
	_cleanup_free_ char *p = full(t, path);

	make_dirs(p, false);
	unlink(p);
	check(symlink(to, p) == 0, p);
}

char *tree_capture(const char *capture, size_t *len)
{
	const char *src = getenv("PORTHOLE_SRC");
	_cleanup_free_ char *path = str_fmt("%s/tests/data/roots/%s", src ? src : ".", capture);
	char *text = NULL;

	check(file_read_at(AT_FDCWD, path, (size_t)8 << 20, &text, len) == 0, path);
	return text;
}

static char *replace(char *text, size_t *len, const char *from, const char *to)
{
	struct buf out = {};
	const char *p = text, *end = text + *len, *q;

	while ((q = memmem(p, (size_t)(end - p), from, strlen(from)))) {
		buf_add(&out, p, (size_t)(q - p));
		buf_puts(&out, to);
		p = q + strlen(from);
	}
	buf_add(&out, p, (size_t)(end - p));
	free(text);
	*len = out.len;
	return buf_take(&out);
}

void tree_copy(struct tree *t, const char *path, const char *capture, ...)
{
	size_t len;
	char *text = tree_capture(capture, &len);
	const char *from;
	va_list ap;

	va_start(ap, capture);
	while ((from = va_arg(ap, const char *)))
		text = replace(text, &len, from, va_arg(ap, const char *));
	va_end(ap);
	tree_put(t, path, text, len);
	free(text);
}

static void put_ns(struct tree *t, pid_t pid, const char *ns, unsigned ino, unsigned host)
{
	char path[64], to[64];

	snprintf(path, sizeof(path), "proc/%d/ns/%s", (int)pid, ns);
	snprintf(to, sizeof(to), "%s:[%u]", ns, ino ? ino : host);
	tree_link(t, path, to);
}

void tree_add(struct tree *t, const struct tree_proc *p)
{
	char dir[32], path[64];
	_cleanup_free_ char *args = strdup(p->args ? p->args : "");
	size_t n = strlen(args);

	snprintf(dir, sizeof(dir), "proc/%d", (int)p->pid);
#define AT(name) (snprintf(path, sizeof(path), "%s/%s", dir, name), path)
	tree_puts(t, AT("stat"),
		  "%d (%s) %c %d 1 1 0 -1 %u 0 0 0 0 0 0 0 0 20 0 1 0 %lu 4096 1 0\n", (int)p->pid,
		  p->comm, p->state ? p->state : 'S', (int)p->ppid, p->kthread ? 0x200000u : 0u,
		  p->start);
	tree_puts(t, AT("status"),
		  "Name:\t%s\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t%d\nNgid:\t0\nPid:\t%d\n"
		  "PPid:\t%d\nUid:\t%u\t%u\t%u\t%u\nNStgid:\t%d\nNSpid:\t%s\n",
		  p->comm, (int)p->pid, (int)p->pid, (int)p->ppid, p->uid, p->uid, p->uid, p->uid,
		  (int)p->pid, p->nspid ? p->nspid : dir + 5);
	tree_puts(t, AT("cgroup"), "%s", p->cgroup ? p->cgroup : "0::/\n");
	for (size_t i = 0; i < n; i++)
		if (args[i] == '|')
			args[i] = '\0';
	tree_put(t, AT("cmdline"), args, n ? n + 1 : 0);
#undef AT
	put_ns(t, p->pid, "pid", p->pid_ns, HOST_PID_NS);
	put_ns(t, p->pid, "mnt", p->mnt_ns, HOST_MNT_NS);
	put_ns(t, p->pid, "user", p->user_ns, 1002);
	put_ns(t, p->pid, "net", p->net_ns, 1003);
}

void tree_init(struct tree *t)
{
	char path[128];

	*t = (struct tree){.dir = "/tmp/porthole-tree.XXXXXX"};
	check(mkdtemp(t->dir) != NULL, t->dir);
	snprintf(path, sizeof(path), "%s/root/", t->dir);
	make_dirs(path, false);
	tree_add(t, &(struct tree_proc){.pid = 1, .comm = "systemd"});
	tree_add(t, &(struct tree_proc){.pid = 2, .comm = "kthreadd", .kthread = true});
	tree_add(t, &(struct tree_proc){.pid = 3, .ppid = 2, .comm = "rcu_gp", .kthread = true});
	tree_puts(t, "proc/2/task/2/children", "3 ");
	tree_link(t, "proc/self", "1");
	t->roots.no_sockets = true;
	snprintf(path, sizeof(path), "%s/root", t->dir);
	t->roots.root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/root/proc", t->dir);
	t->roots.proc_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	check(t->roots.root_fd >= 0 && t->roots.proc_fd >= 0, t->dir);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

void tree_done(struct tree *t)
{
	target_roots_close(&t->roots);
	check(nftw(t->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0, t->dir);
}
