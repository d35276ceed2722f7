#include "files/crew.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"

/* A piece of work is so many files, or bytes, of one directory; so many wait before the walker
 * lends a hand. */
enum { PIECE_FILES = 32, PIECE_NAMES = 4096, PIECE_BYTES = 1 << 20, QUEUE_MAX = 32 };

struct crew_piece {
	struct crew_piece *next;
	struct crew_dir *dir;
	uint64_t bytes;
	size_t n, len;
	char names[PIECE_NAMES]; /* one after the other, NUL-terminated */
};

static int result(struct crew *c)
{
	return __atomic_load_n(&c->r, __ATOMIC_ACQUIRE);
}

static void note(struct crew *c, int r)
{
	int none = 0;

	if (r < 0)
		__atomic_compare_exchange_n(&c->r, &none, r, false, __ATOMIC_ACQ_REL,
					    __ATOMIC_ACQUIRE);
}

static void dir_free(struct crew_dir *d)
{
	cleanup_close(&d->from);
	cleanup_close(&d->to);
	free(d->path);
	free(d->filling);
	free(d);
}

struct crew_dir *crew_enter(int from, int to, bool made, const char *path, const struct stat *st)
{
	_cleanup_close_ int own_from = from, own_to = to;
	struct crew_dir *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	*d = (struct crew_dir){.from = TAKE_FD(own_from), .to = TAKE_FD(own_to)};
	d->made = made;
	d->st = *st;
	d->users = 1;
	d->path = strdup(path);
	if (d->path)
		return d;
	dir_free(d);
	return NULL;
}

/* One user fewer; the last one finishes it. */
static void let_go(struct crew *c, struct crew_dir *d)
{
	if (__atomic_sub_fetch(&d->users, 1, __ATOMIC_ACQ_REL))
		return;
	note(c, c->ops->done(d, c->data));
	dir_free(d);
}

static void work(struct crew *c, struct crew_piece *p)
{
	const char *name = p->names;

	for (size_t i = 0; i < p->n && result(c) == 0; i++, name += strlen(name) + 1)
		note(c, c->ops->file(p->dir, name, c->data));
	let_go(c, p->dir);
	free(p);
}

/* The next piece, with the lock held; NULL: there is none. */
static struct crew_piece *pop(struct crew *c)
{
	struct crew_piece *p = c->first;

	if (!p)
		return NULL;
	c->first = p->next;
	c->n_queued--;
	return p;
}

static void *thread(void *arg)
{
	struct crew *c = arg;
	struct crew_piece *p;

	pthread_mutex_lock(&c->lock);
	for (;;) {
		while (!c->first && !c->closing)
			pthread_cond_wait(&c->work, &c->lock);
		p = pop(c);
		if (!p)
			break;
		c->n_busy++;
		pthread_mutex_unlock(&c->lock);
		work(c, p);
		pthread_mutex_lock(&c->lock);
		if (--c->n_busy == 0)
			pthread_cond_signal(&c->idle);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* As many on few processors, too: what they wait for is the disk. Where none can be started the
 * walker does it all. */
static void start(struct crew *c)
{
	c->started = true;
	for (int i = 1; i < CREW_MAX; i++)
		if (pthread_create(&c->thread[c->n_threads], NULL, thread, c) == 0)
			c->n_threads++;
}

/* What is filled goes to whoever is free. */
static void hand_over(struct crew *c, struct crew_dir *d)
{
	struct crew_piece *p = TAKE_PTR(d->filling), *mine = NULL;

	if (!p)
		return;
	pthread_mutex_lock(&c->lock);
	if (c->first)
		c->last->next = p;
	else
		c->first = p;
	c->last = p;
	if (++c->n_queued > 1 && !c->started)
		start(c);
	if (c->n_queued > QUEUE_MAX)
		mine = pop(c);
	else
		pthread_cond_signal(&c->work);
	pthread_mutex_unlock(&c->lock);
	if (mine)
		work(c, mine);
}

int crew_add(struct crew *c, struct crew_dir *d, const char *name, uint64_t size)
{
	struct crew_piece *p = d->filling;
	size_t len = strlen(name) + 1;

	if (len > PIECE_NAMES)
		return -ENAMETOOLONG;
	if (p && (p->n == PIECE_FILES || p->len + len > PIECE_NAMES || p->bytes >= PIECE_BYTES)) {
		hand_over(c, d);
		p = NULL;
	}
	if (!p) {
		p = d->filling = malloc(sizeof(*p));
		if (!p)
			return -ENOMEM;
		p->next = NULL;
		p->dir = d;
		p->bytes = p->n = p->len = 0;
		__atomic_add_fetch(&d->users, 1, __ATOMIC_ACQ_REL);
	}
	memcpy(p->names + p->len, name, len);
	p->len += len;
	p->bytes += size;
	p->n++;
	return result(c);
}

void crew_leave(struct crew *c, struct crew_dir *d)
{
	hand_over(c, d);
	let_go(c, d);
}

static void wait_idle(struct crew *c)
{
	while (c->n_busy) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 100000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&c->idle, &c->lock, &until);
		pthread_mutex_unlock(&c->lock);
		note(c, c->ops->tick(c->data));
		pthread_mutex_lock(&c->lock);
	}
}

int crew_end(struct crew *c)
{
	struct crew_piece *p;

	pthread_mutex_lock(&c->lock);
	while ((p = pop(c))) {
		pthread_mutex_unlock(&c->lock);
		work(c, p);
		pthread_mutex_lock(&c->lock);
	}
	wait_idle(c);
	c->closing = true;
	pthread_cond_broadcast(&c->work);
	pthread_mutex_unlock(&c->lock);
	for (size_t i = 0; i < c->n_threads; i++)
		pthread_join(c->thread[i], NULL);
	c->n_threads = 0;
	c->closing = c->started = false;
	return result(c);
}
