/*
 * Storages of engines on a host made of files, for the store's tests.
 *
 * Layer: tests.
 */
#pragma once

#include "store/store.h"
#include "target_tree.h"

#define DOCKER_ID "d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0"
#define PODMAN_ID "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0"

/* DIR/ID/{diff,link,lower} and DIR/l/SHORT; diff holds the file `at-ID`. lower NULL: the lowest. */
void overlay_layer(struct tree *t, const char *dir, const char *id, const char *name,
		   const char *lower);

/* The container DOCKER_ID, "web", below DATA (without a slash before it): layers top, top-init,
 * mid, low. */
void docker_tree(struct tree *t, const char *data, const char *config, const char *host);

/* Read what `engine` keeps of a container: state_file or bundle (may be NULL) as its resolver would
 * say. The store's result; `e` and *s are the caller's. */
int read_store(struct tree *t, const char *engine, const char *id, const char *state_file,
	       const char *bundle, uid_t owner, struct store *s, struct err *e);

/* Write a bbolt file of these pairs: "BUCKET|...|KEY", VALUE; ends with NULL. Values are
 * strings. Sorted by the whole text, '|' before all others. */
void bolt_put(struct tree *t, const char *path, const char *const pairs[][2]);
