/* Specs of porthole forward, and the SOCKS it understands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "forward/addr.h"
#include "forward/socks.h"
#include "forward/spec.h"

/* Both halves as text, a flag for each of UDP and SOCKS. */
static void is(char flag, const char *spec, const char *from, const char *to, const char *flags)
{
	_cleanup_rule_ struct fwd_rule r = {};
	struct err e = {};
	int ret = fwd_rule_parse(flag, spec, &r, &e);

	if (ret < 0)
		fail_msg("%s: %s", spec, e.msg);
	_cleanup_free_ char *f = fwd_point_text(&r.from), *t = fwd_point_text(&r.to);

	assert_string_equal(f, from);
	if (to)
		assert_string_equal(t, to);
	assert_int_equal(r.udp, strchr(flags, 'u') != NULL);
	assert_int_equal(r.socks, strchr(flags, 's') != NULL);
	assert_int_equal(r.reverse, flag == 'R');
}

static void is_bad(char flag, const char *spec, const char *words)
{
	_cleanup_rule_ struct fwd_rule r = {};
	struct err e = {};

	assert_int_equal(fwd_rule_parse(flag, spec, &r, &e), -EINVAL);
	if (!strstr(e.msg, words) || !e.hint[0])
		fail_msg("%s: '%s' is not in '%s' (%s)", spec, words, e.msg, e.hint);
}

static void test_spec(void **state)
{
	is('L', "8080:80", "localhost:8080", "localhost:80", "");
	is('L', "8080", "localhost:8080", "localhost:8080", "");
	is('L', "0:80", "localhost:0", "localhost:80", "");
	is('L', "8080:10.0.0.5:80", "localhost:8080", "10.0.0.5:80", "");
	is('L', "127.0.0.2:8080:80", "127.0.0.2:8080", "localhost:80", "");
	is('L', "127.0.0.2:8080:db:80", "127.0.0.2:8080", "db:80", "");
	is('L', "*:8080:80", "*:8080", "localhost:80", "");
	is('L', ":8080:80", "*:8080", "localhost:80", "");
	is('L', "[::1]:8080:[fe80::1]:80", "[::1]:8080", "[fe80::1]:80", "");
	is('L', "8080:[::1]:80", "localhost:8080", "[::1]:80", "");
	is('L', "8080:/run/a:b/c.sock", "localhost:8080", "/run/a:b/c.sock", "");
	is('L', "[::]:8080:/run/app.sock", "[::]:8080", "/run/app.sock", "");
	is('L', "/tmp/x.sock:80", "/tmp/x.sock", "localhost:80", "");
	is('L', "/tmp/x.sock:db:80", "/tmp/x.sock", "db:80", "");
	is('R', "/tmp/x.sock:@name", "/tmp/x.sock", "@name", "");
	is('L', "@name:/run/x/udp", "@name", "/run/x/udp", "");
	is('L', "5353:53/udp", "localhost:5353", "localhost:53", "u");
	is('L', "53/udp", "localhost:53", "localhost:53", "u");
	is('R', "5353:10.0.0.1:53/tcp", "localhost:5353", "10.0.0.1:53", "");
	is('R', "1080", "localhost:1080", NULL, "s");
	is('D', "1080", "localhost:1080", NULL, "s");
	is('D', "[::1]:1080", "[::1]:1080", NULL, "s");
	is('L', "80:a\033b:80", "localhost:80", "a\\x1bb:80", "");
}

static void test_spec_bad(void **state)
{
	is_bad('L', "", "empty");
	is_bad('L', "80:", "port is missing");
	is_bad('L', "web", "port is missing");
	is_bad('L', "web:http", "port is missing");
	is_bad('L', "8080:web:http", "port is missing");
	is_bad('L', "8080:0", "from 1 to 65535");
	is_bad('L', "70000:80", "from 0");
	is_bad('L', "99999999999999999999:80", "from 0");
	is_bad('L', "0", "port 0");
	is_bad('L', "80::80", "host to connect to is empty");
	is_bad('L', "::1:80:80", "brackets");
	is_bad('L', "80:::1:80", "brackets");
	is_bad('L', "[::1:80", "brackets");
	is_bad('L', "[::1]x:80", "brackets");
	is_bad('L', "80:80:80:80:80", "too many");
	is_bad('L', "80:80:80:80", "port");
	is_bad('L', "/tmp/x", "missing");
	is_bad('D', "80:90", "nothing follows");
	is_bad('D', "/tmp/x", "port");
	is_bad('D', "1080/udp", "TCP only");
	is_bad('L', "/tmp/x:53/udp", "no UDP");
	is_bad('L',
	       "80:/123456789012345678901234567890123456789012345678901234567890123456789012345678"
	       "901234567890123456789012345678901234567890",
	       "107 bytes");
}

