/* The command's environment: the target's, minus what would turn the kit's programs against us. */
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "session/plan.h"
#include "sys/apart.h"
#include "sys/ns.h"

enum { ENV_MAX = 4 << 20, ENV_FILE_MAX = 1 << 20, ENV_ONE_MAX = 128 << 10 };

/* Variables that name code or configuration which a program of the kit, run as root, would load
 * from the target's files. A trailing * matches any rest. */
static const char *const hostile[] = {
	"LD_*",
	"BASH_ENV",
	"ENV",
	"BASH_FUNC_*",
	"SHELLOPTS",
	"BASHOPTS",
	"PROMPT_COMMAND",
	"PS0",
	"PS1",
	"PS4",
	"IFS",
	"CDPATH",
	"GLOBIGNORE",
	"GCONV_PATH",
	"LOCPATH",
	"NLSPATH",
	"MALLOC_*",
	"GLIBC_TUNABLES",
	"HOSTALIASES",
	"RES_OPTIONS",
	"LOCALDOMAIN",
	"GETCONF_DIR",
	"TMPDIR",
	"TERMINFO",
	"TERMINFO_DIRS",
	"TERMCAP",
	"TERMPATH",
	"PYTHON*",
	"PERL*",
	"RUBY*",
	"NODE_OPTIONS",
	"GDB*",
	"LESS*",
	"MORE",
	"PAGER",
	"MANPAGER",
	"GIT_*",
	"EDITOR",
	"VISUAL",
	"VIM",
	"VIMINIT",
	"VIMRUNTIME",
	"EXINIT",
	"NANORC",
	"TMUX*",
	"CURL_*",
	"SSL_*",
	"OPENSSL_*",
	"WGETRC",
	"SYSTEM_WGETRC",
	"PSQLRC",
	"PSQL_*",
	"PGSYSCONFDIR",
	"MYSQL_*",
	"LIBMYSQL_*",
	"MAGIC",
	"NMAPDIR",
	"HTOPRC",
	"SOCAT_*",
	"RSYNC_*",
	"TAR_OPTIONS",
	"GZIP",
	"XZ_*",
	"ZSTD_*",
	"STRACE_*",
	"LTRACE_*",
	"PKCS11_*",
	"P11_KIT_*",
	"KRB5*",
	"PORTHOLE_*",
};

/* History and cache files would be written into the target's files. */
static const char *const xdg[] = {"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME",
				  "XDG_CACHE_HOME"}; /* to where nothing can be written */
static const char *const leave_nothing[] = {
	"HISTFILE=/dev/null",	     "LESSHISTFILE=-",		 "PSQL_HISTORY=/dev/null",
	"MYSQL_HISTFILE=/dev/null",  "SQLITE_HISTORY=/dev/null", "REDISCLI_HISTFILE=/dev/null",
	"PYTHONDONTWRITEBYTECODE=1", "HTOPRC=/dev/null",
};

static bool name_is_hostile(const char *var, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		size_t len = strlen(hostile[i]);

		if (hostile[i][len - 1] == '*' ? n >= len - 1 && !strncmp(var, hostile[i], len - 1)
					       : n == len && !strncmp(var, hostile[i], len))
			return true;
	}
	return false;
}

int env_set(struct strv *env, const char *var)
{
	ssize_t at = strv_find_var(env, var);
	char *copy;

	if (at < 0)
		return strv_add(env, var);
	copy = strdup(var);
	if (!copy)
		return -ENOMEM;
	free(env->v[at]);
	env->v[at] = copy;
	return 0;
}

static int env_setf(struct strv *env, const char *name, const char *value)
{
	_cleanup_free_ char *var = str_fmt("%s=%s", name, value);

	return var ? env_set(env, var) : -ENOMEM;
}

/* Take over one variable of the target; what execve(2) would refuse is dropped: single ones of 128
 * KiB, and those for which there is no `room` left. */
