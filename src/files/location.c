#include "files/location.h"

#include <ctype.h>

#include "base/str.h"

void location_done(struct location *s)
{
	free(s->target);
	free(s->path);
	*s = (struct location){};
}

/* "docker://", "image://": its colon is not the one before a path. The length, 0: none. */
static size_t scheme_length(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || s[n] == '-')
		n++;
	return n && str_starts(s + n, "://") ? n + 3 : 0;
}

/* Words before a colon that belong to the target's name when a second colon follows. */
static bool is_prefix(const char *s, size_t n)
{
	static const char *const words[] = {"pid",  "docker", "podman",	 "containerd", "cri",
					    "crio", "runc",   "crun",	 "lxc",	       "incus",
					    "lxd",  "nspawn", "flatpak", "bwrap",      "buildah"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strlen(words[i]) == n && strncmp(words[i], s, n) == 0)
			return true;
	return false;
}

/* The colon before the path, NULL: there is none. */
static const char *find_colon(const char *arg)
{
	size_t scheme = scheme_length(arg);
	const char *from = arg + scheme, *colon = strstr(from, ":/"), *slash;

	if (colon || str_starts(arg, "image://")) /* NAME:TAG */
		return colon;
	colon = scheme ? strrchr(from, ':') : strchr(from, ':');
	slash = strchr(from, '/');
	if (!colon || (!scheme && slash && slash < colon))
		return NULL;
	if (!scheme && is_prefix(arg, (size_t)(colon - arg)) && strchr(colon + 1, ':'))
		return strchr(colon + 1, ':');
	return colon;
}

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "taking TARGET:PATH apart");
}

static int be_local(const char *arg, struct location *out, struct err *e)
{
	out->path = strdup(arg);
	return out->path ? 0 : no_memory(e);
}

static int be_target(const char *arg, size_t n, const char *path, struct location *out,
		     struct err *e)
{
	out->target = strndup(arg, n);
	out->path = strdup(*path ? path : "/");
	return out->target && out->path ? 0 : no_memory(e);
}

int location_parse(const char *arg, struct location *out, struct err *e)
{
	const char *colon;

	*out = (struct location){};
	if (!*arg)
		return err_say(e, EINVAL, "a path is empty");
	out->stream = str_eq(arg, "-");
	if (out->stream || *arg == '/' || *arg == '.')
		return be_local(arg, out, e);
	colon = find_colon(arg);
	if (colon == arg)
		return err_say(e, EINVAL, "'%s' has no target before its colon", arg);
	if (colon)
		return be_target(arg, (size_t)(colon - arg), colon + 1, out, e);
	if (!scheme_length(arg))
		return be_local(arg, out, e);
	err_say(e, EINVAL, "'%s' has no path", arg);
	err_hint(e, "write it as %s:/PATH", arg);
	return -EINVAL;
}

int location_parse_target(const char *arg, struct location *out, struct err *e)
{
	const char *colon = NULL;

	*out = (struct location){};
	if (!*arg || *arg == ':')
		return err_say(e, EINVAL, "'%s' has no target before its path", arg);
	/* DIR/ and ./FILE.tar are targets too, and their path starts at ":/" */
	colon = *arg == '/' || *arg == '.' ? strstr(arg, ":/") : find_colon(arg);
	if (!colon)
		return be_target(arg, strlen(arg), "/", out, e);
	return be_target(arg, (size_t)(colon - arg), colon + 1, out, e);
}
