#include "watch/tap_calls.h"

#include <errno.h>
#include <linux/audit.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "base/cleanup.h"

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv)
#define OUR_ARCH AUDIT_ARCH_RISCV64
#endif

enum form { FORM_PLAIN, FORM_VECTOR, FORM_MESSAGE, FORM_MESSAGES, FORM_MOVED };

static const struct {
	long nr;
	enum form form;
	int fd_arg;
} calls[] = {
	{SYS_write, FORM_PLAIN, 0},	      {SYS_pwrite64, FORM_PLAIN, 0},
	{SYS_sendto, FORM_PLAIN, 0},	      {SYS_writev, FORM_VECTOR, 0},
	{SYS_pwritev, FORM_VECTOR, 0},	      {SYS_pwritev2, FORM_VECTOR, 0},
	{SYS_vmsplice, FORM_VECTOR, 0},	      {SYS_sendmsg, FORM_MESSAGE, 0},
	{SYS_sendmmsg, FORM_MESSAGES, 0},     {SYS_sendfile, FORM_MOVED, 0},
	{SYS_splice, FORM_MOVED, 2},	      {SYS_tee, FORM_MOVED, 1},
	{SYS_copy_file_range, FORM_MOVED, 2},
};

static ssize_t peek(pid_t tid, uint64_t at, void *out, size_t len)
{
	struct iovec here = {.iov_base = out, .iov_len = len};
	struct iovec there = {.iov_base = (void *)(uintptr_t)at, .iov_len = len};
	ssize_t n = process_vm_readv(tid, &here, 1, &there, 1, 0);

	return n < 0 ? -errno : n;
}

static void take_vector(pid_t tid, uint64_t at, uint64_t n, struct tap_call *c)
{
	struct iovec v[TAP_VECTORS];
	ssize_t got;

	n = n > TAP_VECTORS - c->n ? TAP_VECTORS - c->n : n;
	got = n ? peek(tid, at, v, n * sizeof(v[0])) : 0;
	for (size_t i = 0; got > 0 && i < (size_t)got / sizeof(v[0]); i++) {
		c->piece[c->n].at = (uintptr_t)v[i].iov_base;
		c->piece[c->n++].len = v[i].iov_len;
	}
}

static void take_message(pid_t tid, uint64_t at, struct tap_call *c)
{
	struct msghdr m;

	if (peek(tid, at, &m, sizeof(m)) == sizeof(m))
		take_vector(tid, (uintptr_t)m.msg_iov, m.msg_iovlen, c);
}

bool tap_call_enter(pid_t tid, const struct __ptrace_syscall_info *info, struct tap_call *c)
{
	const uint64_t *args = info->entry.args;
	size_t i = 0;

	c->fd = -1;
	if (info->arch != OUR_ARCH)
		return false;
	while (i < ARRAY_LEN(calls) && (uint64_t)calls[i].nr != info->entry.nr)
		i++;
	if (i == ARRAY_LEN(calls))
		return false;
	c->fd = (int)args[calls[i].fd_arg];
	c->n = 0;
	c->messages = 0;
	c->in_memory = calls[i].form != FORM_MOVED;
	if (calls[i].form == FORM_PLAIN) {
		c->piece[0].at = args[1];
		c->piece[c->n++].len = args[2];
	} else if (calls[i].form == FORM_VECTOR) {
		take_vector(tid, args[1], args[2], c);
	} else if (calls[i].form == FORM_MESSAGE) {
		take_message(tid, args[1], c);
	} else if (calls[i].form == FORM_MESSAGES) {
		c->messages = args[1];
		for (unsigned m = 0; m < args[2] && m < TAP_VECTORS; m++)
			take_message(tid, args[1] + m * sizeof(struct mmsghdr), c);
	}
	return true;
}

uint64_t tap_call_took(pid_t tid, const struct tap_call *c, int64_t returned)
{
	uint64_t sum = 0;

	if (!c->messages)
		return (uint64_t)returned;
	for (int64_t i = 0; i < returned && i < TAP_VECTORS; i++) {
		struct mmsghdr m;

		if (peek(tid, c->messages + (uint64_t)i * sizeof(m), &m, sizeof(m)) == sizeof(m))
			sum += m.msg_len;
	}
	return sum;
}

ssize_t tap_call_read(pid_t tid, const struct tap_call *c, uint64_t at, char *out, size_t len)
{
	for (unsigned i = 0; i < c->n; i++) {
		if (at >= c->piece[i].len) {
			at -= c->piece[i].len;
			continue;
		}
		if (len > c->piece[i].len - at)
			len = (size_t)(c->piece[i].len - at);
		return peek(tid, c->piece[i].at + at, out, len);
	}
	return 0;
}
