#include <elf.h>
#include <endian.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "kit/kit.h"
#include "kit/trailer.h"

#define SELF	    "/proc/self/exe"
#define EROFS_MAGIC 0xe0f5e1e2u
#define EROFS_SUPER 1024

/* Those the system installed. */
static const char *const installed[] = {
	"/usr/lib/porthole/" KIT_FILE,
	"/usr/local/lib/porthole/" KIT_FILE,
};

void kit_done(struct kit *k)
{
	cleanup_close(&k->fd);
	free(k->path);
	*k = KIT_INIT;
}

const char *kit_rung_name(enum kit_rung r)
{
	static const char *const names[] = {
		[KIT_RUNG_FILE] = "file",
		[KIT_RUNG_LOOP] = "loop",
		[KIT_RUNG_UNPACK] = "unpack",
		[KIT_RUNG_DIR] = "dir",
	};

	return (size_t)r < ARRAY_LEN(names) ? names[r] : "unknown";
}

/* Is there an EROFS superblock, and does the file hold all of the image it speaks of? */
static int check_image(const struct kit *k, struct err *e)
{
	unsigned char sb[128];
	uint32_t magic, blocks;
	ssize_t n = pread(k->fd, sb, sizeof(sb), (off_t)(k->offset + EROFS_SUPER));

	if (n < 0)
		return err_set(e, errno, "cannot read the kit %s", k->path);
	memcpy(&magic, sb, sizeof(magic));
	if (n != sizeof(sb) || le32toh(magic) != EROFS_MAGIC) {
		err_say(e, EBADMSG, "%s is no kit: there is no EROFS image in it", k->path);
		err_hint(e, "'porthole kit build -o FILE' makes one");
		return -EBADMSG;
	}
	memcpy(&blocks, sb + 36, sizeof(blocks));
	if (sb[12] < 9 || sb[12] > 16)
		return err_say(e, EBADMSG, "the kit %s is damaged: its block size is wrong",
			       k->path);
	if ((uint64_t)le32toh(blocks) << sb[12] > k->size)
		return err_say(e, EBADMSG,
			       "the kit %s is cut short: it should have %llu bytes, not %llu",
			       k->path, (unsigned long long)le32toh(blocks) << sb[12],
			       (unsigned long long)k->size);
	return 0;
}

static int check_dir(const struct kit *k, struct err *e)
{
	struct stat st;

	if (fstatat(k->fd, "b", &st, 0) < 0 || !S_ISDIR(st.st_mode))
		return err_say(e, EBADMSG, "the directory %s is no unpacked kit: it has no b/",
			       k->path);
	return 0;
}

/* An executable of ours ends behind its section headers; a kit that is attached begins on the page
 * boundary after that. When it does, and has no trailer, somebody's copy stopped half-way. */
static bool is_cut_short(int fd, uint64_t size)
{
	unsigned char more[KIT_PAGE + EROFS_SUPER] = {};
	uint32_t magic;
	Elf64_Ehdr h;
	uint64_t at;
	ssize_t n;

	if (pread(fd, &h, sizeof(h), 0) != sizeof(h) || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0)
		return false;
	at = h.e_shoff + (uint64_t)h.e_shnum * h.e_shentsize;
	if (at < h.e_shoff || at >= size)
		return false;
	n = pread(fd, more, sizeof(more), (off_t)at);
	at = (at + KIT_PAGE - 1) / KIT_PAGE * KIT_PAGE + EROFS_SUPER;
	if (at + sizeof(magic) <= size)
		return pread(fd, &magic, sizeof(magic), (off_t)at) == sizeof(magic) &&
		       le32toh(magic) == EROFS_MAGIC;
	for (ssize_t i = 0; i < n; i++)
		if (more[i])
			return false;
	return n > 0;
}

static int say_cut_short(const char *path, struct err *e)
{
	err_say(e, EBADMSG, "the kit attached to %s is cut short: its end is missing", path);
	err_hint(e, "copy the file again, and compare sizes; --kit FILE uses another kit");
	return -EBADMSG;
}

