#include "sys/exitcode.h"

#include <signal.h>
#include <stdio.h>

#include "base/str.h"

enum { SIGNALS_FROM = 128 };

static const struct {
	int sig;
	const char *words;
} signals[] = {
	{SIGHUP, "its terminal went away, or it was told to"},
	{SIGINT, "interrupted, as by Ctrl-C"},
	{SIGQUIT, "told to quit, as by Ctrl-\\ or by its engine's stop signal"},
	{SIGILL, "it came to an instruction that this processor does not have (built for a newer "
		 "one?), or gave up on purpose"},
	{SIGTRAP, "it came to a breakpoint, or gave up on purpose"},
	{SIGABRT, "it gave up by itself: a failed assertion, an uncaught exception, or damaged "
		  "memory; its log says more"},
	{SIGBUS, "a file it had mapped became shorter or could not be read, or shared memory "
		 "(/dev/shm) was full"},
	{SIGFPE, "it divided by zero"},
	{SIGKILL, "somebody killed it: 'kill -9', an engine whose stop took longer than its grace "
		  "period, or the kernel when memory ran out"},
	{SIGSEGV, "it touched memory that is not its own: a bug of the program, or of a library "
		  "that does not fit it"},
	{SIGPIPE, "it wrote to a pipe or socket that nobody reads any more"},
	{SIGTERM, "it was asked to end, as by its engine's stop"},
	{SIGXCPU, "it used up its processor time"},
	{SIGXFSZ, "it wrote a file larger than it may"},
	{SIGSYS, "it made a system call that its seccomp profile does not allow"},
};

char *signal_name(int sig, char out[24])
{
	const char *name = sigabbrev_np(sig);

	if (name)
		snprintf(out, 24, "SIG%s", name);
	else if (sig >= SIGRTMIN && sig <= SIGRTMAX)
		snprintf(out, 24, "SIGRTMIN+%d", sig - SIGRTMIN);
	else
		snprintf(out, 24, "signal %d", sig);
	return out;
}

int signal_number(const char *name)
{
	char full[24];
	uint64_t n;

	if (str_to_u64(name, 1, (uint64_t)SIGRTMAX, &n) == 0)
		return (int)n;
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	for (int sig = 1; sig <= SIGRTMAX; sig++)
		if (str_starts(signal_name(sig, full), "SIG") && strcasecmp(full + 3, name) == 0)
			return sig;
	return 0;
}

const char *signal_words(int sig, bool oom)
{
	if (sig == SIGKILL && oom)
		return "the kernel killed it because it was at its memory limit (OOM)";
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		if (signals[i].sig == sig)
			return signals[i].words;
	return "";
}

/* Codes that mean something wherever a shell or an engine is involved. */
static const struct {
	int code;
	const char *words;
} codes[] = {
	{0, "it came to its end by itself and reports success"},
	{125, "the engine itself could not start it"},
	{126, "what it should run is there but cannot be executed"},
	{127,
	 "what it should run, or a library of that, was not found: by the engine, a shell or a "
	 "loader"},
	{128, "the runtime could not start it"},
	{255, "the program's own (-1), or the engine lost the real one"},
};

char *exitcode_words(int code, bool oom)
{
	char name[24];

	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].code == code)
			return strdup(codes[i].words);
	if (code > SIGNALS_FROM && code <= SIGNALS_FROM + SIGRTMAX) {
		int sig = code - SIGNALS_FROM;
		const char *words = signal_words(sig, oom);

		return str_fmt("killed by %s%s%s", signal_name(sig, name), *words ? ": " : "",
			       words);
	}
	return str_fmt("the program's own, its log says why%s",
		       oom ? "; the kernel's out-of-memory killer was at work, too" : "");
}
