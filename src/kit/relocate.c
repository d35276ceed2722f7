#include "kit/relocate.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "kit/kit.h"

/* Larger texts are data, not scripts. */
#define TEXT_MAX ((size_t)4 << 20)

struct walk {
	int rootfd;
	struct rewriter w;
	struct relocate_stats *st;
	struct ldcache *libs;
	struct strv *needed;
	struct names seen; /* "dev:ino" of files with several names, and needed libraries */
	struct err *e;
};

static int note_needed(struct walk *k, const char *soname)
{
	if (names_has(&k->seen, soname, strlen(soname)))
		return 0;
	if (names_add(&k->seen, soname) < 0)
		return -ENOMEM;
	return strv_add(k->needed, soname);
}

static int note_libraries(struct walk *k, const struct elf *f, const char *path)
{
	size_t at = 0;
	const char *s = elf_dyn_string(f, DT_SONAME, &at);

	if (s && !strchr(s, '/') && ldcache_add(k->libs, s, path) < 0)
		return -ENOMEM;
	at = 0;
	while ((s = elf_dyn_string(f, DT_NEEDED, &at)))
		if (!strchr(s, '/') && note_needed(k, s) < 0)
			return -ENOMEM;
	return 0;
}

static int do_elf(struct walk *k, int fd, size_t size, const char *path)
{
	struct elf_stats *st = &k->st->elf, before = *st;
	struct elf f;
	void *map;
	int r;

	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	r = elf_open(&f, map, size);
	if (r == 0) {
		k->st->elfs++;
		r = note_libraries(k, &f, path);
		st->interp = false;
		if (rules_match(&k->w.rules->blank, path))
			elf_blank(&f);
		elf_relocate(&f, &k->w, path, st);
		k->st->patched +=
			st->strings != before.strings || st->interp || st->moved != before.moved;
	} else if (r == -ENOTSUP || r == -EBADMSG) {
		r = 0; /* for another machine, or test data: as it is */
	}
	munmap(map, size);
	return r;
}

/* A table of another kind: strings keep their length, as in an ELF file. */
static int do_bytes(struct walk *k, int fd, size_t size)
{
	char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	k->st->elf.strings += rewrite_fixed(&k->w, map, size, NULL);
	munmap(map, size);
	return 0;
}

/* Scripts by their first line, modules by their name. */
static bool is_text(const char *path, const char *head, size_t n)
{
	static const char *const ends[] = {".py", ".pm", ".pl", ".ph", ".sh", ".awk"};

	if (n >= 2 && head[0] == '#' && head[1] == '!')
		return true;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (str_ends(path, ends[i]))
			return true;
	return str_starts(path, "e/");
}

static void substitute(const struct rules *r, const char *path, struct buf *b)
{
	for (size_t i = 0; i < r->subst.n; i++) {
		const struct rules_pair *p = &r->subst.v[i];
		_cleanup_buf_ struct buf out = {};
		const char *s = b->data, *at;

		if (!b->len || fnmatch(p->where, path, 0) != 0)
			continue;
		for (; (at = strstr(s, p->from)); s = at + strlen(p->from)) {
			buf_add(&out, s, (size_t)(at - s));
			buf_puts(&out, p->to);
		}
		buf_add(&out, s, b->len - (size_t)(s - b->data));
		buf_done(b);
		*b = out;
		out = (struct buf){};
	}
}

static int do_text(struct walk *k, int fd, const char *path)
{
	_cleanup_free_ char *data = NULL;
	_cleanup_buf_ struct buf out = {};
	size_t len, n = 0;
	int r = fd_read_all(fd, TEXT_MAX, &data, &len);

	if (r < 0)
		return r == -EFBIG ? 0 : r;
	if (memchr(data, '\0', len))
		return 0;
	if (rules_match(&k->w.rules->asis, path))
		buf_add(&out, data, len);
	else
		n = rewrite_text(&k->w, data, len, &out);
	substitute(k->w.rules, path, &out);
	if (out.oom)
		return -ENOMEM;
	if (out.len == len && (len == 0 || memcmp(out.data, data, len) == 0))
		return 0;
	k->st->scripts++;
	k->st->text_paths += n;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	r = fd_write_all(fd, out.data, out.len);
	if (r == 0 && ftruncate(fd, (off_t)out.len) < 0)
		r = -errno;
	return r;
}

