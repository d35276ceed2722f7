#include "cmd/spot.h"

void spot_done(struct spot *s)
{
	place_done(&s->place);
	subject_done(&s->s);
	location_done(&s->at);
	*s = SPOT_INIT;
}

int spot_open(const struct target_roots *r, struct spot *s, struct err *e)
{
	int ret;

	if (!s->at.target)
		return place_of_host(&s->place, e);
	ret = subject_open(r, s->at.target, &s->s, e);
	if (ret < 0)
		return ret;
	return s->s.runs ? place_of_target(&s->s.t, &s->place, e)
			 : place_of_store(&s->s.store, &s->place, e);
}

int spot_of_target(const struct target_roots *r, const char *arg, struct spot *s, struct err *e)
{
	int ret = location_parse_target(arg, &s->at, e);

	return ret < 0 ? ret : spot_open(r, s, e);
}
