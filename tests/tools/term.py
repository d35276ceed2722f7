#!/usr/bin/python3
"""Run a command at a terminal of its own and play the person in front of it.

Usage: term.py [-s ROWSxCOLS] [-0] [-1] [-2] [-t SECONDS] STEP... -- CMD [ARG...]
  -0 -1 -2: that descriptor is not the terminal: /dev/null for 0, our own for 1 and 2.
Steps, in order:
  expect:REGEX   wait until the screen's text, from where the last match ended, has it
  send:TEXT      type it (backslash escapes as in Python: \\r \\x03 \\x04)
  paste:N        type N bytes of lines, as fast as they are taken
  resize:RxC     change the window's size
  signal:NAME    send CMD that signal
  run:COMMAND    run a shell command here; it must succeed
  hangup         close the terminal
  mode           print "[raw]" or "[cooked]": how the terminal is now
Afterwards waits for CMD's end. All that the terminal showed goes to stdout, without colours and
such (expect does not see them either); the exit status is CMD's (128+N for signal N), or 99 when a step was in vain: stderr says which.
"""
import errno
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

ESCAPES = re.compile(rb"\x1b(\[[0-9;?>]*[ -/]*[@-~]|\][^\x07]*\x07|P[^\x1b]*\x1b\\|[=>78]|[()].)")


class Term:
    def __init__(self, size, own, limit):
        self.master, self.slave = pty.openpty()
        self.limit = limit
        self.own = own
        self.text = b""
        self.at = 0
        self.resize(size)

    def resize(self, size):
        rows, cols = (int(n) for n in size.split("x"))
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def start(self, cmd):
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            null = os.open("/dev/null", os.O_RDONLY)
            for fd in range(3):
                if fd not in self.own:
                    os.dup2(self.slave, fd)
                elif fd == 0:
                    os.dup2(null, fd)
            os.closerange(3, 64)
            try:
                os.execvp(cmd[0], cmd)
            except OSError as e:
                os.write(2, str(e).encode())
            os._exit(127)
        os.close(self.slave)
        os.set_blocking(self.master, False)

    def read(self, wait):
        """Take what the terminal shows; False once nobody holds its other side."""
        if not select.select([self.master], [], [], wait)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError as e:
            if e.errno == errno.EIO:
                return False
            raise
        self.text += data
        return bool(data)

    def plain(self):
        return ESCAPES.sub(b"", self.text)

    def expect(self, what):
        end = time.monotonic() + self.limit
        wanted = re.compile(what.encode(), re.S)
        more = True
        while True:
            m = wanted.search(self.plain(), self.at)
            if m:
                self.at = m.end()
                return
            if time.monotonic() > end or not more:
                raise TimeoutError("expect:" + what)
            more = self.read(0.05)

    def send(self, data):
        end = time.monotonic() + self.limit
        while data:
            if time.monotonic() > end:
                raise TimeoutError("send: %d bytes are not taken" % len(data))
            r, w, _ = select.select([self.master], [self.master], [], 0.05)
            if r and not self.read(0):
                raise TimeoutError("send: the terminal is closed")
            if w:
                data = data[os.write(self.master, data[:4096]):]

    def step(self, step):
        name, _, arg = step.partition(":")
        if name == "expect":
            self.expect(arg)
        elif name == "send":
            self.send(arg.encode().decode("unicode_escape").encode("latin-1"))
        elif name == "paste":
            line = b"x" * 79 + b"\r"
            self.send((line * (int(arg) // len(line) + 1))[:int(arg)])
        elif name == "resize":
            self.resize(arg)
        elif name == "signal":
            os.kill(self.pid, getattr(signal, "SIG" + arg))
        elif name == "run":
            subprocess.run(arg, shell=True, check=True, stdin=subprocess.DEVNULL)
        elif name == "hangup":
            os.close(self.master)
            self.master = -1
        elif name == "mode":
            raw = not termios.tcgetattr(self.master)[3] & termios.ICANON
            self.text += b"[raw]" if raw else b"[cooked]"
        else:
            raise ValueError("no such step: " + step)

    def finish(self):
        end = time.monotonic() + self.limit
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > end:
                raise TimeoutError("end of the command")
            if self.master < 0 or not self.read(0.02):
                time.sleep(0.01)
        while self.master >= 0 and select.select([self.master], [], [], 0)[0] and self.read(0):
            pass
        return status


def main(argv):
    size, own, limit = "24x80", set(), 10.0
    args = argv[1:]
    while args and args[0].startswith("-") and args[0] != "--":
        flag = args.pop(0)
        if flag == "-s":
            size = args.pop(0)
        elif flag == "-t":
            limit = float(args.pop(0))
        else:
            own.add(int(flag[1:]))
    steps, cmd = args[:args.index("--")], args[args.index("--") + 1:]
    t = Term(size, own, limit)
    t.start(cmd)
    code = 99
    try:
        for step in steps:
            t.step(step)
        code = os.waitstatus_to_exitcode(t.finish())
        code = code if code >= 0 else 128 - code
    except (TimeoutError, OSError, subprocess.CalledProcessError) as e:
        print("term.py: in vain: %s" % e, file=sys.stderr)
        os.kill(t.pid, signal.SIGKILL)
        os.waitpid(t.pid, 0)
    sys.stdout.buffer.write(t.plain())
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv))
