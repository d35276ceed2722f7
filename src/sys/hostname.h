/*
 * Processes' host names, which no file tells to those outside their UTS namespaces.
 *
 * Layer: sys. Any Linux; needs CAP_SYS_ADMIN.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#define HOSTNAME_SIZE 65

/* Read those of n processes by one short-lived child that joins one namespace after the other; the
 * caller stays where it is. out[i] is "" where it may not be read. The bytes are the containers':
 * print them through str_printable(). 0, or -errno when no child can be made. */
int hostnames_read(int proc_fd, const pid_t *pids, size_t n, char (*out)[HOSTNAME_SIZE]);
