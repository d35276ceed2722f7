/* What paths and devices of the host mean for who has them. */
#include <string.h>

#include "profile/meaning_rules.h"
#include "profile/precious.h"

#define PATH_RULE(name) bool meaning_##name(const struct grants *g, struct buf *b)

void meaning_item(struct buf *b, const char *text)
{
	buf_printf(b, "%s%s", b->len ? ", " : "", text);
}

static bool is_path(const struct grant_mount *m, const char *path)
{
	return str_eq(m->host, path);
}

static bool is_in(const struct grant_mount *m, const char *list)
{
	return str_has_word(list, m->host);
}

static void at(struct buf *b, const struct grant_mount *m)
{
	buf_printf(b, "%s%s", b->len ? ", " : "", m->host);
	if (!str_eq(m->host, m->inside))
		buf_printf(b, " (at %s)", m->inside);
}

static bool named(struct buf *b, const char *what)
{
	buf_puts(b, what);
	return true;
}

PATH_RULE(engine_socket)
{
	static const char *const names[] = {"docker.sock", "podman.sock", "containerd.sock",
					    "crio.sock", "buildkitd.sock"};
	/* where they are; what can be written to there means more */
	const char *dirs = "/ /run /var/run /run/podman /run/containerd /run/crio";

	for (size_t i = 0; i < g->n_mounts; i++) {
		const struct grant_mount *m = &g->mounts[i];
		bool is = m->ro && is_in(m, dirs) && grants_has_root(g);

		for (size_t k = 0; k < ARRAY_LEN(names); k++)
			is |= str_ends(m->host, names[k]);
		if (is)
			at(b, m);
	}
	return b->len > 0;
}

/* systemd's way in, for whoever is root; /run as a whole is told of already. */
static bool is_dbus(const struct grants *g, const struct grant_mount *m)
{
	return grants_has_root(g) &&
	       is_in(m, "/run/dbus /run/dbus/system_bus_socket /run/systemd /run/systemd/private "
			"/var/run/dbus /var/run/dbus/system_bus_socket /var/run/systemd "
			"/var/run/systemd/private");
}

PATH_RULE(dbus)
{
	for (size_t i = 0; i < g->n_mounts; i++)
		if (is_dbus(g, &g->mounts[i]))
			at(b, &g->mounts[i]);
	return b->len > 0;
}

PATH_RULE(root_writable)
{
	for (size_t i = 0; i < g->n_mounts; i++)
		if (is_path(&g->mounts[i], "/") && !g->mounts[i].ro)
			return named(b, g->mounts[i].inside);
	return false;
}

PATH_RULE(dirs_writable)
{
	bool found = false;

	for (size_t i = 0; i < g->n_mounts; i++)
		if (!g->mounts[i].ro && precious_path(g->mounts[i].host)) {
			at(b, &g->mounts[i]);
			found = true;
		}
	return found;
}

PATH_RULE(proc_writable)
{
	for (size_t i = 0; i < g->n_mounts; i++)
		if (is_path(&g->mounts[i], "/proc") && !g->mounts[i].ro)
			return named(b, g->mounts[i].inside);
	return false;
}

PATH_RULE(devices)
{
	for (size_t i = 0; i < g->devices.n; i++)
		if (precious_device(g->devices.v[i]))
			meaning_item(b, g->devices.v[i]);
	for (size_t i = 0; i < g->n_mounts; i++)
		if (is_path(&g->mounts[i], "/dev"))
			at(b, &g->mounts[i]);
	return b->len > 0 && !g->privileged;
}

/* --- read --- */

PATH_RULE(reads_root)
{
	for (size_t i = 0; i < g->n_mounts; i++)
		if (is_path(&g->mounts[i], "/"))
			return named(b, g->mounts[i].inside);
	return false;
}

PATH_RULE(reads_proc)
{
	for (size_t i = 0; i < g->n_mounts; i++)
		if (is_path(&g->mounts[i], "/proc") && g->mounts[i].ro)
			return named(b, g->mounts[i].inside);
	return false;
}

/* What has a sentence of its own. */
static bool is_told(const struct grants *g, const struct grant_mount *m)
{
	return m->volume || is_dbus(g, m) || is_in(m, "/ /proc /dev") ||
	       str_ends(m->host, ".sock") || (!m->ro && precious_path(m->host));
}

static bool others(const struct grants *g, struct buf *b, bool ro)
{
	for (size_t i = 0; i < g->n_mounts; i++)
		if (g->mounts[i].ro == ro && !is_told(g, &g->mounts[i]))
			at(b, &g->mounts[i]);
	return b->len > 0;
}

PATH_RULE(reads_paths)
{
	return others(g, b, true);
}

/* What has mounts of its own below it on every host. */
PATH_RULE(shallow_ro)
{
	for (size_t i = 0; i < g->n_mounts; i++)
		if (g->mounts[i].ro && !g->mounts[i].deep_ro &&
		    is_in(&g->mounts[i], "/ /sys /dev /run"))
			at(b, &g->mounts[i]);
	return b->len > 0;
}

/* --- write --- */

PATH_RULE(writes_paths)
{
	for (size_t i = 0; i < g->devices.n; i++)
		if (!precious_device(g->devices.v[i]))
			meaning_item(b, g->devices.v[i]);
	return others(g, b, false);
}

/* --- notes --- */

PATH_RULE(pinned)
{
	for (size_t i = 0; i < g->n_mounts && g->tool != TOOL_BWRAP; i++) {
		const struct grant_mount *m = &g->mounts[i];
		const char *way = m->propagation ? m->propagation : "";

		if (is_path(m, "/") && !strstr(way, "slave") && !strstr(way, "shared") &&
		    !str_eq(way, "follow"))
			return named(b, m->inside);
	}
	return false;
}

/* It makes everything a slave, and has no word for that. */
PATH_RULE(received)
{
	for (size_t i = 0; i < g->n_mounts && g->tool == TOOL_BWRAP; i++)
		if (is_path(&g->mounts[i], "/"))
			return named(b, g->mounts[i].inside);
	return false;
}

PATH_RULE(slave)
{
	for (size_t i = 0; i < g->n_mounts && g->tool == TOOL_DOCKER; i++)
		if (g->mounts[i].propagation && strstr(g->mounts[i].propagation, "slave"))
			return named(b, g->mounts[i].host);
	return false;
}
