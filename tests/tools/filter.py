#!/usr/bin/python3
"""What the seccomp filter of a process says of each system call: "NUMBER allow|ERRNO|kill", a line each.

Usage: filter.py PID

As ptrace(2) has it (PTRACE_SECCOMP_GET_FILTER), judged with arguments that are zero; the newest filter is what counts.
"""
import ctypes
import os
import struct
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
SEIZE, INTERRUPT, DETACH, GET_FILTER = 0x4206, 0x4207, 17, 0x420C
NATIVE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}[os.uname().machine]
LAST, ALLOW, ERRNO = 470, 0x7FFF0000, 0x00050000


def ptrace(request, pid, addr=0, data=None):
    r = LIBC.ptrace(ctypes.c_long(request), ctypes.c_int(pid), ctypes.c_void_p(addr), data)
    if r < 0:
        sys.exit(f"filter.py: ptrace({request:#x}): {os.strerror(ctypes.get_errno())}")
    return r


def read_filter(pid):
    ptrace(SEIZE, pid)
    ptrace(INTERRUPT, pid)
    os.waitpid(pid, 0x40000000)
    code = ctypes.create_string_buffer(8 * ptrace(GET_FILTER, pid))
    ptrace(GET_FILTER, pid, 0, code)
    ptrace(DETACH, pid)
    return list(struct.iter_unpack("=HBBI", code.raw))


def judge(code, nr):
    data = struct.pack("=iIQ6Q", nr, NATIVE, 0, *[0] * 6)
    at, acc, mem = 0, 0, {}
    while True:
        op, yes, no, k = code[at]
        at += 1
        if op == 0x20:  # ld [k]
            acc = struct.unpack_from("=I", data, k)[0]
        elif op == 0x54:  # and
            acc &= k
        elif op == 0x02:  # st
            mem[k] = acc
        elif op == 0x60:  # ld M[k]
            acc = mem[k]
        elif op == 0x05:  # ja
            at += k
        elif op == 0x06:  # ret
            return "allow" if k == ALLOW else str(k & 0xFFFF) if k & 0xFFFF0000 == ERRNO else "kill"
        else:
            at += yes if {0x15: acc == k, 0x25: acc > k, 0x35: acc >= k, 0x45: acc & k}[op] else no


def main():
    code = read_filter(int(sys.argv[1]))
    for nr in range(LAST):
        print(nr, judge(code, nr))


main()
