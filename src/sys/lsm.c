#include "sys/lsm.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

enum { PROFILES_MAX = 1 << 20 };

/* "NAME (MODE)", or "unconfined". */
static void cut_mode(char *label)
{
	char *mode;

	label[strcspn(label, "\n")] = '\0';
	mode = strrchr(label, ' ');
	if (!mode || mode[1] != '(')
		*label = '\0';
	else
		*mode = '\0';
}

void lsm_read(int proc, char name[LSM_NAME_MAX])
{
	if (file_read_small_at(proc, "attr/apparmor/current", name, LSM_NAME_MAX) < 0)
		*name = '\0';
	cut_mode(name);
}

bool lsm_has(const char *name)
{
	_cleanup_free_ char *text = NULL;
	char *save = NULL;

	if (file_read_at(AT_FDCWD, "/sys/kernel/security/apparmor/profiles", PROFILES_MAX, &text,
			 NULL) < 0)
		return false;
	for (char *s = strtok_r(text, "\n", &save); s; s = strtok_r(NULL, "\n", &save)) {
		cut_mode(s);
		if (str_eq(s, name))
			return true;
	}
	return false;
}

int lsm_on_exec(int proc, const char *name)
{
	_cleanup_close_ int fd = openat(proc, "self/attr/apparmor/exec", O_WRONLY | O_CLOEXEC);
	char text[LSM_NAME_MAX + 8];
	int n = snprintf(text, sizeof(text), "exec %s", name);

	return fd < 0 ? -errno : fd_write_all(fd, text, (size_t)n);
}