static int take_over(struct plan *p, const char *var, size_t *room)
{
	size_t n = strcspn(var, "="), len = strlen(var), size = len + 1 + sizeof(char *);

	if (n == 0 || var[n] != '=')
		return 0;
	if (len < ENV_ONE_MAX && size <= *room && !name_is_hostile(var, n)) {
		*room -= size;
		return strv_add(&p->env, var);
	}
	return strv_push(&p->env_dropped, strndup(var, n > 64 ? 64 : n));
}

/* By name; of the same name the earlier one first, which is the one that getenv(3) finds. */
static int by_name(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	size_t n = strcspn(x, "="), m = strcspn(y, "=");
	int c = strncmp(x, y, n < m ? n : m);

	return c ? c : n != m ? (n > m) - (n < m) : (x > y) - (x < y);
}

/* Take over the variables in `data`, each name once: programs do not agree on which of two counts,
 * and so could be given another PATH than ours. */
static int take_over_all(struct plan *p, const char *data, size_t len)
{
	_cleanup_free_ const char **vars = NULL;
	size_t n = 0, room = (size_t)sysconf(_SC_ARG_MAX) / 2;
	int r = 0;

	for (size_t i = 0; i < len; i += strlen(data + i) + 1)
		n++;
	vars = calloc(n + 1, sizeof(*vars));
	if (!vars)
		return -ENOMEM;
	n = 0;
	for (size_t i = 0; i < len; i += strlen(data + i) + 1)
		vars[n++] = data + i;
	qsort(vars, n, sizeof(*vars), by_name);
	for (size_t i = 0; i < n && r == 0; i++) {
		size_t name = strcspn(vars[i], "=");

		if (i && strncmp(vars[i], vars[i - 1], name + 1) == 0)
			continue;
		r = take_over(p, vars[i], &room);
	}
	return r;
}

static int read_store_env(struct plan *p, struct err *e)
{
	const struct strv *env = &p->store->config.env;
	_cleanup_buf_ struct buf b = {};
	int r;

	for (size_t i = 0; i < env->n; i++)
		buf_add(&b, env->v[i], strlen(env->v[i]) + 1);
	r = b.oom ? -ENOMEM : b.len > ENV_MAX ? -E2BIG : take_over_all(p, b.data, b.len);
	return r < 0 ? err_set(e, r, "reading the environment of '%s'", p->label) : 0;
}

static int read_target_env(struct plan *p, struct err *e)
{
	_cleanup_free_ char *data = NULL;
	_cleanup_close_ int fd = -EBADF, app = -EBADF;
	size_t len = 0;
	int r, dir;

	if (p->store)
		return read_store_env(p, e);
	if (p->beside.on) /* it is not the target */
		return 0;
	app = target_app_open(p->target);
	dir = app >= 0 ? app : p->target->proc_fd;
	fd = p->rootless ? apart_open_of(dir, "environ", O_RDONLY)
			 : openat(dir, "environ", O_RDONLY | O_CLOEXEC);
	r = fd < 0 ? -errno : fd_read_all(fd, ENV_MAX, &data, &len);

	if (r == -EFBIG)
		return strv_add(&p->env_dropped, "all of it: over 4 MiB");
	if (r == 0)
		r = take_over_all(p, data, len);
	return r < 0 ? err_set(e, r, "reading the environment of '%s'", p->label) : 0;
}

/* docker's rule for -e: NAME=value sets, NAME alone passes our own value on, if we have one. */
static int set_asked(struct plan *p, const char *var, struct err *e)
{
	const char *eq = strchr(var, '='), *ours;

	if (eq == var || !*var)
		return err_say(e, EINVAL, "-e takes NAME=VALUE or NAME, not '%s'", var);
	if (eq)
		return env_set(&p->env, var);
	ours = getenv(var);
	return ours ? env_setf(&p->env, var, ours) : 0;
}

/* Regular files, and pipes that somebody holds open for us (/dev/stdin, <(command)); a FIFO in the
 * file system could be waited for without end. A descriptor or -errno. */
static int open_env_file(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct statfs fs;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		return -errno;
	if (S_ISBLK(st.st_mode) || (S_ISFIFO(st.st_mode) && fs.f_type != PIPEFS_MAGIC))
		return -ENOTSUP;
	r = fd_nonblock(fd, false);
	return r < 0 ? r : TAKE_FD(fd);
}

