#include "sys/processor.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

/* All that run are ours to run on. */
static bool has_all(const cpu_set_t *ours)
{
	_cleanup_close_ int fd = open("/sys/devices/system/cpu/online", O_RDONLY | O_CLOEXEC);
	char want[32], got[32] = "";
	ssize_t n = fd < 0 ? -1 : read(fd, got, sizeof(got) - 1);

	snprintf(want, sizeof(want), "0-%d\n", CPU_COUNT(ours) - 1);
	return n > 0 && str_eq(got, want);
}

void processor_part(pid_t child)
{
	cpu_set_t ours, others, all;
	int here = sched_getcpu();

	if (here < 0 || here >= CPU_SETSIZE || sched_getaffinity(0, sizeof(ours), &ours) < 0 ||
	    CPU_COUNT(&ours) < 2 || !has_all(&ours))
		return;
	others = ours;
	CPU_CLR(here, &others);
	memset(&all, 0xff, sizeof(all)); /* as who never said which */
	if (sched_setaffinity(child, sizeof(others), &others) == 0)
		sched_setaffinity(child, sizeof(all), &all);
}
