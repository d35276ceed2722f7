/*
 * A scratch container without an engine: namespaces of its own, a read-only root with nothing but
 * the app (and /proc, /dev), uid 1000, no capabilities, no_new_privs. Prints its init's pid.
 *
 * Options take things away or put them back, for the odd containers; see usage() and scratch.h.
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"

enum {
	O_ROOT = 256,
	O_APP,
	O_RW,
	O_NO_PROC,
	O_NO_DEV,
	O_DEV_LINK,
	O_DEV_RO,
	O_USER,
	O_CAPS,
	O_NO_NNP,
	O_USERNS,
	O_HOST_NS,
	O_JOIN,
	O_HOSTNAME,
	O_ENV,
	O_FILE,
	O_BIG_ENV,
	O_FOREGROUND,
	O_PDEATHSIG,
	O_NO_REAP,
	O_STDIO,
	O_PIDFILE,
	O_CHROOT,
	O_HELP,
};

static const struct option options[] = {
	{"root", required_argument, NULL, O_ROOT},
	{"app", required_argument, NULL, O_APP},
	{"rw", no_argument, NULL, O_RW},
	{"no-proc", no_argument, NULL, O_NO_PROC},
	{"no-dev", no_argument, NULL, O_NO_DEV},
	{"dev-link", no_argument, NULL, O_DEV_LINK},
	{"dev-ro", no_argument, NULL, O_DEV_RO},
	{"user", required_argument, NULL, O_USER},
	{"caps", no_argument, NULL, O_CAPS},
	{"no-nnp", no_argument, NULL, O_NO_NNP},
	{"userns", no_argument, NULL, O_USERNS},
	{"host-ns", required_argument, NULL, O_HOST_NS},
	{"join", required_argument, NULL, O_JOIN},
	{"hostname", required_argument, NULL, O_HOSTNAME},
	{"env", required_argument, NULL, O_ENV},
	{"big-env", required_argument, NULL, O_BIG_ENV},
	{"file", required_argument, NULL, O_FILE},
	{"foreground", no_argument, NULL, O_FOREGROUND},
	{"pdeathsig", no_argument, NULL, O_PDEATHSIG},
	{"stdio", no_argument, NULL, O_STDIO},
	{"pidfile", required_argument, NULL, O_PIDFILE},
	{"no-reap", no_argument, NULL, O_NO_REAP},
	{"chroot", no_argument, NULL, O_CHROOT},
	{"help", no_argument, NULL, O_HELP},
	{0},
};

static int usage(FILE *out)
{
	fputs("usage: scratch [OPTION...] [-- CMD ARG...]\n"
	      "  --root DIR       this directory is the root (else a tmpfs with the app only)\n"
	      "  --app FILE       the app (default: beside this program), at /app\n"
	      "  --rw             the root may be written\n"
	      "  --no-proc        no /proc\n"
	      "  --no-dev         no /dev;  --dev-link: a link to /;  --dev-ro: read-only\n"
	      "  --user UID       0 for root (default 1000)\n"
	      "  --caps           keep the capabilities;  --no-nnp: no_new_privs off\n"
	      "  --userns         a user namespace (0 is 100000 outside)\n"
	      "  --host-ns LIST   share these of the caller: pid,net,uts,ipc,cgroup\n"
	      "  --join NS:PID    join that namespace (net, pid, ipc, uts) of PID\n"
	      "  --hostname NAME  --env K=V  --file PATH=TEXT (in the tmpfs root)\n"
	      "  --big-env BYTES  that much environment\n"
	      "  --chroot         chroot instead of pivot_root\n"
	      "  --foreground     stay as its parent and exit as it does;  --no-reap: stay, never "
	      "reap\n"
	      "  --pidfile FILE   the pid goes there, not to stdout;  --stdio: keep our stdin, "
	      "stdout, stderr\n"
	      "  --pdeathsig      die with the parent (implies --foreground)\n",
	      out);
	return out == stderr ? 2 : 0;
}

static int add(char **list, int *n, int max, char *s)
{
	if (*n >= max)
		return -E2BIG;
	list[(*n)++] = s;
	return 0;
}

/* BIG=xxx... of that many bytes, in variables of the 128 KB that exec takes each. */
static int add_big_env(struct scratch *s, int bytes)
{
	const int one = 100 * 1024;

	for (int i = 0; i * one < bytes; i++) {
		char *var = malloc(one + 32);
		int n;

		if (!var)
			return -ENOMEM;
		n = snprintf(var, 32, "BIG%d=", i);
		memset(var + n, 'x', one);
		var[n + one] = '\0';
		if (add(s->env, &s->n_env, SCRATCH_MAX, var) < 0)
			return -E2BIG;
	}
	return 0;
}

