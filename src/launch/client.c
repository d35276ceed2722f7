#include "launch/client.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files/pax.h"
#include "kit/spawn.h"
#include "session/view.h"
#include "sys/caps.h"

int client_missing(const char *name, int num, struct err *e)
{
	if (num != -ENOENT)
		return err_set(e, num, "starting %s", name);
	err_say(e, ENOENT, "there is no '%s' in PATH, which has to make the container", name);
	err_hint(e, "install it, or leave out --engine: that needs no engine's client");
	return -ENOENT;
}

/* Run the client with `words` after its own. Its exit status, or -errno with `e`. */
static int run_client(const struct strv *client, const char *const *words, struct buf *out,
		      struct buf *errs, struct err *e)
{
	_cleanup_free_ char *lc = getenv("LC_ALL") ? strdup(getenv("LC_ALL")) : NULL;
	_cleanup_strv_ struct strv all = {};
	int r = strv_add_all(&all, client);

	for (; *words && r == 0; words++)
		r = strv_add(&all, *words);
	if (r < 0)
		return err_set(e, ENOMEM, "running %s", client->v[0]);
	r = spawn_run(all.v, NULL, out, errs);
	if (lc) /* spawn_run() has set it, and what comes next is not to inherit that */
		setenv("LC_ALL", lc, 1);
	else
		unsetenv("LC_ALL");
	return r < 0 ? client_missing(client->v[0], r, e) : r;
}

/* What the client said last, as an error. */
static int client_failed(const struct strv *client, const char *doing, struct buf *errs,
			 struct err *e)
{
	char *text = errs->data ? errs->data : (char[]){""}, *line;
	size_t n = strlen(text);

	while (n && text[n - 1] == '\n')
		text[--n] = '\0';
	line = strrchr(text, '\n');
	return err_say(e, EIO, "%s: %s says: %s", doing, client->v[0],
		       line    ? line + 1
		       : *text ? text
			       : "nothing");
}

int client_has_image(const struct strv *client, const char *image, struct err *e)
{
	const char *const words[] = {"image", "inspect", "--format", "{{.Id}}", "--", image, NULL};
	_cleanup_buf_ struct buf errs = {};
	int r = run_client(client, words, NULL, &errs, e);

	if (r <= 0)
		return r < 0 ? r : 1;
	if (errs.data &&
	    (strcasestr(errs.data, "no such image") || strcasestr(errs.data, "image not known") ||
	     strcasestr(errs.data, "failed to find image")))
		return 0;
	return client_failed(client, "looking for the image", &errs, e);
}

static int add_entry(struct pax *p, const char *path, const char *link, mode_t mode)
{
	struct attrs a = {.mode = mode, .owner = true, .times = true};
	struct pax_head h = {.path = path, .link = link, .type = link ? '2' : '5', .a = &a};

	return pax_head(p, &h);
}

/* With the target's pids there, its first one's root is the target's. */
static int write_root(int fd)
{
	static const char *const dirs[] = {"dev", "etc", "proc", "root", "run", "sys", "usr"};
	_cleanup_pax_ struct pax p = {};
	int r = pax_open(&p, fd);

	for (size_t i = 0; i < ARRAY_LEN(dirs) && r == 0; i++)
		r = add_entry(&p, dirs[i], NULL, S_IFDIR | 0755);
	if (r == 0)
		r = add_entry(&p, "tmp", NULL, S_IFDIR | 01777);
	for (size_t i = 0; i < VIEW_KIT_LINKS && r == 0; i++)
		r = add_entry(&p, view_kit_links[i][0], view_kit_links[i][1], S_IFLNK | 0777);
	if (r == 0)
		r = add_entry(&p, "target", "proc/1/root", S_IFLNK | 0777);
	return r < 0 ? r : pax_close(&p);
}

int client_make_image(const struct strv *client, struct err *e)
{
	/* no MFD_CLOEXEC: the client opens it */
	_cleanup_close_ int fd = (int)memfd_create("image", 0);
	_cleanup_buf_ struct buf errs = {};
	char file[32];
	int r = fd < 0 ? -errno : write_root(fd);
	const char *const words[] = {"import", file, CLIENT_IMAGE, NULL};

	if (r < 0)
		return err_set(e, r, "making the image " CLIENT_IMAGE);
	snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	r = run_client(client, words, NULL, &errs, e);
	return r > 0 ? client_failed(client, "making the image " CLIENT_IMAGE, &errs, e) : r;
}

/* Docker 23.0 is the first with API 1.42, and knows those of Linux 5.8 and 5.9. */
int client_caps(const struct strv *client, uint64_t *known, struct err *e)
{
	const char *const words[] = {"version", "--format", "{{.Server.APIVersion}}", NULL};
	_cleanup_buf_ struct buf out = {}, errs = {};
	unsigned major = 0, minor = 0;
	int r = run_client(client, words, &out, &errs, e);

	if (r > 0)
		return client_failed(client, "asking for its version", &errs, e);
	if (r == 0 && out.data && sscanf(out.data, "%u.%u", &major, &minor) == 2)
		*known = major > 1 || minor >= 42 ? UINT64_MAX : CAPS_BIT(CAP_PERFMON) - 1;
	return r;
}

int client_exec(const struct strv *argv, struct err *e)
{
	/* where the engine is has been said in words */
	unsetenv("DOCKER_HOST");
	unsetenv("DOCKER_CONTEXT");
	unsetenv("DOCKER_TLS_VERIFY");
	unsetenv("CONTAINER_HOST");
	execvp(argv->v[0], argv->v);
	return client_missing(argv->v[0], -errno, e);
}
