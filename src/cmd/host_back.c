#include "cmd/host_back.h"

#include <fcntl.h>

void host_back_done(struct host_back *b)
{
	broker_done(&b->broker);
	cleanup_close(&b->log);
	*b = HOST_BACK_INIT;
}

static int open_log(struct host_back *b, const char *path, struct err *e)
{
	b->log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_CLOEXEC, 0600);
	return b->log < 0 ? err_set(e, errno, "opening '%s' for --log", path) : 0;
}

int host_back_open(struct host_back *b, const struct host_back_opts *o, bool given, bool detach,
		   const char *name, struct err *e)
{
	struct broker_options how = {.rules = &b->rules, .container = name};
	int r;

	b->rules =
		(struct rules){.allow = o->allow, .ask = o->ask, .deny = o->deny, .closed = !given};
	r = rules_check(&b->rules, e);
	if (r == 0 && detach && o->ask.n) {
		err_say(e, EINVAL, "-d leaves the terminal, so there is nobody for --ask");
		err_hint(e, "--allow names what may be run without a question");
		return -EINVAL;
	}
	b->on = given || o->allow.n || o->ask.n;
	if (r < 0 || !b->on)
		return r;
	if (o->log)
		r = open_log(b, o->log, e);
	how.log = b->log;
	if (r < 0)
		return r;
	r = broker_open(&b->broker, &how, e);
	if (r != -EPERM)
		return r;
	b->on = false; /* who may not mount gets no container either, and the plan says why */
	*e = (struct err){};
	return 0;
}

int host_back_prepare(void *data, struct err *e)
{
	struct host_back *b = data;

	return b->on ? broker_listen(&b->broker, e) : 0;
}

int host_back_watch(void *data)
{
	struct host_back *b = data;

	return b->on ? broker_watch(&b->broker) : -EBADF;
}

void host_back_attend(void *data, pid_t agent)
{
	struct host_back *b = data;

	broker_attend(&b->broker, agent);
}

void host_back_over(void *data)
{
	host_back_done(data);
}
