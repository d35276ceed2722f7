/* Programs that only start another, and shells that are given one string. */
#include "entry/lint_priv.h"

/* Of each: the options that take a word of their own, and how many words stand before the command.
 */
static const struct {
	const char *name;
	const char *with_arg;
	size_t words;
} wrappers[] = {
	{"tini", "pe", 0},     {"tini-static", "pe", 0}, {"docker-init", "pe", 0},
	{"dumb-init", "r", 0}, {"catatonit", "", 0},	 {"env", "uC", 0},
	{"gosu", "", 1},       {"su-exec", "", 1},	 {"nohup", "", 0},
	{"setsid", "", 0},     {"nice", "n", 0},	 {"stdbuf", "ioe", 0},
	{"timeout", "ks", 1},
};

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool is_assignment(const char *word)
{
	size_t n = strcspn(word, "=");

	return n && word[n] == '=' && !memchr(word, '/', n);
}

size_t wrap_inner(const struct strv *argv, const char *program)
{
	const char *base = base_of(program);
	size_t w = 0, i = 1;

	while (w < ARRAY_LEN(wrappers) && !str_eq(wrappers[w].name, base))
		w++;
	if (w == ARRAY_LEN(wrappers))
		return 0;
	while (i < argv->n && argv->v[i][0] == '-' && argv->v[i][1]) {
		const char *opt = argv->v[i++];

		if (str_eq(opt, "--"))
			break;
		if (opt[1] != '-' && !opt[2] && strchr(wrappers[w].with_arg, opt[1]))
			i++;
	}
	while (str_eq(base, "env") && i < argv->n && is_assignment(argv->v[i]))
		i++;
	i += wrappers[w].words;
	return i < argv->n ? i : 0;
}

static bool is_builtin(const char *word)
{
	static const char *const builtins[] = {
		"alias",   "bg",    "break",  "case",	  "cd",	    "command", "continue",
		"do",	   "done",  "echo",   "elif",	  "else",   "esac",    "eval",
		"exec",	   "exit",  "export", "false",	  "fi",	    "for",     "function",
		"getopts", "hash",  "if",     "jobs",	  "kill",   "let",     "local",
		"printf",  "pwd",   "read",   "readonly", "return", "select",  "set",
		"shift",   "shopt", "source", "test",	  "then",   "time",    "times",
		"trap",	   "true",  "type",   "typeset",  "ulimit", "umask",   "unalias",
		"unset",   "until", "wait",   "while",	  ".",	    "declare", "in"};

	for (size_t i = 0; i < ARRAY_LEN(builtins); i++)
		if (str_eq(builtins[i], word))
			return true;
	return false;
}

static bool is_shell(const char *program)
{
	static const char *const shells[] = {"sh", "bash", "ash", "dash", "ksh", "zsh"};

	for (size_t i = 0; i < ARRAY_LEN(shells); i++)
		if (str_eq(shells[i], base_of(program)))
			return true;
	return false;
}

/* The text of "sh -c TEXT", NULL: it is no such command. */
static const char *shell_text(const struct strv *argv)
{
	if (argv->n >= 3 && is_shell(argv->v[0]) && argv->v[1][0] == '-' && argv->v[1][1] != '-' &&
	    str_ends(argv->v[1], "c"))
		return argv->v[2];
	return NULL;
}

char *wrap_shell_word(const struct strv *argv)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_./+-";
	const char *p = shell_text(argv);
	char *word;
	size_t n;

	if (!p && argv->n >= 2 && is_shell(argv->v[0]) && argv->v[1][0] != '-' &&
	    strchr(argv->v[1], '/'))
		return strdup(argv->v[1]);
	if (!p)
		return NULL;
	p += strspn(p, " \t\n");
	if (str_starts(p, "exec ") && p[5] != '-')
		p += 5 + strspn(p + 5, " \t");
	n = strspn(p, plain);
	if (!n || n >= PATH_MAX || (p[n] && !strchr(" \t\n;&|<>", p[n])))
		return NULL;
	if (p[n + strspn(p + n, " \t")] == '(') /* a function */
		return NULL;
	if (p[n] && strchr("<>", p[n]) && strspn(p, "0123456789") == n) /* a descriptor: 2>&1 */
		return NULL;
	word = strndup(p, n);
	if (word && is_builtin(word)) {
		free(word);
		return NULL;
	}
	return word;
}
