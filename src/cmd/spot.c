#include "cmd/spot.h"

void spot_done(struct spot *s)
{
	place_done(&s->place);
	subject_done(&s->s);
	location_done(&s->at);
	*s = SPOT_INIT;
}

int spot_stopped(const struct target_roots *r, const struct subject *s, struct place *out,
		 struct err *e)
{
	_cleanup_free_ char *label = NULL;

	if (s->t.state != TARGET_RESTARTING)
		return place_of_store_rw(&s->store, r->proc_fd, out, e);
	label = str_printable_dup(s->t.name);
	err_say(e, EBUSY, "'%s' is about to be started again by its engine", label ? label : "?");
	err_hint(e, "try again once it runs, or stop it first");
	return -EBUSY;
}

bool spot_started(const struct target_roots *r, const char *name, const struct place *p,
		  struct err *e)
{
	_cleanup_target_ struct target now = TARGET_INIT;

	if (p->kind != PLACE_STORE || target_resolve(r, name, &now, NULL) < 0 ||
	    (now.state != TARGET_RUNNING && now.state != TARGET_PAUSED))
		return false;
	err_say(e, EBUSY,
		"'%s' was started while its files were written to, and may not see all of it, or "
		"see it damaged",
		p->label);
	err_hint(e, "do it again, now that it runs");
	return true;
}

int spot_check(const struct target_roots *r, const struct spot *s, struct err *e)
{
	return s->write && !s->s.image && spot_started(r, s->at.target, &s->place, e) ? -EBUSY : 0;
}

int spot_open(const struct target_roots *r, struct spot *s, struct err *e)
{
	int ret;

	if (!s->at.target)
		return place_of_host(&s->place, e);
	ret = subject_open(r, s->at.target, &s->s, e);
	if (ret < 0)
		return ret;
	if (s->write && !s->s.runs && !s->s.image)
		return spot_stopped(r, &s->s, &s->place, e);
	return s->s.runs ? place_of_target(&s->s.t, &s->place, e)
			 : place_of_store(&s->s.store, &s->place, e);
}

int spot_of_target(const struct target_roots *r, const char *arg, struct spot *s, struct err *e)
{
	int ret = location_parse_target(arg, &s->at, e);

	return ret < 0 ? ret : spot_open(r, s, e);
}
