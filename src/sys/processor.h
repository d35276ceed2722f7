/*
 * On which processor a process runs.
 *
 * Layer: sys.
 */
#pragma once

#include <sys/types.h>

/* Have a process that was just forked begin on another processor than ours, where there is one. The
 * kernel (6.18, seen on two processors, one of them idle) leaves every other one on its parent's,
 * where it waits until that sleeps: half a millisecond, when both have something to do. What it may
 * run on is afterwards what it was. Nothing is done where processors are withheld from us: whose
 * cpuset is made larger later would not get them all. A wish: it cannot fail. */
void processor_part(pid_t child);
