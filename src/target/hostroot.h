/*
 * The host's / from inside a container that sees the host's processes.
 *
 * Layer: target. Nothing an image or an environment says is believed: /proc must be the kernel's
 * and show kthreadd, and what is taken for the host's / shows what the host's own mount table says.
 */
#pragma once

/* The host's /, when ours is another: a descriptor the caller owns (O_PATH), -EEXIST: ours is
 * it, in a mount namespace that is not; -ENOENT: ours is it, or it is nowhere to be reached. *path,
 * the caller's: where it is mounted in our own mount namespace; NULL: nowhere, it is another
 * process's root. Layers below that cannot be mounted. */
int host_root_open(int proc_fd, char **path);
