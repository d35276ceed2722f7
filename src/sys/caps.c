#include "sys/caps.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/prctl.h>

#include "base/str.h"

static const char *const names[] = {
	"chown",
	"dac_override",
	"dac_read_search",
	"fowner",
	"fsetid",
	"kill",
	"setgid",
	"setuid",
	"setpcap",
	"linux_immutable",
	"net_bind_service",
	"net_broadcast",
	"net_admin",
	"net_raw",
	"ipc_lock",
	"ipc_owner",
	"sys_module",
	"sys_rawio",
	"sys_chroot",
	"sys_ptrace",
	"sys_pacct",
	"sys_admin",
	"sys_boot",
	"sys_nice",
	"sys_resource",
	"sys_time",
	"sys_tty_config",
	"mknod",
	"lease",
	"audit_write",
	"audit_control",
	"setfcap",
	"mac_override",
	"mac_admin",
	"syslog",
	"wake_alarm",
	"block_suspend",
	"audit_read",
	"perfmon",
	"bpf",
	"checkpoint_restore",
};

int caps_number(const char *name)
{
	const char *bare = strncasecmp(name, "cap_", 4) == 0 ? name + 4 : name;
	uint64_t n;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcasecmp(bare, names[i]) == 0)
			return (int)i;
	if (bare != name && str_to_u64(bare, 0, 63, &n) == 0)
		return (int)n;
	return -EINVAL;
}

const char *caps_name(unsigned n, char out[CAPS_NAME_MAX])
{
	if (n < ARRAY_LEN(names))
		snprintf(out, CAPS_NAME_MAX, "%s", names[n]);
	else
		snprintf(out, CAPS_NAME_MAX, "cap_%u", n);
	return out;
}

/* The kernel's last capability, and in *mask (may be NULL) those in the bounding set. */
static int read_bounding(uint64_t *mask)
{
	static uint64_t set;
	static int last = -1;

	for (int n = 0, has = 0; last < 0; n++) {
		has = n < 64 ? prctl(PR_CAPBSET_READ, n, 0, 0, 0) : -1;
		if (has < 0)
			last = n ? n - 1 : (int)ARRAY_LEN(names) - 1;
		else if (has)
			set |= CAPS_BIT(n);
	}
	if (mask)
		*mask = set;
	return last;
}

int caps_last(void)
{
	return read_bounding(NULL);
}

uint64_t caps_all(void)
{
	return UINT64_MAX >> (63 - caps_last());
}

uint64_t caps_bounding(void)
{
	uint64_t mask;

	read_bounding(&mask);
	return mask;
}

static int unknown(const char *word, struct err *e)
{
	const char *bare = strncasecmp(word, "cap_", 4) == 0 ? word + 4 : word;
	unsigned best = UINT32_MAX;
	const char *near = names[0];
	char low[24] = "";

	for (size_t i = 0; i < sizeof(low) - 1 && bare[i]; i++)
		low[i] = (char)tolower((unsigned char)bare[i]);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		unsigned d = str_distance(low, names[i]);

		if (d < best) {
			best = d;
			near = names[i];
		}
	}
	err_say(e, EINVAL, "there is no capability '%s'", word);
	if (best <= 3 && 2 * best < strlen(bare))
		err_hint(e, "did you mean '%s'?", near);
	else
		err_hint(e, "names are those of capabilities(7), or 'all', 'none', 'docker'");
	return -EINVAL;
}

int caps_parse(const char *list, uint64_t *mask, struct err *e)
{
	const struct {
		const char *word;
		uint64_t mask;
	} sets[] = {{"all", caps_all()}, {"none", 0}, {"docker", CAPS_DOCKER}};
	_cleanup_strv_ struct strv words = {};
	uint64_t m = 0;

	if (strv_split(&words, list, ", \t") < 0)
		return err_set(e, ENOMEM, "reading the capability list");
	if (!words.n)
		return err_say(e, EINVAL, "the capability list is empty (say 'none' to have none)");
	for (size_t i = 0; i < words.n; i++) {
		const char *word = words.v[i];
		bool minus = *word == '-';
		uint64_t bits = 0;
		size_t s;
		int n;

		word += minus;
		for (s = 0; s < ARRAY_LEN(sets); s++)
			if (strcasecmp(word, sets[s].word) == 0)
				break;
		if (s < ARRAY_LEN(sets)) {
			bits = sets[s].mask;
		} else {
			n = caps_number(word);
			if (n < 0)
				return unknown(word, e);
			bits = CAPS_BIT(n);
		}
		m = minus ? m & ~bits : m | bits;
	}
	*mask = m;
	return 0;
}

static void add_names(struct buf *b, uint64_t mask, const char *sep)
{
	char name[CAPS_NAME_MAX];
	bool first = true;

	for (unsigned n = 0; n < 64; n++) {
		if (!(mask & CAPS_BIT(n)))
			continue;
		if (!first)
			buf_puts(b, sep);
		buf_puts(b, caps_name(n, name));
		first = false;
	}
}

char *caps_list(uint64_t mask)
{
	_cleanup_buf_ struct buf b = {};

	add_names(&b, mask, ",");
	return buf_take(&b);
}

char *caps_words(uint64_t mask, uint64_t all)
{
	enum { FEW = 4 };
	static const struct {
		const char *words;
		uint64_t mask;
	} sets[] = {{"docker's default 14", CAPS_DOCKER}, {"podman's default 11", CAPS_PODMAN}};
	_cleanup_buf_ struct buf b = {};

	if (!mask)
		return strdup("none");
	if ((mask & all) == all)
		return strdup("all");
	for (size_t i = 0; i < ARRAY_LEN(sets); i++)
		if (mask == sets[i].mask)
			return strdup(sets[i].words);
	if (__builtin_popcountll(all & ~mask) <= FEW) {
		buf_puts(&b, "all but ");
		add_names(&b, all & ~mask, ", ");
		return buf_take(&b);
	}
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		if ((mask & sets[i].mask) != sets[i].mask)
			continue;
		if (__builtin_popcountll(mask & ~sets[i].mask) > FEW)
			continue;
		buf_printf(&b, "%s and ", sets[i].words);
		add_names(&b, mask & ~sets[i].mask, ", ");
		return buf_take(&b);
	}
	add_names(&b, mask, ", ");
	return buf_take(&b);
}
