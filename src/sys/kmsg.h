/*
 * What the kernel says from now on: /dev/kmsg.
 *
 * Layer: sys. Linux 3.5. Needs CAP_SYSLOG where kernel.dmesg_restrict is set.
 */
#pragma once

#include <stddef.h>

/* Open it at its end. A descriptor the caller owns, or -errno. */
int kmsg_open(void);

/* The text of the next message in `out`, without its prefix and continuation lines, cut to fit. It
 * may contain names of processes: hostile. 1, or 0 when there is none yet. Never waits; what
 * programs wrote there, and what the kernel has overwritten meanwhile, is passed over. */
int kmsg_next(int fd, char *out, size_t size);
