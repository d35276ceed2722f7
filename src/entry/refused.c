/*
 * What keeps an engine from starting a container before it comes to its program: mounts whose
 * source is gone, and whatever else it said when it refused.
 */
#include <stdlib.h>

#include "entry/lint_priv.h"

static const char mount_gone[] = "mount-gone", refused[] = "refused";

bool entry_finding_is_engine(const struct entry_finding *f)
{
	return str_eq(f->id, mount_gone) || str_eq(f->id, refused);
}

static bool says_one(const char *text, const char *const *parts)
{
	for (; *parts; parts++)
		if (strstr(text, *parts))
			return true;
	return false;
}

/* Of the program, its user or its directory. As runc, crun and docker put it. */
static bool is_of_files(const char *said)
{
	static const char *const parts[] = {"exec: \"",
					    "exec /",
					    "exec format error",
					    "executable file not found",
					    "executable file `",
					    "chdir to cwd",
					    "unable to find user",
					    "unable to find group",
					    "no matching entries in passwd file",
					    NULL};

	return says_one(said, parts);
}

/* Of a source that is not there. */
static bool is_of_source(const char *said)
{
	static const char *const parts[] = {"mount source", "bind source path does not exist",
					    NULL};

	return says_one(said, parts);
}

/* What to do, by what it said; the last fits everything. */
static const struct {
	const char *part, *fix;
} fixes[] = {
	{"non running container",
	 "Start the container first whose network (or ipc, pid) it shares, then this one again."},
	{"No such container",
	 "The container whose network (or ipc, pid) it shares was removed: make this one anew with "
	 "the one that took its place."},
	{"device information",
	 "Bring that device back (is its driver loaded?), or make the container anew without that "
	 "--device."},
	{"port is already allocated",
	 "Something else has that port: find it with ss -ltnp and stop it, or publish another "
	 "one."},
	{"address already in use",
	 "Something else has that port: find it with ss -ltnp and stop it, or publish another "
	 "one."},
	{"device driver", "The engine has no driver of that kind: install it (for GPUs "
			  "nvidia-container-toolkit), or "
			  "make the container anew without it."},
	{"network", "Look with the engine's own 'network ls': that network was removed, or is at "
		    "fault; make it again, or the container anew in another."},
	{"mount", "Look at the source of that mount, and at what is at its place in the image: a "
		  "file cannot be mounted on a directory, nor the other way round."},
	{"", "Mend what it says, and start the container again; the engine's own log (journalctl) "
	     "may tell more."},
};

static const char *fix_of(const char *said)
{
	size_t i = 0;

	while (!strstr(said, fixes[i].part))
		i++;
	return fixes[i].fix;
}

static void add_gone(struct lint *l, const struct entry_gone *g)
{
	const char *source = g->source && *g->source ? g->source : "its source";

	if (g->remade)
		lint_add(l, mount_gone, true,
			 str_fmt("%s, which should be mounted at %s, is gone: its engine makes an "
				 "empty directory of it when it starts it.",
				 source, g->dest),
			 str_fmt("Bring %s back before it is started, or it finds nothing at %s.",
				 source, g->dest));
	else
		lint_add(l, mount_gone, false,
			 str_fmt("%s, which should be mounted at %s, is gone: its engine does not "
				 "start it without.",
				 source, g->dest),
			 str_fmt("Bring %s back (from a backup, or empty), or make the container "
				 "anew without that mount.",
				 source));
}

static void add_oom(struct lint *l)
{
	const struct entry *en = l->en;
	double mb = (double)en->memory / (1 << 20);

	if (!en->memory)
		lint_add(l, "out-of-memory", true,
			 strdup("The kernel killed it for want of memory, and it has no limit of "
				"its "
				"own: what ran out was the host's memory, or that of a cgroup that "
				"it is in with others (a pod, a slice)."),
			 strdup("Look who else takes memory there (porthole ps, dmesg), and give "
				"that more or this less."));
	else
		lint_add(
			l, "out-of-memory", true,
			str_fmt("The kernel killed it, or a process of it, at its memory limit of "
				"%.4g MiB.",
				mb),
			str_fmt("Give it more (%s), or let it need less: the heap sizes it is told "
				"(-Xmx, --max-old-space-size, GOMEMLIMIT) have to fit into that.",
				str_eq(en->engine, "docker") || str_eq(en->engine, "podman")
					? "--memory when it is made, or 'update --memory N "
					  "--memory-swap -1' of its engine"
					: "resources.limits.memory in Kubernetes, MemoryMax= in "
					  "systemd, --memory elsewhere"));
}

void lint_engine(struct lint *l)
{
	const struct entry *en = l->en;
	const char *said = en->refused && *en->refused ? en->refused : NULL;

	for (size_t i = 0; i < en->n_gone; i++)
		add_gone(l, &en->gone[i]);
	if (en->oom)
		add_oom(l);
	if (!said || is_of_files(said) || is_of_source(said))
		return; /* that was looked at, and may be mended since */
	lint_add(l, refused, false, str_fmt("%s refused to start it: %s", en->engine, said),
		 strdup(fix_of(said)));
}
