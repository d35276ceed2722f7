#include "cmd/background.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

enum { NAMES_MAX = 100 };

int background_start(const struct plan *p, const struct launch *l, bool given, struct err *e)
{
	int r = -EEXIST;

	for (int i = 0; i < (given ? 1 : NAMES_MAX) && r == -EEXIST; i++) {
		_cleanup_free_ char *name = i ? str_fmt("%s-%d", l->name, i + 1) : strdup(l->name);
		struct launch named = *l;

		*e = (struct err){};
		if (!name)
			return err_set(e, ENOMEM, "starting it in the background");
		named.name = name;
		r = launch_detached(p, &named, e);
		if (r == 0 && (printf("%s\n", name) < 0 || fflush(stdout) != 0)) {
			r = err_set(e, errno,
				    "'%s' runs, but its name cannot be written to "
				    "standard output",
				    name);
			err_hint(e, "'porthole kill %s' ends it", name);
		}
	}
	return r;
}
