/*
 * The way from a command to what runs in the end, as execve(2) goes it: scripts lead to their
 * interpreters (five at most), some programs only start others.
 */
#include <errno.h>

#include "base/path.h"
#include "entry/lint_priv.h"

enum { INTERPRETERS_MAX = 5, STARTED_MAX = 4 };

static struct entry_file *add_file(struct link *k)
{
	struct entry_report *r = k->l->out;
	struct entry_file *v;

	if (r->n_files == ENTRY_FILES_MAX)
		return NULL;
	v = reallocarray(r->files, r->n_files + 1, sizeof(*v));
	if (v) {
		r->files = v;
		v += r->n_files++;
		*v = (struct entry_file){.role = k->role,
					 .asked = strdup(k->asked),
					 .mode = k->p.st.st_mode,
					 .unseen = lint_unseen(k->l, k->asked, &k->p),
					 .path = k->p.err == 0 ? strdup(k->p.real) : NULL};
	}
	if (!v || !v->asked || (k->p.err == 0 && !v->path)) {
		k->l->oom = true;
		return NULL;
	}
	return v;
}

void link_follow(struct lint *l, const char *asked, const char *by, enum entry_role role,
		 struct link *k)
{
	struct entry_file *f;

	*k = (struct link){.l = l, .role = role, .asked = asked, .by = by, .p = PLACE_INIT};
	place_find(l, asked, &k->p);
	f = add_file(k);
	if (k->p.err < 0) {
		if (f && !f->unseen)
			link_absent(k);
	} else if (f && link_mode(k)) {
		ssize_t n = place_head(&k->p, k->head);

		k->n = n > 0 ? (size_t)n : 0;
		if (role == ROLE_LOADER)
			f->kind = FILE_ELF;
	} else {
		k->p.err = -EACCES;
	}
}

static void lint_words(struct lint *l, const struct strv *argv, size_t at, const char *by);

/* ---- scripts ---- */

static void check_first_line(struct link *k, const struct shebang *s)
{
	static const struct {
		enum shebang_kind kind;
		const char *id, *text, *fix;
	} kinds[] = {
		{SHEBANG_EMPTY, "shebang-empty", "has nothing behind the #! of its first line",
		 "Name the interpreter there: #!/bin/sh."},
		{SHEBANG_LONG, "shebang-long",
		 "has a first line whose interpreter has a longer name than the kernel reads (256 "
		 "bytes; 128 before Linux 5.1)",
		 "Make it shorter, with a link if need be."},
		{SHEBANG_BOM, "shebang-bom",
		 "starts with a byte order mark, so that the kernel does not see the #! behind it",
		 "Save it as UTF-8 without BOM: sed -i '1s/^\\xEF\\xBB\\xBF//' FILE."},
		{SHEBANG_BLANK, "shebang-blank",
		 "has blanks or empty lines before its #!, so that the kernel does not see it",
		 "Make #! the very first two bytes of the file."},
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i].kind == s->kind)
			lint_add(k->l, kinds[i].id, false,
				 str_fmt("%s %s.", k->asked, kinds[i].text), strdup(kinds[i].fix));
	if (s->crlf)
		lint_add(k->l, "shebang-crlf", false,
			 str_fmt("The lines of %s end with CR LF, as Windows writes them, so that "
				 "the "
				 "kernel looks for '%s'%s.",
				 k->asked, s->interp,
				 *s->arg ? " with an argument that ends with a carriage return"
					 : ""),
			 str_fmt("sed -i 's/\\r$//' %s; and in .gitattributes: *.sh text eol=lf.",
				 k->asked));
}

/* "#!/usr/bin/env python3 -u" is one argument, blank included. */
static void check_env_words(struct link *k, const struct shebang *s)
{
	if (!str_ends(s->interp, "/env") || !strchr(s->arg, ' ') || s->arg[0] == '-' ||
	    strchr(s->arg, '='))
		return;
	lint_add(k->l, "shebang-words", false,
		 str_fmt("The first line of %s gives env the one word '%s', since the kernel does "
			 "not "
			 "split it.",
			 k->asked, s->arg),
		 str_fmt("Write #!%s -S %s.", s->interp, s->arg));
}

/* What env would start: the command line behind it. */
static void lint_env(struct lint *l, const struct shebang *s)
{
	_cleanup_strv_ struct strv argv = {};
	const char *arg = s->arg;
	size_t at;
	char *cr;

	if (!str_ends(s->interp, "/env") || !*arg || l->out->n_files > ENTRY_FILES_MAX / 2)
		return;
	if (str_starts(arg, "-S"))
		arg += 2;
	else if (arg[0] != '-' && strchr(arg, ' '))
		return;
	if (strv_add(&argv, s->interp) < 0 || strv_split(&argv, arg, " \t") < 0) {
		l->oom = true;
		return;
	}
	cr = argv.n > 1 ? strchr(argv.v[argv.n - 1], '\r') : NULL;
	if (cr)
		*cr = '\0'; /* that is reported already */
	at = wrap_inner(&argv, s->interp);
	if (at)
		lint_words(l, &argv, at, s->interp);
}

