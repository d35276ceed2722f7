/*
 * Options that all verbs with a session in a target have, by the offset of their field.
 *
 * Layer: cmd.
 */
#pragma once

#include "cli/cli.h"

#define OPT_VISIT_CWD(field)                                                                       \
	{                                                                                          \
		OPT_STR, field, 'w', "workdir", "DIR",                                             \
			"start in this directory (default: the target's)", NULL                    \
	}
#define OPT_VISIT_ENV(field)                                                                       \
	{                                                                                          \
		OPT_LIST, field, 'e', "env", "NAME=VALUE",                                         \
			"set a variable; NAME alone passes ours on", NULL                          \
	}
#define OPT_VISIT_KIT(field)                                                                       \
	{                                                                                          \
		OPT_STR, field, 0, "kit", "FILE|DIR|none", "use this kit of tools, or none", NULL  \
	}
