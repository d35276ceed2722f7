#include "base/late.h"

#include <stdbool.h>
#include <stddef.h>

typedef void (*constructor)(void);

/* Of the linker script; not there in programs linked without it, whose constructors have run. */
extern const constructor late_init_start[] __attribute__((weak));
extern const constructor late_init_end[] __attribute__((weak));

void late_init(void)
{
	static bool done;

	for (const constructor *c = late_init_start; !done && c != late_init_end; c++)
		(*c)();
	done = true;
}

void *late_absent(void)
{
	return NULL;
}
