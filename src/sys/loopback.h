/*
 * The loopback interface of a new network namespace.
 *
 * Layer: sys. Any Linux; needs CAP_NET_ADMIN there.
 */
#pragma once

/* Bring it up in our network namespace. A failure shows when it is used. */
void loopback_up(void);
