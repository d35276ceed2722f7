#include "kit/output.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

int output_may_replace(int dirfd, const char *name, const char *shown, struct err *e)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_set(e, errno, "cannot look at %s", shown);
	if (S_ISDIR(st.st_mode))
		return err_say(e, EISDIR, "%s is a directory", shown);
	if (!S_ISREG(st.st_mode))
		return err_say(e, EEXIST, "%s is no regular file", shown);
	return 0;
}
