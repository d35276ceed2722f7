/* Plain OCI bundles: what runc and crun left. */
#include <errno.h>
#include <stdlib.h>

#include "store/engines.h"
#include "store/spec.h"

static int read_all(const struct target_roots *r, const struct target *t, json_t *spec,
		    struct store *out, struct err *e)
{
	const char *path = json_str(spec, "root.path", "");
	_cleanup_free_ char *full = *path == '/' ? strdup(path) : str_fmt("%s/%s", t->bundle, path);
	int err;

	if (!full || fill_names(out, t, "%s bundle", t->engine) < 0)
		return err_set(e, ENOMEM, "opening '%s'", t->name);
	err = *path ? fill_directory(r, full, out, e)
		    : err_say(e, EBADMSG, "%s/config.json has no root.path", t->bundle);
	if (err == 0)
		err = spec_maps(spec, out, e);
	if (err == 0 && spec_config(spec, &out->config) < 0)
		err = err_set(e, ENOMEM, "reading '%s'", t->name);
	return err < 0 ? err : spec_mounts(r, spec, t->bundle, out, e);
}

int bundle_store(const struct target_roots *r, const struct target *t, struct store *out,
		 struct err *e)
{
	_cleanup_storage_ struct storage bundle = STORAGE_INIT;
	_cleanup_json_ json_t *spec = NULL;
	int err;

	if (!t->bundle)
		return err_say(e, ENOENT, "%s does not tell where the bundle of '%s' is", t->engine,
			       t->name);
	err = storage_open(r, t->bundle, &bundle, e);
	if (err == 0)
		err = storage_json(&bundle, "config.json", &spec, e);
	return err < 0 ? err : read_all(r, t, spec, out, e);
}
