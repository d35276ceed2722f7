/*
 * What is in a kit, read without root and without mounting it.
 *
 * Layer: kit. docs/KIT.md describes the manifest. Kits are data from elsewhere: all of it is
 * bounded, and names are raw bytes.
 */
#pragma once

#include "base/json.h"
#include "base/str.h"
#include "kit/erofs.h"
#include "kit/kit.h"

#define KIT_MANIFEST_FORMAT 1

/* The kit's manifest, at most 16 MiB; an empty object when it has none. The caller owns *out.
 * -EBADMSG: no JSON object; -ENOTSUP: of a later format. */
int kit_manifest(const struct kit *k, json_t **out, struct err *e);

/* The names in b/, sorted. -EBADMSG when there is no such directory. */
int kit_programs(const struct kit *k, struct strv *out, struct err *e);

/* The program that b/`name` is a link to, as a name in b/: a new string the caller frees, NULL when
 * it is no link, or one that leads elsewhere. 0 or -errno. */
int kit_program_link(const struct kit *k, const char *name, char **out, struct err *e);

/* Read every inode and name of a KIT_IMAGE, and with `data` every byte (half a second for the
 * default kit). 0 when that can be done, or it is of a kind we have no reader for; -EBADMSG with
 * what is damaged and what to do. LZ4 has no checksums: not all damage shows. */
int kit_verify(const struct kit *k, bool data, struct err *e);

/* What the superblock of a KIT_IMAGE tells; the sizes of a KIT_DIR are 0. */
int kit_super(const struct kit *k, struct erofs_super *out, struct err *e);
