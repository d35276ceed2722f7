/* What test_elf operates on: a program that shows its strings, reached by an instruction, by a
 * relocation, and where they lie. Dynamic, and never under sanitizers: they keep tables of their
 * own of every string. */
#include <stdio.h>

static const char *const by_pointer[] = {"/bin/sh", "/bin/other"};
const char *const *volatile patient = by_pointer;

__attribute__((noinline)) static const char *by_instruction(void)
{
	const char *s = "/sbin/far";

	__asm__("" : "+r"(s));
	return s;
}

__attribute__((noinline)) static const char *in_place(void)
{
	const char *s = "/usr/share/patient/data";

	__asm__("" : "+r"(s));
	return s;
}

int main(void)
{
	printf("%s %s %s %s\n", by_instruction(), patient[0], patient[1], in_place());
	return 0;
}