/* One line of such a file, by docker's rules for names. 0, or -errno with `e`, which does not say
 * where. */
static int env_line(struct plan *p, char *line, struct err *e)
{
	size_t n;

	line += strspn(line, " \t");
	n = strlen(line);
	if (n && line[n - 1] == '\r')
		line[n - 1] = '\0';
	if (!*line || *line == '#')
		return 0;
	if (*line == '=')
		return err_say(e, EINVAL, "there is no name before the =");
	for (const char *c = line; *c && *c != '='; c++)
		if ((unsigned char)*c <= ' ' || *c == 127)
			return err_say(e, EINVAL,
				       "the name has a blank or a control character in it");
	return set_asked(p, line, e);
}

/* docker's --env-file: a variable a line, # comments, blank lines; CR LF is accepted. */
static int env_lines(struct plan *p, char *text, size_t len, const char *path, struct err *e)
{
	size_t number = 1;
	int r = 0;

	for (char *line = text, *end; line < text + len && r == 0; line = end + 1, number++) {
		struct err why = {};

		end = memchr(line, '\n', (size_t)(text + len - line)) ?: text + len;
		*end = '\0';
		if (strlen(line) < (size_t)(end - line))
			r = err_say(&why, EINVAL, "there is a byte of 0 in it, so it is no text");
		else
			r = env_line(p, line, &why);
		if (r < 0) {
			err_say(e, -r, "the environment file %s, line %zu: %s", path, number,
				r == -ENOMEM ? "memory is out" : why.msg);
			err_hint(e, "each line is NAME=VALUE, NAME, or # and a comment");
		}
	}
	return r;
}

static int env_file(struct plan *p, const char *path, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = open_env_file(path);
	size_t len = 0;
	int r = fd < 0 ? fd : fd_read_all(fd, ENV_FILE_MAX, &text, &len);

	if (r == -ENOTSUP) {
		err_say(e, EINVAL, "the environment file %s is not a regular file", path);
		err_hint(e, "to read from a pipe: --env-file <(cat %s), or /dev/stdin", path);
		return -EINVAL;
	}
	if (r < 0)
		err_set(e, r, "reading the environment file %s", path);
	if (r == -EFBIG)
		err_hint(e, "at most 1 MiB is read");
	return r < 0 ? r : env_lines(p, text, len, path, e);
}

/* PATH: the kit first, so that a hostile target's `ls` is not run as root. */
static int set_path(struct plan *p)
{
	const char *theirs = strv_var(&p->env, "PATH");
	static const char dflt[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

	if (!theirs || !*theirs)
		theirs = dflt;
	free(p->path);
	if (p->view == VIEW_NONE || p->kit.kind == KIT_NONE)
		p->path = strdup(theirs);
	else
		p->path = str_fmt(KIT_BIN ":%s", p->view == VIEW_KIT ? dflt : theirs);
	return p->path ? env_setf(&p->env, "PATH", p->path) : -ENOMEM;
}

/* What a terminal session needs of ours, and what keeps programs from leaving files. */
static int set_ours(struct plan *p)
{
	const char *term = getenv("TERM");
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(leave_nothing) && r == 0; i++)
		r = env_set(&p->env, leave_nothing[i]);
	for (size_t i = 0; i < ARRAY_LEN(xdg) && r == 0 && p->kit.kind != KIT_NONE; i++)
		r = env_setf(&p->env, xdg[i], KIT_PREFIX "/e");
	if (r == 0 && p->tty)
		r = env_setf(&p->env, "TERM", term && *term ? term : "xterm");
	if (r == 0 && p->tty && getenv("COLORTERM"))
		r = env_setf(&p->env, "COLORTERM", getenv("COLORTERM"));
	if (r == 0)
		r = env_setf(&p->env, "HOME", p->who.home ? p->who.home : "/");
	if (r == 0 && p->who.name)
		r = env_setf(&p->env, "USER", p->who.name);
	if (r == 0 &&
	    p->kit.kind != KIT_NONE) /* what tmux, vim and less start; the kit's, as in PATH */
		r = env_set(&p->env, "SHELL=" KIT_BIN "/bash");
	if (r == 0 && p->scratch)
		r = env_set(&p->env, "TMPDIR=" PLAN_SCRATCH)
			    ?: env_set(&p->env, "TMUX_TMPDIR=" PLAN_SCRATCH);
	if (r == 0)
		r = env_setf(&p->env, "PORTHOLE_TARGET", p->label);
	if (r == 0)
		r = env_setf(&p->env, "PORTHOLE_SESSION", p->cookie);
	return r;
}