static int do_file(struct walk *k, const char *path)
{
	_cleanup_close_ int fd = openat(k->rootfd, path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	char head[8], inode[64];
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_nlink > 1) {
		snprintf(inode, sizeof(inode), "%ju/", (uintmax_t)st.st_ino);
		if (names_has(&k->seen, inode, strlen(inode)))
			return 0;
		if (names_add(&k->seen, inode) < 0)
			return -ENOMEM;
	}
	n = pread(fd, head, sizeof(head), 0);
	if (n < 0)
		return -errno;
	if (elf_is(head, (size_t)n))
		return do_elf(k, fd, (size_t)st.st_size, path);
	if (rules_match(&k->w.rules->bytes, path))
		return do_bytes(k, fd, (size_t)st.st_size);
	return is_text(path, head, (size_t)n) ? do_text(k, fd, path) : 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Files in the order of their names, so that two builds do the same. */
static int sorted_names(const struct names *n, struct strv *out)
{
	for (size_t i = 0; i < n->size; i++)
		if (n->slot[i] && strv_add(out, n->slot[i]) < 0)
			return -ENOMEM;
	if (out->n)
		qsort(out->v, out->n, sizeof(*out->v), by_text);
	return 0;
}

int relocate_tree(int rootfd, const struct names *names, const struct rules *r,
		  struct relocate_stats *st, struct ldcache *libs, struct strv *needed,
		  struct err *e)
{
	struct walk k = {
		.rootfd = rootfd,
		.w = {names, r},
		.st = st,
		.libs = libs,
		.needed = needed,
	};
	_cleanup_strv_ struct strv all = {};
	int ret = sorted_names(names, &all);

	for (size_t i = 0; ret == 0 && i < all.n; i++) {
		struct stat s;

		if (fstatat(rootfd, all.v[i], &s, AT_SYMLINK_NOFOLLOW) < 0)
			ret = -errno;
		else if (S_ISREG(s.st_mode) && s.st_size > 0)
			ret = do_file(&k, all.v[i]);
		if (ret < 0)
			err_set(e, ret, "cannot relocate %s", all.v[i]);
	}
	names_done(&k.seen);
	return ret < 0 && !e->num ? err_set(e, ret, "cannot relocate the kit") : ret;
}

/* A directory the loader looks in by itself: l/ or l/TRIPLET/. */
static bool loader_dir(const struct names *n, const char *path)
{
	const char *rest = path + 2;
	size_t t = strlen(n->triplet);

	if (!str_starts(path, "l/"))
		return false;
	if (t && strncmp(rest, n->triplet, t) == 0 && rest[t] == '/')
		rest += t + 1;
	return !strchr(rest, '/');
}

static const struct ldcache_lib *lib_named(const struct ldcache *libs, const char *soname,
					   const struct names *in_dirs)
{
	for (size_t i = 0; i < libs->n; i++)
		if (str_eq(libs->v[i].soname, soname) &&
		    (!in_dirs || loader_dir(in_dirs, libs->v[i].path)))
			return &libs->v[i];
	return NULL;
}

static int cache_add(struct ldcache *c, const struct ldcache_lib *l)
{
	_cleanup_free_ char *path = str_fmt("%s/%s", KIT_PREFIX, l->path);

	return path ? ldcache_add(c, l->soname, path) : -ENOMEM;
}

/* Of the packages' machine, which need not be this one. */
static int32_t machine_flags(const struct names *n)
{
	return str_starts(n->triplet, "aarch64-") ? LDCACHE_AARCH64 : LDCACHE_X86_64;
}

int relocate_ldcache(int rootfd, const struct names *names, const struct ldcache *libs,
		     const struct strv *needed, struct strv *missing, struct err *e)
{
	_cleanup_ldcache_ struct ldcache c = {};
	_cleanup_buf_ struct buf out = {};
	_cleanup_close_ int fd = -EBADF;
	int r = 0;

	for (size_t i = 0; r == 0 && i < libs->n; i++)
		if (loader_dir(names, libs->v[i].path))
			r = cache_add(&c, &libs->v[i]);
	for (size_t i = 0; r == 0 && i < needed->n; i++) {
		const struct ldcache_lib *l = lib_named(libs, needed->v[i], NULL);

		if (lib_named(libs, needed->v[i], names))
			continue;
		r = l ? cache_add(&c, l) : strv_add(missing, needed->v[i]);
	}
	if (r == 0)
		r = ldcache_write(&c, machine_flags(names), &out);
	if (r < 0)
		return err_set(e, r, "cannot write ld.cache");
	fd = openat(rootfd, "ld.cache", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_set(e, errno, "cannot write ld.cache");
	r = fd_write_all(fd, out.data, out.len);
	return r < 0 ? err_set(e, r, "cannot write ld.cache") : 0;
}
