#include "entry/lint_priv.h"

#include <errno.h>
#include <stdio.h>

#include "base/path.h"
#include "facts/parse.h"

enum { TEXT_MAX = 1000 }; /* bytes of a sentence */

const char entry_default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const char *const entry_finding_ids[] = {"empty",
					 "no-shell",
					 "not-found",
					 "shell-command",
					 "dangling-link",
					 "path-loop",
					 "directory",
					 "special-file",
					 "not-executable",
					 "not-allowed",
					 "unreadable",
					 "noexec",
					 "setuid",
					 "empty-file",
					 "damaged",
					 "truncated",
					 "no-shebang",
					 "shebang-crlf",
					 "shebang-bom",
					 "shebang-blank",
					 "shebang-long",
					 "shebang-empty",
					 "shebang-words",
					 "interpreter-missing",
					 "interpreter-loop",
					 "loader-missing",
					 "wrong-machine",
					 "wrong-format",
					 "handler-missing",
					 "library-missing",
					 "library-foreign",
					 "library-unreadable",
					 "library-version",
					 "user-unknown",
					 "group-unknown",
					 "user-unmapped",
					 "cwd-missing",
					 "cwd-not-directory",
					 "cwd-denied",
					 "mount-gone",
					 "refused",
					 "out-of-memory",
					 NULL};

void entry_report_done(struct entry_report *r)
{
	for (size_t i = 0; i < r->n_files; i++) {
		struct entry_file *f = &r->files[i];

		free(f->asked);
		free(f->path);
		free(f->arg);
		free(f->machine);
		free(f->handler);
	}
	for (size_t i = 0; i < r->n; i++) {
		free(r->findings[i].text);
		free(r->findings[i].fix);
	}
	free(r->files);
	free(r->findings);
	free(r->user_name);
	free(r->home);
	*r = (struct entry_report){};
}

static void cut(char *text)
{
	static const char dots[] = "...";

	if (text && strlen(text) > TEXT_MAX)
		strcpy(text + TEXT_MAX - strlen(dots), dots);
}

void lint_add(struct lint *l, const char *id, bool warning, char *text, char *fix)
{
	_cleanup_free_ char *own_text = text, *own_fix = fix;
	struct entry_report *r = l->out;
	struct entry_finding *v;

	cut(text); /* names in it may be as long as a command line */
	cut(fix);
	for (size_t i = 0; text && i < r->n; i++)
		if (str_eq(r->findings[i].text, text))
			return;
	if (r->n == ENTRY_FINDINGS_MAX)
		return;
	v = text && fix ? reallocarray(r->findings, r->n + 1, sizeof(*v)) : NULL;
	if (!v) {
		l->oom = true;
		return;
	}
	r->findings = v;
	v[r->n++] = (struct entry_finding){
		.id = id, .warning = warning, .text = TAKE_PTR(own_text), .fix = TAKE_PTR(own_fix)};
}

static void check_cwd(struct lint *l)
{
	_cleanup_place_ struct place p = PLACE_INIT;

	place_find(l, l->cwd, &p);
	if (p.err == -ENOENT && l->en->makes_cwd && !l->en->root_ro && !*p.link)
		return; /* it will be made */
	if (lint_unseen(l, l->cwd, &p))
		return;
	if (p.err == -ENOENT && *p.link)
		lint_add(l, "cwd-missing", false,
			 str_fmt("Its working directory %s leads through the link %s to %s, which "
				 "is "
				 "not there.",
				 l->cwd, p.link, p.real),
			 str_fmt("Make %s in the image, or set another WORKDIR.", p.real));
	else if (p.err == -ENOENT)
		lint_add(l, "cwd-missing", false,
			 str_fmt("Its working directory %s is not there%s%s%s.", l->cwd,
				 str_eq(p.real, l->cwd) ? "" : " (not even ",
				 str_eq(p.real, l->cwd) ? "" : p.real,
				 str_eq(p.real, l->cwd) ? "" : " is)"),
			 str_fmt("Make it in the image (RUN mkdir -p %s), or set another WORKDIR.",
				 l->cwd));
	else if (p.err == -ENOTDIR || (p.err == 0 && !S_ISDIR(p.st.st_mode)))
		lint_add(l, "cwd-not-directory", false,
			 str_fmt("Its working directory %s cannot be entered: %s is no directory.",
				 l->cwd, *p.real ? p.real : "/"),
			 strdup("Set WORKDIR (or --workdir) to a directory."));
	else if (p.err < 0)
		lint_add(l, "path-loop", false,
			 str_fmt("Its working directory %s cannot be reached: %s.", l->cwd,
				 strerror(-p.err)),
			 strdup("Mend the links on the way to it."));
	else if (l->out->user_known && (*p.shut || !place_may(l, &p, 1)))
		lint_add(l, "cwd-denied", false,
			 str_fmt("Its working directory %s is closed to the user it runs as (uid "
				 "%u), "
				 "who may not enter %s.",
				 l->cwd, l->out->uid, *p.shut ? p.shut : p.real),
			 str_fmt("Give it to that user (chown), or open it: chmod a+rx %s.",
				 *p.shut ? p.shut : p.real));
}

