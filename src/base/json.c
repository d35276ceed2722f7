#include "base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

#define NO_LIMIT "18446744073709551615"

json_t *json_parse(char *text, size_t len)
{
	const size_t n = strlen(NO_LIMIT);
	json_t *j = json_loadb(text, len, 0, NULL);

	for (char *s = text; !j && (s = memmem(s, len - (size_t)(s - text), NO_LIMIT, n)); s += n)
		if (s > text && memchr(": \t\n,[", s[-1], 7))
			memcpy(s, "-1                  ", n);
	return j ?: json_loadb(text, len, 0, NULL);
}

int json_file_at(int dirfd, const char *path, size_t max, json_t **out)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = file_read_at(dirfd, path, max, &text, &len);

	if (r < 0)
		return r;
	*out = json_parse(text, len);
	return *out ? 0 : -EBADMSG;
}

int json_in_root(int rootfd, const char *path, json_t **out)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = path_read_in_root(rootfd, path, JSON_FILE_MAX, &text, &len);

	if (r < 0)
		return r;
	*out = json_parse(text, len);
	return *out ? 0 : -EBADMSG;
}

json_t *json_at(json_t *j, const char *path)
{
	while (j && *path) {
		size_t n = strcspn(path, ".");
		char key[128];

		if (n >= sizeof(key))
			return NULL;
		memcpy(key, path, n);
		key[n] = '\0';
		j = json_object_get(j, key);
		path += n + (path[n] == '.');
	}
	return j;
}

const char *json_str(json_t *j, const char *path, const char *dflt)
{
	const char *s = json_string_value(json_at(j, path));

	return s ? s : dflt;
}

int64_t json_int(json_t *j, const char *path, int64_t dflt)
{
	json_t *v = json_at(j, path);

	return json_is_integer(v) ? json_integer_value(v) : dflt;
}

bool json_bool(json_t *j, const char *path, bool dflt)
{
	json_t *v = json_at(j, path);

	return json_is_boolean(v) ? json_is_true(v) : dflt;
}

char *json_dup(json_t *j, const char *path)
{
	const char *s = json_str(j, path, "");

	return *s ? strdup(s) : NULL;
}

int json_strings(json_t *j, size_t max, struct strv *out)
{
	size_t i;
	json_t *v;

	if (json_is_string(j))
		return strv_add(out, json_string_value(j));
	json_array_foreach (j, i, v)
		if (json_is_string(v) && i < max && strv_add(out, json_string_value(v)) < 0)
			return -ENOMEM;
	return 0;
}

json_t *json_text(const char *s)
{
	_cleanup_free_ char *safe = NULL;
	json_t *j;

	if (!s)
		return json_null();
	j = json_string(s);
	if (j)
		return j;
	safe = str_printable_dup(s);
	return safe ? json_string(safe) : NULL;
}

json_t *json_bytes(const char *data, size_t len)
{
	json_t *j = json_stringn(data, len);
	_cleanup_buf_ struct buf b = {};

	if (j)
		return j;
	for (size_t at = 0; at < len;) {
		const char *end = memchr(data + at, '\n', len - at);
		size_t n = end ? (size_t)(end - (data + at)) : len - at;
		_cleanup_free_ char *safe = malloc(4 * n + 1); /* \xNN */

		if (!safe)
			return NULL;
		buf_add(&b, safe, str_printable(data + at, n, safe, 4 * n + 1));
		if (end)
			buf_putc(&b, '\n');
		at += n + (end != NULL);
	}
	return b.oom ? NULL : json_stringn(b.data, b.len);
}