/* The label is printable; bash gives \ $ ` a meaning in PS1. */
static void add_label(struct buf *b, const struct plan *p)
{
	for (const char *s = p->label; *s; s++)
		buf_putc(b, strchr("\\$`!\"'", *s) ? '_' : *s);
}

/* The host's own bash sets its prompt from its own files, with a host name that may be the
 * container's: what it is inside of is put in front once they have been read. Other shells keep the
 * prompt that they are given. */
static int set_host_prompt(struct plan *p)
{
	_cleanup_buf_ struct buf b = {};
	char names[64];
	const char *name;
	bool bash;

	if (!p->shell || p->view != VIEW_NONE)
		return 0;
	name = strrchr(p->argv.v[0], '/');
	bash = str_eq(name ? name + 1 : p->argv.v[0], "bash");
	buf_puts(&b, bash ? "PROMPT_COMMAND=[ -n \"$PORTHOLE_HERE\" ] || { PORTHOLE_HERE=1; "
			    "PS1=\"(host tools, "
			  : "PS1=(host tools, ");
	add_label(&b, p);
	buf_printf(&b, "'s %s) ", ns_names(p->ns_join, names, sizeof(names)));
	buf_puts(&b, bash ? "$PS1\"; }" : p->who.uid == 0 ? "$PWD# " : "$PWD$ ");
	return b.oom ? -ENOMEM : env_set(&p->env, b.data);
}

/* The prompt shows where one is: through the kit's bashrc, since what is in PS1 reaches every other
 * shell, which knows no escapes of bash's, and no bash that another one starts with -c, as tmux
 * does. The target's own shell gets what any shell expands. What was asked for stays. */
static int set_prompt(struct plan *p)
{
	_cleanup_buf_ struct buf b = {};

	if (!p->tty || p->view == VIEW_NONE || strv_var(&p->env, "PS1"))
		return 0;
	if (p->kit.kind == KIT_NONE && !p->shell)
		return 0;
	if (p->kit.kind == KIT_NONE) {
		buf_puts(&b, "PS1=");
		add_label(&b, p);
		buf_puts(&b, p->who.uid == 0 ? ":$PWD# " : ":$PWD$ ");
	} else {
		buf_puts(&b, "PORTHOLE_PS1=\\[\\e[1;32m\\]");
		add_label(&b, p);
		buf_puts(&b, "\\[\\e[0m\\]:\\[\\e[1;34m\\]\\w\\[\\e[0m\\]\\$ ");
	}
	return b.oom ? -ENOMEM : env_set(&p->env, b.data);
}

int plan_env(struct plan *p, const struct request *req, struct err *e)
{
	int r = 0;

	if (p->ns_join & CLONE_NEWNS || p->view != VIEW_NONE) {
		r = read_target_env(p, e);
	} else { /* the host's own tools: the caller's environment */
		for (char **v = environ; *v && r == 0; v++)
			r = strv_add(&p->env, *v);
	}
	if (r == 0)
		r = set_ours(p);
	if (r == 0)
		r = set_host_prompt(p);
	for (size_t i = 0; i < req->env_files.n && r == 0; i++)
		r = env_file(p, req->env_files.v[i], e);
	for (size_t i = 0; i < req->env.n && r == 0; i++)
		r = set_asked(p, req->env.v[i], e);
	if (r == 0)
		r = set_prompt(p);
	if (r == 0)
		r = set_path(p);
	if (r == -ENOMEM && !e->num)
		err_set(e, ENOMEM, "preparing the environment");
	return r;
}
