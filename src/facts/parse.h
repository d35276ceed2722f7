/*
 * The parsers of the facts: bytes in, no I/O; for unit tests and for each other.
 *
 * Layer: facts.
 */
#pragma once

#include "facts/facts.h"

/* Split an environment block ("K=V" strings, each ending with NUL). What has no '=' is left out. 0
 * or -ENOMEM. */
int facts_env_parse(const char *data, size_t len, struct facts_env *env);

/* Does this variable hold something that should not be on a screen? By its key (PASS, SECRET,
 * TOKEN, KEY, CRED, AUTH ...) or by its value (a URL with a password, a private key, a JWT, known
 * token prefixes, long random text). */
bool facts_is_secret(const char *key, const char *value);

/* What is shown of a secret value: "*** (32 characters)"; of a URL only the password is hidden. The
 * caller frees; NULL when out of memory. */
char *facts_mask_value(const char *value);

/* A command line with secrets hidden ("--password=***", what follows "--token", URLs), arguments
 * joined by blanks, those with blanks in them quoted. The caller frees; NULL when out of memory. */
char *facts_mask_argv(const struct strv *argv, bool show_secrets);

/* Add the listening sockets of the text of /proc/PID/net/{tcp,tcp6,udp,udp6} ("unix" too) to `net`.
 * At most FACTS_SOCKETS_MAX. 0 or -ENOMEM. */
#define FACTS_SOCKETS_MAX 512
int facts_net_parse(const char *proto, const char *text, struct facts_net *net);

/* Local IPv4 addresses of /proc/PID/net/fib_trie, and global ones of .../if_inet6, and the default
 * gateway of .../route. 0 or -ENOMEM. */
int facts_fib_parse(const char *text, struct strv *addresses);
int facts_inet6_parse(const char *text, struct strv *addresses);
void facts_route_parse(const char *text, char *gateway, size_t size);

/* "2.36" from the bytes of glibc's libc.so.6. False when it is not there. */
bool facts_glibc_version(const char *data, size_t len, char *out, size_t size);

/* The PRETTY_NAME (else NAME) of an os-release file, unquoted; the caller frees; NULL: none. */
char *facts_os_name(const char *text);

/* Fill the class and read-only state of each mount, and the root's facts, from files->table. 0 or
 * -ENOMEM. */
int facts_mounts_sort(struct facts_files *files);

/* Fill `out` from docker's config.v2.json and hostconfig.json (may be NULL). 0 or -ENOMEM. */
int facts_docker_parse(json_t *config, json_t *host, struct facts_engine *out);

/* The same from an OCI bundle's config.json. */
int facts_oci_parse(json_t *config, struct facts_engine *out);

/* Which C library there is below `root`, and its version where that can be told. 0, or -ENOMEM. */
int facts_libc_read(int root, struct facts_files *files);