static void test_lookup(void **state)
{
	static const char *const local[] = {"127.0.0.1", "127.9.9.9", "::1"};
	struct fwd_addrs all;
	char text[FWD_ADDR_TEXT];
	struct err e = {};

	assert_int_equal(fwd_lookup(-1, NULL, 80, "x", &all, &e), 0);
	assert_int_equal(all.n, 2);
	assert_string_equal(fwd_addr_text(&all.v[0], text), "127.0.0.1:80");
	assert_string_equal(fwd_addr_text(&all.v[1], text), "[::1]:80");
	assert_int_equal(fwd_lookup(-1, "10.1.2.3", 80, "x", &all, &e), 0);
	assert_string_equal(fwd_addr_text(&all.v[0], text), "10.1.2.3:80");
	assert_false(fwd_addr_is_loopback(&all.v[0]));
	for (size_t i = 0; i < ARRAY_LEN(local); i++) {
		assert_int_equal(fwd_number(local[i], 80, &all.v[0]), 0);
		assert_true(fwd_addr_is_loopback(&all.v[0]));
	}
	assert_int_equal(fwd_number("fe80::1", 80, &all.v[0]), 0);
	assert_false(fwd_addr_is_loopback(&all.v[0]));
	assert_int_equal(fwd_lookup(-1, "no\033such", 80, "'web'", &all, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "'no\\x1bsuch' is no address"));
}

/* --- SOCKS --- */

static int take(struct socks *s, const char *in, size_t len, bool *done)
{
	uint8_t out[SOCKS_REPLY_MAX];
	size_t n;

	return socks_take(s, (const uint8_t *)in, len, out, &n, done);
}

/* The whole is understood; no shorter piece is, nor refused. */
static void request_is(int greeted, const char *in, size_t len, const char *host, int port)
{
	struct socks s;
	bool done;

	for (size_t n = 0; n < len; n++) {
		s = (struct socks){.greeted = greeted, .version = greeted ? 5 : 0};
		assert_int_equal(take(&s, in, n, &done), 0);
		assert_false(done);
	}
	s = (struct socks){.greeted = greeted, .version = greeted ? 5 : 0};
	assert_int_equal(take(&s, in, len, &done), len);
	assert_true(done);
	assert_string_equal(s.host, host);
	assert_int_equal(s.port, port);
}

#define BYTES(text) (text), sizeof(text) - 1

static void test_socks(void **state)
{
	uint8_t out[SOCKS_REPLY_MAX];
	struct socks s = {};
	bool done;
	size_t n;

	request_is(0, BYTES("\4\1\0\120\12\0\0\5me\0"), "10.0.0.5", 80);
	request_is(0, BYTES("\4\1\0\120\0\0\0\1\0web.local\0"), "web.local", 80);
	request_is(1, BYTES("\5\1\0\1\12\0\0\5\0\120"), "10.0.0.5", 80);
	request_is(1, BYTES("\5\1\0\3\3web\1\273"), "web", 443);
	request_is(1, BYTES("\5\1\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\120"), "::1", 80);
	assert_int_equal(socks_take(&s, (const uint8_t *)"\5\2\2\0", 4, out, &n, &done), 4);
	assert_int_equal(n, 2);
	assert_memory_equal(out, "\5\0", 2);
	assert_int_equal(socks_reply(&s, SOCKS_REFUSED, out), 10);
	assert_int_equal(out[1], 5);
	s = (struct socks){.version = 4};
	assert_int_equal(socks_reply(&s, SOCKS_OK, out), 8);
	assert_int_equal(out[1], 90);
}

static void socks_bad(int greeted, const char *in, size_t len, int num)
{
	struct socks s = {.greeted = greeted, .version = greeted ? 5 : 0};
	bool done;

	assert_int_equal(take(&s, in, len, &done), num);
	assert_false(done);
}

static void test_socks_bad(void **state)
{
	static char longer[SOCKS_MAX];

	socks_bad(0, BYTES("GET / HTTP/1.1\r\n"), -EPROTO);
	socks_bad(0, BYTES("\5\1\2"), -EACCES);
	socks_bad(0, BYTES("\5\0"), -EACCES);
	socks_bad(1, BYTES("\5\2\0\1\12\0\0\5\0\120"), -EOPNOTSUPP);
	socks_bad(1, BYTES("\5\1\0\2\12\0\0\5\0\120"), -EBADMSG);
	socks_bad(1, BYTES("\5\1\1\1\12\0\0\5\0\120"), -EBADMSG);
	socks_bad(1, BYTES("\4\1\0\1"), -EBADMSG);
	socks_bad(1, BYTES("\5\1\0\3\0\0\120"), -EBADMSG);
	socks_bad(1, BYTES("\5\1\0\3\3a\0b\0\120"), -EBADMSG);
	socks_bad(0, BYTES("\4\2\0\120\12\0\0\5\0"), -EOPNOTSUPP);
	memset(longer, 'a', sizeof(longer));
	memcpy(longer, "\4\1\0\120\12\0\0\5", 8);
	socks_bad(0, longer, sizeof(longer), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spec),	  cmocka_unit_test(test_spec_bad),
		cmocka_unit_test(test_lookup),	  cmocka_unit_test(test_socks),
		cmocka_unit_test(test_socks_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
