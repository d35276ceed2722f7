/* Profiles: found, read and parsed. */
#include "profile/profile.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/path.h"
#include "profile/texts.h"
#include "sys/caps.h"

#define SUFFIX ".profile"

static const struct {
	const char *name, *text;
} own[] = {
#define PROFILE(name) {#name, profile_text_##name},
#include "profile/profiles.def"
#undef PROFILE
};

void profile_done(struct profile *p)
{
	free(p->name);
	free(p->summary);
	free(p->file);
	free(p->text);
	grants_done(&p->g);
	*p = (struct profile){};
}

/* --- parsing --- */

static int bad(struct err *e, const char *key, const char *value, const char *takes)
{
	return err_say(e, EINVAL, "'%s' is no value of '%s', which takes %s", value, key, takes);
}

static int set_switch(const char *key, const char *value, const char *yes, const char *no,
		      bool *out, struct err *e)
{
	char takes[32];

	*out = str_eq(value, yes);
	snprintf(takes, sizeof(takes), "%s or %s", yes, no);
	return *out || str_eq(value, no) ? 0 : bad(e, key, value, takes);
}

static int set_share(struct profile *p, const char *value, struct err *e)
{
	static const struct {
		const char *name;
		unsigned flag;
	} ns[] = {{"pid", CLONE_NEWPID},
		  {"net", CLONE_NEWNET},
		  {"ipc", CLONE_NEWIPC},
		  {"uts", CLONE_NEWUTS},
		  {"cgroup", CLONE_NEWCGROUP}};
	_cleanup_strv_ struct strv words = {};

	if (strv_split(&words, value, " \t,") < 0)
		return -ENOMEM;
	for (size_t i = 0; i < words.n; i++) {
		unsigned flag = 0;

		for (size_t k = 0; k < ARRAY_LEN(ns); k++)
			if (str_eq(words.v[i], ns[k].name))
				flag = ns[k].flag;
		if (!flag)
			return bad(e, "share", words.v[i], "pid, net, ipc, uts and cgroup");
		p->g.host_ns |= flag;
	}
	return 0;
}

static int add_mount(struct profile *p, const char *value, struct err *e)
{
	_cleanup_strv_ struct strv w = {};
	const char *way = NULL;
	bool optional = false;
	int r;

	if (strv_split(&w, value, " \t") < 0)
		return -ENOMEM;
	if (w.n < 3 || *w.v[0] != '/' || *w.v[1] != '/' || !str_has_word("ro rw", w.v[2]))
		return err_say(e, EINVAL,
			       "a mount is HOST-PATH INSIDE-PATH ro|rw [PROPAGATION] "
			       "[optional], not '%s'",
			       value);
	for (size_t i = 3; i < w.n; i++) {
		if (str_eq(w.v[i], "optional"))
			optional = true;
		else if (str_has_word("rslave follow rprivate rshared", w.v[i]))
			way = w.v[i];
		else
			return bad(e, "mount", w.v[i],
				   "rslave, follow, rprivate or rshared, and optional");
	}
	r = grants_mount(&p->g, w.v[0], w.v[1], *w.v[2] == 'r' && w.v[2][1] == 'o',
			 str_eq(w.v[2], "ro"), way);
	if (r == 0)
		p->g.mounts[p->g.n_mounts - 1].optional = optional;
	return r;
}

static int set(struct profile *p, const char *key, const char *value, struct err *e)
{
	if (str_eq(key, "summary")) {
		free(p->summary);
		p->summary = strdup(value);
		return p->summary ? 0 : -ENOMEM;
	}
	if (str_eq(key, "share"))
		return set_share(p, value, e);
	if (str_eq(key, "caps"))
		return caps_parse(*value ? value : "none", &p->g.caps, e);
	if (str_eq(key, "mount"))
		return add_mount(p, value, e);
	if (str_eq(key, "env"))
		return strchr(value, '=') ? strv_add(&p->g.env, value)
					  : bad(e, key, value, "NAME=VALUE");
	if (str_eq(key, "mask"))
		return *value == '/' ? strv_add(&p->g.masks, value)
				     : bad(e, key, value, "an absolute path");
	if (str_eq(key, "user")) {
		free(p->g.user);
		p->g.user = strdup(value);
		return p->g.user ? 0 : -ENOMEM;
	}
	if (str_eq(key, "seccomp"))
		return set_switch(key, value, "off", "on", &p->g.seccomp_off, e);
	if (str_eq(key, "ipc"))
		return set_switch(key, value, "ro", "rw", &p->g.ipc_ro, e);
	if (str_eq(key, "no-new-privileges"))
		return set_switch(key, value, "yes", "no", &p->g.no_new_privs, e);
	if (str_eq(key, "outlive"))
		return set_switch(key, value, "guests", "none", &p->outlive, e);
	if (str_eq(key, "host-exec"))
		return set_switch(key, value, "yes", "no", &p->host_exec, e);
	if (str_eq(key, "devices"))
		return str_eq(value, "all")    ? strv_add(&p->g.devices, "/dev")
		       : str_eq(value, "none") ? 0
					       : bad(e, key, value, "all or none");
	return err_say(e, EINVAL, "there is no key '%s'", key);
}

