/*
 * Capabilities: names, lists, masks, words.
 *
 * Layer: sys. The table is our own (Linux 5.9 has 41, 0 to 40); a number beyond it is named cap_N.
 * A mask has bit N set for capability N, as in /proc/PID/status.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"

enum { CAPS_NAME_MAX = 32 };

#define CAPS_BIT(n) (UINT64_C(1) << (n))

/* What docker, containerd and CRI give a container that asks for nothing, and what podman gives. */
#define CAPS_DOCKER UINT64_C(0xa80425fb)
#define CAPS_PODMAN UINT64_C(0x800405fb)

/* Number of a name, with or without CAP_, in any case; "cap_45" too. -EINVAL when there is none. */
int caps_number(const char *name);

/* Lower-case name without cap_ ("sys_admin"; "cap_45" beyond the table), in `out`, which is
 * returned. */
const char *caps_name(unsigned n, char out[CAPS_NAME_MAX]);

/* The running kernel's highest capability: prctl(PR_CAPBSET_READ), no /proc needed. Cached. */
int caps_last(void);

/* Every capability of the running kernel. */
uint64_t caps_all(void);

/* Our own bounding set, as at the first call of one of these. What cannot be had of a wanted mask:
 * wanted & ~caps_bounding(). */
uint64_t caps_bounding(void);

/* Parse "all", "none", "docker", or a list such as "net_admin,CAP_SYS_PTRACE"; a '-' before a name
 * takes it away again ("all,-sys_module"). Commas or blanks. 0, or -EINVAL with the nearest name as
 * the hint. */
int caps_parse(const char *list, uint64_t *mask, struct err *e);

/* "a,b,c" of the names in the mask; the caller frees; NULL when out of memory. */
char *caps_list(uint64_t mask);

/* The mask as a person says it: "none", "all", "all but sys_resource", "docker's default 14",
 * "docker's default 14 and sys_ptrace", "podman's default 11", else the list. `all` is what "all"
 * is measured by: caps_all(). The caller frees; NULL when out of memory. */
char *caps_words(uint64_t mask, uint64_t all);
