/*
 * The way back to the host that `porthole host run` gives its container: --allow, --ask, --deny,
 * --log.
 *
 * Layer: cmd.
 */
#pragma once

#include "launch/broker.h"
#include "launch/rules.h"

struct host_back_opts {
	struct strv allow, ask, deny;
	const char *log;
};

#define OPT_HOST_BACK(at)                                                                          \
	{OPT_LIST,                                                                                 \
	 (at) + offsetof(struct host_back_opts, allow),                                            \
	 0,                                                                                        \
	 "allow",                                                                                  \
	 "CMD",                                                                                    \
	 "let it run this command of the host ('host exec'), and no other that is not named so",   \
	 NULL},                                                                                    \
		{OPT_LIST, (at) + offsetof(struct host_back_opts, ask),                            \
		 0,	   "ask",                                                                  \
		 "CMD",	   "ask on our terminal before it runs this command of the host",          \
		 NULL},                                                                            \
		{OPT_LIST,                                                                         \
		 (at) + offsetof(struct host_back_opts, deny),                                     \
		 0,                                                                                \
		 "deny",                                                                           \
		 "CMD",                                                                            \
		 "do not let it run this command of the host; '*': none. Another command may "     \
		 "start it: "                                                                      \
		 "only --allow is a boundary",                                                     \
		 NULL},                                                                            \
	{                                                                                          \
		OPT_STR, (at) + offsetof(struct host_back_opts, log), 0, "log", "FILE",            \
			"append every command that it runs on the host to this file, as JSON",     \
			NULL                                                                       \
	}

struct host_back {
	bool on;
	struct rules rules; /* lists borrowed from the options */
	struct broker broker;
	int log;
};

#define HOST_BACK_INIT ((struct host_back){.broker = BROKER_INIT, .log = -EBADF})
void host_back_done(struct host_back *b);

/* Prepare it where the profile gives it (`given`) or one of the options does; `name`: the
 * container's, which outlives it. 0 or -errno. */
int host_back_open(struct host_back *b, const struct host_back_opts *o, bool given, bool detach,
		   const char *name, struct err *e);

/* For struct session_talk; `data` is the struct host_back. */
int host_back_prepare(void *data, struct err *e);
int host_back_watch(void *data);
void host_back_attend(void *data, pid_t agent);
void host_back_over(void *data);
