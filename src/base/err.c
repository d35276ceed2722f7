#include "base/err.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

__attribute__((format(printf, 4, 0))) static int fill(struct err *e, int num, bool with_strerror,
						      const char *fmt, va_list ap)
{
	char raw[sizeof(e->msg)];
	int n;

	if (num < 0)
		num = -num;
	if (num == 0)
		num = EIO;
	if (!e)
		return -num;

	n = vsnprintf(raw, sizeof(raw), fmt, ap);
	if (n < 0)
		raw[0] = '\0';
	if (with_strerror) {
		size_t len = strlen(raw);

		snprintf(raw + len, sizeof(raw) - len, ": %s", strerror(num));
	}
	str_printable(raw, strlen(raw), e->msg, sizeof(e->msg));
	e->hint[0] = '\0';
	e->exit = 0;
	e->num = num;
	return -num;
}

int err_set(struct err *e, int num, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = fill(e, num, true, fmt, ap);
	va_end(ap);
	return r;
}

int err_say(struct err *e, int num, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = fill(e, num, false, fmt, ap);
	va_end(ap);
	return r;
}

void err_hint(struct err *e, const char *fmt, ...)
{
	char raw[sizeof(e->hint)];
	va_list ap;

	if (!e)
		return;
	va_start(ap, fmt);
	if (vsnprintf(raw, sizeof(raw), fmt, ap) < 0)
		raw[0] = '\0';
	va_end(ap);
	str_printable(raw, strlen(raw), e->hint, sizeof(e->hint));
}

int err_exit(struct err *e, int exit_code)
{
	if (!e)
		return -EIO;
	e->exit = exit_code;
	return -e->num;
}
