#include "cmd/explain_image.h"

#include <errno.h>

#include "cmd/subject.h"
#include "profile/runlabel.h"

static int no_label(const char *image, const struct strv *labels, struct err *e)
{
	_cleanup_buf_ struct buf b = {};

	err_say(e, ENODATA, "the image '%s' has no RUN label, so it does not say how to run it",
		image);
	for (size_t i = 0; i < labels->n; i++)
		buf_printf(&b, "%sits label %.200s", i ? ", " : "", labels->v[i]);
	err_hint(e, "'porthole explain' takes the line that you would run it with%s%s",
		 b.len ? ", and so " : "", b.data ? b.data : "");
	return -ENODATA;
}

int explain_image(const char *spec, struct words *words, struct strv *labels, struct err *e)
{
	_cleanup_roots_ struct target_roots roots = {.root_fd = -EBADF, .proc_fd = -EBADF};
	_cleanup_subject_ struct subject s = SUBJECT_INIT;
	const char *image = spec + strlen("image://");
	_cleanup_free_ char *name = runlabel_name(image);
	int r = target_roots_open(&roots, e);

	if (r == 0)
		r = subject_open_image(&roots, spec, &s, e);
	if (r < 0)
		return r;
	if (!name || strv_add_all(labels, &s.store.config.labels) < 0)
		return err_set(e, ENOMEM, "reading the image's labels");
	if (!labels->n || !str_starts(labels->v[0], "RUN="))
		return no_label(image, labels, e);
	r = words_split(labels->v[0] + strlen("RUN="), words, e);
	if (r == 0 && runlabel_fill(words, image, name) < 0)
		r = err_set(e, ENOMEM, "reading the image's RUN label");
	return r;
}
