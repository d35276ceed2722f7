#include "target/engine.h"

const struct engine *const engines[] = {
	&engine_docker,
	NULL,
};
