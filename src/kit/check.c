#include "kit/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Shared with the container. */
struct shared {
	struct err err;
	enum kit_rung rung;
	size_t total, n;
	struct check_result v[CHECK_MAX];
};

void check_report_done(struct check_report *r)
{
	if (r->v)
		munmap((char *)r->v - offsetof(struct shared, v), sizeof(struct shared));
	*r = (struct check_report){};
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The kit's programs, sorted. */
static int programs(struct strv *out, struct err *e)
{
	_cleanup_dir_ DIR *d = opendir(KIT_BIN);
	struct dirent *de;

	if (!d)
		return err_set(e, errno, "the kit has no directory b");
	while ((de = readdir(d)) && out->n < CHECK_MAX / 2)
		if (de->d_name[0] != '.' && strv_add(out, de->d_name) < 0)
			return err_set(e, ENOMEM, "kit check");
	if (out->n == 0)
		return err_say(e, ENOENT, "the kit has no programs");
	qsort(out->v, out->n, sizeof(*out->v), by_text);
	return 0;
}

/* Does this check apply to the kit and to what was asked for? */
static bool applies(const struct check *k, const struct strv *have, const struct strv *only)
{
	bool wanted = only->n == 0;

	if (!strv_has(have, "bash"))
		return false; /* its script needs it */
	for (size_t i = 0; i < k->programs.n; i++) {
		if (!strv_has(have, k->programs.v[i]))
			return false;
		wanted = wanted || strv_has(only, k->programs.v[i]);
	}
	return wanted;
}

/* Is there a check in which this program has its part? */
static bool covered(const struct checks *c, const struct strv *have, const char *program)
{
	static const struct strv all = {};

	for (size_t i = 0; i < c->n; i++)
		if (strv_has(&c->v[i].programs, program) && applies(&c->v[i], have, &all))
			return true;
	return false;
}

static struct check_result *next(struct shared *s)
{
	struct check_result *r = &s->v[s->n < CHECK_MAX ? s->n : CHECK_MAX - 1];

	*r = (struct check_result){};
	return r;
}

static void finished(struct shared *s, int report)
{
	s->n += s->n < CHECK_MAX;
	if (write(report, "", 1) < 0)
		_exit(1);
}

/* PID 1 of the container. */
static int run_all(struct shared *s, const struct checks *c, const struct strv *only, int report)
{
	_cleanup_strv_ struct strv have = {};
	int r = programs(&have, &s->err);

	for (size_t i = 0; r == 0 && i < only->n; i++)
		if (!strv_has(&have, only->v[i]))
			r = err_say(&s->err, ENOENT, "the kit has no program %s", only->v[i]);
	if (r < 0)
		return r;
	s->total = only->n ? only->n : have.n;
	for (size_t i = 0; i < c->n; i++)
		if (applies(&c->v[i], &have, only)) {
			check_run(c, &c->v[i], next(s));
			finished(s, report);
		}
	for (size_t i = 0; i < have.n; i++) {
		struct check k = {};

		if ((only->n && !strv_has(only, have.v[i])) || covered(c, &have, have.v[i]))
			continue;
		if (strv_add(&k.programs, have.v[i]) < 0)
			return err_set(&s->err, ENOMEM, "kit check");
		check_run(c, &k, next(s));
		strv_done(&k.programs);
		finished(s, report);
	}
	return 0;
}

/* The process that enters; its child is PID 1 and does the work. */
static _Noreturn void container(const char *spec, struct shared *s, const struct checks *c,
				const struct strv *only, int report, pid_t parent)
{
	pid_t pid;
	int status;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || scratch_enter(spec, &s->rung, &s->err) < 0)
		_exit(1);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (scratch_init(&s->err) < 0)
			_exit(1);
		_exit(run_all(s, c, only, report) < 0);
	}
	close(report);
	if (pid < 0) {
		err_set(&s->err, errno, "cannot start the check");
		_exit(1);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	_exit(status != 0);
}

static void follow(int fd, const struct shared *s, const struct kit_progress *p)
{
	char bytes[64];
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) != 0) {
		if (n < 0 && errno != EINTR)
			return;
		p->step(p->arg, "checking programs", s->n, s->total > s->n ? s->total : s->n);
	}
}

int kit_check(const char *spec, const struct checks *c, const struct strv *only,
	      const struct kit_progress *progress, struct check_report *out, struct err *e)
{
	struct shared *s =
		mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid, parent = getpid();
	int fds[2], status = 1;

	if (s == MAP_FAILED)
		return err_set(e, ENOMEM, "kit check");
	*out = (struct check_report){.v = s->v};
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(e, errno, "cannot make a pipe");
	pid = fork();
	if (pid == 0)
		container(spec, s, c, only, fds[1], parent);
	close(fds[1]);
	follow(fds[0], s, progress);
	close(fds[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid < 0)
		return err_set(e, errno, "cannot start the check");
	/* an err that was filled on the way to success is none */
	if (status != 0 && s->err.num) {
		*e = s->err;
		return -e->num;
	}
	if (status != 0)
		return err_say(e, EIO, "the check was cut short");
	out->n = s->n;
	out->rung = s->rung;
	for (size_t i = 0; i < s->n; i++) {
		out->failed += s->v[i].verdict == CHECK_FAILED;
		out->deep += s->v[i].deep;
	}
	return 0;
}
