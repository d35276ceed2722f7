#include "launch/state.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "launch/ended.h"
#include "launch/keeper.h"
#include "session/leave.h"
#include "session/lodge.h"
#include "sys/proc.h"

#define RUN "/run/porthole"

enum { STATE_MAX = 64 << 10, DIRS_MAX = 10000 };

static const char *const files[] = {
	LAUNCH_STATE,  LAUNCH_STATE ".new",
	LAUNCH_LOG,    LAUNCH_LOG_OLD,
	KEEPER_SOCKET, LODGE_SOCKET,
	ENDED_FILE,    ".#" LAUNCH_TEMP_ROOT ".lck"}; /* systemd-nspawn's lock */

void launch_state_done(struct launch_state *s)
{
	free(s->name);
	free(s->id);
	free(s->image);
	free(s->target);
	*s = (struct launch_state){};
}

static int open_proc(void)
{
	return open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

struct launch_proc launch_proc_of(pid_t pid)
{
	_cleanup_close_ int proc = open_proc();
	struct proc_stat st;

	if (proc < 0 || pid <= 0 || proc_stat_read_at(proc, pid, &st) < 0)
		return (struct launch_proc){};
	return (struct launch_proc){.pid = pid, .start = st.start};
}

bool launch_proc_runs(const struct launch_proc *p)
{
	_cleanup_close_ int proc = open_proc();
	struct proc_stat st;

	return proc >= 0 && p->pid > 0 && proc_stat_read_at(proc, p->pid, &st) == 0 &&
	       st.start == p->start && !st.ended;
}

int launch_name_check(const char *name, struct err *e)
{
	static const char first[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	static const char rest[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	if (*name && strchr(first, *name) && !name[strspn(name, rest)] &&
	    strlen(name) <= LAUNCH_NAME_MAX && strspn(name, "0123456789") != strlen(name))
		return 0;
	err_say(e, EINVAL, "'%s' cannot be a container's name", name);
	err_hint(e, "letters, digits, '_', '.' and '-', at most %d, and not digits alone",
		 LAUNCH_NAME_MAX);
	return -EINVAL;
}

static json_t *proc_json(const struct launch_proc *p)
{
	return json_pack("{s:i,s:I}", "pid", (int)p->pid, "start", (json_int_t)p->start);
}

static json_t *state_json(const struct launch_state *s)
{
	struct tm tm;
	time_t at = (time_t)s->created;
	const struct launch_proc *first = s->by_engine ? &s->agent : &s->command;
	char when[32] = "";

	if (gmtime_r(&at, &tm))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	/* pid and start are where the target layer looks for them */
	return json_pack("{s:o,s:o,s:o,s:o,s:i,s:s,s:i,s:I,s:b,s:b,s:o,s:o,s:o}", "name",
			 json_text(s->name), "id", json_text(s->id), "image", json_text(s->image),
			 "target", json_text(s->target), "target_pid", (int)s->target_pid,
			 "created", when, "pid", (int)first->pid, "start", (json_int_t)first->start,
			 "began", s->began, "rm", s->rm, "supervisor", proc_json(&s->supervisor),
			 "agent", proc_json(&s->agent), "command", proc_json(&s->command));
}

int launch_state_write(int dir, const struct launch_state *s, struct err *e)
{
	_cleanup_json_ json_t *j = state_json(s);
	_cleanup_free_ char *text = j ? json_dumps(j, JSON_INDENT(1)) : NULL;
	_cleanup_close_ int fd = -EBADF;
	int r;

	if (!text)
		return err_set(e, ENOMEM, "writing down what is started");
	fd = openat(dir, LAUNCH_STATE ".new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	r = fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
	if (r == 0 && renameat(dir, LAUNCH_STATE ".new", dir, LAUNCH_STATE) < 0)
		r = -errno;
	return r < 0 ? err_set(e, r, "writing " RUN "/%s/" LAUNCH_STATE, s->name) : 0;
}

static void read_proc(json_t *j, const char *key, struct launch_proc *p)
{
	json_t *v = json_object_get(j, key);

	p->pid = (pid_t)json_int(v, "pid", 0);
	p->start = (uint64_t)json_int(v, "start", 0);
}

/* `top`: RUN. */
static int read_in(int top, const char *name, struct launch_state *s)
{
	_cleanup_close_ int dir = -EBADF;
	_cleanup_json_ json_t *j = NULL;
	int r;

	dir = openat(top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	r = json_file_at(dir, LAUNCH_STATE, STATE_MAX, &j);
	if (r < 0)
		return r;
	s->name = strdup(name);
	s->id = json_dup(j, "id");
	s->image = json_dup(j, "image");
	s->target = json_dup(j, "target");
	s->target_pid = (pid_t)json_int(j, "target_pid", 0);
	s->began = json_is_true(json_object_get(j, "began"));
	s->rm = json_is_true(json_object_get(j, "rm"));
	read_proc(j, "supervisor", &s->supervisor);
	read_proc(j, "agent", &s->agent);
	read_proc(j, "command", &s->command);
	return s->name && s->id ? TAKE_FD(dir) : -EBADMSG;
}

int launch_top(void)
{
	int fd = open(RUN, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int launch_state_read(const char *name, struct launch_state *s, struct err *e)
{
	_cleanup_close_ int top = launch_top();
	int r = !path_is_component(name) ? -ENOENT : top < 0 ? top : read_in(top, name, s);

	if (r < 0)
		err_set(e, r, "reading what is written of '%s' in " RUN, name);
	return r;
}

static void empty(int dir)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		unlinkat(dir, files[i], 0);
	unlinkat(dir, LAUNCH_TEMP_ROOT, AT_REMOVEDIR);
}

void launch_forget(int dir, const char *name)
{
	_cleanup_close_ int top = launch_top();

	empty(dir);
	if (top >= 0)
		unlinkat(top, name, AT_REMOVEDIR); /* another's is not empty */
	rmdir(RUN);
}

/* One of which nobody sees to the end. */
static void clear(int top, const char *name)
{
	_cleanup_launch_state_ struct launch_state s = {};
	_cleanup_close_ int proc = open_proc(), dir = read_in(top, name, &s);

	if (dir >= 0 && (launch_proc_runs(&s.supervisor) || launch_proc_runs(&s.agent)))
		return;
	if (dir >= 0 && proc >= 0)
		leave_sweep(proc, -EBADF, s.id);
	if (dir >= 0)
		launch_ended(dir, name, -1, ENDED_BY_KILL);
	cleanup_close(&dir);
	dir = openat(top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return;
	empty(dir);
	unlinkat(top, name, AT_REMOVEDIR);
}

/* ".new-PID-START" is of one who is taking a name just now. */
static bool is_being_made(const char *name)
{
	struct launch_proc p = {};
	unsigned long long start = 0;

	if (sscanf(name, ".new-%d-%llu", &p.pid, &start) != 2)
		return false;
	p.start = start;
	return launch_proc_runs(&p);
}

void launch_sweep(void)
{
	_cleanup_dir_ DIR *d = dir_take(launch_top());
	struct dirent *de;
	int left = DIRS_MAX;

	if (!d)
		return;
	while (left-- > 0 && (de = dir_next(d)))
		if (!is_being_made(de->d_name) && !str_starts(de->d_name, ENDED_PREFIX))
			clear(dirfd(d), de->d_name);
	launch_ended_sweep(dirfd(d));
	rmdir(RUN); /* the last one goes with its directory */
}

/* A directory of our own in RUN, which may go at any moment: with the last one in it. */
static int make_temp(const char *temp, int *top, struct err *e)
{
	int r = -ENOENT;

	for (int tries = 0; tries < 10 && r == -ENOENT; tries++) {
		cleanup_close(top);
		*top = -EBADF;
		if (mkdir(RUN, 0700) < 0 && errno != EEXIST)
			return err_set(e, errno, "making " RUN);
		*top = launch_top();
		r = *top < 0 ? *top : mkdirat(*top, temp, 0700) < 0 ? -errno : 0;
	}
	if (r == 0)
		r = openat(*top, temp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return r < 0 ? err_set(e, r, "making a directory in " RUN) : r;
}

static void temp_name(char *out, size_t size)
{
	struct launch_proc self = launch_proc_of(getpid());

	snprintf(out, size, ".new-%d-%llu", (int)self.pid, (unsigned long long)self.start);
}

int launch_temp(char **path, struct err *e)
{
	_cleanup_close_ int top = -EBADF, dir = -EBADF;
	char name[64];

	launch_sweep();
	temp_name(name, sizeof(name));
	dir = make_temp(name, &top, e);
	if (dir < 0)
		return dir;
	*path = mkdirat(dir, LAUNCH_TEMP_ROOT, 0755) == 0 ? str_fmt(RUN "/%s", name) : NULL;
	return *path ? 0 : err_set(e, ENOMEM, "making a directory in " RUN);
}

void launch_temp_remove(const char *path)
{
	_cleanup_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir >= 0)
		launch_forget(dir, path + strlen(RUN "/"));
}

int launch_taken(const char *name, struct err *e)
{
	err_say(e, EEXIST, "there is a container '%s' already", name);
	err_hint(e, "'porthole kill %s' ends it; or take another --name", name);
	return -EEXIST;
}

int launch_reserve(const struct launch_state *s, struct err *e)
{
	_cleanup_close_ int top = -EBADF, dir = -EBADF;
	char temp[64];
	int r;

	launch_sweep();
	temp_name(temp, sizeof(temp));
	dir = make_temp(temp, &top, e);
	if (dir < 0)
		return dir;
	r = launch_state_write(dir, s, e);
	if (r == 0 && renameat(top, temp, top, s->name) < 0)
		r = errno == ENOTEMPTY || errno == EEXIST
			    ? launch_taken(s->name, e)
			    : err_set(e, errno, "taking the name '%s' in " RUN, s->name);
	if (r == 0)
		return TAKE_FD(dir);
	empty(dir);
	unlinkat(top, temp, AT_REMOVEDIR);
	return r;
}

static int not_there(const char *name, struct err *e)
{
	err_say(e, ENOENT, "no container of Porthole's is called '%s'", name);
	err_hint(e, "'porthole ps --filter engine=porthole' lists them");
	return -ENOENT;
}

int launch_find(const char *name, struct launch_state *s, struct err *e)
{
	int r;

	launch_sweep();
	r = launch_state_read(name, s, e);
	return r == -ENOENT ? not_there(name, e) : r;
}
