#include "launch/unit.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "store/digest.h"

#define MARK "# Written by 'porthole host install'; what follows is "

static const char plain[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=,+-";

void unit_word(struct buf *b, const char *word)
{
	bool quote = !*word || word[strspn(word, plain)];

	buf_puts(b, quote ? "\"" : "");
	for (; *word; word++) {
		unsigned char c = (unsigned char)*word;

		if (c == '"' || c == '\\')
			buf_printf(b, "\\%c", c);
		else if (c == '%' || c == '$') /* else specifiers and variables */
			buf_printf(b, "%c%c", c, c);
		else if (c < ' ' || c == 0x7f)
			buf_printf(b, "\\x%02x", c);
		else
			buf_putc(b, *word);
	}
	buf_puts(b, quote ? "\"" : "");
}

/* systemd passes over lines that are not UTF-8. */
static bool is_text(const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		int more = c < 0x80   ? 0
			   : c < 0xc2 ? -1
			   : c < 0xe0 ? 1
			   : c < 0xf0 ? 2
			   : c < 0xf5 ? 3
				      : -1;

		if (more < 0)
			return false;
		for (; more > 0; more--)
			if (((unsigned char)*++s & 0xc0) != 0x80)
				return false;
	}
	return true;
}

static int add_command(struct buf *b, const struct strv *words, struct err *e)
{
	const char *program = words->v[0];

	if (*program != '/' || program[strspn(program, plain)])
		return err_say(e, EINVAL,
			       "a unit cannot start '%s': copy Porthole to a path of plain "
			       "letters, such as /usr/local/bin/porthole",
			       program);
	buf_puts(b, "ExecStart=");
	for (size_t i = 0; i < words->n; i++) {
		if (!is_text(words->v[i]))
			return err_say(e, EINVAL,
				       "a unit cannot have the word '%s', which is not UTF-8",
				       words->v[i]);
		buf_puts(b, i ? " " : "");
		unit_word(b, words->v[i]);
	}
	buf_putc(b, '\n');
	return 0;
}

static void checksum(const char *text, char out[DIGEST_TEXT])
{
	struct digest d;

	digest_init(&d);
	digest_add(&d, text, strlen(text));
	digest_text(&d, out);
}

int unit_text(const char *name, const struct strv *words, bool guests, char **out, struct err *e)
{
	_cleanup_buf_ struct buf b = {};
	char sum[DIGEST_TEXT];
	int r;

	buf_printf(&b,
		   "# 'porthole host uninstall %s' removes it.\n"
		   "[Unit]\n"
		   "Description=Porthole: %s, a container of the host's\n"
		   "Documentation=man:porthole-host-run(1)\n"
		   "After=network.target local-fs.target remote-fs.target\n\n"
		   "[Service]\n",
		   name, name);
	r = add_command(&b, words, e);
	if (r < 0)
		return r;
	buf_printf(&b,
		   "Restart=on-failure\n"
		   "SuccessExitStatus=143\n" /* of who is asked to end */
		   "KillMode=%s\n\n"
		   "[Install]\n"
		   "WantedBy=multi-user.target\n",
		   guests ? "process" : "mixed");
	if (b.oom)
		return err_set(e, ENOMEM, "writing the unit");
	if (b.len > UNIT_MAX / 2)
		return err_say(e, E2BIG, "the command line is too long for a unit");
	checksum(b.data, sum);
	*out = str_fmt(MARK "%s\n%s", sum, b.data);
	return *out ? 0 : err_set(e, ENOMEM, "writing the unit");
}

enum unit_owner unit_owner(const char *text)
{
	const char *sum = text + strlen(MARK), *rest;
	char want[DIGEST_TEXT];

	if (!str_starts(text, MARK))
		return UNIT_OTHER;
	rest = strchr(sum, '\n');
	if (!rest)
		return UNIT_CHANGED;
	checksum(rest + 1, want);
	return (size_t)(rest - sum) == strlen(want) && str_starts(sum, want) ? UNIT_OURS
									     : UNIT_CHANGED;
}

/* --- the file --- */

/* The file of the container called `name`: a new string; NULL: memory is out. */
static char *unit_file(const char *name)
{
	return str_fmt(UNIT_DIR "/porthole-%s.service", name);
}

/* May what is there be replaced or removed? 1: nothing is there. */
static int check_there(const char *file, bool force, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	enum unit_owner owner = UNIT_OTHER;
	struct stat st;
	int r;

	if (lstat(file, &st) < 0)
		return errno == ENOENT ? 1 : err_set(e, errno, "looking at %s", file);
	if (S_ISREG(st.st_mode) && st.st_size <= (off_t)UNIT_MAX) {
		r = file_read_at(AT_FDCWD, file, UNIT_MAX, &text, NULL);
		if (r < 0)
			return err_set(e, -r, "reading %s", file);
		owner = unit_owner(text);
	}
	if (owner == UNIT_OTHER)
		return err_say(e, EEXIST, "%s was not written by Porthole: it is left as it is",
			       file);
	if (owner == UNIT_OURS || force)
		return 0;
	err_say(e, EEXIST, "%s was changed since Porthole wrote it: it is left as it is", file);
	err_hint(e, "--force: all the same");
	return -EEXIST;
}

static int write_temp(const char *temp, const char *text)
{
	_cleanup_close_ int fd =
		open(temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	int r = fd < 0 ? -errno : 0;

	if (r == 0 && fchmod(fd, 0644) < 0)
		r = -errno;
	if (r == 0)
		r = fd_write_all(fd, text, strlen(text));
	return r == 0 && fsync(fd) < 0 ? -errno : r;
}

int unit_write(const char *name, const char *text, bool force, struct err *e)
{
	_cleanup_free_ char *file = unit_file(name);
	_cleanup_free_ char *temp = str_fmt(UNIT_DIR "/.porthole-%s.%d", name, (int)getpid());
	int r;

	if (!file || !temp)
		return err_set(e, ENOMEM, "writing the unit");
	if (access(UNIT_DIR, F_OK) < 0) {
		err_set(e, errno, "no unit can be written to " UNIT_DIR);
		err_hint(e, "without systemd, start it with 'porthole host run -d'");
		return -e->num;
	}
	r = check_there(file, force, e);
	if (r < 0)
		return r;
	unlink(temp); /* of a run that was killed, and had our number */
	/* what appears there meanwhile is somebody's, too */
	if (write_temp(temp, text) < 0 ||
	    renameat2(AT_FDCWD, temp, AT_FDCWD, file, r == 1 ? RENAME_NOREPLACE : 0) < 0) {
		r = err_set(e, errno, "writing %s", file);
		unlink(temp);
		return r;
	}
	return 0;
}

int unit_remove(const char *name, bool force, struct err *e)
{
	_cleanup_free_ char *file = unit_file(name);
	_cleanup_free_ char *wanted =
		str_fmt(UNIT_DIR "/multi-user.target.wants/porthole-%s.service", name);
	struct stat st;
	int r;

	if (!file || !wanted)
		return err_set(e, ENOMEM, "removing the unit");
	r = check_there(file, force, e);
	if (r == 1)
		return err_say(e, ENOENT, "there is no %s", file);
	if (r < 0)
		return r;
	if (lstat(wanted, &st) == 0) {
		err_say(e, EBUSY, "porthole-%s.service is enabled", name);
		err_hint(e, "first: systemctl disable --now porthole-%s", name);
		return -EBUSY;
	}
	return unlink(file) < 0 ? err_set(e, errno, "removing %s", file) : 0;
}
