#include "launch/engine.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "launch/client.h"
#include "launch/state.h"
#include "session/host.h"
#include "session/lodge.h"

#define HYBRID "/sys/fs/cgroup/unified" /* both versions of cgroups: crun refuses that */

static const char *const tools[] = {[TOOL_DOCKER] = "docker",
				    [TOOL_PODMAN] = "podman",
				    [TOOL_NSPAWN] = "nspawn",
				    [TOOL_RUNC] = "runc",
				    [TOOL_CRUN] = "crun"};

struct engine {
	enum grant_tool tool;
	struct line_of line;
	struct line_run run;
	struct strv words;
	json_t *bundle; /* runc, crun: config.json */
	char *dir, *root;
	char self[PATH_MAX];
	int listener;
};

static void engine_done(struct engine *g)
{
	strv_done(&g->words);
	json_decref(g->bundle);
	free(g->dir);
	free(g->root);
	cleanup_close(&g->listener);
}

static bool has_images(enum grant_tool tool)
{
	return tool == TOOL_DOCKER || tool == TOOL_PODMAN;
}

int engine_tool(const char *name, enum grant_tool *out, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(tools); i++)
		if (tools[i] && str_eq(tools[i], name)) {
			*out = (enum grant_tool)i;
			return 0;
		}
	return err_say(e, EINVAL, "--engine takes docker, podman, nspawn, runc or crun, not '%s'",
		       name);
}

/* A user's own daemon can give a container no more than that user has. */
static int check_owner(enum grant_tool tool, struct err *e)
{
	const char *name = tool == TOOL_DOCKER ? "DOCKER_HOST" : "CONTAINER_HOST";
	const char *at = has_images(tool) ? getenv(name) : NULL;
	struct stat st;

	if (!at || !str_starts(at, "unix://") || stat(at + strlen("unix://"), &st) < 0 ||
	    st.st_uid == 0)
		return 0;
	err_say(e, EPERM,
		"the %s that %s names is that of user %u, who cannot give a container what is the "
		"host's",
		tools[tool], name, (unsigned)st.st_uid);
	err_hint(e, "'env -u %s porthole ...' takes root's; without --engine none is needed", name);
	return -EPERM;
}

int engine_ready(enum grant_tool tool, uint64_t caps, struct line_run *run, struct err *e)
{
	char *name = (char *)tools[tool];
	const struct strv client = {.v = &name, .n = 1};
	int r = check_owner(tool, e);
	uint64_t known = UINT64_MAX;

	if (r == 0)
		r = has_images(tool) ? client_has_image(&client, CLIENT_IMAGE, e) : 1;

	if (r == 0)
		r = client_make_image(&client, e);
	if (r >= 0 && tool == TOOL_DOCKER && caps >> CAP_PERFMON)
		r = client_caps(&client, &known, e);
	run->caps_unknown = ~known;
	return r < 0 ? r : 0;
}

/* --- the words --- */

/* The engine's own first process is ours; what it becomes is shown to people who list containers.
 */
static int fill(struct engine *g, const struct plan *p, struct err *e)
{
	static char begin[] = "begin";
	char **argv = calloc(p->argv.n + 2, sizeof(*argv));
	int r;

	if (!argv)
		return -ENOMEM;
	argv[0] = begin;
	memcpy(argv + 1, p->argv.v, p->argv.n * sizeof(*argv));
	g->line.argv = argv;
	g->line.argc = (int)p->argv.n + 1;
	g->line.image = CLIENT_IMAGE;
	g->line.run = &g->run;
	g->run.self = g->self;
	g->run.dir = g->dir;
	g->run.root = g->root;
	g->run.host_name = p->beside.name;
	g->run.input = p->stdin_open && !p->tty;
	g->run.drops = p->who.uid != 0;
	if (link_read_at(AT_FDCWD, "/proc/self/exe", g->self, sizeof(g->self)) < 0 ||
	    access(g->self, X_OK) < 0 || strpbrk(g->self, ",\":\n")) {
		free(argv);
		return err_say(e, ENOENT,
			       "%s cannot be given this program, which is to begin in the "
			       "container: there is no file '%s', or it has a comma, a colon or a "
			       "quotation mark in its name",
			       tools[g->tool], g->self);
	}
	r = line_words(&g->line, g->tool, &g->words);
	if (r == 0 && (g->tool == TOOL_RUNC || g->tool == TOOL_CRUN) &&
	    !(g->bundle = line_bundle(&g->line)))
		r = -ENOMEM;
	free(argv);
	return r < 0 ? err_set(e, ENOMEM, "planning the container") : 0;
}

int engine_words(const struct plan *p, const struct line_of *l, enum grant_tool tool,
		 struct strv *out, json_t **bundle, struct err *e)
{
	_cleanup_(engine_done) struct engine g = {
		.tool = tool, .line = *l, .run = *l->run, .listener = -EBADF};
	int r;

