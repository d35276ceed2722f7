/*
 * The parts of a plan that differ for what does not run.
 *
 * Layer: session, private.
 */
#pragma once

#include "session/plan.h"

/* New namespaces of every kind but user and time; refuses what only a process can give. */
int store_plan_ns(struct plan *p, const struct request *req, struct err *e);

/* Mount the layers: p->root_fd. */
int store_plan_root(struct plan *p, struct err *e);

/* Unless others are asked for: the capabilities the container has, where its engine says so, else
 * docker's default. Nobody's own files run with more by accident. */
void store_plan_caps(struct plan *p, const struct request *req);
