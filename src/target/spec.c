#include "target/spec.h"

#include <errno.h>
#include <stdlib.h>

#include "base/path.h"

enum { SPEC_MAX = 768, PID_DIGITS = 7 };

static int unknown_engine(const char *word, struct err *e)
{
	_cleanup_buf_ struct buf all = {};

	for (size_t i = 0; engines[i]; i++) {
		buf_printf(&all, "%s%s", i ? ", " : "", engines[i]->name);
		for (size_t k = 0; engines[i]->others && engines[i]->others[k]; k++)
			buf_printf(&all, ", %s", engines[i]->others[k]);
	}
	err_say(e, EINVAL, "there is no engine '%s'", word);
	err_hint(e, "engines are %s, and pid", all.data ? all.data : "");
	return -EINVAL;
}

static void no_container(const char *typed, struct err *e)
{
	err_say(e, EINVAL, "'%s' is an image: this takes a container that was made of one", typed);
	err_hint(e,
		 "porthole exec %s opens a session on its files; porthole ps -a lists containers",
		 typed);
}

int spec_pid(struct spec *s, const char *text, struct err *e)
{
	uint64_t pid;
	int r = str_to_u64(text, 0, INT32_MAX, &pid);

	if (r == -ERANGE || (r == 0 && pid > 4194304)) /* PID_MAX_LIMIT of 64-bit kernels */
		return err_say(e, EINVAL, "%s is no process id: they end at 4194304", text);
	if (r < 0)
		return err_say(e, EINVAL, "'%s' is no process id: it takes a number from 1", text);
	if (pid == 0)
		return err_say(e, EINVAL, "0 is no process id: they start at 1");
	s->pid = (pid_t)pid;
	return 0;
}

/* ENGINE://REST or ENGINE:REST; the latter only where ENGINE looks like one, since process names
 * may contain colons ("tmux: server"). Cuts the text. Returns REST, or NULL with `e` filled. */
static char *cut_engine(struct spec *s, char *text, struct err *e)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz");
	char *rest = text + n;

	if (n == 0 || *rest != ':' || rest[1] == ' ')
		return text;
	*rest++ = '\0';
	rest += 2 * (size_t)str_starts(rest, "//");
	if (str_eq(text, "pid")) {
		s->only_pid = true;
		return spec_pid(s, rest, e) < 0 ? NULL : rest;
	}
	for (size_t i = 0; engines[i]; i++)
		if (engine_is(engines[i], text)) {
			s->engine = text;
			return rest;
		}
	if (str_eq(text, "image"))
		no_container(s->typed, e);
	else
		unknown_engine(text, e);
	return NULL;
}

/* NAME, POD/NAME or NS/POD/NAME. */
static int cut_name(struct spec *s, char *text, struct err *e)
{
	char *part[3] = {text};
	int n = 1;

	for (char *p = text; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (n == 3)
			return err_say(e, EINVAL,
				       "'%s' has too many slashes: "
				       "POD/CONTAINER or NAMESPACE/POD/CONTAINER",
				       s->typed);
		part[n++] = p + 1;
	}
	for (int i = 0; i < n; i++)
		if (!path_is_component(part[i]))
			return err_say(e, EINVAL, "'%s' cannot be a container's name", s->typed);
	s->want.text = part[n - 1];
	s->want.pod = n > 1 ? part[n - 2] : NULL;
	s->want.pod_ns = n > 2 ? part[0] : NULL;
	n = (int)strlen(s->want.text);
	s->hex = strspn(s->want.text, "0123456789abcdef") == (size_t)n && n <= 64;
	return 0;
}

int spec_parse(struct spec *s, const char *typed, struct err *e)
{
	char *text;

	*s = (struct spec){.typed = typed};
	if (!*typed)
		return err_say(e, EINVAL, "the target's name is empty");
	if (strlen(typed) >= SPEC_MAX)
		return err_say(e, EINVAL, "the target's name is longer than %d bytes",
			       SPEC_MAX - 1);
	if (*typed == '-')
		return err_say(e, EINVAL, "'%s' cannot be a target: names do not start with '-'",
			       typed);
	for (const char *p = typed; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return err_say(e, EINVAL,
				       "'%s' cannot be a name: it has a control character", typed);
	s->buf = strdup(typed);
	if (!s->buf)
		return err_set(e, ENOMEM, "reading the target's name");
	text = cut_engine(s, s->buf, e);
	if (!text)
		return -EINVAL;
	if (s->only_pid)
		return 0;
	if (!s->engine && strspn(text, "0123456789") == strlen(text)) {
		spec_pid(s, text, NULL); /* if it is none it can still be a name */
		s->number = strlen(text) <= PID_DIGITS;
	}
	return cut_name(s, text, e);
}

void spec_done(struct spec *s)
{
	free(s->buf);
	*s = (struct spec){};
}
