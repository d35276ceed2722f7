#include "forward/addr.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/etc.h"
#include "base/path.h"
#include "base/str.h"

enum { ALIASES_MAX = 64 };

int fwd_number(const char *host, uint16_t port, union fwd_addr *out)
{
	*out = (union fwd_addr){};
	if (inet_pton(AF_INET, host, &out->in.sin_addr) == 1) {
		out->in.sin_family = AF_INET;
		out->in.sin_port = htons(port);
		return 0;
	}
	if (inet_pton(AF_INET6, host, &out->in6.sin6_addr) == 1) {
		out->in6.sin6_family = AF_INET6;
		out->in6.sin6_port = htons(port);
		return 0;
	}
	return -ENOENT;
}

static void add(struct fwd_addrs *out, const char *number, uint16_t port)
{
	if (out->n < FWD_ADDRS_MAX && fwd_number(number, port, &out->v[out->n]) == 0)
		out->n++;
}

/* One line of hosts(5): an address and its names. */
static void match_line(char *line, const char *host, uint16_t port, struct fwd_addrs *out)
{
	char *save, *number, *name;

	line[strcspn(line, "#")] = '\0';
	number = strtok_r(line, " \t\r", &save);
	for (int i = 0; number && i < ALIASES_MAX; i++) {
		name = strtok_r(NULL, " \t\r", &save);
		if (!name)
			return;
		if (strcasecmp(name, host) == 0) {
			add(out, number, port);
			return;
		}
	}
}

static void look_in_hosts(char *text, const char *host, uint16_t port, struct fwd_addrs *out)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		match_line(line, host, port, out);
}

int fwd_lookup(int root_fd, const char *host, uint16_t port, const char *whose,
	       struct fwd_addrs *out, struct err *e)
{
	_cleanup_free_ char *text = NULL;

	out->n = 0;
	if (!host || strcasecmp(host, "localhost") == 0) {
		add(out, "127.0.0.1", port);
		add(out, "::1", port);
		return 0;
	}
	if (str_eq(host, "*")) {
		add(out, "::", port);
		add(out, "0.0.0.0", port);
		return 0;
	}
	add(out, host, port);
	if (!out->n && path_read_in_root(root_fd, "/etc/hosts", ETC_FILE_MAX, &text, NULL) == 0)
		look_in_hosts(text, host, port, out);
	if (out->n)
		return 0;
	err_say(e, ENOENT, "'%s' is no address, and is not in /etc/hosts of %s", host, whose);
	err_hint(e, "give its number, such as 10.0.0.5: names are not asked of a DNS server");
	return -ENOENT;
}

socklen_t fwd_addr_len(const union fwd_addr *a)
{
	if (a->sa.sa_family == AF_INET)
		return sizeof(a->in);
	return a->sa.sa_family == AF_INET6 ? sizeof(a->in6) : sizeof(a->un);
}

uint16_t fwd_addr_port(const union fwd_addr *a)
{
	if (a->sa.sa_family == AF_INET)
		return ntohs(a->in.sin_port);
	return a->sa.sa_family == AF_INET6 ? ntohs(a->in6.sin6_port) : 0;
}

bool fwd_addr_is_loopback(const union fwd_addr *a)
{
	if (a->sa.sa_family == AF_INET)
		return ntohl(a->in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
}

char *fwd_addr_text(const union fwd_addr *a, char out[FWD_ADDR_TEXT])
{
	char number[INET6_ADDRSTRLEN] = "?";
	bool six = a->sa.sa_family == AF_INET6;

	if (a->sa.sa_family != AF_INET && !six) {
		strcpy(out, "unix socket");
		return out;
	}
	inet_ntop(a->sa.sa_family, six ? (const void *)&a->in6.sin6_addr : &a->in.sin_addr, number,
		  sizeof(number));
	if (str_starts(number, "::ffff:") && strchr(number, '.'))
		snprintf(out, FWD_ADDR_TEXT, "%s:%u", number + 7, fwd_addr_port(a));
	else
		snprintf(out, FWD_ADDR_TEXT, six ? "[%s]:%u" : "%s:%u", number, fwd_addr_port(a));
	return out;
}
