/* store_of_image(): which image is meant, of all that there are. */
#include "store/images.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/path.h"
#include "store/digest.h"
#include "store/store.h"
#include "sys/fsmount.h"

enum { LISTED = 8, NEAREST = 3 };

void image_refs_done(struct image_refs *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].sub);
		free(l->v[i].name);
		free(l->v[i].id);
		free(l->v[i].digest);
	}
	free(l->v);
	*l = (struct image_refs){};
}

int image_refs_add(struct image_refs *l, const struct image_ref *ref)
{
	struct image_ref copy = *ref;
	void *v;

	if (l->n == IMAGES_MAX || !path_is_component(ref->id))
		return 0;
	if (!(l->n & (l->n - 1))) {
		v = reallocarray(l->v, l->n ? l->n * 2 : 1, sizeof(*l->v));
		if (!v)
			return -ENOMEM;
		l->v = v;
	}
	copy.sub = strdup(ref->sub);
	copy.id = strdup(ref->id);
	copy.name = ref->name ? strdup(ref->name) : NULL;
	copy.digest = ref->digest ? strdup(ref->digest) : NULL;
	l->v[l->n++] = copy;
	return copy.sub && copy.id && !copy.name == !ref->name && !copy.digest == !ref->digest
		       ? 0
		       : -ENOMEM;
}

/* How each kind of place is read; a docker of its own containerd keeps that below its own place. */
static const struct kind {
	const char *engine;
	int (*list)(const struct target_place *p, struct image_refs *out);
	int (*open)(const struct target_roots *r, const struct image_ref *ref, struct store *out,
		    struct err *e);
} kinds[] = {
	{"docker", docker_images, docker_image},
	{"podman", graph_images, graph_image},
	{"containerd", containerd_images, containerd_image},
};

static const struct kind *kind_of(const struct target_place *p)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (str_eq(kinds[i].engine, p->engine))
			return &kinds[i];
	return NULL;
}

static int list_all(const struct target_places *places, struct image_refs *out, struct err *e)
{
	for (size_t i = 0; i < places->n; i++) {
		const struct kind *k = kind_of(&places->v[i]);

		if (k && k->list(&places->v[i], out) < 0)
			return err_set(e, ENOMEM, "looking for images");
	}
	return 0;
}

static enum ref_match match(const struct image_ref *ref, const char *want)
{
	const char *pinned = ref_digest(want);
	enum ref_match m = REF_NO;

	if (ref->name)
		m = ref_match(ref->name, want);
	if (pinned && !str_eq(ref->digest, pinned))
		return REF_NO;
	if (m == REF_NO && !pinned &&
	    (ref_is_id(ref->id, want) || (ref->digest && ref_is_id(ref->digest, want))))
		m = REF_ID;
	return m;
}

/* What is meant by `want`, of one engine (NULL: of any): the indexes of those that match best. */
static size_t choose(const struct image_refs *all, const char *engine, const char *want,
		     size_t *out)
{
	enum ref_match best = REF_NO;
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++) {
		const struct image_ref *ref = &all->v[i];
		enum ref_match m = REF_NO;

		if (!engine || str_eq(ref->engine, engine) || str_eq(ref->place->engine, engine))
			m = match(ref, want);
		if (m == REF_NO || m < best)
			continue;
		if (m > best)
			n = 0;
		best = m;
		out[n++] = i;
	}
	return n;
}

/* The id by which engines agree on what an image is: of its configuration. */
static char *true_id(const struct image_ref *ref)
{
	char *digest =
		str_eq(ref->place->engine, "containerd") ? containerd_config_digest(ref) : NULL;

	if (digest_is(digest))
		memmove(digest, digest_hex(digest), DIGEST_HEX + 1);
	return digest ? digest : strdup(ref->id);
}

/* How much a place is to be preferred: what is ours no other user has made up; what is in
 * another mount namespace the kernel does not let us mount. */
static int rank(const struct target_place *p)
{
	_cleanup_close_ int fd = fs_clone_detached(p->fd, 0, NULL);

	return (p->owner == geteuid() ? 2 : 0) + (fd >= 0 ? 1 : 0);
}

enum { RANK_BEST = 3 };

/* Leave one of each image, in the best place: the files are the same, whoever keeps them. */
static size_t unite(const struct image_refs *all, size_t *v, size_t n)
{
	_cleanup_strv_ struct strv ids = {};
	size_t left = 0;

	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *id = true_id(&all->v[v[i]]);
		size_t k = 0;

		while (id && k < ids.n && !str_eq(ids.v[k], id))
			k++;
		if (id && k < ids.n) {
			if (rank(all->v[v[k]].place) < rank(all->v[v[i]].place))
				v[k] = v[i];
			continue;
		}
		if (!id || strv_add(&ids, id) < 0)
			return left;
		v[left++] = v[i];
	}
	return left;
}

/* Whether ENGINE/NAME means this one alone, of those. */
static bool is_only(const struct image_refs *all, const size_t *v, size_t n, size_t which)
{
	const struct image_ref *ref = &all->v[v[which]];

	for (size_t i = 0; i < n; i++)
		if (i != which && str_eq(all->v[v[i]].engine, ref->engine) &&
		    str_eq(all->v[v[i]].name, ref->name))
			return false;
	return ref->name;
}

/* Each as it can be typed: by its engine's name where that will do, else by its id. */
static int several(const struct image_refs *all, const size_t *v, size_t n, const char *want,
		   struct err *e)
{
	_cleanup_buf_ struct buf names = {};

