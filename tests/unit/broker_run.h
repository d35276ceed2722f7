/* A broker with a launcher of its own, and callers in processes of theirs. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "launch/broker.h"
#include "launch/hostcall.h"

extern struct broker b;
extern struct rules rules;   /* fill before start() */
extern char path[64], dir[]; /* the socket's; a scratch directory */
extern pid_t launcher;

/* What a caller got: its exit code, or what was said against it, and what came out. */
struct got {
	int code;
	struct err e;
	char out[4096], note[256];
};
extern struct got got;

/* Of each test. */
int setup(void **state);
int teardown(void **state);

/* `inside`: the process whose root directory callers must have; 0: ours. */
void start_with(int log, pid_t inside);
void start(void);
void stop_launcher(void);

/* In a process of its own, as another user if `uid`; fills `got`. */
void call_as(uid_t uid, struct hostcall c, const char *const *argv);

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define CALL(...)  call_as(0, (struct hostcall){.cwd = "/"}, WORDS(__VA_ARGS__))
