/* A small Debian of this machine's packages, as an archive that is kept. */
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inject/origin.h"
#include "kit/build.h"
#include "kit/spawn.h"

#define CACHE "/var/cache/porthole/inject"

static int need_apt(struct err *e)
{
	static char *const apt[] = {(char *)"apt-get", (char *)"--version", NULL};

	if (spawn_run(apt, NULL, NULL, NULL) != -ENOENT)
		return 0;
	err_say(e, ENOENT, "there is no apt-get on this machine, of whose packages Debian is made");
	err_hint(e,
		 "use --from with an image or an archive of one, such as what 'docker save debian' "
		 "writes, or --from busybox where this machine has a static /bin/busybox");
	return -ENOENT;
}

void origin_work_done(struct origin_work *w)
{
	if (w->lock >= 0)
		build_remove(w->lock, "work");
	cleanup_close(&w->lock);
}

int origin_work_open(struct origin_work *w, struct err *e)
{
	int r = need_apt(e);

	if (r < 0)
		return r;
	if ((mkdir("/var/cache/porthole", 0755) < 0 && errno != EEXIST) ||
	    (mkdir(CACHE, 0700) < 0 && errno != EEXIST))
		return err_set(e, errno, "making " CACHE);
	w->lock = open(CACHE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->lock < 0)
		return err_set(e, errno, "opening " CACHE);
	/* another one may be at work there: what it makes may be just what we want */
	while (flock(w->lock, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_set(e, errno, "waiting for " CACHE);
	build_remove(w->lock, "work"); /* left by one that was killed */
	if (mkdirat(w->lock, "work", 0700) < 0)
		return err_set(e, errno, "making " ORIGIN_WORK);
	return 0;
}

int origin_debs(const struct strv *asked, const struct kit_progress *progress,
		struct kit_packages *out, struct err *e)
{
	struct rules rules = {.packages = *asked};
	int r;

	progress->step(progress->arg, "asking apt", 0, 0);
	r = apt_resolve(&rules, ORIGIN_WORK, out, e);
	return r < 0 ? r : apt_fetch(out, ORIGIN_WORK, progress, e);
}

/* The file that these packages are kept as. */
static char *archive_name(const struct kit_packages *debs)
{
	struct sha256_ctx ctx;
	uint8_t sum[8];
	_cleanup_buf_ struct buf b = {};

	sha256_init(&ctx);
	sha256_update(&ctx, strlen(origin_debian_script), (const uint8_t *)origin_debian_script);
	for (size_t i = 0; i < debs->n; i++)
		sha256_update(&ctx, strlen(debs->v[i].deb) + 1, (const uint8_t *)debs->v[i].deb);
	sha256_digest(&ctx, sizeof(sum), sum);
	buf_puts(&b, CACHE "/debian-");
	for (size_t i = 0; i < sizeof(sum); i++)
		buf_printf(&b, "%02x", sum[i]);
	buf_puts(&b, ".tar");
	return buf_take(&b);
}

/* Its last line with "error" in it, else its last line. */
static int failed(int status, const struct buf *errs, struct err *e)
{
	_cleanup_strv_ struct strv lines = {};
	const char *what = "nothing was said";

	if (strv_split(&lines, errs->data ? errs->data : "", "\n") < 0)
		return err_set(e, ENOMEM, "putting packages together");
	if (lines.n)
		what = lines.v[lines.n - 1];
	for (size_t i = lines.n; i-- > 0;)
		if (strstr(lines.v[i], "error") || strstr(lines.v[i], "cannot")) {
			what = lines.v[i];
			break;
		}
	if (status > 128)
		return err_say(e, EIO, "what puts the packages together was killed by signal %d",
			       status - 128);
	return err_say(e, EIO, "the packages cannot be put together: %s", what);
}

static int make_archive(const struct kit_packages *debs, const char *path, struct err *e)
{
	static const char *const fixed[] = {"setsid",	     "-w",	"unshare", "--mount",
					    "--pid",	     "--net",	"--fork",  "--kill-child",
					    "--propagation", "private", "sh",	   "-c"};
	static const char made[] = ORIGIN_WORK "/debian.tar";
	_cleanup_strv_ struct strv a = {};
	_cleanup_buf_ struct buf errs = {};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(fixed) && r == 0; i++)
		r = strv_add(&a, fixed[i]);
	r = r ?: strv_add(&a, origin_debian_script) ?: strv_add(&a, "sh");
	r = r ?: strv_add(&a, ORIGIN_WORK) ?: strv_add(&a, made);
	for (size_t i = 0; i < debs->n && r == 0; i++)
		r = strv_add(&a, debs->v[i].path);
	if (r < 0)
		return err_set(e, r, "putting packages together");
	r = spawn_run(a.v, NULL, NULL, &errs);
	if (r < 0)
		return err_set(e, r, "running unshare");
	if (r > 0)
		return failed(r, &errs, e);
	return rename(made, path) < 0 ? err_set(e, errno, "keeping %s", path) : 0;
}

int origin_debian(const struct origin_ask *a, char **path, struct err *e)
{
	static const char *const base[] = {"?essential", "apt", "usr-is-merged"};
	_cleanup_origin_work_ struct origin_work w = ORIGIN_WORK_INIT;
	_cleanup_packages_ struct kit_packages debs = {};
	_cleanup_strv_ struct strv ask = {};
	_cleanup_free_ char *file = NULL;
	int r = origin_work_open(&w, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(base) && r == 0; i++)
		r = strv_add(&ask, base[i]);
	for (size_t i = 0; i < a->packages->n && r == 0; i++) {
		if (!rules_is_package(a->packages->v[i]))
			return err_say(e, EINVAL, "'%s' is not the name of a package",
				       a->packages->v[i]);
		r = strv_add(&ask, a->packages->v[i]);
	}
	if (r == 0)
		r = origin_debs(&ask, &a->progress, &debs, e);
	if (r < 0)
		return r;
	file = archive_name(&debs);
	if (!file)
		return err_set(e, ENOMEM, "putting packages together");
	if (access(file, R_OK) < 0) {
		a->progress.step(a->progress.arg, "configuring packages", 0, debs.n);
		r = make_archive(&debs, file, e);
	}
	if (r == 0)
		*path = TAKE_PTR(file);
	return r;
}
