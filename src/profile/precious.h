/*
 * What of a host is as good as its root, for whoever may write there.
 *
 * Layer: profile. By names alone: a path is a path that was written down. Private to meaning.c's
 * rules.
 */
#pragma once

#include <stdbool.h>

/* A directory or file of the host's that its root's programs, accounts or settings are in, or that
 * holds such: not what is data there (/etc/localtime, /usr/share, a container's volume). */
bool precious_path(const char *path);

/* "/dev/sda[:INSIDE[:RIGHTS]]": a way to a disk or to the kernel's memory, for all that is known.
 */
bool precious_device(const char *device);
