#include "base/toml.h"

#include <string.h>

const char *toml_next(const char **text, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = *text; p && *p;) {
		const char *v = p + strspn(p, " \t");

		p = strchr(p, '\n');
		p += p != NULL;
		if (strncmp(v, key, n) != 0)
			continue;
		v += n + strspn(v + n, " \t");
		if (*v++ != '=')
			continue;
		*text = p;
		return v + strspn(v, " \t");
	}
	return NULL;
}

char *toml_str(const char *text, const char *key)
{
	const char *v;

	while ((v = toml_next(&text, key)))
		if (*v++ == '"') {
			size_t n = strcspn(v, "\"\n");

			return n && v[n] == '"' ? strndup(v, n) : NULL;
		}
	return NULL;
}
