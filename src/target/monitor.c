/* The processes that engines leave beside their containers, told by name and arguments. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "target/scan.h"

enum { ARGS_MAX = 16384 };

/* By comm; the kernel cuts it to 15 bytes. LXC's monitor goes by its starter's name. */
static const struct {
	const char *comm;
	enum monitor_kind kind;
} comms[] = {
	{"containerd-shim", MONITOR_SHIM},  {"conmon", MONITOR_CONMON}, {"lxc-start", MONITOR_LXC},
	{"lxc-execute", MONITOR_LXC},	    {"incusd", MONITOR_LXC},	{"lxd", MONITOR_LXC},
	{"systemd-nspawn", MONITOR_NSPAWN}, {"bwrap", MONITOR_BWRAP},
};

static enum monitor_kind kind_of(const char *comm)
{
	for (size_t i = 0; i < ARRAY_LEN(comms); i++)
		if (str_eq(comm, comms[i].comm))
			return comms[i].kind;
	return MONITOR_NONE;
}

/* "[lxc monitor] /var/lib/lxc NAME" is one argument: cut it in three. */
static bool parse_lxc(struct monitor *m)
{
	static const char title[] = "[lxc monitor] ";
	char *name;

	if (!str_starts(m->args, title))
		return false;
	name = strrchr(m->args + sizeof(title) - 1, ' ');
	if (!name || !path_is_component(name + 1))
		return false;
	*name = '\0';
	m->ns = m->args + sizeof(title) - 1;
	m->name = name + 1;
	return true;
}

static bool parse_args(struct monitor *m)
{
	switch (m->kind) {
	case MONITOR_SHIM:
		m->id = proc_arg(m->args, m->len, "-id");
		m->ns = proc_arg(m->args, m->len, "-namespace");
		return path_is_component(m->id) && m->ns;
	case MONITOR_CONMON:
		m->id = proc_arg(m->args, m->len, "-c");
		m->name = proc_arg(m->args, m->len, "-n");
		return path_is_component(m->id);
	case MONITOR_LXC:
		return parse_lxc(m);
	case MONITOR_NSPAWN:
		m->name = proc_arg(m->args, m->len, "-M");
		if (!m->name)
			m->name = proc_arg(m->args, m->len, "--machine");
		return true;
	case MONITOR_BWRAP:
		m->name = proc_arg(m->args, m->len, "--hostname");
		return true;
	case MONITOR_NONE:
		break;
	}
	return false;
}

bool monitor_is_named(const char *comm)
{
	return kind_of(comm) != MONITOR_NONE;
}

enum monitor_kind monitor_read(int proc_fd, const struct proc_stat *p, struct monitor *m)
{
	char args[ARGS_MAX];
	struct proc_status st;
	ssize_t n;

	*m = (struct monitor){.kind = kind_of(p->comm), .pid = p->pid};
	if (!m->kind || p->kthread || p->state == 'Z')
		return m->kind = MONITOR_NONE;
	n = proc_cmdline_read(proc_fd, p->pid, args, sizeof(args));
	if (n <= 0 || proc_status_read_at(proc_fd, p->pid, &st) < 0)
		return m->kind = MONITOR_NONE;
	m->uid = st.ruid;
	m->depth = st.nspids - 1;
	m->len = (size_t)n;
	m->args = malloc((size_t)n + 2);
	if (!m->args)
		return m->kind = MONITOR_NONE;
	memcpy(m->args, args, (size_t)n + 2);
	if (!parse_args(m)) {
		free(TAKE_PTR(m->args));
		m->kind = MONITOR_NONE;
	}
	return m->kind;
}
