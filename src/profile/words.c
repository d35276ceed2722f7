/* A shell's words, without the shell. */
#include "profile/words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void words_done(struct words *w)
{
	strv_done(&w->w);
	strv_done(&w->expansions);
	free(w->rest);
	*w = (struct words){};
}

/* The bytes of an expansion at `s`, which starts with $ or `; 1: it is only that character. 0: it
 * is not closed. */
static size_t expansion_len(const char *s)
{
	size_t depth = 0, i;
	char open = s[1], close = open == '(' ? ')' : '}';

	if (*s == '`') {
		for (i = 1; s[i] && s[i] != '`'; i++)
			i += s[i] == '\\' && s[i + 1];
		return s[i] ? i + 1 : 0;
	}
	if (open != '(' && open != '{') {
		for (i = 1; isalnum((unsigned char)s[i]) || s[i] == '_'; i++)
			;
		return i == 1 && strchr("@*#?-$!", open) && open ? 2 : i;
	}
	for (i = 1; s[i]; i++) {
		depth += s[i] == open;
		if (s[i] == close && --depth == 0)
			return i + 1;
	}
	return 0;
}

struct splitter {
	const char *p;
	struct buf word;
	bool in_word;
	struct words *out;
	struct err *e;
};

static int take_expansion(struct splitter *s)
{
	size_t len = expansion_len(s->p);
	char *copy;

	if (len == 0)
		return err_say(s->e, EINVAL, "the line has a '%c' that is not closed",
			       *s->p == '`' ? '`' : s->p[1]);
	buf_add(&s->word, s->p, len);
	copy = len > 1 ? strndup(s->p, len) : NULL;
	s->p += len;
	return len > 1 ? strv_push(&s->out->expansions, copy) : 0;
}

static int take_quoted(struct splitter *s)
{
	char quote = *s->p++;

	while (*s->p && *s->p != quote) {
		if (quote == '"' && (*s->p == '$' || *s->p == '`')) {
			int r = take_expansion(s);

			if (r < 0)
				return r;
			continue;
		}
		if (quote == '"' && *s->p == '\\' && s->p[1] && strchr("$`\"\\\n", s->p[1])) {
			s->p++;
			if (*s->p == '\n') {
				s->p++;
				continue;
			}
		}
		buf_putc(&s->word, *s->p++);
	}
	if (!*s->p)
		return err_say(s->e, EINVAL, "the line has a %c that is not closed", quote);
	s->p++;
	return 0;
}

static int end_word(struct splitter *s)
{
	if (!s->in_word)
		return 0;
	s->in_word = false;
	if (s->out->w.n >= WORDS_MAX)
		return err_say(s->e, E2BIG, "the line has more than %d words", WORDS_MAX);
	if (strv_push(&s->out->w, buf_take(&s->word)) < 0)
		return err_set(s->e, ENOMEM, "taking the line apart");
	return 0;
}

/* One character, or what it begins. 1: the command ends here. */
static int step(struct splitter *s)
{
	char c = *s->p;

	if (c == ' ' || c == '\t') {
		s->p++;
		return end_word(s);
	}
	if (strchr("|&;<>()\n", c) || (c == '#' && !s->in_word))
		return 1;
	if (c == '\\' && s->p[1] == '\n') {
		s->p += 2;
		return 0;
	}
	s->in_word = true;
	if (c == '\'' || c == '"')
		return take_quoted(s);
	if (c == '$' || c == '`')
		return take_expansion(s);
	if (c == '\\' && s->p[1])
		s->p++;
	buf_putc(&s->word, *s->p++);
	return 0;
}

int words_split(const char *line, struct words *out, struct err *e)
{
	_cleanup_buf_ struct buf hold = {};
	struct splitter s = {.out = out, .e = e};
	int r = 0;

	*out = (struct words){};
	if (strlen(line) > WORDS_LINE_MAX)
		return err_say(e, E2BIG, "the line is longer than %zu bytes", WORDS_LINE_MAX);
	for (s.p = line + strspn(line, " \t\n"); *s.p && r == 0;)
		r = step(&s);
	if (r >= 0 && end_word(&s) < 0)
		r = -ENOMEM;
	hold = s.word; /* released whatever happened */
	if (r == 1 && s.p[strspn(s.p, " \t\n")] && *s.p != '#') {
		out->rest = strdup(s.p + strspn(s.p, " \t\n"));
		return out->rest ? 0 : err_set(e, ENOMEM, "taking the line apart");
	}
	return r < 0 ? r : 0;
}

const char *words_after_prompt(const char *line)
{
	static const char commands[] = "sudo doas env exec nohup time docker podman nerdctl bwrap "
				       "systemd-nspawn";
	const char *p = line + strspn(line, " \t\n"), *end = strpbrk(p, "#$%>\n'\"");
	_cleanup_free_ char *first = strndup(p, strcspn(p, " \t\n"));
	size_t blanks = 0;

	if (!first || str_has_word(commands, first) || !end || !strchr("#$%>", *end) ||
	    end[1] != ' ')
		return line;
	while (p < end)
		blanks += *p++ == ' ';
	return blanks > 1 ? line : end + 1; /* "[me@host ~]$ " has one */
}
