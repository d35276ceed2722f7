#include "erofs_image.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

int image_sh(const char *fmt, ...)
{
	char cmd[2048];
	va_list ap;
	int r;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	r = system(cmd);
	return WIFEXITED(r) ? WEXITSTATUS(r) : 255;
}

static void must(int status, const char *what)
{
	if (status == 0)
		return;
	fprintf(stderr, "erofs_image: %s failed\n", what);
	abort();
}

uint32_t image_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static FILE *make(const char *dir, const char *name)
{
	char path[1024];
	FILE *f;

	snprintf(path, sizeof(path), "%s/src/%s", dir, name);
	f = fopen(path, "we");
	must(f == NULL, path);
	return f;
}

/* Lines that compress, and differ, with a stretch of noise in between that does not. */
static void text(const char *dir, const char *name, unsigned lines, uint32_t *rnd)
{
	FILE *f = make(dir, name);

	for (unsigned i = 0; i < lines; i++)
		if (i % 1000 > 900)
			fprintf(f, "%08x%08x%08x\n", image_random(rnd), image_random(rnd),
				image_random(rnd));
		else
			fprintf(f, "line %u of the file is much like the one before, %u\n", i,
				i * 7);
	fclose(f);
}

static void noise(const char *dir, const char *name, unsigned bytes, uint32_t *rnd)
{
	FILE *f = make(dir, name);

	while (bytes--)
		fputc((int)(image_random(rnd) & 0xff), f);
	fclose(f);
}

void image_tree(const char *dir)
{
	static const unsigned sizes[] = {0, 1, 2000, 4095, 4096, 4097, 8192, 12288, 65535, 65537};
	uint32_t rnd = 12345;
	char name[64];

	must(image_sh("mkdir -p %s/src/dir/deep/deeper %s/src/many", dir, dir), "mkdir");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		snprintf(name, sizeof(name), "noise-%u", sizes[i]);
		noise(dir, name, sizes[i], &rnd);
	}
	text(dir, "text-small", 20, &rnd);
	text(dir, "dir/text", 3000, &rnd);
	text(dir, "dir/deep/large", 40000, &rnd);
	must(image_sh("cd %s/src && head -c 3000001 /dev/zero >dir/zeros && "
		      "truncate -s 1000000 dir/sparse && printf end >>dir/sparse && "
		      "ln -s text dir/link && ln -s /nowhere/at/all dir/deep/dangling && "
		      "ln dir/text dir/deep/deeper/second-name && cp /bin/ls dir/program && "
		      "i=0; while [ $i -lt 400 ]; do echo $i >many/a-file-with-a-longer-name-$i; "
		      "i=$((i+1)); done; chmod 4755 dir/program; chmod 600 text-small; "
		      "chmod 555 dir/deep; touch -d '2001-02-03 04:05:06' dir/text many",
		      dir),
	     "filling the tree");
}

void image_make(const char *dir, const char *options)
{
	must(image_sh("rm -f %s/image && mkfs.erofs --quiet -x-1 --all-root %s %s/image %s/src "
		      ">/dev/null 2>&1",
		      dir, options, dir, dir),
	     "mkfs.erofs (package erofs-utils)");
}

void image_remove(const char *dir)
{
	must(image_sh("rm -rf %s", dir), "rm");
}
