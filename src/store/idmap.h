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

/* Put the map that a JSON array of objects tells of (`inside`, `outside` and "size" of each) on top
 * of *map, whose inside ids are its outside ones; NULL: of the host's. An array without lines
 * changes nothing. 0 or -ENOMEM. */
int idmap_on_top(json_t *list, const char *inside, const char *outside, char **map);
