#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "entry_root.h"

int root_fd = -EBADF;
static char dir[64];

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

int root_setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/pt-entry-XXXXXX");
	if (!mkdtemp(dir) || chmod(dir, 0755) < 0)
		return -1;
	root_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root_fd < 0;
}

int root_teardown(void **state)
{
	(void)state;
	close(root_fd);
	return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Below our root; the directories on the way are made. Only tests write here. */
static const char *parents(const char *path)
{
	char part[4096];

	for (const char *s = strchr(path + 1, '/'); s; s = strchr(s + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(s - path - 1), path + 1);
		mkdirat(root_fd, part, 0755);
	}
	return path + 1;
}

void root_bytes(const char *path, mode_t mode, const void *data, size_t n)
{
	_cleanup_close_ int fd = -EBADF;

	unlinkat(root_fd, path + 1, 0);
	fd = openat(root_fd, parents(path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, n), (ssize_t)n);
	assert_int_equal(fchmod(fd, mode), 0);
}

void root_file(const char *path, mode_t mode, const char *text)
{
	root_bytes(path, mode, text, strlen(text));
}

void root_link(const char *path, const char *to)
{
	unlinkat(root_fd, path + 1, 0);
	assert_int_equal(symlinkat(to, root_fd, parents(path)), 0);
}

void root_dir(const char *path, mode_t mode)
{
	mkdirat(root_fd, parents(path), 0755);
	assert_int_equal(fchmodat(root_fd, path + 1, mode, 0), 0);
}

void root_remove(const char *path)
{
	if (unlinkat(root_fd, path + 1, 0) < 0)
		assert_int_equal(unlinkat(root_fd, path + 1, AT_REMOVEDIR), 0);
}

/* ---- ELF ---- */

struct image {
	Elf64_Ehdr h;
	Elf64_Phdr p[3];
	Elf64_Dyn dyn[20];
	Elf64_Verneed need;
	Elf64_Vernaux aux;
	Elf64_Verdef def;
	Elf64_Verdaux defaux;
	char strings[1024];
};

static uint64_t add_string(struct image *m, size_t *at, const char *s)
{
	size_t here = *at;

	assert_true(here + strlen(s) + 1 <= sizeof(m->strings));
	memcpy(m->strings + here, s, strlen(s) + 1);
	*at += strlen(s) + 1;
	return here;
}

static void add_dyn(struct image *m, size_t *n, int64_t tag, uint64_t value)
{
	m->dyn[(*n)++] = (Elf64_Dyn){tag, {value}};
}

static void add_versions(struct image *m, size_t *n, size_t *at, const struct root_elf *e)
{
	if (e->want) {
		m->need = (Elf64_Verneed){.vn_cnt = 1,
					  .vn_file = (Elf64_Word)add_string(m, at, e->want_file),
					  .vn_aux = sizeof(m->need)};
		m->aux.vna_name = (Elf64_Word)add_string(m, at, e->want);
		add_dyn(m, n, DT_VERNEED, offsetof(struct image, need));
		add_dyn(m, n, DT_VERNEEDNUM, 1);
	}
	if (e->provides) {
		m->def = (Elf64_Verdef){.vd_aux = sizeof(m->def)};
		m->defaux.vda_name = (Elf64_Word)add_string(m, at, e->provides);
		add_dyn(m, n, DT_VERDEF, offsetof(struct image, def));
		add_dyn(m, n, DT_VERDEFNUM, 1);
	}
}

void root_elf(const char *path, mode_t mode, const struct root_elf *e)
{
	struct image m = {
		.h = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1},
		      .e_type = ET_DYN,
		      .e_machine = e->machine ? e->machine : EM_X86_64,
		      .e_phoff = offsetof(struct image, p),
		      .e_phentsize = sizeof(Elf64_Phdr),
		      .e_phnum = 2},
		.p = {{.p_type = PT_LOAD, .p_filesz = sizeof(m)},
		      {.p_type = PT_DYNAMIC,
		       .p_offset = offsetof(struct image, dyn),
		       .p_filesz = sizeof(m.dyn)}},
	};
	size_t at = 1, n = 0;

	if (e->interp) {
		m.p[2] = (Elf64_Phdr){.p_type = PT_INTERP,
				      .p_offset = offsetof(struct image, strings) + at,
				      .p_filesz = strlen(e->interp) + 1};
		add_string(&m, &at, e->interp);
		m.h.e_phnum = 3;
	}
	for (size_t i = 0; e->needed[i]; i++)
		add_dyn(&m, &n, DT_NEEDED, add_string(&m, &at, e->needed[i]));
	if (e->soname)
		add_dyn(&m, &n, DT_SONAME, add_string(&m, &at, e->soname));
	if (e->rpath)
		add_dyn(&m, &n, DT_RPATH, add_string(&m, &at, e->rpath));
	if (e->runpath)
		add_dyn(&m, &n, DT_RUNPATH, add_string(&m, &at, e->runpath));
	add_versions(&m, &n, &at, e);
	add_dyn(&m, &n, DT_STRTAB, offsetof(struct image, strings));
	add_dyn(&m, &n, DT_STRSZ, sizeof(m.strings));
	root_bytes(path, mode, &m, e->cut ? sizeof(m) - 8 : sizeof(m));
}

