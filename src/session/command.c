/* The last steps of the command: who it is, what it may, where it stands, what it runs. [child] */
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "session/agent.h"
#include "sys/caps.h"
#include "sys/power.h"
#include "sys/seccomp.h"

static int set_caps(uint64_t eff, uint64_t prm, uint64_t inh)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {
		{(uint32_t)eff, (uint32_t)prm, (uint32_t)inh},
		{(uint32_t)(eff >> 32), (uint32_t)(prm >> 32), (uint32_t)(inh >> 32)},
	};

	return syscall(SYS_capset, &h, d) < 0 ? -errno : 0;
}

/* Ids through the raw calls: glibc's wrappers would signal threads we do not have. */
static int set_ids(const struct who *w)
{
	if (syscall(SYS_setgroups, w->ngroups, w->groups) < 0 && errno != EPERM)
		return -errno; /* EPERM: a user namespace with setgroups denied */
	if (syscall(SYS_setresgid, w->gid, w->gid, w->gid) < 0 ||
	    syscall(SYS_setresuid, w->uid, w->uid, w->uid) < 0)
		return -errno;
	return 0;
}

static int drop_failed(int num, struct err *e)
{
	err_set(e, num, "dropping a capability");
	if (num == EPERM)
		power_hint_inside(e, CAPS_BIT(CAP_SETPCAP));
	return -num;
}

/* Bounding set first (it limits what exec gives root), then ids, then the sets themselves. */
static int become(const struct plan *p, struct err *e)
{
	uint64_t keep = p->caps;
	int last = p->caps_all ? 0 : caps_last(), r;

	if (p->groups_denied && p->who.uid == 0)
		seccomp_ignore_setgroups(); /* without it tcpdump and its like say that they fail */
	for (int c = 0; !p->caps_all && c <= last; c++)
		if (!(keep & CAPS_BIT(c)) && prctl(PR_CAPBSET_READ, c, 0, 0, 0) == 1 &&
		    prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0)
			return drop_failed(errno, e);
	if (p->caps_ambient)
		prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	r = set_ids(&p->who);
	if (r < 0) {
		err_set(e, r, "becoming uid %u, gid %u in '%s'", p->who.uid, p->who.gid, p->where);
		if (r == -EPERM)
			power_hint_inside(e, CAPS_BIT(CAP_SETUID) | CAPS_BIT(CAP_SETGID));
		if (r == -EINVAL)
			err_hint(e, "its user namespace does not map that id; see /proc/%d/uid_map",
				 p->target->pid);
		return r;
	}
	if (p->caps_all || (p->who.uid != 0 && !p->caps_ambient))
		return 0; /* exec gives root the bounding set, and drops all of anybody else's */
	r = set_caps(keep, keep, p->caps_ambient ? keep : 0);
	if (r < 0)
		return err_set(e, r, "setting the capabilities");
	for (int c = 0; p->caps_ambient && c <= last; c++)
		if (keep & CAPS_BIT(c))
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0);
	return 0;
}

static int go_to_cwd(const struct plan *p, struct err *e)
{
	if (!p->cwd || chdir(p->cwd) == 0)
		return 0;
	if (p->cwd_asked) {
		err_set(e, errno, "changing to the working directory '%s' in '%s'", p->cwd,
			p->where);
		return err_exit(e, EXIT_CANNOT_RUN);
	}
	return chdir("/") < 0 ? err_set(e, errno, "changing to / in '%s'", p->where) : 0;
}

/* We could run it as we are, but not as what it is to be confined by: only SELinux's policy says so
 * when the exec is tried. */
