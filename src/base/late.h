/*
 * What the libraries prepare before main(), done when it is needed instead.
 *
 * Layer: base. Their constructors ask the processor what it can do, which in a virtual machine
 * takes its hypervisor 30 us, and a session has no use for them: src/cold.ld puts them aside.
 */
#pragma once

/* To be called before anything of libarchive, liblzma or libnettle is. Does its work once. */
void late_init(void);

/* NULL: src/absent.ld puts it in the place of what would make something that is not linked. */
void *late_absent(void);
