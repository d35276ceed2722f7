/*
 * What a container had run on its host: a line of JSON at each command's start and end.
 *
 * Layer: launch. {"time", "event": "start" | "refused" | "failed" | "end", "call", "container"},
 * and with the first two "uid", "pid" and "comm" of who asked, "user", "cwd" and "argv"; "why";
 * "exit". Bytes that are no UTF-8 are written as \xNN.
 */
#pragma once

#include <sys/socket.h>

#include "launch/broker.h"
#include "session/plan.h"

/* What is asked: `p` has user, directory and words. `why`: NULL, or why it was refused. 0, or
 * -errno with `e`: it could not be written. Without a log 0. */
int broker_log_start(const struct broker_call *c, const struct ucred *who, const struct plan *p,
		     const char *why, struct err *e);

/* It has ended. */
void broker_log_end(const struct broker *b, uint32_t id, int code);