static bool label_denied(const struct plan *p, const char *path, int num)
{
	return (num == EACCES || num == EPERM) && lsm_is_label(p->lsm.name) &&
	       faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

static int say_label(const struct plan *p, const char *path, struct err *e)
{
	err_say(e, EACCES,
		"SELinux's policy does not let porthole start '%s' with the label '%s' of '%s'",
		path, p->lsm.name, p->label);
	err_hint(e,
		 "what may start containers may: 'chcon -t container_runtime_exec_t' on porthole's "
		 "own file; or leave out --caps target ('dmesg | grep avc:' says what was denied)");
	return err_exit(e, EXIT_CANNOT_RUN);
}

/* Say why exec of something that is there fails. */
static int exec_failed(const struct plan *p, const char *path, int num, struct err *e)
{
	struct stat st;
	bool there = stat(path, &st) == 0;

	if (num == ENOENT && there) {
		err_say(e, ENOENT,
			"cannot run '%s' in '%s': its interpreter or loader is not there", path,
			p->where);
		err_hint(e, "it needs a shell or a C library that the container does not have");
		return err_exit(e, EXIT_NOT_FOUND);
	}
	if (num == ENOENT) {
		err_say(e, ENOENT, "there is no '%s' in '%s'", path, p->where);
		return err_exit(e, EXIT_NOT_FOUND);
	}
	if (label_denied(p, path, num))
		return say_label(p, path, e);
	err_set(e, num, "cannot run '%s' in '%s'", path, p->where);
	if (num == EACCES && there && S_ISDIR(st.st_mode))
		err_hint(e, "it is a directory");
	else if (num == EACCES && there && !(st.st_mode & 0111))
		err_hint(e, "it is not executable (mode %04o)", st.st_mode & 07777);
	else if (num == ENOEXEC)
		err_hint(e, "it is neither a program of this machine's kind nor a script with #!");
	else if (num == E2BIG)
		err_hint(e,
			 "arguments and environment are larger than the kernel takes (execve(2))");
	return err_exit(e, EXIT_CANNOT_RUN);
}

static int exec_in_path(const struct plan *p, struct err *e)
{
	const char *name = p->argv.v[0];
	char path[PATH_MAX];
	int found = ENOENT;

	for (const char *dir = *name ? p->path : NULL; dir; dir = strchr(dir, ':')) {
		size_t n;

		dir += *dir == ':';
		n = strcspn(dir, ":");
		if (snprintf(path, sizeof(path), "%.*s%s%s", (int)n, dir, n ? "/" : "./", name) >=
		    (int)sizeof(path))
			continue;
		execve(path, p->argv.v, p->env.v);
		if (errno == ENOENT || errno == ENOTDIR) {
			struct stat st; /* there, but its interpreter is not: remember */

			if (stat(path, &st) < 0)
				continue;
		} else if (errno == EACCES) {
			if (label_denied(p, path, EACCES))
				return say_label(p, path, e);
			found = EACCES;
			continue;
		}
		return exec_failed(p, path, errno, e);
	}
	if (!*name) {
		err_say(e, ENOENT, "the command is an empty word, which names nothing in '%s'",
			p->where);
		return err_exit(e, EXIT_NOT_FOUND);
	}
	if (found == EACCES) {
		err_say(e, EACCES, "cannot run '%s' in '%s': permission denied", name, p->where);
		return err_exit(e, EXIT_CANNOT_RUN);
	}
	if (p->view == VIEW_NONE) {
		err_say(e, ENOENT, "there is no command '%s' in the host's PATH", name);
		if (p->ns_join)
			err_hint(e, "without mnt in --ns it is the host's own tools that run");
		return err_exit(e, EXIT_NOT_FOUND);
	}
	err_say(e, ENOENT, "there is no command '%s' in the PATH of '%s'", name, p->where);
	if (*name == '-')
		err_hint(e, "is it an option? Those are written before the target");
	else if (p->kit.kind == KIT_NONE && p->beside.on)
		err_hint(e, "with --kit FILE a kit's tools would be there too");
	else if (p->kit.kind == KIT_NONE && p->view != VIEW_NONE)
		err_hint(e, "without --kit none the kit's tools would be there too");
	else if (p->kit.kind != KIT_NONE && str_eq(name, "bash"))
		err_hint(e, "this kit has no shell: name a command, or leave out --kit");
	else if (p->beside.host)
		err_hint(e,
			 "the host's own, if it has one: porthole host run porthole host exec %s",
			 name);
	return err_exit(e, EXIT_NOT_FOUND);
}

/* The container's own filter: while we may, or, where nobody may gain rights any more, last. */
static int confine(const struct plan *p, bool last, struct err *e)
{
	int r = p->confined.filter.n && p->no_new_privs == last
			? seccomp_filter_load(&p->confined.filter)
			: 0;

	return r < 0 ? err_set(e, r, "loading the seccomp profile of '%s'", p->label) : 0;
}

int command_exec(const struct plan *p, struct err *e)
{
	int r;

	confined_self(p);
	r = confine(p, false, e) ?: become(p, e);
	if (r == 0)
		r = go_to_cwd(p, e);
	if (r < 0)
		return r;
	if (p->no_new_privs)
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return err_set(e, errno, "asking to die with the session");
	r = confine(p, true, e);
	if (r < 0)
		return r;
	if (!strchr(p->argv.v[0], '/'))
		return exec_in_path(p, e);
	execve(p->argv.v[0], p->argv.v, p->env.v);
	return exec_failed(p, p->argv.v[0], errno, e);
}
