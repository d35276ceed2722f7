/*
 * Whether a system call is surely without effect on anything but the process that makes it, so that
 * its end by kill -9 is the same before and after. What is not known to be so is not. Memory that
 * processes share is not looked at.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* `pid` is stopped on entry to call `nr`. Linux 3.2 for process_vm_readv(2). */
bool is_pure(pid_t pid, uint64_t nr, const uint64_t args[6]);