/* The first word of what a shell is given; it may be wrong about what the script does before. */
static void check_shell_word(struct lint *l)
{
	_cleanup_free_ char *word = wrap_shell_word(&l->en->argv), *found = NULL, *refused = NULL;
	_cleanup_free_ char *near = NULL, *there = NULL;
	_cleanup_place_ struct place p = PLACE_INIT;

	if (!word)
		return;
	if (strchr(word, '/'))
		place_find(l, word, &p);
	else
		p.err = search_path(l, word, &found, &refused) || refused ? 0 : -ENOENT;
	if (p.err == 0 || lint_unseen(l, word, &p))
		return;
	there = search_elsewhere(l, word);
	near = there ? NULL : search_nearest(l, word);
	lint_add(l, "shell-command", true,
		 str_fmt("The shell is told to run '%s', which %s.", word,
			 strchr(word, '/') ? "is not there" : "is in no directory of its PATH"),
		 there	? str_fmt("It is at %s: write that, or add its directory to PATH.", there)
		 : near ? str_fmt("The nearest name is %s; else install it in the image.", near)
			: str_fmt("Install it in the image, or correct the name."));
}

/* ['node', 'x'] is no JSON, so builders took it for a line of a shell. */
static void check_exec_form(struct lint *l)
{
	const struct strv *argv = &l->en->argv;
	const char *text = l->en->shell_form && argv->n >= 3 ? argv->v[2] : "";

	text += strspn(text, " ");
	if (*text != '[' || text[1] == ' ' || !strchr(text, ','))
		return;
	lint_add(l, "not-found", false,
		 str_fmt("It is run by a shell as the command '%.40s', since it is no valid JSON "
			 "list.",
			 text),
		 strdup("Write it in the Dockerfile as a list with double quotes: CMD [\"node\", "
			"\"server.js\"]."));
}

static void lint_all(struct lint *l)
{
	lint_user(l);
	if (!l->en->argv.n) {
		lint_add(l, "empty", false,
			 strdup("There is nothing to run: neither an entry point nor a command."),
			 strdup("Name the command when the container is made (docker run IMAGE "
				"CMD), "
				"or add CMD to the image."));
	} else {
		lint_command(l, &l->en->argv);
		check_exec_form(l);
		check_shell_word(l);
	}
	check_cwd(l);
	lint_engine(l);
}

int entry_lint(int root, const struct entry *en, const struct entry_host *host,
	       struct entry_report *out)
{
	struct lint l = {.root = root, .en = en, .host = host, .out = out};
	struct facts_files files = {};
	const char *path = strv_var(&en->env, "PATH");

	*out = (struct entry_report){};
	l.path = path && *path ? path : entry_default_path;
	l.cwd = en->cwd && *en->cwd == '/' ? en->cwd : "/";
	if (facts_libc_read(root, &files) < 0)
		return -ENOMEM;
	out->libc = files.libc;
	memcpy(out->libc_version, files.libc_version, sizeof(out->libc_version));
	lint_all(&l);
	return l.oom ? -ENOMEM : 0;
}
