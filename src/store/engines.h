/*
 * The readers of storages: one an engine. Each fills *out, which its caller releases also on error.
 * 0, or -errno with `e` (-ENOTSUP: files of a kind that Porthole cannot put together).
 *
 * Layer: store, private to it.
 */
#pragma once

#include "store/store.h"

int bundle_store(const struct target_roots *r, const struct target *t, struct store *out,
		 struct err *e);
int containerd_store(const struct target_roots *r, const struct target *t, struct store *out,
		     struct err *e);
int containers_store(const struct target_roots *r, const struct target *t, struct store *out,
		     struct err *e);
int docker_store(const struct target_roots *r, const struct target *t, struct store *out,
		 struct err *e);
int lxc_store(const struct target_roots *r, const struct target *t, struct store *out,
	      struct err *e);
int nspawn_store(const struct target_roots *r, const struct target *t, struct store *out,
		 struct err *e);
