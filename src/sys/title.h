/*
 * What `ps` shows of us.
 *
 * Layer: sys.
 */
#pragma once

/* Remember where the kernel looks for our command line. Call it first thing in main(). */
void title_init(int argc, char **argv);

/* Show `title` instead, cut to the room there is; the arguments and the environment themselves are
 * overwritten, so that a target cannot read them. Only for a process that needs neither any more.
 */
void title_set(const char *title);
