/* Rules: what makes debugging it different. */
#include "facts/unusual_rules.h"

RULE(exe_deleted)
{
	buf_puts(b, f->init.exe ? f->init.exe : "");
	return f->init.exe_deleted;
}

RULE(no_shell)
{
	return f->files.looked && !f->files.shell;
}

RULE(no_libc)
{
	return f->files.looked && f->files.libc == LIBC_NONE;
}

RULE(musl)
{
	return f->files.looked && f->files.libc == LIBC_MUSL;
}

/* Memory that engines mount counts, too: /dev/shm is for all, /dev is root's. */
static bool can_write(const struct facts *f, const struct fact_mount *m)
{
	const char *at = m->row->target;

	return !m->ro && (m->class == MOUNT_OTHER ||
			  (str_eq(m->row->fstype, "tmpfs") &&
			   (str_eq(at, "/dev/shm") ||
			    (str_eq(at, "/dev") && f->rights.known && f->rights.uid == 0))));
}

RULE(read_only)
{
	size_t n = 0, k = 0;

	for (size_t i = 0; i < f->files.n; i++)
		n += can_write(f, &f->files.v[i]);
	if (!n)
		buf_puts(b, "nowhere else either");
	else if (n > 6)
		buf_printf(b, "to %zu mounts only", n);
	else
		buf_puts(b, "only to ");
	for (size_t i = 0; n <= 6 && i < f->files.n; i++)
		if (can_write(f, &f->files.v[i])) {
			unusual_comma(b, k++, n);
			buf_puts(b, f->files.v[i].row->target);
		}
	return f->files.root && f->files.root_ro;
}

RULE(no_dev)
{
	return f->files.looked && !f->files.dev;
}

RULE(no_dev_null)
{
	return f->files.looked && f->files.dev && !f->files.dev_null;
}

RULE(no_proc)
{
	return f->files.looked && !f->files.proc;
}

RULE(no_passwd)
{
	return f->rights.known && f->rights.passwd == FILE_MISSING;
}

RULE(odd_passwd)
{
	return f->rights.known && f->rights.passwd == FILE_STRANGE;
}

RULE(no_user_name)
{
	buf_printf(b, "%u", f->rights.uid);
	return f->rights.known && f->rights.passwd == FILE_OK && !f->rights.user &&
	       f->rights.uid != (uint32_t)-1;
}

RULE(preload)
{
	for (size_t i = 0; i < f->env.n; i++)
		if (str_eq(f->env.v[i].key, "LD_PRELOAD") && *f->env.v[i].value) {
			buf_puts(b, f->env.v[i].value);
			return true;
		}
	return false;
}

const struct unusual_rule unusual_nature[] = {
	{"exe-deleted", UNUSUAL_WARN, exe_deleted,
	 "The program it runs, @, was replaced or deleted since it started: a debugger must read "
	 "/proc/PID/exe instead."},
	{"no-shell", UNUSUAL_NOTE, no_shell,
	 "There is no shell in it; 'porthole exec' brings one."},
	{"no-libc", UNUSUAL_NOTE, no_libc,
	 "There is no C library in it: only static programs run there, and the kit's."},
	{"musl", UNUSUAL_NOTE, musl,
	 "Its C library is musl: programs built for glibc do not run in it, but the kit's do."},
	{"read-only-root", UNUSUAL_NOTE, read_only, "Its root is read-only; it can write @."},
	{"no-dev", UNUSUAL_WARN, no_dev, "It has no /dev."},
	{"no-dev-null", UNUSUAL_WARN, no_dev_null, "Its /dev has no working /dev/null."},
	{"no-proc", UNUSUAL_WARN, no_proc,
	 "No /proc is mounted in it: ps, top and debuggers started in it see no processes."},
	{"no-passwd", UNUSUAL_NOTE, no_passwd, "It has no /etc/passwd: users have numbers only."},
	{"odd-passwd", UNUSUAL_WARN, odd_passwd,
	 "Its /etc/passwd is no ordinary file (or huge) and was left alone."},
	{"no-user-name", UNUSUAL_NOTE, no_user_name,
	 "Its user, uid @, is not in its /etc/passwd: whoami and ssh complain about that."},
	{"ld-preload", UNUSUAL_WARN, preload,
	 "Its environment sets LD_PRELOAD=@, which changes what its programs do."},
	{},
};
