#!/usr/bin/python3
"""Press TAB in a real shell: tab.py bash|zsh|fish SCRIPT LINE...

Loads the completion SCRIPT, types each LINE and TAB, and prints the words that the shell then has,
each in brackets, one line for each LINE."""
import os
import pty
import re
import select
import sys
import time

SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
LOAD = {
    "bash": "bind 'set bell-style none'; . {}",
    "zsh": "autoload -Uz compinit; compinit -u -D; unsetopt beep; . {}",
    "fish": "source {}",
}


def read_until(fd, mark, seconds=15):
    text, end = b"", time.monotonic() + seconds
    while mark not in text:
        left = end - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            sys.exit(f"tab.py: no {mark!r} after {text[-2000:]!r}")
        try:
            text += os.read(fd, 65536)
        except OSError:
            sys.exit(f"tab.py: the shell has ended after {text[-2000:]!r}")
    return text.decode(errors="replace")


def main():
    shell, script, lines = sys.argv[1], sys.argv[2], sys.argv[3:]
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="dumb" if shell == "bash" else "xterm", PS1="$ ", HISTFILE="")
        os.execvp(SHELLS[shell][0], SHELLS[shell])
    os.write(fd, (LOAD[shell].format(script) + "; echo rea''dy\r").encode())
    read_until(fd, b"ready")
    for line in lines:
        # the line is made the arguments of printf: what is shown is what the shell understood
        os.write(fd, line.encode() + b"\t\x01printf '[%s]' \x05; echo '<'en''d'>'\r")
        out = read_until(fd, b"<end>").split("<end>")[0]
        out = re.sub(r"\x1b(\[[0-9;?]*[a-zA-Z]|\][^\a]*\a|[=>()].?)", "", out)
        print(re.split(r"[\r\n]", out)[-1])
    os.write(fd, b"exit\r")
    os.close(fd)
    os.waitpid(pid, 0)


main()
