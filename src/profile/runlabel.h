/*
 * An image's RUN label (`atomic run`, `podman container runlabel`): a line with words in it that
 * stand for the image and for its name.
 *
 * Layer: profile. No I/O. What those tools have a shell replace is put in as plain words.
 */
#pragma once

#include "profile/words.h"

/* The container's name that those tools derive from an image's: "web" of
 * "reg.example:5000/a/web:1". A new string, NULL: memory is out. */
char *runlabel_name(const char *image);

/* Put into words that were split what they stand for: IMAGE and NAME as words, and $X and ${X} in a
 * word for IMAGE, NAME, CONFDIR, LOGDIR, DATADIR, HOST, and OPT1 to OPT3, which are empty. Words
 * that are empty then go, and what was replaced is no expansion of `w` any more. 0 or -ENOMEM. */
int runlabel_fill(struct words *w, const char *image, const char *name);