/* Neither a script the kernel understands nor ELF. */
static void lint_other(struct link *k, struct entry_file *f)
{
	const char *words = format_words(k->head, k->n);
	bool fixed;

	f->kind = FILE_OTHER;
	f->handler = machine_handler(k->l, k->head, k->n, k->p.real, &fixed);
	if (f->handler)
		return;
	if (!k->n)
		lint_add(k->l, "empty-file", false, str_fmt("%s is empty.", k->asked),
			 strdup("Copy or build it anew; a full disk leaves empty files behind."));
	else if (str_eq(words, "a text file"))
		lint_add(k->l, "no-shebang", false,
			 str_fmt("%s is a text file without a #! line, which the kernel cannot run "
				 "(\"exec format error\").",
				 k->asked),
			 strdup("Make its first line name the interpreter: #!/bin/sh."));
	else
		lint_add(k->l, "wrong-format", false,
			 str_fmt("%s is %s, nothing that Linux can run.", k->asked,
				 *words ? words : "of no known format"),
			 strdup("Put a program for Linux, or a script with a #! line, there."));
}

/* ---- the way ---- */

/* Look into one file. True: it is a script, and the interpreter of *s comes next. */
static bool lint_content(struct link *k, struct shebang *s)
{
	struct entry_file *f = &k->l->out->files[k->l->out->n_files - 1];
	char *cr;

	s->kind = SHEBANG_NONE;
	if (k->n >= SELFMAG && memcmp(k->head, ELFMAG, SELFMAG) == 0) {
		link_elf(k, f);
		return false;
	}
	shebang_parse(k->head, k->n, s);
	check_first_line(k, s);
	if (s->kind == SHEBANG_NONE)
		lint_other(k, f);
	if (s->kind != SHEBANG_OK)
		return false;
	f->kind = FILE_SCRIPT;
	f->arg = *s->arg ? strdup(s->arg) : NULL;
	if (k->l->out->user_known && !place_may(k->l, &k->p, 4))
		lint_add(k->l, "unreadable", false,
			 str_fmt("%s is a script that the user it runs as (uid %u) may not read "
				 "(mode %04o), so its interpreter cannot either.",
				 k->asked, k->l->out->uid, k->p.st.st_mode & 07777),
			 str_fmt("chmod a+r %s.", k->p.real));
	check_env_words(k, s);
	cr = strchr(s->interp, '\r'); /* reported; what would come then? */
	if (cr)
		*cr = '\0';
	return true;
}

static void too_many(struct link *k, const char *asked)
{
	lint_add(
		k->l, "interpreter-loop", false,
		str_fmt("%s is run by an interpreter that is a script itself, and so on, more than "
			"%d times: it probably leads back to itself.",
			asked, INTERPRETERS_MAX),
		str_fmt("Let the first line of %s name a program that is no script.", k->p.real));
}

/* From the file `asked` to the ELF file that runs in the end. */
static void lint_chain(struct lint *l, const char *asked, const char *by, enum entry_role role)
{
	_cleanup_free_ char *path = strdup(asked), *from = by ? strdup(by) : NULL;
	struct shebang s = {}, script = {};
	struct link k;
	bool more = true;

	for (int depth = 0; more && path; depth++) {
		link_follow(l, path, from, depth ? ROLE_INTERPRETER : role, &k);
		more = k.p.err == 0 && lint_content(&k, &s);
		if (more && depth == INTERPRETERS_MAX)
			too_many(&k, asked);
		more = more && depth < INTERPRETERS_MAX;
		if (more) {
			script = s;
			free(from);
			free(path);
			from = strdup(k.p.real);
			path = strdup(s.interp);
		}
		root_place_done(&k.p);
	}
	l->oom |= !path;
	if (script.kind == SHEBANG_OK)
		lint_env(l, &script);
}

static void lint_words(struct lint *l, const struct strv *argv, size_t at, const char *by)
{
	for (int n = 0; n < STARTED_MAX && l->out->n_files <= ENTRY_FILES_MAX / 2; n++) {
		const struct strv rest = {.v = argv->v + at, .n = argv->n - at};
		_cleanup_free_ char *found = NULL, *refused = NULL;
		const char *name = rest.v[0], *path = name;
		enum entry_role role = by ? ROLE_STARTED : ROLE_PROGRAM;
		size_t inner;

		if (!strchr(name, '/')) {
			search_path(l, name, &found, &refused);
			path = found ? found : refused;
		}
		if (path && *path) {
			lint_chain(l, path, by, role);
		} else {
			struct link k = {.l = l,
					 .role = role,
					 .asked = name,
					 .by = by,
					 .p = {.fd = -EBADF, .err = -ENOENT}};

			add_file(&k);
			link_absent(&k);
		}
		inner = wrap_inner(&rest, name);
		if (!inner)
			return;
		by = name;
		at += inner;
	}
}

void lint_command(struct lint *l, const struct strv *argv)
{
	lint_words(l, argv, 0, NULL);
}
