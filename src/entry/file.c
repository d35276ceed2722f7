/* What is there and cannot be executed: by its mode, its mount, its machine or its content. */
#include <errno.h>
#include <sys/statvfs.h>

#include "base/path.h"
#include "entry/lint_priv.h"

static bool has_mount_flag(const struct link *k, unsigned long flag)
{
	struct statvfs fs;

	return k->l->en->live && fstatvfs(k->p.fd, &fs) == 0 && fs.f_flag & flag;
}

/* May it be executed by its mode, owner and mount? Adds what is wrong; false: it cannot be run. */
bool link_mode(struct link *k)
{
	struct lint *l = k->l;
	const struct stat *st = &k->p.st;
	_cleanup_free_ char *s = link_subject(k);
	const char *dir = *k->p.shut ? k->p.shut : NULL;
	size_t before = l->out->n;

	if (!s) {
		l->oom = true;
		return false;
	}
	if (S_ISDIR(st->st_mode))
		lint_add(l, "directory", false, str_fmt("%s is a directory.", s),
			 str_fmt("Name the program in it."));
	else if (!S_ISREG(st->st_mode))
		lint_add(
			l, "special-file", false,
			str_fmt("%s is a FIFO, a socket or a device, which cannot be executed.", s),
			strdup("Put a regular file there."));
	if (l->out->n > before)
		return false;
	if (!(st->st_mode & 0111))
		lint_add(l, "not-executable", false,
			 str_fmt("%s is not executable (mode %04o).", s, st->st_mode & 07777),
			 str_fmt("chmod +x it before it is copied into the image, or COPY "
				 "--chmod=755 (in git: git update-index --chmod=+x)."));
	else if (l->out->user_known && dir)
		lint_add(
			l, "not-allowed", false,
			str_fmt("%s is in %s, which the user it runs as (uid %u) may not enter.", s,
				dir, l->out->uid),
			str_fmt("Open the directory (chmod a+x %s) or give it to that user.", dir));
	else if (l->out->user_known && !place_may(l, &k->p, 1))
		lint_add(l, "not-allowed", false,
			 str_fmt("%s may not be executed by the user it runs as (uid %u): it is of "
				 "uid %u, with mode %04o.",
				 s, l->out->uid, st->st_uid, st->st_mode & 07777),
			 str_fmt("chmod a+rx %s, or chown it to that user.", k->p.real));
	if (has_mount_flag(k, ST_NOEXEC))
		lint_add(l, "noexec", false,
			 str_fmt("%s is on a file system that is mounted noexec.", s),
			 strdup("Mount it without noexec, or keep programs in the image itself."));
	return true;
}

static void check_setuid(struct link *k)
{
	const struct stat *st = &k->p.st;
	bool nosuid = has_mount_flag(k, ST_NOSUID);

	if (!(st->st_mode & S_ISUID) || st->st_uid == k->l->who.uid ||
	    !(k->l->en->no_new_privs || nosuid))
		return;
	lint_add(
		k->l, "setuid", true,
		str_fmt("%s is set-user-ID, which has no effect here: %s.", k->asked,
			nosuid ? "its file system is mounted nosuid"
			       : "the container is run with no-new-privileges"),
		str_fmt("Start the container as the user that the program needs to be (--user %u), "
			"or without that option.",
			st->st_uid));
}

/* ---- ELF files ---- */

static void wrong_machine(struct link *k, struct entry_file *f)
{
	struct lint *l = k->l;
	_cleanup_place_ struct place at = PLACE_INIT;
	bool fixed;

	f->handler = machine_handler(l, k->head, k->n, k->p.real, &fixed);
	if (!f->handler) {
		const char *platform = machine_platform(l->host->machine);

		lint_add(
			l, "wrong-machine", false,
			str_fmt("%s is built for %s; this host is %s, and no handler of "
				"binfmt_misc takes it.",
				k->asked, f->machine, l->host->machine),
			str_fmt("Pull or build the image for this host (--platform %s), or install "
				"qemu-user-static's handlers on the host.",
				*platform ? platform : "OS/ARCH"));
		return;
	}
	place_find(l, f->handler, &at);
	if (!fixed && at.err < 0)
		lint_add(l, "handler-missing", false,
			 str_fmt("%s is built for %s; the host hands such programs to %s, which is "
				 "not in the image.",
				 k->asked, f->machine, f->handler),
			 strdup("Register the handler so that it works in containers (flag F), as "
				"Debian's qemu-user-static does."));
}

static void damaged_elf(struct link *k, int r, const struct elf_head *h)
{
	lint_add(k->l, "damaged", false,
		 str_fmt("%s is a damaged program: %s.", k->asked,
			 r == -EBADMSG && h->damage ? h->damage : strerror(-r)),
		 strdup("Copy or build it anew: a full disk, an aborted download or Git LFS may "
			"have "
			"cut it off."));
}

/* The program that loads this one. */
static void lint_loader(struct link *k, const struct elf_head *h, int fd, size_t at)
{
	_cleanup_elf_head_ struct elf_head lh = {};
	struct link loader;
	size_t before = k->l->out->n;

	link_follow(k->l, h->interp, k->p.real, ROLE_LOADER, &loader);
	if (loader.p.err == 0 && k->l->out->n == before) {
		_cleanup_close_ int loader_fd = path_reopen(loader.p.fd);

		if (loader_fd < 0 || elf_head_read(loader_fd, &lh) < 0 ||
		    lh.machine != h->machine || lh.class != h->class)
			lint_add(k->l, "damaged", false,
				 str_fmt("%s, the loader of %s, is no loader for this machine.",
					 h->interp, k->p.real),
				 strdup("Install the C library of the image anew."));
		else if (at < k->l->out->n_files)
			lint_libraries(k->l, k->p.real, fd, h,
				       k->p.st.st_mode & (S_ISUID | S_ISGID),
				       &k->l->out->files[at]);
	}
	root_place_done(&loader.p);
}

void link_elf(struct link *k, struct entry_file *f)
{
	_cleanup_close_ int fd = path_reopen(k->p.fd);
	_cleanup_elf_head_ struct elf_head h = {};
	size_t at = (size_t)(f - k->l->out->files);
	int r = fd < 0 ? fd : elf_head_read(fd, &h);

	f->kind = FILE_ELF;
	if (r < 0) {
		damaged_elf(k, r, &h);
		return;
	}
	f->is_static = !h.interp;
	f->machine = strdup(elf_machine_name(h.machine, h.class, h.big));
	if (!f->machine) {
		k->l->oom = true;
		return;
	}
	if (h.cut)
		lint_add(
			k->l, "truncated", false,
			str_fmt("%s is cut off: parts that it says are in it lie behind its end "
				"(%lld bytes).",
				k->asked, (long long)k->p.st.st_size),
			strdup("Copy or build it anew: a full disk, an aborted download or Git LFS "
			       "may have cut it off."));
	check_setuid(k);
	if (!machine_is_native(k->l, &h)) {
		size_t before = k->l->out->n;

		wrong_machine(k, f);
		if (k->l->out->n > before)
			return;
	}
	if (h.interp && k->role != ROLE_LOADER)
		lint_loader(k, &h, fd, at);
}
