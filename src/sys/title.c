#include "sys/title.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

static char *area;
static size_t area_len;

void title_init(int argc, char **argv)
{
	if (argc < 1)
		return;
	area = argv[0];
	area_len = (size_t)(argv[argc - 1] + strlen(argv[argc - 1]) + 1 - argv[0]);
	for (char **v = environ; *v == area + area_len; v++) /* it follows right behind */
		area_len += strlen(*v) + 1;
}

void title_set(const char *title)
{
	size_t n = strlen(title);

	if (!area)
		return;
	memset(area, 0, area_len);
	memcpy(area, title, n < area_len ? n : area_len - 1);
}