	for (size_t i = 0; i < n && i < LISTED; i++) {
		const struct image_ref *ref = &all->v[v[i]];

		buf_puts(&names, i ? ", " : "");
		if (is_only(all, v, n, i))
			buf_printf(&names, "image://%s/%.100s", ref->engine, ref_short(ref->name));
		else
			buf_printf(&names, "image://%.12s (%s in %.60s)", ref->id, ref->engine,
				   ref->place->path);
	}
	return err_say(e, ENOTUNIQ, "there are several images '%s': %s%s", want,
		       names.data ? names.data : "", n > LISTED ? ", ..." : "");
}

struct near {
	unsigned d;
	const char *name;
};

static int by_distance(const void *a, const void *b)
{
	const struct near *x = a, *y = b;

	return x->d != y->d ? (x->d > y->d) - (x->d < y->d) : strcmp(x->name, y->name);
}

/* The last component, without a tag: a new string. */
static char *bare(const char *ref)
{
	const char *slash = strrchr(ref, '/');

	ref = slash ? slash + 1 : ref;
	return strndup(ref, strcspn(ref, ":@"));
}

/* How far a name is from what was typed: the whole of it, or what matters most. */
static unsigned distance(const char *name, const char *want)
{
	_cleanup_free_ char *a = bare(name), *b = bare(want);
	unsigned d = str_distance(name, want), k = a && b ? str_distance(a, b) : d;

	if (a && b && strlen(b) >= 3 && (strstr(a, b) || (strlen(a) >= 3 && strstr(b, a))))
		k = 1;
	return k < d ? k : d;
}

static int unknown(const struct image_refs *all, const char *want, struct err *e)
{
	_cleanup_free_ struct near *near = calloc(all->n + 1, sizeof(*near));
	_cleanup_buf_ struct buf names = {};
	size_t n = 0, shown = 0;

	err_say(e, ENOENT, "no engine on this host has an image '%s'", want);
	for (size_t i = 0; near && i < all->n; i++) {
		const char *name = all->v[i].name ? ref_short(all->v[i].name) : NULL;

		if (!name || ref_digest(name))
			continue;
		near[n] = (struct near){.d = distance(name, want), .name = name};
		n += near[n].d <= (strlen(want) < 6 ? 2 : 3);
	}
	if (n > 1)
		qsort(near, n, sizeof(*near), by_distance);
	for (size_t i = 0; i < n && shown < NEAREST; i++)
		if (i == 0 || !str_eq(near[i].name, near[i - 1].name))
			buf_printf(&names, "%s%.100s", shown++ ? ", " : "", near[i].name);
	if (n)
		err_hint(e, "did you mean %s?", names.data);
	else if (geteuid() != 0)
		err_hint(e, "engines' images are root's: run with sudo");
	else
		err_hint(e, "pull it with the engine, or give an archive (FILE.tar) in its place");
	return -ENOENT;
}

/* NAME, else ENGINE/NAME. The number of matches, in new *v. */
static size_t find(const struct image_refs *all, const char *want, size_t *v)
{
	size_t n = choose(all, NULL, want, v), len = strcspn(want, "/");
	_cleanup_free_ char *engine = n || !want[len] ? NULL : strndup(want, len);

	if (engine)
		n = choose(all, engine, want + len + 1, v);
	return unite(all, v, n);
}

static int load(const struct target_roots *r, const struct image_ref *ref, struct store *out,
		struct err *e)
{
	const struct target_roots at = target_roots_at(r, ref->place->of_host, ref->place->path);
	_cleanup_store_ struct store s = STORE_INIT;
	int err = target_roots_mountable(&at, e) ?: kind_of(ref->place)->open(&at, ref, &s, e);

	if (err < 0)
		return err;
	free(s.label);
	s.label = ref->name ? strdup(ref_short(ref->name)) : strndup(ref->id, 12);
	if (!s.label)
		return err_set(e, ENOMEM, "opening an image");
	*out = s;
	s = STORE_INIT;
	return 0;
}

/* A whole digest says which files it means: whoever has them, they are the same. */
static bool is_whole(const char *ref)
{
	const char *hex = str_starts(ref, "sha256:") ? digest_hex(ref) : ref;

	return strlen(hex) == DIGEST_HEX && strspn(hex, "0123456789abcdef") == DIGEST_HEX;
}

/* Look there. -EAGAIN: it may be in other places still. */
static int look(const struct target_roots *r, enum target_where where, const char *ref,
		struct store *out, struct err *e)
{
	_cleanup_places_ struct target_places places = {};
	_cleanup_image_refs_ struct image_refs all = {};
	_cleanup_free_ size_t *v = NULL;
	int err = target_places(r, where, &places, e);
	size_t n;

	if (err == 0)
		err = list_all(&places, &all, e);
	if (err < 0)
		return err;
	v = calloc(all.n + 1, sizeof(*v));
	if (!v)
		return err_set(e, ENOMEM, "looking for images");
	n = find(&all, ref, v);
	if (n == 1 && (where == TARGET_ANY || rank(all.v[v[0]].place) == RANK_BEST))
		return load(r, &all.v[v[0]], out, e);
	if (where == TARGET_USUAL)
		return -EAGAIN;
	return n ? several(&all, v, n, ref, e) : unknown(&all, ref, e);
}

int store_of_image(const struct target_roots *r, const char *ref, struct store *out, struct err *e)
{
	int err;

	*out = STORE_INIT;
	if (!*ref)
		return err_say(e, EINVAL, "an image needs a name: image://NAME");
	err = is_whole(ref) ? look(r, TARGET_USUAL, ref, out, e) : -EAGAIN;
	return err == -EAGAIN ? look(r, TARGET_ANY, ref, out, e) : err;
}
