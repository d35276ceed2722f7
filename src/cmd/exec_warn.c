/* What a session is told not to expect. */
#include "cmd/exec_warn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/caps.h"

static void warn_foreign(const struct plan *p)
{
	_cleanup_free_ char *arch =
		p->store && p->store->config.arch ? str_printable_dup(p->store->config.arch) : NULL;

	if (p->store && store_is_foreign(p->store))
		fprintf(stderr,
			"porthole: '%s' is for another machine (%s): its own programs do not run "
			"here, the kit's do\n",
			p->label, arch ? arch : "of another system");
}

/* What does not work without, where it is no more than the name says. */
static const char *lost_words(unsigned cap)
{
	static const struct {
		int cap;
		const char *words;
	} lost[] = {
		{CAP_SYS_RESOURCE, "limits cannot be raised beyond the hard ones"},
		{CAP_SYS_MODULE, "kernel modules cannot be loaded"},
		{CAP_SYS_ADMIN, "nothing can be mounted, nor namespaces entered"},
		{CAP_SYS_PTRACE, "processes of others cannot be traced"},
		{CAP_NET_ADMIN, "interfaces, routes and filters cannot be changed"},
		{CAP_NET_RAW, "no packets can be captured, and ping may fail"},
		{CAP_SYS_RAWIO, "no I/O ports, nor raw commands to disks"},
		{CAP_MKNOD, "no device nodes can be made"},
		{CAP_SYS_TIME, "the clock cannot be set"},
		{CAP_SYS_BOOT, "the machine cannot be restarted"},
		{CAP_SYSLOG, "the kernel's log and addresses may not be read"},
		{CAP_DAC_READ_SEARCH, "files of others may not be read"},
		{CAP_PERFMON, "perf sees nothing of the kernel's"},
		{CAP_BPF, "BPF programs cannot be loaded"},
	};

	for (size_t i = 0; i < ARRAY_LEN(lost); i++)
		if (lost[i].cap == (int)cap)
			return lost[i].words;
	return NULL;
}

static void warn_lost_caps(const struct plan *p)
{
	bool first = true;

	if (!p->caps_lost)
		return;
	fputs("porthole: capabilities asked for that we do not have ourselves: ", stderr);
	for (unsigned c = 0; c < 64; c++) {
		char name[CAPS_NAME_MAX];
		const char *words = lost_words(c);

		if (!(p->caps_lost & CAPS_BIT(c)))
			continue;
		fprintf(stderr, "%s%s", first ? "" : ", ", caps_name(c, name));
		if (words)
			fprintf(stderr, " (%s)", words);
		first = false;
	}
	fputc('\n', stderr);
}

static void warn_owners(const struct plan *p)
{
	const struct cow *c = &p->cow;
	_cleanup_free_ char *dest = c->unmapped ? str_printable_dup(c->unmapped) : NULL;

	if (!dest)
		return;
	fprintf(stderr, "porthole: owners in %s", dest);
	if (c->n_unmapped > 1)
		fprintf(stderr, " and %zu other%s of its mounts", c->n_unmapped - 1,
			c->n_unmapped > 2 ? "s" : "");
	fputs(" are shown as they are on disk: what it lies on cannot be id-mapped\n", stderr);
}

/* A tracer waits for its tracee to stop, which a frozen one does not before it is thawed. */
static void warn_tracer(const struct plan *p)
{
	static const char *const tracers[] = {"strace", "ltrace", "gdb", "gdbserver", "gcore"};
	const char *slash = strrchr(p->argv.v[0], '/'), *name = slash ? slash + 1 : p->argv.v[0];
	bool paused = p->target->state == TARGET_PAUSED || p->freeze.how == FREEZE_ALREADY;

	if (!paused && p->freeze.how != FREEZE_CGROUP)
		return;
	for (size_t i = 0; i < ARRAY_LEN(tracers); i++)
		if (str_eq(name, tracers[i]))
			fprintf(stderr,
				"porthole: '%s' is %s: %s attaches to it only once it is %s\n",
				p->label, paused ? "paused" : "frozen", name,
				paused ? "resumed" : "thawed; leave out --freeze");
}

/* Of what should be mounted there and is not. */
static void warn_missing(const struct plan *p)
{
	const struct store_mount *first = NULL;
	size_t n = 0;

	for (size_t i = 0; p->store && i < p->store->n_mounts; i++)
		if (p->store->mounts[i].missing && n++ == 0)
			first = &p->store->mounts[i];
	if (!first)
		return;
	_cleanup_free_ char *dest = str_printable_dup(first->dest);
	_cleanup_free_ char *source = str_printable_dup(first->source ? first->source : "");

	fprintf(stderr, "porthole: %s is not mounted: its source %s %s", dest ? dest : "",
		source ? source : "",
		first->gone ? "is gone" : "is there only while the container runs");
	if (n > 1)
		fprintf(stderr, ", and %zu more like it (--explain lists them)", n - 1);
	fputc('\n', stderr);
}

static void warn_unseen(const struct plan *p)
{
	for (size_t i = 0; i < p->beside.unseen.n; i++)
		fprintf(stderr,
			"porthole: --mask %s: there is nothing to mask; what comes to be there "
			"later "
			"is seen\n",
			p->beside.unseen.v[i]);
}

void exec_warn(const struct plan *p)
{
	if (p->quiet)
		return;
	warn_unseen(p);
	warn_missing(p);
	warn_foreign(p);
	warn_lost_caps(p);
	warn_tracer(p);
	warn_owners(p);
}

bool exec_root_is_gone(const struct plan *p)
{
	_cleanup_close_ int fd = -EBADF;
	char entries[512];

	if (p->view == VIEW_NONE || p->root_fd < 0 || (p->store && !p->target->state))
		return false;
	errno = 0;
	fd = openat(p->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && syscall(SYS_getdents64, fd, entries, sizeof(entries)) <= 0 &&
	       (errno == 0 || errno == ENOENT); /* not even "." */
}
