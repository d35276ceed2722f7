#include "pure.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define OPEN_MAKES (O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))

/* When a process ends it has no memory and no descriptors, whatever it did with them before; and
 * what the kernel holds in its caches stays, synced or not. */
static const uint16_t always[] = {
	SYS_mmap,
	SYS_munmap,
	SYS_mprotect,
	SYS_mremap,
	SYS_madvise,
	SYS_brk,
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_sigaltstack,
	SYS_set_tid_address,
	SYS_set_robust_list,
	SYS_rseq,
	SYS_getpid,
	SYS_getppid,
	SYS_gettid,
	SYS_getuid,
	SYS_geteuid,
	SYS_getgid,
	SYS_getegid,
	SYS_getgroups,
	SYS_getresuid,
	SYS_getresgid,
	SYS_capget,
	SYS_getrlimit,
	SYS_umask,
	SYS_uname,
	SYS_sysinfo,
	SYS_getrandom,
	SYS_clock_gettime,
	SYS_gettimeofday,
	SYS_sched_getaffinity,
	SYS_getcwd,
	SYS_newfstatat,
	SYS_fstat,
	SYS_statx,
	SYS_faccessat,
	SYS_faccessat2,
	SYS_readlinkat,
	SYS_getdents64,
	SYS_lseek,
	SYS_statfs,
	SYS_fstatfs,
	SYS_getxattr,
	SYS_lgetxattr,
	SYS_fgetxattr,
	SYS_listxattr,
	SYS_llistxattr,
	SYS_flistxattr,
	SYS_fadvise64,
	SYS_dup,
	SYS_fsync,
	SYS_fdatasync,
#ifdef SYS_stat /* not on newer architectures */
	SYS_stat,
	SYS_lstat,
	SYS_access,
	SYS_readlink,
	SYS_arch_prctl,
#endif
};

/* A descriptor of something with a path: nobody waits at its other end. */
static bool has_path(pid_t pid, uint64_t fd)
{
	char name[64], c;

	snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)pid, (int)fd);
	return readlink(name, &c, 1) == 1 && c == '/';
}

static bool opens_only(pid_t pid, uint64_t how)
{
	uint64_t flags;
	struct iovec to = {&flags, sizeof(flags)}, from = {(void *)(uintptr_t)how, sizeof(flags)};

	return process_vm_readv(pid, &to, 1, &from, 1, 0) == sizeof(flags) && !(flags & OPEN_MAKES);
}

bool is_pure(pid_t pid, uint64_t nr, const uint64_t args[6])
{
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		if (always[i] == nr)
			return true;
	switch (nr) {
	case SYS_read:
	case SYS_readv:
	case SYS_pread64:
	case SYS_close:
		return has_path(pid, args[0]);
	case SYS_openat:
		return !(args[2] & OPEN_MAKES);
	case SYS_openat2:
		return opens_only(pid, args[2]);
	case SYS_fcntl:
		return args[1] == F_DUPFD || args[1] == F_DUPFD_CLOEXEC || args[1] == F_GETFD ||
		       args[1] == F_SETFD || args[1] == F_GETFL;
	case SYS_prlimit64:
		return !args[2];
	default:
		return false;
	}
}