static int ns_flags(char *names)
{
	static const struct {
		const char *name;
		int flag;
	} table[] = {{"pid", CLONE_NEWPID},
		     {"net", CLONE_NEWNET},
		     {"uts", CLONE_NEWUTS},
		     {"ipc", CLONE_NEWIPC},
		     {"cgroup", CLONE_NEWCGROUP}};
	int flags = 0;

	for (char *s = strtok(names, ","); s; s = strtok(NULL, ","))
		for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
			if (!strcmp(s, table[i].name))
				flags |= table[i].flag;
	return flags;
}

static int option_flag(struct scratch *s, int c)
{
	switch (c) {
	case O_RW:
		s->rw = true;
		break;
	case O_NO_PROC:
		s->proc = false;
		break;
	case O_NO_DEV:
		s->dev = DEV_NONE;
		break;
	case O_DEV_LINK:
		s->dev = DEV_LINK;
		break;
	case O_DEV_RO:
		s->dev = DEV_RO;
		break;
	case O_CAPS:
		s->caps = true;
		break;
	case O_NO_NNP:
		s->nnp = false;
		break;
	case O_CHROOT:
		s->chroot = true;
		break;
	case O_FOREGROUND:
		s->foreground = true;
		break;
	case O_PDEATHSIG:
		s->foreground = s->pdeathsig = true;
		break;
	case O_NO_REAP:
		s->foreground = s->no_reap = true;
		break;
	case O_STDIO:
		s->stdio = true;
		break;
	default:
		return -EINVAL;
	}
	return 0;
}

static int option_value(struct scratch *s, int c, char *v)
{
	switch (c) {
	case O_ROOT:
		s->root = v;
		break;
	case O_APP:
		s->app = v;
		break;
	case O_USER:
		s->uid = atoi(v);
		break;
	case O_USERNS:
		s->flags |= CLONE_NEWUSER;
		break;
	case O_HOST_NS:
		s->flags &= ~ns_flags(v);
		break;
	case O_PIDFILE:
		s->pidfile = v;
		break;
	case O_HOSTNAME:
		s->hostname = v;
		break;
	case O_JOIN:
		return add(s->join, &s->n_join, SCRATCH_MAX, v);
	case O_ENV:
		return add(s->env, &s->n_env, SCRATCH_MAX, v);
	case O_BIG_ENV:
		return add_big_env(s, atoi(v));
	case O_FILE:
		return add(s->files, &s->n_files, SCRATCH_MAX, v);
	default:
		return option_flag(s, c);
	}
	return 0;
}

/* The app beside this program. */
static char *default_app(void)
{
	static char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 8);

	if (n < 0)
		return NULL;
	path[n] = '\0';
	strcpy(strrchr(path, '/'), "/app");
	return path;
}

int main(int argc, char **argv)
{
	static char *app_cmd[] = {"/app", NULL};
	struct scratch s = {.proc = true,
			    .nnp = true,
			    .uid = 1000,
			    .cmd = app_cmd,
			    .hostname = "scratch",
			    .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS |
				     CLONE_NEWIPC | CLONE_NEWCGROUP};
	int c;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1)
		if (c == '?' || c == O_HELP || option_value(&s, c, optarg) < 0)
			return usage(c == O_HELP ? stdout : stderr);
	if (optind < argc)
		s.cmd = argv + optind;
	if (!s.app)
		s.app = default_app();
	if (s.pdeathsig)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return scratch_run(&s);
}
