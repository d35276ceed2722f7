/*
 * What runc, crun and our own containers have in common: ROOT/ID/FILE, one state file a container,
 * gone when deleted.
 *
 * Layer: target, private to it.
 */
#pragma once

#include "target/engine.h"

enum { OCI_PID, OCI_START, OCI_BUNDLE, OCI_CREATED, OCI_IMAGE, OCI_COUNT };

struct oci {
	const struct engine *engine;
	const char *dir;  /* below run/ and run/user/UID/ */
	const char *file; /* ROOT/ID/FILE */
	const char *picks[OCI_COUNT];
	/* The bundle's path out of its pick, a new string or NULL; NULL: it has none. */
	char *(*bundle)(struct slice v);
};

extern const struct oci oci_runc, oci_crun;

/* Push what is wanted. 0 or -ENOMEM. */
int oci_find(struct look *l, const struct want *w, const struct oci *o, struct targets *out);

/* Whether the container t->id of the user t->owner_uid runs by the state file of runc or crun,
 * which an engine above them may have lost sight of: then pid, start, started and state are filled.
 */
bool oci_runs(struct look *l, struct target *t);

/* Push what runs of runc and crun under an engine's id (64 digits) for which `known` says no, with
 * its bundle. 0 or -ENOMEM. */
int oci_strangers(struct look *l, bool (*known)(const void *arg, const char *id), const void *arg,
		  struct targets *out);