	g.dir = strdup("/run/porthole/.new");
	g.root = strdup("/run/porthole/.new/" LAUNCH_TEMP_ROOT);
	r = g.dir && g.root ? fill(&g, p, e) : err_set(e, ENOMEM, "planning the container");
	if (r < 0)
		return r;
	*out = g.words;
	*bundle = g.bundle;
	g.words = (struct strv){};
	g.bundle = NULL;
	return 0;
}

/* --- the client --- */

/* [child] A root, or a bundle with one, that nobody else sees and nothing is left of: in a mount
 * namespace that ends with the client. */
static int make_root(const struct engine *g, struct err *e)
{
	static const char *const dirs[] = {"dev", "etc", "proc", "root",
					   "run", "sys", "tmp",	 "usr"};
	const char *below = g->bundle ? "/root" : "";
	int r = 0;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
	    mount("porthole", g->root, "tmpfs", MS_NOSUID, "mode=755,size=16m") < 0 ||
	    chdir(g->root) < 0)
		return err_set(e, errno, "making a root for the container");
	if (g->bundle &&
	    (json_dump_file(g->bundle, "config.json", 0) < 0 || mkdir("root", 0755) < 0))
		return err_set(e, errno, "writing the container's config.json");
	for (size_t i = 0; i < ARRAY_LEN(dirs) && r == 0; i++) {
		_cleanup_free_ char *path = str_fmt("%s%s/%s", g->root, below, dirs[i]);

		r = !path || mkdir(path, 0755) < 0 ? -errno : 0;
	}
	if (r == 0 && g->tool == TOOL_NSPAWN)
		mount("porthole", "/run/systemd", "tmpfs", MS_NOSUID, "mode=755,size=16m");
	/* its container has a view of ours, which does not come from here */
	if (r == 0 && g->tool == TOOL_CRUN && access(HYBRID, F_OK) == 0 &&
	    (umount2("/sys/fs/cgroup", MNT_DETACH) < 0 ||
	     mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL) < 0))
		r = -errno;
	return r < 0 ? err_set(e, r, "making a root for the container") : 0;
}

/* [child] Returns only when it cannot be: with `e`. */
static void become_client(const struct engine *g, const int stdio[3], struct err *e)
{
	char **words = g->words.v;
	sigset_t none;

	/* a terminal's signals go to the command, through us */
	setsid();
	for (int i = 0; i < 3; i++) {
		int fd = stdio[i] >= 0 ? stdio[i] : i == 2 ? 2 : open("/dev/null", O_RDWR);

		if (fd < 0 || (fd != i && dup2(fd, i) < 0)) {
			err_set(e, errno, "handing over descriptors");
			return;
		}
	}
	for (int sig = 1; sig < SIGRTMIN; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (!has_images(g->tool) && make_root(g, e) < 0)
		return;
	for (; strchr(*words, '='); words++)
		putenv(*words);
	execvp(*words, words);
	client_missing(*words, -errno, e);
}

static pid_t start(void *data, const int stdio[3], struct err *e)
{
	const struct engine *g = data;
	struct err said = {};
	int pair[2];
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_set(e, errno, "making a pipe");
	pid = fork();
	if (pid == 0) {
		become_client(g, stdio, &said);
		fd_write_all(pair[1], &said, sizeof(said));
		_exit(EXIT_PORTHOLE);
	}
	close(pair[1]);
	/* its exec closes the pipe */
	if (pid > 0 && read(pair[0], &said, sizeof(said)) == (ssize_t)sizeof(said)) {
		*e = said;
		pid = -said.num;
	} else if (pid < 0) {
		pid = err_set(e, errno, "starting a process");
	}
	close(pair[0]);
	return pid;
}

static void over(void *data)
{
	const struct engine *g = data;

	launch_temp_remove(g->dir);
}

/* --- the run --- */

static int open_listener(struct engine *g, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	g->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/" LODGE_SOCKET, g->dir);
	if (g->listener < 0 || bind(g->listener, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(g->listener, 1) < 0)
		return err_set(e, errno, "making the socket at which the container calls");
	return 0;
}

int engine_run(const struct plan *p, const struct line_of *l, enum grant_tool tool,
	       struct session_talk *talk, struct err *e)
{
	_cleanup_(engine_done) struct engine g = {
		.tool = tool, .line = *l, .run = *l->run, .listener = -EBADF};
	struct lodging w = {.engine = tools[tool],
			    .own = HOST_NS & ~l->g->host_ns,
			    .start = start,
			    .over = over,
			    .data = &g};
	struct plan in = *p; /* what it points at stays the caller's */
	int r = launch_temp(&g.dir, e);

	if (r < 0)
		return r;
	g.root = str_fmt("%s/" LAUNCH_TEMP_ROOT, g.dir);
	r = g.root ? fill(&g, p, e) : err_set(e, ENOMEM, "planning the container");
	if (r == 0)
		r = open_listener(&g, e);
	if (r == 0) {
		w.listener = g.listener;
		in.lodging = &w;
		in.ns_new = 0;
		r = session_run(&in, talk, e);
	}
	launch_temp_remove(g.dir);
	return r;
}
