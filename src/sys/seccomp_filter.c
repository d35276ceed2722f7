#include "sys/seccomp_filter.h"

#include <ctype.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { X32_BIT = 0x40000000, STUB = 6, ARGS_MAX = 6 };

void seccomp_filter_done(struct seccomp_filter *f)
{
	free(f->code);
	*f = (struct seccomp_filter){};
}

static void release(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

/* 0: no such action, or none that can be here. */
static uint32_t action_of(const char *name, int64_t num)
{
	const uint32_t error = SCMP_ACT_ERRNO((uint16_t)(num < 0 ? EPERM : num));
	const struct {
		const char *name;
		uint32_t action;
	} all[] = {
		{"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD},
		{"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
		{"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
		{"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
		{"SCMP_ACT_ERRNO", error},
		{"SCMP_ACT_TRACE", SCMP_ACT_TRACE((uint16_t)(num < 0 ? EPERM : num))},
		{"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
		{"SCMP_ACT_LOG", SCMP_ACT_LOG},
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (str_eq(all[i].name, name))
			return all[i].action;
	return SCMP_ACT_NOTIFY;
}

static int add_arches(scmp_filter_ctx ctx, json_t *list)
{
	json_t *v;
	size_t i;

	json_array_foreach (list, i, v) {
		const char *s = json_is_string(v) ? json_string_value(v) : "";
		char name[32] = "";
		uint32_t token;
		int r;

		s += str_starts(s, "SCMP_ARCH_") ? strlen("SCMP_ARCH_") : 0;
		for (size_t k = 0; s[k] && k < sizeof(name) - 1; k++)
			name[k] = (char)tolower((unsigned char)s[k]);
		token = seccomp_arch_resolve_name(name);
		r = token ? seccomp_arch_add(ctx, token) : 0;
		if (r < 0 && r != -EEXIST)
			return r;
	}
	return 0;
}

static bool arg_of(json_t *v, struct scmp_arg_cmp *out)
{
	static const char *const ops[] = {
		[SCMP_CMP_NE] = "SCMP_CMP_NE",
		[SCMP_CMP_LT] = "SCMP_CMP_LT",
		[SCMP_CMP_LE] = "SCMP_CMP_LE",
		[SCMP_CMP_EQ] = "SCMP_CMP_EQ",
		[SCMP_CMP_GE] = "SCMP_CMP_GE",
		[SCMP_CMP_GT] = "SCMP_CMP_GT",
		[SCMP_CMP_MASKED_EQ] = "SCMP_CMP_MASKED_EQ",
	};
	const char *name = json_str(v, "op", "");
	int64_t index = json_int(v, "index", -1);

	*out = (struct scmp_arg_cmp){.arg = (unsigned)index,
				     .datum_a = (uint64_t)json_int(v, "value", 0),
				     .datum_b = (uint64_t)json_int(v, "valueTwo", 0)};
	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		if (str_eq(ops[i], name))
			out->op = (enum scmp_compare)i;
	return out->op && index >= 0 && index < ARGS_MAX;
}

/* One system call with its conditions: all of them, or, where two are of one argument, any. */
static int add_rule(scmp_filter_ctx ctx, uint32_t action, int call, json_t *args)
{
	struct scmp_arg_cmp arg[ARGS_MAX];
	bool seen[ARGS_MAX] = {}, any = false;
	size_t i, n = json_array_size(args);
	json_t *v;
	int r = 0;

	if (n > ARGS_MAX)
		return -EINVAL;
	json_array_foreach (args, i, v) {
		if (!arg_of(v, &arg[i]))
			return -EINVAL;
		any |= seen[arg[i].arg];
		seen[arg[i].arg] = true;
	}
	if (!any)
		return seccomp_rule_add_array(ctx, action, call, (unsigned)n, arg);
	for (i = 0; i < n && r == 0; i++)
		r = seccomp_rule_add_array(ctx, action, call, 1, &arg[i]);
	return r;
}

/* An entry of `syscalls`; *last: the largest number of a call so far. */
static int add_calls(scmp_filter_ctx ctx, json_t *entry, uint32_t dflt, int *last)
{
	_cleanup_json_ json_t *names = json_incref(json_at(entry, "names"));
	uint32_t action = action_of(json_str(entry, "action", ""), json_int(entry, "errnoRet", -1));
	json_t *v;
	size_t i;

	if (action == SCMP_ACT_NOTIFY)
		return str_eq(json_str(entry, "action", ""), "SCMP_ACT_NOTIFY") ? -ENOTSUP
										: -EINVAL;
	if (!names) /* docker's first profiles */
		names = json_pack("[O]", json_at(entry, "name"));
	json_array_foreach (names, i, v) {
		const char *name = json_is_string(v) ? json_string_value(v) : "";
		int call = seccomp_syscall_resolve_name(name), r;

		if (call == __NR_SCMP_ERROR)
			continue;
		*last = call > *last ? call : *last;
		r = action == dflt ? 0 : add_rule(ctx, action, call, json_at(entry, "args"));
		if (r < 0)
			return r;
	}
	return 0;
}

/* Before all else, for our own kind of programs: calls that nobody knew of when the profile was
 * written do not exist, so that a libc goes back to what it did before (runc's patchbpf). */
static void stub(struct sock_filter *to, int last)
{
	const struct sock_filter code[STUB] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, seccomp_arch_native(), 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)last, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};

	memcpy(to, code, sizeof(code));
}

static int export_code(scmp_filter_ctx ctx, int last, struct seccomp_filter *out)
{
	_cleanup_close_ int fd = memfd_create("filter", MFD_CLOEXEC);
	const size_t before = last >= 0 ? STUB : 0;
	off_t size;
	size_t n;
	int r = fd < 0 ? -errno : seccomp_export_bpf(ctx, fd);

	size = r < 0 ? 0 : lseek(fd, 0, SEEK_END);
	n = (size_t)size / sizeof(*out->code) + before;
	if (r < 0 || size <= 0 || n > BPF_MAXINSNS)
		return r < 0 ? r : -E2BIG;
	out->code = calloc(n, sizeof(*out->code));
	if (!out->code)
		return -ENOMEM;
	if (before)
		stub(out->code, last);
	if (pread(fd, out->code + before, (size_t)size, 0) != size)
		return -EIO;
	out->n = (unsigned short)n;
	return 0;
}

int seccomp_filter_compile(json_t *profile, struct seccomp_filter *out, struct err *e)
{
	const char *name = json_str(profile, "defaultAction", "");
	int64_t num = json_int(profile, "defaultErrnoRet", -1);
	const uint32_t dflt = action_of(name, num);
	_cleanup_(release) scmp_filter_ctx ctx =
		dflt == SCMP_ACT_NOTIFY ? NULL : seccomp_init(dflt);
	bool allows = dflt == SCMP_ACT_ALLOW || dflt == SCMP_ACT_LOG;
	int last = -1, r = ctx ? 0 : -EINVAL;
	json_t *v;
	size_t i;

	*out = (struct seccomp_filter){};
	if (r == 0)
		r = add_arches(ctx, json_at(profile, "architectures"));
	json_array_foreach (json_at(profile, "syscalls"), i, v)
		if (r == 0)
			r = add_calls(ctx, v, dflt, &last);
	if (r == 0)
		r = export_code(ctx, allows || num == ENOSYS ? -1 : last, out);
	if (r == 0)
		return 0;
	seccomp_filter_done(out);
	return err_set(e, r, "compiling the seccomp profile");
}

int seccomp_filter_load(const struct seccomp_filter *f)
{
	const struct sock_fprog prog = {.len = f->n, .filter = f->code};

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) < 0 ? -errno : 0;
}
