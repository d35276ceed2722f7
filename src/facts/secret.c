/* Which variables and arguments are secrets, and how they are hidden. */
#include <ctype.h>
#include <stdio.h>

#include "facts/parse.h"

/* Words of a key, compared with what is between underscores, dots, dashes and changes of case. */
static const char *const key_words[] = {
	"pass",	   "passwd",	 "password",	"passphrase", "passcode", "pwd",    "secret",
	"secrets", "token",	 "tokens",	"key",	      "keys",	  "apikey", "cred",
	"creds",   "credential", "credentials", "auth",	      "private",  "salt",   "cookie",
	"jwt",	   "bearer",	 "dsn",		"signature",  "otp",	  "pin",    "seed",
};

/* Parts that give a secret away wherever they stand: "PGPASSWORD", "MYSQLPASS", "accesskey". */
static const char *const key_parts[] = {"password",  "passwd",	   "secret",	 "token",  "apikey",
					"accesskey", "credential", "passphrase", "webhook"};

/* Keys that say what the value is, whatever it looks like. */
static const char *const digests[] = {"sha1",	"sha256",   "sha512",  "md5",  "checksum", "digest",
				      "commit", "revision", "version", "hash", "gpg",	   "path"};

/* Starts of well-known tokens. */
static const char *const prefixes[] = {
	"ghp_",	 "gho_", "ghs_",    "github_pat_", "glpat-",	 "xoxb-",    "xoxp-",
	"xoxa-", "AKIA", "ASIA",    "sk-",	   "sk_live_",	 "rk_live_", "AIza",
	"npm_",	 "hvs.", "dop_v1_", "eyJ",	   "-----BEGIN",
};

static bool has_part(const char *key, const char *const *parts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcasestr(key, parts[i]))
			return true;
	return false;
}

/* Length of the word at s: up to a separator or a change from lower to upper case. */
static size_t word_len(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n])) {
		n++;
		if (islower((unsigned char)s[n - 1]) && isupper((unsigned char)s[n]))
			break;
	}
	return n;
}

static bool key_is_secret(const char *key)
{
	if (str_eq(key, "PWD") || str_eq(key, "OLDPWD"))
		return false;
	if (has_part(key, key_parts, ARRAY_LEN(key_parts)))
		return true;
	while (*key) {
		size_t n = word_len(key);

		for (size_t i = 0; n && i < ARRAY_LEN(key_words); i++)
			if (strlen(key_words[i]) == n && strncasecmp(key, key_words[i], n) == 0)
				return true;
		key += n ? n : 1;
	}
	return false;
}

/* What must be hidden of "scheme://user:password@host" or "scheme://token@host": its start and
 * length; NULL: nothing. A password may hold a '/' though it should not. */
static const char *url_password(const char *value, size_t *len)
{
	const char *p = strstr(value, "://"), *at, *colon;

	if (!p || p == value)
		return NULL;
	p += 3;
	at = memrchr(p, '@', strcspn(p, "/?# \t\n"));
	if (!at)
		at = memrchr(p, '@', strcspn(p, " \t\n"));
	colon = at ? memchr(p, ':', (size_t)(at - p)) : NULL;
	if (!at || at == p || (colon && at == colon + 1) || (!colon && at - p < 16))
		return NULL;
	p = colon ? colon + 1 : p;
	*len = (size_t)(at - p);
	return p;
}

/* Long text of mixed letters and digits with no structure in it: a random token. */
static bool is_random(const char *v)
{
	size_t n = 0, lower = 0, upper = 0, digit = 0, changes = 0;
	int last = -1;

	for (; v[n]; n++) {
		unsigned char c = (unsigned char)v[n];
		int class = islower(c) ? 0 : isupper(c) ? 1 : isdigit(c) ? 2 : 3;

		if (class == 3 && !strchr("+/=_-", c))
			return false;
		lower += class == 0;
		upper += class == 1;
		digit += class == 2;
		changes += class != last;
		last = class;
	}
	if (n >= 32 && upper + lower + digit == n && !(upper && lower) && digit && upper + lower)
		return strspn(v, "0123456789abcdefABCDEF") == n; /* a hexadecimal one */
	return n >= 24 && lower && upper && digit && v[0] != '/' && changes * 3 > n;
}

static bool value_is_harmless(const char *value)
{
	static const char *const plain[] = {"",	  "0",	 "1",	 "true", "false",   "yes",     "no",
					    "on", "off", "none", "null", "enabled", "disabled"};

	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		if (strcasecmp(value, plain[i]) == 0)
			return true;
	return false;
}

