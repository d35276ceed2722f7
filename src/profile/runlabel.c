#include "profile/runlabel.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

/* What a variable stands for: words, and the image or the name after them. */
static const struct {
	const char *var, *words;
	bool image, name;
} vars[] = {
	{"IMAGE", "", true, false},
	{"NAME", "", false, true},
	{"CONFDIR", "/etc/", false, true},
	{"LOGDIR", "/var/log/", false, true},
	{"DATADIR", "/var/lib/", false, true},
	{"HOST", "/host", false, false},
	{"OPT1", "", false, false},
	{"OPT2", "", false, false},
	{"OPT3", "", false, false},
};

char *runlabel_name(const char *image)
{
	const char *slash = strrchr(image, '/'), *base = slash ? slash + 1 : image;

	return strndup(base, strcspn(base, ":@"));
}

/* The bytes of a variable that is known at `s`, a '$', and its row in *row. 0: it is none. */
static size_t var_at(const char *s, size_t *row)
{
	const char *var = s + 1 + (s[1] == '{');
	size_t n = 0;

	while (isalnum((unsigned char)var[n]) || var[n] == '_')
		n++;
	if (s[1] == '{' && var[n] != '}')
		return 0;
	for (*row = 0; *row < ARRAY_LEN(vars); (*row)++)
		if (strlen(vars[*row].var) == n && str_starts(var, vars[*row].var))
			return (size_t)(var - s) + n + (s[1] == '{');
	return 0;
}

/* A copy of `word` with what it stands for; NULL: memory is out. */
static char *fill_word(const char *word, const char *image, const char *name)
{
	_cleanup_buf_ struct buf b = {};

	if (str_eq(word, "IMAGE") || str_eq(word, "NAME"))
		return strdup(*word == 'I' ? image : name);
	if (str_eq(word, "IMAGE=IMAGE") || str_eq(word, "NAME=NAME"))
		return *word == 'I' ? str_fmt("IMAGE=%s", image) : str_fmt("NAME=%s", name);
	buf_puts(&b, "");
	while (*word) {
		size_t row, n = *word == '$' ? var_at(word, &row) : 0;

		if (n == 0) {
			buf_putc(&b, *word++);
			continue;
		}
		buf_puts(&b, vars[row].words);
		buf_puts(&b, vars[row].image ? image : vars[row].name ? name : "");
		word += n;
	}
	return buf_take(&b);
}

static int take_expansions(struct words *w)
{
	struct strv left = {};
	int r = 0;

	for (size_t i = 0; i < w->expansions.n && r == 0; i++) {
		const char *x = w->expansions.v[i];
		size_t row;

		if (*x != '$' || var_at(x, &row) != strlen(x))
			r = strv_add(&left, x);
	}
	strv_done(&w->expansions);
	w->expansions = left;
	return r;
}

int runlabel_fill(struct words *w, const char *image, const char *name)
{
	struct strv filled = {};
	int r = take_expansions(w);

	for (size_t i = 0; i < w->w.n && r == 0; i++) {
		_cleanup_free_ char *word = fill_word(w->w.v[i], image, name);

		if (!word)
			r = -ENOMEM;
		else if (*word || !*w->w.v[i])
			r = strv_add(&filled, word);
	}
	strv_done(&w->w);
	w->w = filled;
	return r;
}
