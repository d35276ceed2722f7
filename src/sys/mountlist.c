#include "sys/mountlist.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* of <linux/mount.h> since 6.8 */
#define NR_STATMOUNT	    457
#define NR_LISTMOUNT	    458
#define STATMOUNT_MNT_POINT 0x10
#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000
#endif

enum { MOUNTS_MAX = 64, STAT_STRINGS = 512, STAT_SIZE = STAT_STRINGS + 4096 };

struct mnt_id_req {
	uint32_t size, spare;
	uint64_t mnt_id, param;
};

/* The beginning of struct statmount; its strings are at STAT_STRINGS. */
struct stat_head {
	uint32_t size, mnt_opts;
	uint64_t mask, others[11];
	uint32_t mnt_root, mnt_point;
};

_Static_assert(offsetof(struct stat_head, mnt_point) == 108, "as the kernel has it");

/* The path it is mounted on, in `buf`; NULL: gone, or not below our root. */
static const char *point_of(uint64_t id, char buf[STAT_SIZE])
{
	const struct mnt_id_req req = {
		.size = sizeof(req), .mnt_id = id, .param = STATMOUNT_MNT_POINT};
	const struct stat_head *head = (const void *)buf;

	if (syscall(NR_STATMOUNT, &req, buf, (size_t)STAT_SIZE, 0) < 0 ||
	    !(head->mask & STATMOUNT_MNT_POINT) || head->mnt_point >= STAT_SIZE - STAT_STRINGS)
		return NULL;
	buf[STAT_SIZE - 1] = '\0';
	return buf + STAT_STRINGS + head->mnt_point;
}

int mountlist_names(int dirfd, struct strv *names)
{
	_Alignas(uint64_t) char buf[STAT_SIZE];
	struct mnt_id_req req = {.size = sizeof(req)};
	uint64_t ids[MOUNTS_MAX];
	struct statx st;
	long n;

	if (statx(dirfd, "", AT_EMPTY_PATH, STATX_MNT_ID_UNIQUE, &st) < 0)
		return -errno;
	if (!(st.stx_mask & STATX_MNT_ID_UNIQUE))
		return -ENOSYS;
	memcpy(&req.mnt_id, &st.stx_mnt_id, sizeof(req.mnt_id));
	n = syscall(NR_LISTMOUNT, &req, ids, (size_t)MOUNTS_MAX, 0);
	if (n < 0)
		return -errno;
	if (n == MOUNTS_MAX)
		return -E2BIG;
	for (long i = 0; i < n; i++) {
		const char *path = point_of(ids[i], buf), *name = path ? strrchr(path, '/') : NULL;

		if (name && strv_push(names, strdup(name + 1)) < 0)
			return -ENOMEM;
	}
	return 0;
}
