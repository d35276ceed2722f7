/* runc by itself: /run/runc/ID/state.json. Other tools' use of runc has roots elsewhere. */
#include "target/oci.h"

#include <stdlib.h>

#include "base/cleanup.h"

/* Among the labels, "bundle=PATH". */
static char *bundle(struct slice labels)
{
	struct slice elem;

	while (jpick_next(&labels, NULL, &elem)) {
		_cleanup_free_ char *label = jpick_str(elem);

		if (label && str_starts(label, "bundle="))
			return strdup(label + 7);
	}
	return NULL;
}

const struct oci oci_runc = {
	.engine = &engine_runc,
	.dir = "runc",
	.file = "state.json",
	.picks = {"init_process_pid", "init_process_start", "config>labels", "created", "image"},
	.bundle = bundle,
};

static int find(struct look *l, const struct want *w, struct targets *out)
{
	return oci_find(l, w, &oci_runc, out);
}

const struct engine engine_runc = {.name = "runc", .find = find};
