#include "store/files.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "store/below.h"

#define NAMES_MAX ((size_t)16 << 20) /* bytes of the members of one tar */
#define JSON_MAX  ((size_t)8 << 20)
enum { LINKS_MAX = 8 };

void files_done(struct files *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->v[i].name);
		free(f->v[i].link);
	}
	free(f->v);
	cleanup_close(&f->dir);
	cleanup_close(&f->tar);
	*f = FILES_INIT;
}

/* What a link says, as a name of the archive. */
static char *link_name(const char *name, struct archive_entry *en)
{
	const char *hard = archive_entry_hardlink(en), *soft = archive_entry_symlink(en);
	const char *slash = strrchr(name, '/');
	_cleanup_free_ char *joined = NULL;
	char *out = NULL;

	if (!hard && soft && *soft != '/')
		hard = joined = str_fmt("%.*s/%s", slash ? (int)(slash - name) : 0, name, soft);
	else if (!hard)
		hard = soft;
	return hard && below_clean(hard, &out) == 0 ? out : NULL;
}

static int keep(struct files *f, struct archive *a, struct archive_entry *en)
{
	const char *name = archive_entry_pathname(en);
	struct member m = {
		.at = (uint64_t)archive_filter_bytes(a, 0), /* all before the content */
		.size = (uint64_t)archive_entry_size(en),
	};
	bool is_link = archive_entry_hardlink(en) || archive_entry_symlink(en);
	void *v;

	if (!name || (!is_link && archive_entry_filetype(en) != S_IFREG) ||
	    archive_entry_sparse_count(en) || below_clean(name, &m.name) < 0)
		return 0;
	m.link = is_link ? link_name(m.name, en) : NULL;
	f->bytes += sizeof(m) + strlen(m.name) + (m.link ? strlen(m.link) : 0);
	f->more |= f->bytes > NAMES_MAX;
	if (f->more || (is_link && !m.link)) {
		free(m.name);
		free(m.link);
		return 0;
	}
	if (!(f->n & (f->n - 1))) {
		v = reallocarray(f->v, f->n ? f->n * 2 : 1, sizeof(*f->v));
		if (!v)
			return -ENOMEM;
		f->v = v;
	}
	f->v[f->n++] = m;
	return 0;
}

static int look_through(struct archive *a, struct files *f, struct budget *budget, struct err *e)
{
	struct archive_entry *en;
	int r;

	archive_read_support_format_tar(a);
	if (archive_read_open_fd(a, f->tar, 65536) < ARCHIVE_WARN)
		return err_say(e, EBADMSG, "it is no tar");
	while ((r = archive_read_next_header(a, &en)) >= ARCHIVE_WARN && r != ARCHIVE_EOF) {
		r = budget_entry(budget, e);
		if (r < 0)
			return r;
		if (keep(f, a, en) < 0)
			return err_set(e, ENOMEM, "cannot read it");
	}
	if (r < ARCHIVE_WARN)
		return err_say(e, EBADMSG, "it is no tar: %s", archive_error_string(a) ?: "?");
	return 0;
}

int files_of_tar(int fd, struct budget *budget, struct files *out, struct err *e)
{
	struct archive *a = archive_read_new();
	struct budget whole = *budget; /* the second time is what counts */
	int r;

	*out = FILES_INIT;
	out->tar = fd;
	r = a ? look_through(a, out, &whole, e) : err_set(e, ENOMEM, "cannot read it");
	archive_read_free(a);
	if (r < 0)
		files_done(out);
	return r;
}

/* The last one of that name: later entries replace earlier ones. */
static const struct member *find(const struct files *f, const char *name)
{
	for (unsigned links = 0; links <= LINKS_MAX; links++) {
		const struct member *m = NULL;

		for (size_t i = f->n; i > 0 && !m; i--)
			if (str_eq(f->v[i - 1].name, name))
				m = &f->v[i - 1];
		if (!m || !m->link)
			return m;
		name = m->link;
	}
	return NULL;
}

int files_open(const struct files *f, const char *name, struct blob *out)
{
	_cleanup_free_ char *path = NULL;
	const struct member *m;
	struct stat st;
	int r = below_clean(name, &path);

	*out = BLOB_INIT;
	if (r < 0)
		return r;
	if (f->tar >= 0) {
		m = find(f, path);
		if (!m)
			return -ENOENT;
		out->at = m->at;
		out->size = m->size;
		out->fd = fcntl(f->tar, F_DUPFD_CLOEXEC, 3);
		return out->fd < 0 ? -errno : 0;
	}
	out->fd = path_open_file_in_root(f->dir, *path ? path : ".");
	if (out->fd < 0)
		return out->fd;
	if (fstat(out->fd, &st) < 0)
		return -errno;
	out->size = (uint64_t)st.st_size;
	return 0;
}

bool files_has(const struct files *f, const char *name)
{
	_cleanup_blob_ struct blob b = BLOB_INIT;

	return files_open(f, name, &b) == 0;
}

bool files_any(const struct files *f, bool (*is)(const char *name))
{
	_cleanup_dir_ DIR *d = NULL;
	struct dirent *de;
	char top[NAME_MAX + 1];

	for (size_t i = 0; f->tar >= 0 && i < f->n; i++) {
		snprintf(top, sizeof(top), "%.*s", (int)strcspn(f->v[i].name, "/"), f->v[i].name);
		if (is(top))
			return true;
	}
	if (f->tar >= 0)
		return false;
	d = dir_open(f->dir, ".");
	while (d && (de = dir_next(d)))
		if (is(de->d_name))
			return true;
	return false;
}

static int read_small(const struct blob *b, char **out)
{
	_cleanup_free_ char *text = NULL;
	size_t got = 0;

	if (b->size > JSON_MAX)
		return -EFBIG;
	text = malloc((size_t)b->size + 1);
	if (!text)
		return -ENOMEM;
	while (got < b->size) {
		ssize_t n = pread(b->fd, text + got, b->size - got, (off_t)(b->at + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		got += (size_t)n;
	}
	*out = TAKE_PTR(text);
	return 0;
}

int files_json(const struct files *f, const char *name, const char *digest, json_t **out,
	       struct err *e)
{
	_cleanup_blob_ struct blob b = BLOB_INIT;
	_cleanup_free_ char *text = NULL;
	char is[DIGEST_TEXT];
	struct digest d;
	int r = files_open(f, name, &b);

	if (r == 0)
		r = read_small(&b, &text);
	if (r < 0)
		return err_set(e, r, "cannot read its '%.200s'", name);
	digest_init(&d);
	digest_add(&d, text, (size_t)b.size);
	digest_text(&d, is);
	if (digest && !str_eq(digest, is))
		return err_say(e, EBADMSG,
			       "its '%.200s' is not what it should be: the digest is %s, not %s",
			       name, is, digest);
	*out = json_loadb(text, (size_t)b.size, 0, NULL);
	return *out ? 0 : err_say(e, EBADMSG, "its '%.200s' is no JSON", name);
}

void files_drop(const struct files *f, const struct blob *b)
{
	char self[sizeof("/proc/self/fd/-2147483648")];

	if (!f->ours)
		return;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", b->fd);
	cleanup_close(&(int){open(self, O_WRONLY | O_TRUNC | O_CLOEXEC)});
}
