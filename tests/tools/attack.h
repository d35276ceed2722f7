/*
 * A hostile init: from inside a container it tries to take over every process that appears there.
 */
#pragma once

/* Watch /proc for ever. For each new process, once: ptrace it, open its memory for writing, open
 * its executable for writing (through /proc/PID/exe, also again once it has gone), read its
 * environment and its root. One line a try goes to `file`: "PID COMM WHAT ok" or "PID COMM WHAT
 * errno" (COMM-was-OLD when it has run another program meanwhile, ?-was-OLD when it is gone). A
 * file that could be written is not: it may be a program of the host (that of nsenter is open to
 * this). Returns only when `file` cannot be written (1). */
int attack(const char *file);