static char *trim(char *s)
{
	size_t n;

	s += strspn(s, " \t\r");
	n = strlen(s);
	while (n && strchr(" \t\r", s[n - 1]))
		s[--n] = '\0';
	return s;
}

static int parse_line(struct profile *p, char *line, struct err *e)
{
	char *s = trim(line), *eq = strchr(s, '=');

	if (!*s || *s == '#')
		return 0;
	if (!eq)
		return err_say(e, EINVAL, "'%s' is not KEY = VALUE", s);
	*eq = '\0';
	return set(p, trim(s), trim(eq + 1), e);
}

int profile_parse(const char *name, const char *file, const char *text, struct profile *out,
		  struct err *e)
{
	_cleanup_free_ char *copy = strdup(text);
	struct err why = {};
	char *line = copy, *next;
	unsigned number = 0;
	int r = 0;

	*out = (struct profile){.name = strdup(name), .text = strdup(text)};
	out->file = file ? strdup(file) : NULL;
	if (!copy || !out->name || !out->text || (file && !out->file))
		return err_set(e, ENOMEM, "reading the profile '%s'", name);
	out->g.caps = CAPS_DOCKER;
	for (; line && r == 0; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		number++;
		r = parse_line(out, line, &why);
	}
	if (r < 0)
		return err_say(e, -r, "the profile %s, line %u: %s", file ? file : name, number,
			       r == -ENOMEM ? "out of memory" : why.msg);
	if (!out->summary)
		return err_say(e, EINVAL, "the profile %s has no summary", file ? file : name);
	out->g.privileged = out->g.caps == caps_all() && out->g.seccomp_off;
	out->g.masks_off = out->g.seccomp_off;
	return 0;
}

/* --- finding --- */

static int from_file(const char *name, const char *file, struct profile *out, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	int r = file_read_at(AT_FDCWD, file, PROFILE_FILE_MAX, &text, NULL);

	return r < 0 ? r : profile_parse(name, file, text, out, e);
}

static int not_found(const char *name, struct err *e)
{
	_cleanup_strv_ struct strv all = {};
	_cleanup_buf_ struct buf list = {};

	if (profile_names(&all) < 0)
		return err_set(e, ENOMEM, "looking for the profile '%s'", name);
	for (size_t i = 0; i < all.n; i++)
		buf_printf(&list, "%s%s", i ? ", " : "", all.v[i]);
	err_say(e, ENOENT, "there is no profile '%s'", name);
	err_hint(e, "there are: %s; yours go to " PROFILE_DIR "/NAME" SUFFIX, list.data);
	return -ENOENT;
}

int profile_find(const char *name, struct profile *out, struct err *e)
{
	_cleanup_free_ char *file = str_fmt(PROFILE_DIR "/%s" SUFFIX, name);
	bool is_path = strchr(name, '/');
	int r;

	*out = (struct profile){};
	if (!file)
		return err_set(e, ENOMEM, "looking for the profile '%s'", name);
	r = is_path		      ? from_file(name, name, out, e)
	    : path_is_component(name) ? from_file(name, file, out, e)
				      : -ENOENT;
	if (r == 0 || (r == -EINVAL && e->num))
		return r;
	if (r == -ENOTSUP)
		return err_say(e, ENOTSUP, "the profile %s is no file", is_path ? name : file);
	if (is_path || r != -ENOENT)
		return err_set(e, -r, "reading the profile %s", is_path ? name : file);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (str_eq(name, own[i].name))
			return profile_parse(name, NULL, own[i].text, out, e);
	return not_found(name, e);
}

int profile_names(struct strv *out)
{
	_cleanup_dir_ DIR *d = opendir(PROFILE_DIR);
	struct dirent *de;
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(own) && r == 0; i++)
		r = strv_add(out, own[i].name);
	while (d && r == 0 && (de = readdir(d))) {
		_cleanup_free_ char *name = NULL;

		if (de->d_name[0] == '.' || !str_ends(de->d_name, SUFFIX))
			continue;
		name = strndup(de->d_name, strlen(de->d_name) - strlen(SUFFIX));
		if (!name)
			return -ENOMEM;
		if (!strv_has(out, name))
			r = strv_add(out, name);
	}
	return r;
}
