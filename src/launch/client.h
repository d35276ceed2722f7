/*
 * A new container made by an engine's own client, and the image that the kit's tools run in there.
 *
 * Layer: launch. The only place where an engine's command line is run: a container that the engine
 * is to know is the engine's to make.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

/* Without the kit, which is mounted at /dev/p: directories and links, a few kilobytes. */
#define CLIENT_IMAGE "porthole/kit:" PORTHOLE_VERSION

/* Whether the engine behind `client` (its name and options) has an image. 1 or 0; -ENOENT with `e`:
 * there is no such client in PATH; -EIO with its own words when it fails otherwise. */
int client_has_image(const struct strv *client, const char *image, struct err *e);

/* Make CLIENT_IMAGE there. 0 or -errno with `e`. */
int client_make_image(const struct strv *client, struct err *e);

/* Which capabilities the docker behind `client` has heard of. 0 or -errno as above. */
int client_caps(const struct strv *client, uint64_t *known, struct err *e);

/* Say that the client `name` could not be started, for `num` (-errno). Returns it. */
int client_missing(const char *name, int num, struct err *e);

/* Become the client with all of `argv`. Returns only when that cannot be: -errno with `e`. */
int client_exec(const struct strv *argv, struct err *e);
