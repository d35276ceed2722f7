/*
 * Whose ids are whose: the maps of engines without root, and of daemons with --userns-remap, from
 * the host's /etc/subuid and /etc/subgid.
 *
 * Layer: store, private to it.
 */
#pragma once

#include "base/json.h"
#include "store/store.h"

/* A user's own containers: inside 0 is the user, 1 and on are what /etc/subuid gives. Fills
 * out->uid_map and gid_map. 0, or -errno with `e`. */
int idmap_of_user(const struct target_roots *r, uid_t uid, struct store *out, struct err *e);

/* The containers of a daemon whose root is `uid` and `gid`: the ranges that start there. */
int idmap_of_root(const struct target_roots *r, uid_t uid, gid_t gid, struct store *out,
		  struct err *e);

/* One line of a map. */
struct idmap_line {
	uint32_t inside, outside, count;
};

enum { IDMAP_LINES_MAX = 340 }; /* the kernel's own limit */

/* The lines of a JSON array of objects with `inside`, `outside` and "size": how many. What is no
 * line is passed over. */
size_t idmap_json(json_t *list, const char *inside, const char *outside,
		  struct idmap_line v[IDMAP_LINES_MAX]);

/* A map as text ("INSIDE OUTSIDE COUNT" lines); NULL when memory is out. */
char *idmap_text(const struct idmap_line *v, size_t n);

/* A map of a map: `inner`'s outside ids are `outer`'s inside ids. What outer does not map is left
 * out. NULL when memory is out. */
char *idmap_through(const struct idmap_line *inner, size_t n, const char *outer);
