/* crun by itself: /run/crun/ID/status. Directories of crashed containers stay. */
#include "target/oci.h"

const struct oci oci_crun = {
	.engine = &engine_crun,
	.dir = "crun",
	.file = "status",
	.picks = {"pid", "process-start-time", "bundle", "created", "image"},
	.bundle = jpick_str,
};

static int find(struct look *l, const struct want *w, struct targets *out)
{
	return oci_find(l, w, &oci_crun, out);
}

const struct engine engine_crun = {.name = "crun", .find = find};
