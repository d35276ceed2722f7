/* From a directory to an EROFS image, with Debian's mkfs.erofs. */
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "kit/build.h"
#include "kit/spawn.h"

/* A glob as the regular expression mkfs.erofs wants. */
static void glob_to_regex(const char *glob, struct buf *b)
{
	buf_putc(b, '^');
	for (; *glob; glob++) {
		if (*glob == '*')
			buf_puts(b, ".*");
		else if (*glob == '?')
			buf_putc(b, '.');
		else if (strchr(".+^$(){}|\\", *glob))
			buf_printf(b, "\\%c", *glob);
		else
			buf_putc(b, *glob);
	}
	buf_putc(b, '$');
}

static int write_hints(const char *path, const struct rules *r)
{
	_cleanup_buf_ struct buf b = {};
	_cleanup_close_ int fd = -EBADF;

	for (size_t i = 0; i < r->plain.n; i++) {
		buf_puts(&b, "0 ");
		glob_to_regex(r->plain.v[i], &b);
		buf_putc(&b, '\n');
	}
	if (b.oom)
		return -ENOMEM;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	return fd_write_all(fd, b.data, b.len);
}

/* A name for the image that changes with what is in it and with nothing else. */
static int uuid_of(const char *root, char out[37])
{
	_cleanup_free_ char *path = str_fmt("%s/manifest.json", root), *text = NULL;
	uint64_t h[2] = {0xcbf29ce484222325, 0x84222325cbf29ce4};
	int r = path ? file_read_at(AT_FDCWD, path, RULES_FILE_MAX * 16, &text, NULL) : -ENOMEM;

	if (r < 0)
		return r;
	for (const char *p = text; *p; p++) {
		h[0] = (h[0] ^ (unsigned char)*p) * 0x100000001b3;
		h[1] = (h[1] ^ (unsigned char)*p) * 0x10000000233;
	}
	snprintf(out, 37, "%08x-%04x-8%03x-a%03x-%012llx", (unsigned)(h[0] >> 32),
		 (unsigned)(h[0] >> 16 & 0xffff), (unsigned)(h[0] & 0xfff), (unsigned)(h[1] >> 52),
		 (unsigned long long)(h[1] & 0xffffffffffff));
	return 0;
}

static int mkfs_failed(int status, const struct buf *out, struct err *e)
{
	const char *last = out->data ? strstr(out->data, "<E>") : NULL;

	if (out->data && strstr(out->data, "No space left"))
		return err_set(e, ENOSPC, "cannot pack the kit");
	return err_say(e, EIO, "mkfs.erofs failed (%d): %.*s", status,
		       last ? (int)strcspn(last, "\n") : 0, last ? last : "");
}

int pack_image(const char *root, const char *image, const char *tmp, const struct rules *r,
	       struct err *e)
{
	_cleanup_free_ char *hints = str_fmt("%s/hints", tmp);
	_cleanup_free_ char *hints_arg = str_fmt("--compress-hints=%s", hints ? hints : "");
	_cleanup_buf_ struct buf out = {};
	char uuid[37], uuid_arg[40];
	int k;

	if (!hints || !hints_arg)
		return err_set(e, ENOMEM, "cannot pack the kit");
	k = write_hints(hints, r);
	if (k == 0)
		k = uuid_of(root, uuid);
	if (k < 0)
		return err_set(e, k, "cannot pack the kit");
	snprintf(uuid_arg, sizeof(uuid_arg), "-U%s", uuid);

	/* 4 KB clusters: every kernel since 5.4 reads them. No extended attributes, one time, one
	 * owner */
	char *argv[] = {
		(char *)"mkfs.erofs", (char *)"-zlz4hc", (char *)"-x-1", (char *)"-T0", uuid_arg,
		(char *)"--all-root", hints_arg,	 (char *)image,	 (char *)root,	NULL};

	k = spawn_run(argv, NULL, &out, &out);
	if (k == -ENOENT) {
		err_say(e, ENOENT, "there is no mkfs.erofs on this machine");
		err_hint(e,
			 "'apt-get install erofs-utils', or leave the kit unpacked with -o DIR/");
		return -ENOENT;
	}
	if (k < 0)
		return err_set(e, k, "cannot run mkfs.erofs");
	return k ? mkfs_failed(k, &out, e) : 0;
}
