#include "launch/broker_log.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "base/fd.h"
#include "base/json.h"
#include "sys/proc.h"

static json_t *line_of(const struct broker *b, uint32_t id, const char *event)
{
	char when[40];
	struct timespec now;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	n = strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(when + n, sizeof(when) - n, ".%03ldZ", now.tv_nsec / 1000000);
	return json_pack("{s:s, s:s, s:I, s:o}", "time", when, "event", event, "call",
			 (json_int_t)id, "container", json_text(b->o.container));
}

/* One write(2) to a file opened for appending: lines of commands that start at once stay whole. */
static int put(const struct broker *b, json_t *line, struct err *e)
{
	_cleanup_free_ char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
	_cleanup_buf_ struct buf out = {};
	int r;

	if (text)
		buf_puts(&out, text);
	buf_putc(&out, '\n');
	if (!text || out.oom)
		return err_set(e, ENOMEM, "writing the log of host exec");
	r = fd_write_all(b->o.log, out.data, out.len);
	if (r < 0) {
		err_set(e, r, "writing the log of host exec, without which nothing is run");
		err_hint(e, "the file is what 'host run --log' was given");
	}
	return r;
}

static json_t *words_of(const struct plan *p)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->argv.n; i++)
		json_array_append_new(list, json_text(p->argv.v[i]));
	return list;
}

int broker_log_start(const struct broker_call *c, const struct ucred *who, const struct plan *p,
		     const char *why, struct err *e)
{
	_cleanup_close_ int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_json_ json_t *j = NULL;
	struct proc_stat st = {};

	if (c->b->o.log < 0)
		return 0;
	proc_stat_read_at(proc, who->pid, &st); /* a caller that has gone has no name */
	st.comm[sizeof(st.comm) - 1] = '\0';
	j = line_of(c->b, c->id, why ? "refused" : "start");
	if (!j || json_object_set_new(j, "uid", json_integer(who->uid)) < 0 ||
	    json_object_set_new(j, "pid", json_integer(who->pid)) < 0 ||
	    json_object_set_new(j, "comm", json_text(st.comm)) < 0 ||
	    json_object_set_new(j, "user", json_text(p->who.name)) < 0 ||
	    json_object_set_new(j, "cwd", json_text(p->cwd)) < 0 ||
	    json_object_set_new(j, "argv", words_of(p)) < 0 ||
	    (why && json_object_set_new(j, "why", json_text(why)) < 0))
		return err_set(e, ENOMEM, "writing the log of host exec");
	return put(c->b, j, e);
}

void broker_log_end(const struct broker *b, uint32_t id, int code)
{
	_cleanup_json_ json_t *j = b->o.log < 0 ? NULL : line_of(b, id, "end");

	if (j && json_object_set_new(j, "exit", json_integer(code)) == 0)
		put(b, j, NULL);
}
