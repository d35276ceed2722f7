#include "sys/lsm.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <linux/xattr.h>

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

bool lsm_is_label(const char *name)
{
	const char *colon = *name == ':' ? NULL : strchr(name, ':');

	return colon && strchr(colon + 1, ':') && !strpbrk(name, "/ ");
}

const char *lsm_kind(const char *name)
{
	return lsm_is_label(name) ? "SELinux's label" : "AppArmor's profile";
}

void lsm_read(int proc, struct lsm *out)
{
	_cleanup_close_ int root = -EBADF;
	ssize_t n;

	*out = (struct lsm){};
	if (file_read_small_at(proc, "attr/apparmor/current", out->name, LSM_NAME_MAX) > 0) {
		cut_mode(out->name);
		return;
	}
	if (file_read_small_at(proc, "attr/current", out->name, LSM_NAME_MAX) < 0)
		out->name[0] = '\0';
	out->name[strcspn(out->name, "\n")] = '\0';
	if (!lsm_is_label(out->name)) {
		out->name[0] = '\0';
		return;
	}
	root = openat(proc, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n = root < 0 ? -1 : fgetxattr(root, XATTR_NAME_SELINUX, out->files, LSM_NAME_MAX - 1);
	out->files[n > 0 ? n : 0] = '\0';
}

/* The kernel says whether its policy has it. */
static bool has_label(const char *label)
{
	_cleanup_close_ int fd = open("/sys/fs/selinux/context", O_RDWR | O_CLOEXEC);

	return fd >= 0 && fd_write_all(fd, label, strlen(label)) == 0;
}

bool lsm_has(const char *name)
{
	_cleanup_free_ char *text = NULL;
	char *save = NULL;

	if (lsm_is_label(name))
		return has_label(name);
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

bool lsm_on(const char *name)
{
	char text[8];

	if (lsm_is_label(name))
		return access("/sys/fs/selinux/enforce", F_OK) == 0;
	return file_read_small_at(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", text,
				  sizeof(text)) > 0 &&
	       *text == 'Y';
}

/* A number that selinuxfs tells of a class; 0: there is none of that name. */
static unsigned class_number(const char *class, const char *name)
{
	char path[96], text[16];

	snprintf(path, sizeof(path), "/sys/fs/selinux/class/%s/%s", class, name);
	return file_read_small_at(AT_FDCWD, path, text, sizeof(text)) > 0
		       ? (unsigned)strtoul(text, NULL, 10)
		       : 0;
}

/* selinuxfs's access: "FROM TO CLASS" is written, and what is allowed is the first number read. */
static bool allows(const char *from, const char *to, const char *class, const char *perm)
{
	_cleanup_close_ int fd = open("/sys/fs/selinux/access", O_RDWR | O_CLOEXEC);
	unsigned bit = class_number(class, perm);
	char text[2 * LSM_NAME_MAX + 16];
	int n = snprintf(text, sizeof(text), "%s %s %u", from, to, class_number(class, "index"));
	ssize_t got;

	if (fd < 0 || !bit || bit > 32 || fd_write_all(fd, text, (size_t)n) < 0)
		return true;
	got = read(fd, text, sizeof(text) - 1);
	text[got > 0 ? got : 0] = '\0';
	return got <= 0 || strtoul(text, NULL, 16) & 1UL << (bit - 1);
}

/* Ours; false where nothing is to be asked of it and `name`. */
static bool is_asked(const char *name, char ours[LSM_NAME_MAX])
{
	return lsm_is_label(name) &&
	       file_read_small_at(AT_FDCWD, "/proc/self/attr/current", ours, LSM_NAME_MAX) > 0 &&
	       !str_eq(ours, name);
}

bool lsm_may_start(const char *name)
{
	char ours[LSM_NAME_MAX];

	return !is_asked(name, ours) || (allows(ours, name, "process", "perms/transition") &&
					 allows(ours, name, "process2", "perms/nosuid_transition"));
}

bool lsm_may_talk(const char *name)
{
	char ours[LSM_NAME_MAX];

	return !is_asked(name, ours) || (allows(name, ours, "fd", "perms/use") &&
					 allows(name, ours, "fifo_file", "perms/read") &&
					 allows(name, ours, "fifo_file", "perms/write"));
}

const char *lsm_active(void)
{
	char text[8];

	if (file_read_small_at(AT_FDCWD, "/sys/fs/selinux/enforce", text, sizeof(text)) > 0)
		return *text == '1' ? "SELinux, enforcing" : "SELinux, permissive";
	return lsm_on("") ? "AppArmor" : "none";
}

int lsm_on_exec(int proc, const char *name)
{
	bool label = lsm_is_label(name);
	_cleanup_close_ int fd = openat(proc, label ? "self/attr/exec" : "self/attr/apparmor/exec",
					O_WRONLY | O_CLOEXEC);
	char text[LSM_NAME_MAX + 8];
	int n = snprintf(text, sizeof(text), "%s%s", label ? "" : "exec ", name);

	return fd < 0 ? -errno : fd_write_all(fd, text, (size_t)n);
}
