/*
 * What runc and crun have in common: ROOT/ID/FILE, one state file a container, gone when deleted.
 *
 * Layer: target, private to it.
 */
#pragma once

#include "target/engine.h"

enum { OCI_PID, OCI_START, OCI_BUNDLE, OCI_CREATED, OCI_COUNT };

struct oci {
	const struct engine *engine;
	const char *dir;  /* below run/ and run/user/UID/ */
	const char *file; /* ROOT/ID/FILE */
	const char *picks[OCI_COUNT];
	/* The bundle's path out of its pick; a new string or NULL. */
	char *(*bundle)(struct slice v);
};

int oci_find(struct look *l, const struct want *w, const struct oci *o, struct targets *out);
