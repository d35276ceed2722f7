/* The ids inside extended attributes: of POSIX ACLs and of file capabilities. */
#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/posix_acl_xattr.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "files/attrs.h"

enum { ACL_USER_TAG = 0x02, ACL_GROUP_TAG = 0x08 };

static int map_acl(const struct place *p, bool inward, char *value, size_t len)
{
	struct posix_acl_xattr_entry entry;

	for (size_t at = sizeof(struct posix_acl_xattr_header); at + sizeof(entry) <= len;
	     at += sizeof(entry)) {
		uint32_t id;

		memcpy(&entry, value + at, sizeof(entry));
		id = le32toh(entry.e_id);
		if (le16toh(entry.e_tag) == ACL_USER_TAG)
			id = inward ? place_uid_inside(p, id) : place_uid_outside(p, id);
		else if (le16toh(entry.e_tag) == ACL_GROUP_TAG)
			id = inward ? place_gid_inside(p, id) : place_gid_outside(p, id);
		else
			continue;
		if (id == UINT32_MAX)
			return -EINVAL;
		entry.e_id = htole32(id);
		memcpy(value + at, &entry, sizeof(entry));
	}
	return 0;
}

/* Inside, a capability of the target's own root has no root in it; outside it names it. */
static int map_capability(const struct place *p, bool inward, void **value, size_t *len)
{
	struct vfs_ns_cap_data cap = {};
	uint32_t magic, root;

	if (*len < sizeof(cap.magic_etc) || *len > sizeof(cap))
		return -EINVAL;
	memcpy(&cap, *value, *len);
	magic = le32toh(cap.magic_etc);
	if (*len == XATTR_CAPS_SZ_1 || !p->uids.n)
		return 0;
	root = (magic & VFS_CAP_REVISION_MASK) == VFS_CAP_REVISION_3 ? le32toh(cap.rootid) : 0;
	root = inward ? place_uid_inside(p, root) : place_uid_outside(p, root);
	if (root == UINT32_MAX)
		return -EINVAL;
	magic = (magic & ~VFS_CAP_REVISION_MASK) | (root ? VFS_CAP_REVISION_3 : VFS_CAP_REVISION_2);
	cap.magic_etc = htole32(magic);
	cap.rootid = htole32(root);
	*len = root ? XATTR_CAPS_SZ_3 : XATTR_CAPS_SZ_2;
	free(*value);
	*value = malloc(sizeof(cap));
	if (!*value)
		return -ENOMEM;
	memcpy(*value, &cap, *len);
	return 0;
}

int attrs_map_value(const struct place *p, bool inward, const char *name, void **value, size_t *len)
{
	if (str_starts(name, "system.posix_acl_"))
		return p->uids.n ? map_acl(p, inward, *value, *len) : 0;
	if (str_eq(name, "security.capability"))
		return map_capability(p, inward, value, len);
	return 0;
}
