/* One check, run by PID 1 of the scratch container. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "kit/build.h"
#include "kit/check.h"

#define OUTPUT	    "/output"
#define OUTPUT_MAX  ((size_t)4 << 20)
#define LIMIT_DEEP  60 /* seconds */
#define LIMIT_OTHER 3

static volatile sig_atomic_t late;

static void on_alarm(int sig)
{
	(void)sig;
	late = 1;
	kill(-1, SIGKILL); /* we are PID 1: everything in the container */
}

/* An empty /work, /tmp and home. */
static void fresh(void)
{
	static const char *const dirs[] = {"work", "tmp", "root"};
	_cleanup_close_ int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		build_remove(root, dirs[i]);
		mkdirat(root, dirs[i], 0755);
	}
}

/* The environment a session would give: next to nothing, and what the kit asks for. */
static char **environment(struct strv *env)
{
	static const char *const base[] = {"PATH=" KIT_BIN, "HOME=/root", "TERM=xterm-256color",
					   "LC_ALL=C.UTF-8"};
	_cleanup_free_ char *text = NULL;

	for (size_t i = 0; i < ARRAY_LEN(base); i++)
		if (strv_add(env, base[i]) < 0)
			return NULL;
	if (file_read_at(AT_FDCWD, KIT_PREFIX "/s/porthole/env", 65536, &text, NULL) == 0 &&
	    strv_split(env, text, "\n") < 0)
		return NULL;
	return env->v;
}

/* [child] Never returns. */
static _Noreturn void child(const struct check *k, char **env, int go)
{
	char *help[] = {NULL, (char *)"--help", NULL};
	char *shell[] = {(char *)"bash", (char *)"-c", k->script.data, NULL};
	char path[128], byte;
	int in = open("/dev/null", O_RDONLY);
	int out = open(OUTPUT, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);

	setsid();
	if (in != 0) {
		dup2(in, 0);
		close(in);
	}
	dup2(out, 1);
	dup2(out, 2);
	if (chdir("/work") < 0 || read(go, &byte, 1) < 0)
		_exit(125);
	if (!k->no_trace && trace_filter() < 0)
		_exit(125);
	snprintf(path, sizeof(path), KIT_BIN "/%s", k->script.data ? "bash" : k->programs.v[0]);
	help[0] = path;
	close_range(3, ~0u, 0);
	execve(path, k->script.data ? shell : help, env);
	dprintf(2, "cannot run %s: %m\n", path);
	_exit(126);
}

static void wait_all(struct trace *t, pid_t main, struct check_result *r)
{
	int status;

	for (;;) {
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			return;
		if (WIFSTOPPED(status)) {
			trace_event(t, pid, status);
			continue;
		}
		if (pid != main)
			continue;
		r->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
		r->status = r->signal ? 128 + r->signal : WEXITSTATUS(status);
		kill(-1, SIGKILL); /* servers it left in the background */
	}
}

static void fail(struct check_result *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void fail(struct check_result *r, const char *fmt, ...)
{
	va_list ap;

	if (r->verdict == CHECK_FAILED)
		return;
	r->verdict = CHECK_FAILED;
	va_start(ap, fmt);
	if (vsnprintf(r->why, sizeof(r->why), fmt, ap) < 0)
		r->why[0] = '\0';
	va_end(ap);
}

static bool matches(const char *regex, const char *text)
{
	regex_t re;
	bool yes;

	if (regcomp(&re, regex, REG_EXTENDED | REG_NEWLINE | REG_NOSUB) != 0)
		return false;
	yes = regexec(&re, text, 0, NULL, 0) == 0;
	regfree(&re);
	return yes;
}

/* A line worth showing: the last that is not empty. */
static const char *last_line(char *text)
{
	size_t n = strlen(text);

	while (n && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		text[--n] = '\0';
	while (n && text[n - 1] != '\n')
		n--;
	return text + n;
}

static void judge(const struct check *k, const struct trace *t, struct check_result *r)
{
	_cleanup_free_ char *text = NULL;
	const char *bad;

	if (file_read_at(AT_FDCWD, OUTPUT, OUTPUT_MAX, &text, NULL) < 0)
		text = strdup("");
	if (!text) {
		fail(r, "out of memory");
		return;
	}
	bad = checks_loader_error(text);
	if (bad)
		fail(r, "the loader complains: %.*s", (int)strcspn(bad, "\n"), bad);
	if (t->path[0])
		fail(r, "tries to %s %s of the target", t->exec ? "run" : "open", t->path);
	if (r->status == 126 && str_starts(text, "cannot run "))
		fail(r, "%s", last_line(text));
	if (!k->script.data) {
		if (r->signal && !late)
			fail(r, "died of signal %d", r->signal);
		return;
	}
	if (late)
		fail(r, "was not done after %d s", LIMIT_DEEP);
	if (r->status != 0 && !k->any_status)
		fail(r, "ended with status %d: %s", r->status, last_line(text));
	if (k->expect && !matches(k->expect, text))
		fail(r, "its output has nothing like '%s': %s", k->expect, last_line(text));
}

void check_run(const struct checks *c, const struct check *k, struct check_result *r)
{
	struct sigaction on = {.sa_handler = on_alarm};
	struct trace t = {.checks = c};
	_cleanup_strv_ struct strv env = {};
	int64_t start = clock_ms();
	int go[2];
	pid_t pid;

	snprintf(r->name, sizeof(r->name), "%s", k->programs.v[0]);
	r->deep = k->script.data;
	late = 0;
	fresh();
	sigaction(SIGALRM, &on, NULL);
	if (!environment(&env) || pipe2(go, O_CLOEXEC) < 0) {
		fail(r, "cannot start it: %m");
		return;
	}
	pid = fork();
	if (pid == 0) {
		close(go[1]);
		child(k, env.v, go[0]);
	}
	close(go[0]);
	if (pid < 0 || (!k->no_trace && trace_start(pid) < 0))
		fail(r, "cannot watch it: %m");
	alarm(k->script.data ? LIMIT_DEEP : LIMIT_OTHER);
	close(go[1]); /* off it goes */
	r->status = 125;
	if (pid > 0)
		wait_all(&t, pid, r);
	alarm(0);
	r->ms = (unsigned)(clock_ms() - start);
	judge(k, &t, r);
}
