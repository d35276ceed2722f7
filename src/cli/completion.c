#include "cli/complete.h"

enum value complete_value(const struct opt *o)
{
	if (o->type == OPT_FLAG || o->type == OPT_COUNT || o->type == OPT_MAYBE)
		return VALUE_NONE;
	if (o->words)
		return VALUE_WORDS;
	return o->arg && strstr(o->arg, "FILE") ? VALUE_FILE : VALUE_ANY;
}

const struct verb *const *complete_next(const struct verb *const *v)
{
	for (v = v ? v + 1 : cli_verbs; *v; v++)
		if (!((*v)->flags & VERB_HIDDEN))
			return v;
	return NULL;
}

bool complete_group(const struct verb *const *v, int *n)
{
	const char *name = (*v)->name, *blank = strchr(name, ' ');

	if (!blank)
		return false;
	*n = (int)(blank - name);
	return v == cli_verbs || strncmp(v[-1]->name, name, (size_t)*n + 1) != 0;
}

void complete_first_words(FILE *out)
{
	int n;

	for (const struct verb *const *v = NULL; (v = complete_next(v));) {
		if (complete_group(v, &n))
			fprintf(out, "%.*s ", n, (*v)->name);
		else if (!strchr((*v)->name, ' '))
			fprintf(out, "%s ", (*v)->name);
	}
}

void complete_quoted(FILE *out, const char *s, const char *also)
{
	for (; *s; s++) {
		if (*s == '\'')
			fputs("'\\'", out);
		else if (strchr(also, *s))
			fputc('\\', out);
		fputc(*s, out);
	}
}

int cli_completion(FILE *out, const char *shell)
{
	static const struct {
		const char *shell;
		void (*print)(FILE *out);
	} shells[] = {{"bash", complete_bash}, {"zsh", complete_zsh}, {"fish", complete_fish}};

	for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
		if (str_eq(shells[i].shell, shell)) {
			shells[i].print(out);
			return 0;
		}
	}
	return -EINVAL;
}
