#include "cmd/subject.h"

void subject_done(struct subject *s)
{
	target_done(&s->t);
	store_done(&s->store);
	*s = SUBJECT_INIT;
}

/* A container of which only the files are there. */
static int open_stopped(const struct target_roots *r, struct subject *s, struct err *e)
{
	struct err why = {};
	int ret = store_of_target(r, &s->t, &s->store, &why);

	if (ret == 0)
		return 0;
	target_pin(r, &s->t, e); /* says in which state it is */
	err_hint(e, "and its files cannot be shown: %s", why.msg);
	return ret;
}

int subject_open(const struct target_roots *r, const char *spec, struct subject *s, struct err *e)
{
	int ret = target_resolve(r, spec, &s->t, e);

	if (ret < 0)
		return ret;
	s->runs = s->t.state == TARGET_RUNNING || s->t.state == TARGET_PAUSED;
	return s->runs ? target_pin(r, &s->t, e) : open_stopped(r, s, e);
}
