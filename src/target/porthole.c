/* Our own containers in the background (porthole sidekick -d): /run/porthole/NAME/state. */
#include "target/oci.h"

static const struct oci oci_porthole = {
	.engine = &engine_porthole,
	.dir = "porthole",
	.file = "state",
	.picks = {"pid", "start", "bundle", "created", "image"},
};

static int find(struct look *l, const struct want *w, struct targets *out)
{
	return oci_find(l, w, &oci_porthole, out);
}

const struct engine engine_porthole = {.name = "porthole", .find = find};