/* A file name says where the secret is and does not tell it. */
static bool names_a_file(const char *key, const char *value)
{
	static const char *const ends[] = {"_FILE", "_PATH", "_DIR", "_SOCK", "_SOCKET"};

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (strlen(key) > strlen(ends[i]) &&
		    strcasecmp(key + strlen(key) - strlen(ends[i]), ends[i]) == 0)
			return value[0] == '/' || value[0] == '.';
	return false;
}

bool facts_is_secret(const char *key, const char *value)
{
	size_t len;

	if (url_password(value, &len))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (str_starts(value, prefixes[i]) && strlen(value) >= 20)
			return true;
	if (value_is_harmless(value) || names_a_file(key, value))
		return false;
	if (has_part(key, key_parts, ARRAY_LEN(key_parts)))
		return true;
	if (strstr(value, "://") && !strchr(value, '=')) /* AUTH_URL=http://auth:8080/ */
		return false;
	if (key_is_secret(key))
		return true;
	return is_random(value) && !has_part(key, digests, ARRAY_LEN(digests));
}

char *facts_mask_value(const char *value)
{
	size_t len;
	const char *p = url_password(value, &len);

	if (p && !key_is_secret(p + len)) /* no token in the query either */
		return str_fmt("%.*s***%s", (int)(p - value), value, p + len);
	return str_fmt("*** (%zu characters)", strlen(value));
}

/* Of "--password" or "--db-password=x" the name, as a key: "password", "db-password". */
static bool option_is_secret(const char *arg, size_t len)
{
	char key[64];

	if (len >= sizeof(key))
		return false;
	memcpy(key, arg, len);
	key[len] = '\0';
	return key_is_secret(key);
}

static void add_arg(struct buf *b, const char *arg)
{
	bool quote = !*arg || arg[strcspn(arg, " \t\n\"'\\$")];

	if (b->len)
		buf_putc(b, ' ');
	if (!quote) {
		buf_puts(b, arg);
		return;
	}
	buf_putc(b, '\'');
	for (; *arg; arg++) {
		if (*arg == '\'')
			buf_puts(b, "'\\'");
		buf_putc(b, *arg);
	}
	buf_putc(b, '\'');
}

/* One word of an argument with its secret hidden, in a new string; NULL: there is none in it.
 * *next: the following word is the secret. */
static char *mask_word(const char *word, bool *next)
{
	const char *name = word + strspn(word, "-");
	const char *eq = strchr(name, '=');
	size_t len;

	if (*next) {
		*next = false;
		return strdup("***");
	}
	if (eq && url_password(eq + 1, &len)) {
		_cleanup_free_ char *value = facts_mask_value(eq + 1);

		return str_fmt("%.*s%s", (int)(eq + 1 - word), word, value ? value : "***");
	}
	if (eq && (option_is_secret(name, (size_t)(eq - name)) ? !value_is_harmless(eq + 1)
							       : facts_is_secret("", eq + 1)))
		return str_fmt("%.*s***", (int)(eq + 1 - word), word);
	if (url_password(word, &len))
		return facts_mask_value(word);
	if (!eq && name > word)
		*next = option_is_secret(name, strlen(name));
	else if (!eq && facts_is_secret("", word))
		return strdup("***");
	return NULL;
}

/* Bytes of the word at s: up to a blank or an operator of the shell, quoted parts as a whole. */
static size_t shell_word(const char *s)
{
	size_t n = 0;

	while (s[n] && !strchr(" \t\n;&|()", s[n])) {
		const char *end = s[n] == '\'' || s[n] == '"' ? strchr(s + n + 1, s[n]) : NULL;

		n = end ? (size_t)(end - s) + 1 : n + 1;
	}
	return n;
}

/* An argument may be a whole script ("sh -c ..."): word by word. */
static char *mask_arg(const char *arg, bool *next)
{
	_cleanup_buf_ struct buf b = {};

	if (!arg[strcspn(arg, " \t\n")]) {
		char *masked = mask_word(arg, next);

		return masked ? masked : strdup(arg);
	}
	for (bool in = false; *arg;) {
		size_t n = shell_word(arg);
		_cleanup_free_ char *word = n ? strndup(arg, n) : NULL;
		_cleanup_free_ char *masked = word ? mask_word(word, &in) : NULL;

		if (n && !word)
			return NULL;
		if (!n)
			buf_putc(&b, *arg);
		else
			buf_puts(&b, masked ? masked : word);
		arg += n ? n : 1;
	}
	return buf_take(&b);
}

char *facts_mask_argv(const struct strv *argv, bool show_secrets)
{
	_cleanup_buf_ struct buf b = {};
	bool next = false;

	for (size_t i = 0; i < argv->n; i++) {
		_cleanup_free_ char *masked = show_secrets ? NULL : mask_arg(argv->v[i], &next);

		if (!show_secrets && !masked)
			return NULL;
		add_arg(&b, masked ? masked : argv->v[i]);
	}
	return buf_take(&b);
}
