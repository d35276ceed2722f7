/*
 * How a container is held, besides its namespaces, capabilities and cgroup.
 *
 * Layer: store. What its engine was told; all of it is hostile.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/str.h"
#include "sys/lsm.h"

enum { CONFINE_LIST_MAX = 256 };

struct confine_rlimit {
	int resource;	     /* RLIMIT_* */
	uint64_t soft, hard; /* UINT64_MAX: none */
};

struct confine_device {
	char *dest;   /* absolute, inside */
	char *source; /* the host's; NULL: told by its numbers alone */
	bool block;   /* by numbers */
	uint32_t major, minor;
};

enum confine_seccomp {
	CONFINE_SECCOMP_UNTOLD, /* its engine's own, which is in none of its files */
	CONFINE_SECCOMP_NONE,
	CONFINE_SECCOMP_TOLD,
};

struct confine {
	bool known; /* the rest was read, from files of an engine that tells */
	struct confine_rlimit *rlimits;
	size_t n_rlimits;
	struct strv groups; /* added: names or numbers */
	bool oom_known;
	int oom_score_adj;
	struct strv sysctls; /* NAME=VALUE */
	uint64_t shm_size;   /* of /dev/shm in bytes; 0: not told */
	struct confine_device *devices;
	size_t n_devices;
	bool all_devices; /* a privileged one: the host's */
	enum confine_seccomp seccomp_how;
	json_t *seccomp;	      /* told: in the words of an OCI runtime spec */
	struct lsm apparmor, selinux; /* no name: not confined by it, or not told */
	bool lonely;		      /* its network has a loopback interface and nothing else */
};

void confine_done(struct confine *c);

/* Append, as an engine tells of it: "nofile" or "RLIMIT_NOFILE", -1: none. What is no limit of
 * Linux, and what is too much, is left out. 0 or -ENOMEM. */
int confine_rlimit_add(struct confine *c, const char *name, int64_t soft, int64_t hard);

/* Its AppArmor profile, "" or "unconfined" for none, its SELinux label and that of its files, ""
 * for none; a name that is too long is none either. */
void confine_lsm(struct confine *c, const char *profile, const char *label, const char *files);

/* Append a sysctl, as NAME=VALUE; what is too much is left out. 0 or -ENOMEM. */
int confine_sysctl_add(struct confine *c, const char *name, const char *value);

/* The same of each string of an object of names and values; `told` may be NULL. */
int confine_sysctls_add(struct confine *c, json_t *told);

/* Append; `source` may be NULL. A destination that is not below /dev is left out, and what is too
 * much. 0 or -ENOMEM. */
int confine_device_add(struct confine *c, const char *dest, const char *source, bool block,
		       uint32_t major, uint32_t minor);

/* All of an OCI runtime spec. 0 or -ENOMEM. */
int confine_of_spec(json_t *spec, struct confine *out);

/* Docker's two files; `caps`: the mask it has, by which parts of a seccomp profile hold. 0 or
 * -ENOMEM. */
int confine_of_docker(json_t *config, json_t *host, uint64_t caps, struct confine *out);

/* A seccomp profile as docker and podman take it, with parts that hold for some machines, kernels
 * and capabilities only, in an OCI runtime spec's words: a new reference. NULL when memory is out.
 */
json_t *confine_profile(json_t *profile, uint64_t caps);