/* An open file or directory becomes *k. Returns 0, or -ENODATA (with `e`) when `tail_only` and it
 * carries no kit. Takes `fd`. */
static int take(int fd_taken, const char *path, bool tail_only, struct kit *k, struct err *e)
{
	_cleanup_kit_ struct kit found = KIT_INIT;
	struct kit_trailer t;
	struct stat st;
	int r;

	found.fd = fd_taken;
	found.path = strdup(path);
	if (!found.path)
		return err_set(e, ENOMEM, "the kit %s", path);
	if (fstat(found.fd, &st) < 0)
		return err_set(e, errno, "cannot look at the kit %s", path);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return err_say(e, EINVAL, "%s is no kit: it is neither a file nor a directory",
			       path);
	if (S_ISDIR(st.st_mode)) {
		found.kind = KIT_DIR;
		r = check_dir(&found, e);
	} else {
		found.kind = KIT_IMAGE;
		found.size = (uint64_t)st.st_size;
		r = kit_trailer_read(found.fd, found.size, path, &t, e);
		if (r < 0)
			return r;
		if (r == 0 && is_cut_short(found.fd, found.size))
			return say_cut_short(path, e);
		if (r == 0 && tail_only)
			return err_say(e, ENODATA, "%s carries no kit", path);
		if (r > 0) {
			found.offset = t.offset;
			found.size = t.size;
		}
		r = check_image(&found, e);
	}
	if (r < 0)
		return r;
	*k = found;
	found = KIT_INIT;
	return 0;
}

static int open_kit(const char *path, struct kit *k, struct err *e)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return err_set(e, errno, "cannot open the kit %s", path);
	return take(fd, path, false, k, e);
}

/* The kit in the directory of the executable, or where `make install` puts it from there. */
static int beside(const char *exe, struct kit *k, struct err *e)
{
	static const char *const places[] = {KIT_FILE, "../lib/porthole/" KIT_FILE};
	const char *slash = strrchr(exe, '/');
	char path[PATH_MAX];
	int r = -ENOENT;

	for (size_t i = 0; slash && i < ARRAY_LEN(places) && r == -ENOENT; i++) {
		int n = snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - exe), exe, places[i]);

		if (n > 0 && (size_t)n < sizeof(path))
			r = open_kit(path, k, e);
	}
	return r;
}

static int not_found(struct err *e)
{
	err_say(e, ENOENT,
		"there is no kit: none in this executable, none beside it, none installed");
	err_hint(e,
		 "build one with 'porthole kit build -o kit.erofs' and name it with --kit, or use "
		 "--kit none");
	return -ENOENT;
}

static int find_default(struct kit *k, struct err *e)
{
	char exe[PATH_MAX];
	const char *env = getenv("PORTHOLE_KIT");
	bool named = link_read_at(AT_FDCWD, SELF, exe, sizeof(exe)) > 0;
	int fd, r;

	if (env && *env)
		return kit_find(env, k, e);
	fd = open(SELF, O_RDONLY | O_CLOEXEC); /* fails without /proc, or when of mode 0711 */
	if (fd >= 0) {
		r = take(fd, named ? exe : SELF, true, k, e);
		if (r != -ENODATA)
			return r;
	}
	if (named) {
		r = beside(exe, k, e);
		if (r != -ENOENT)
			return r;
	}
	for (size_t i = 0; i < ARRAY_LEN(installed); i++) {
		r = open_kit(installed[i], k, e);
		if (r != -ENOENT)
			return r;
	}
	return not_found(e);
}

int kit_find(const char *spec, struct kit *k, struct err *e)
{
	int r;

	*k = KIT_INIT;
	if (!spec)
		return find_default(k, e);
	if (str_eq(spec, "none"))
		return 0;
	r = open_kit(spec, k, e);
	if (r == -ENOENT)
		err_hint(e, "'porthole kit build -o FILE' makes a kit; --kit none goes without");
	return r;
}
