#include "target/engine.h"

const struct engine *const engines[] = {
	&engine_docker, &engine_podman, &engine_containerd, &engine_lxc,
	&engine_nspawn, &engine_runc,	&engine_crun,	    &engine_flatpak,
	&engine_bwrap,	&engine_none, /* last: what no other has */
	NULL,
};