/* ---- whole roots ---- */

#define GLIBC_LOADER "/lib64/ld-linux-x86-64.so.2"
#define MUSL_LOADER  "/lib/ld-musl-x86_64.so.1"

static void root_etc(void)
{
	root_file("/etc/passwd", 0644,
		  "root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/srv:/bin/sh\n");
	root_file("/etc/group", 0644, "root:x:0:\napp:x:1000:\nwheel:x:10:app\n");
}

void root_debian(void)
{
	root_etc();
	root_elf(GLIBC_LOADER, 0755, &(struct root_elf){.soname = "ld-linux-x86-64.so.2"});
	root_elf("/lib/x86_64-linux-gnu/libc.so.6", 0755,
		 &(struct root_elf){.soname = "libc.so.6", .provides = "GLIBC_2.36"});
	root_elf("/bin/sh", 0755,
		 &(struct root_elf){.interp = GLIBC_LOADER, .needed = {"libc.so.6"}});
	root_elf("/usr/bin/env", 0755,
		 &(struct root_elf){.interp = GLIBC_LOADER, .needed = {"libc.so.6"}});
}

void root_alpine(void)
{
	root_etc();
	root_elf(MUSL_LOADER, 0755, &(struct root_elf){.soname = "libc.musl-x86_64.so.1"});
	root_elf("/bin/busybox", 0755,
		 &(struct root_elf){.interp = MUSL_LOADER, .needed = {"libc.musl-x86_64.so.1"}});
	root_link("/bin/sh", "/bin/busybox");
}

/* ---- linting ---- */

static void fill(struct strv *v, const char *const *list, size_t max)
{
	for (size_t i = 0; i < max && list[i]; i++)
		assert_int_equal(strv_add(v, list[i]), 0);
}

void root_lint(const struct root_entry *re, struct entry_report *r)
{
	_cleanup_entry_ struct entry en = {.shell_form = re->shell_form,
					   .no_new_privs = re->nnp,
					   .live = re->live,
					   .makes_cwd = re->makes_cwd};
	struct entry_host host = {.machine = re->machine ? re->machine : "x86_64",
				  .proc_fd = re->proc_fd ? re->proc_fd : -EBADF};

	fill(&en.argv, re->argv, ARRAY_LEN(re->argv));
	fill(&en.env, re->env, ARRAY_LEN(re->env));
	if (re->mount)
		assert_int_equal(strv_add(&en.mounts, re->mount), 0);
	if (re->unseen)
		assert_int_equal(strv_add(&en.unseen, re->unseen), 0);
	if (re->user)
		en.user = strdup(re->user);
	if (re->cwd)
		en.cwd = strdup(re->cwd);
	if (re->map)
		en.uids = en.gids = (struct idmap){.r = {{0, 0, re->map}}, .n = 1};
	assert_int_equal(entry_lint(root_fd, &en, &host, r), 0);
}

static void print_findings(const struct entry_report *r)
{
	for (size_t i = 0; i < r->n; i++)
		print_error("  %s: %s %s\n", r->findings[i].id, r->findings[i].text,
			    r->findings[i].fix);
}

static bool is_known(const char *id)
{
	for (size_t i = 0; entry_finding_ids[i]; i++)
		if (strcmp(entry_finding_ids[i], id) == 0)
			return true;
	return false;
}

void expect(const struct root_entry *re, const char *id, const char *part)
{
	_cleanup_entry_report_ struct entry_report r = {};
	bool found = false;

	root_lint(re, &r);
	for (size_t i = 0; i < r.n; i++) {
		const struct entry_finding *f = &r.findings[i];

		assert_true(is_known(f->id));
		assert_true(*f->text && *f->fix);
		if (id && strcmp(f->id, id) == 0)
			found |= !part || strstr(f->text, part) || strstr(f->fix, part);
	}
	if (id ? found : r.n == 0)
		return;
	print_findings(&r);
	fail_msg("expected %s (%s)", id ? id : "no finding", part ? part : "");
}

void expect_not(const struct root_entry *re, const char *id)
{
	_cleanup_entry_report_ struct entry_report r = {};

	root_lint(re, &r);
	for (size_t i = 0; i < r.n; i++)
		if (strcmp(r.findings[i].id, id) == 0) {
			print_findings(&r);
			fail_msg("did not expect %s", id);
		}
}
