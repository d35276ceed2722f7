#include "launch/toolboxrc.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/fd.h"
#include "profile/words.h"

/* The values that count, as they are written. */
enum key { DOCKER_IMAGE, DOCKER_TAG, ARCHIVE, REGISTRY, IMAGE, NAME, USER, KEYS };

static const char *const key_names[KEYS] = {
	[DOCKER_IMAGE] = "TOOLBOX_DOCKER_IMAGE",
	[DOCKER_TAG] = "TOOLBOX_DOCKER_TAG",
	[ARCHIVE] = "TOOLBOX_DOCKER_ARCHIVE",
	[REGISTRY] = "REGISTRY",
	[IMAGE] = "IMAGE",
	[NAME] = "TOOLBOX_NAME",
	[USER] = "TOOLBOX_USER",
};

struct values {
	char *v[KEYS];
};

static void values_done(struct values *s)
{
	for (size_t i = 0; i < KEYS; i++)
		free(s->v[i]);
}

void toolboxrc_done(struct toolboxrc *rc)
{
	free(rc->image);
	free(rc->name);
	free(rc->user);
	strv_done(&rc->unknown);
	*rc = (struct toolboxrc){};
}

/* Take KEY=VALUE over. 1: it is none that is known. */
static int set(struct values *s, const char *word)
{
	const char *eq = strchr(word, '=');

	for (size_t i = 0; eq && i < KEYS; i++) {
		if (strlen(key_names[i]) != (size_t)(eq - word) || !str_starts(word, key_names[i]))
			continue;
		if (i == ARCHIVE && eq[1] && eq[1] != '/')
			return 1; /* of whatever directory toolbox was called in */
		free(s->v[i]);
		s->v[i] = strdup(eq + 1);
		return s->v[i] ? 0 : -ENOMEM;
	}
	return 1;
}

static int parse_line(struct values *s, const char *line, unsigned number, struct strv *unknown)
{
	_cleanup_words_ struct words w = {};
	struct err e = {};
	int r = words_split(line, &w, &e);
	size_t at;

	if (r == 0 && !w.w.n && !w.rest)
		return 0;
	at = r == 0 && w.w.n == 2 && str_eq(w.w.v[0], "export");
	if (r == 0)
		r = w.w.n != at + 1 || w.expansions.n || w.rest ? 1 : set(s, w.w.v[at]);
	if (r == 0 || r == -ENOMEM)
		return r;
	line += strspn(line, " \t");
	return strv_push(unknown,
			 str_fmt("line %u (%.*s)", number, (int)strcspn(line, "= \t"), line));
}

/* "image://" and [REGISTRY/]NAME[:TAG] */
static int name_image(const struct values *s, struct toolboxrc *out)
{
	const char *docker = s->v[DOCKER_IMAGE], *name = s->v[IMAGE], *tag = s->v[DOCKER_TAG];
	const char *registry = s->v[REGISTRY];

	if (docker && *docker)
		out->image = str_fmt("image://%s%s%s", docker, tag && *tag ? ":" : "",
				     tag && *tag ? tag : "");
	else if (name && *name)
		out->image = str_fmt("image://%s%s%s", registry ? registry : "",
				     registry && *registry ? "/" : "", name);
	else
		return 0;
	return out->image ? 0 : -ENOMEM;
}

static char *take(struct values *s, enum key key)
{
	char *v = s->v[key];

	if (!v || !*v)
		return NULL;
	s->v[key] = NULL;
	return v;
}

int toolboxrc_parse(const char *text, struct toolboxrc *out)
{
	_cleanup_(values_done) struct values s = {};
	_cleanup_free_ char *copy = strdup(text);
	char *line = copy, *next;
	unsigned number = 0;
	int r = copy ? 0 : -ENOMEM;

	*out = (struct toolboxrc){};
	for (; line && r == 0; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		r = parse_line(&s, line, ++number, &out->unknown);
	}
	if (r < 0)
		return r;
	out->name = take(&s, NAME);
	out->user = take(&s, USER);
	out->image = take(&s, ARCHIVE);
	return out->image ? 0 : name_image(&s, out);
}

int toolboxrc_read(const char *home, struct toolboxrc *out, struct err *e)
{
	_cleanup_free_ char *file = str_fmt("%s/.toolboxrc", home);
	_cleanup_free_ char *text = NULL;
	int r = file ? file_read_at(AT_FDCWD, file, TOOLBOXRC_MAX, &text, NULL) : -ENOMEM;

	*out = (struct toolboxrc){};
	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r == 0)
		r = toolboxrc_parse(text, out);
	return r < 0 ? err_set(e, r, "reading %s", file ? file : ".toolboxrc") : 0;
}
