/* What is not there: the program, an interpreter, a loader; and what to do about each. */
#include <errno.h>

#include "base/path.h"
#include "entry/lint_priv.h"

/* "/bin/bash, the interpreter that the first line of /app/run names," */
char *link_subject(const struct link *k)
{
	switch (k->role) {
	case ROLE_INTERPRETER:
		return str_fmt("%s, the interpreter that the first line of %s names,", k->asked,
			       k->by);
	case ROLE_LOADER:
		return str_fmt("%s, the loader of %s,", k->asked, k->by);
	case ROLE_STARTED:
		return str_fmt("%s, which %s should start,", k->asked, k->by);
	case ROLE_PROGRAM:
		break;
	}
	return strdup(*k->asked ? k->asked : "'' (an empty name)");
}

/* A volume that lies over the place where it should be; NULL: none. */
static const char *mount_over(const struct link *k)
{
	const struct strv *m = &k->l->en->mounts;

	for (size_t i = 0; i < m->n; i++)
		if (!str_eq(m->v[i], "/") && path_below(k->p.real, m->v[i]))
			return m->v[i];
	return NULL;
}

bool lint_unseen(const struct lint *l, const char *asked, const struct place *p)
{
	for (size_t i = 0; p->err == -ENOENT && i < l->en->unseen.n; i++) {
		const char *m = l->en->unseen.v[i];

		/* below it, or on the way to it */
		if (path_below(p->real, m) ||
		    ((*asked != '/' || path_below(asked, m)) && path_below(m, p->real)))
			return true;
	}
	return false;
}

static char *program_fix(const struct link *k)
{
	const char *blank = strchr(k->asked, ' ');
	_cleanup_free_ char *there = search_elsewhere(k->l, k->asked);
	_cleanup_free_ char *near = there ? NULL : search_nearest(k->l, k->asked);
	const char *mount = mount_over(k);

	if (blank && k->role == ROLE_PROGRAM)
		return str_fmt("It is one word with a blank in it; give each word on its own: "
			       "[\"%.*s\", \"...\"].",
			       (int)(blank - k->asked), k->asked);
	if (mount)
		return str_fmt(
			"%s is a mount, which hides what the image has there: take it away, or "
			"put the file into it%s%s.",
			mount, there ? "; there is also " : "", there ? there : "");
	if (there)
		return str_fmt("It is at %s: write that%s.", there,
			       strchr(k->asked, '/') ? "" : ", or add its directory to PATH");
	if (near)
		return str_fmt("The nearest name is %s; else install or copy it into the image.",
			       near);
	return strdup("Install or copy it into the image, or correct the name.");
}

static char *interpreter_fix(const struct link *k)
{
	const char *base = strrchr(k->asked, '/');
	_cleanup_free_ char *there = search_elsewhere(k->l, k->asked);
	_cleanup_place_ struct place sh = PLACE_INIT;

	base = base ? base + 1 : k->asked;
	place_find(k->l, "/bin/sh", &sh);
	if (there)
		return str_fmt("It is at %s: write #!%s in the first line.", there, there);
	if (str_eq(base, "bash") && sh.err == 0)
		return strdup("Install bash in the image (apk add bash), or write #!/bin/sh if the "
			      "script needs no more than that.");
	if (sh.err < 0)
		return str_fmt("The image has no shell either: install %s, or run a program that "
			       "needs no interpreter.",
			       base);
	return str_fmt("Install %s in the image, or correct the first line of %s.", base, k->by);
}

static void loader_missing(struct link *k)
{
	bool wants_musl = strstr(k->asked, "ld-musl-") != NULL;
	enum libc_kind libc = k->l->out->libc;
	const char *is = wants_musl ? "musl" : strstr(k->asked, "/ld") ? "glibc" : "another libc";

	if (libc == LIBC_MUSL && !wants_musl)
		lint_add(
			k->l, "loader-missing", false,
			str_fmt("%s is built for %s (it needs the loader %s), and this image has "
				"musl, as Alpine does.",
				k->by, is, k->asked),
			strdup("Build it on Alpine or statically (Go: CGO_ENABLED=0; Rust: a -musl "
			       "target), try apk add gcompat, or use an image with glibc "
			       "(debian:bookworm-slim)."));
	else if (libc == LIBC_GLIBC && wants_musl)
		lint_add(
			k->l, "loader-missing", false,
			str_fmt("%s is built for musl (it needs the loader %s), and this image has "
				"glibc.",
				k->by, k->asked),
			strdup("Build it on what the image is made from or statically, or install "
			       "the package musl."));
	else if (libc == LIBC_NONE)
		lint_add(
			k->l, "loader-missing", false,
			str_fmt("%s is linked dynamically (it needs the loader %s), and this image "
				"has no C library at all.",
				k->by, k->asked),
			str_fmt("Build it statically (Go: CGO_ENABLED=0), or use an image with %s.",
				wants_musl ? "musl (alpine)"
					   : "glibc (gcr.io/distroless/base, debian)"));
	else
		lint_add(k->l, "loader-missing", false,
			 str_fmt("%s needs the loader %s, which is not in the image.", k->by,
				 k->asked),
			 strdup("Build it for this image, or install the C library it is made for "
				"(another architecture's, perhaps)."));
}

void link_absent(struct link *k)
{
	struct lint *l = k->l;
	_cleanup_free_ char *s = link_subject(k);
	bool whole = str_eq(k->p.real, k->asked) || *k->asked != '/';

	if (k->p.err == -ENOTDIR && s) {
		lint_add(l, "not-found", false,
			 str_fmt("%s cannot be reached: %s is no directory.", s,
				 *k->p.real ? k->p.real : "/"),
			 strdup("Correct the path."));
	} else if (k->p.err != -ENOENT && s) {
		lint_add(l, "path-loop", false,
			 str_fmt("%s cannot be reached: %s.", s, strerror(-k->p.err)),
			 strdup("Mend the links on the way to it."));
	} else if (*k->p.link && s) {
		lint_add(l, "dangling-link", false,
			 str_fmt("%s is a link that leads to %s, which is not there.",
				 str_eq(k->p.link, k->asked) ? s : k->p.link, k->p.real),
			 str_fmt("Make the link %s lead to a file of the image, or install the "
				 "package that %s is from.",
				 k->p.link, k->p.real));
	} else if (k->role == ROLE_LOADER) {
		loader_missing(k);
	} else if (l->en->shell_form && k->role == ROLE_PROGRAM) {
		lint_add(l, "no-shell", false,
			 str_fmt("The command is in shell form, which needs %s, and the image has "
				 "no such shell.",
				 k->asked),
			 strdup("Write it as a list, which needs none (CMD [\"/app\", \"-x\"]), or "
				"take an image with a shell."));
	} else if (k->role == ROLE_INTERPRETER && s) {
		lint_add(l, "interpreter-missing", false, str_fmt("%s is not in the image.", s),
			 interpreter_fix(k));
	} else if (s) {
		lint_add(l, "not-found", false,
			 strchr(k->asked, '/')
				 ? str_fmt("%s is not there%s%s%s.", s, whole ? "" : " (not even ",
					   whole ? "" : k->p.real, whole ? "" : " is)")
				 : str_fmt("%s is in no directory of its PATH (%s).", s, l->path),
			 program_fix(k));
	} else {
		l->oom = true;
	}
}
