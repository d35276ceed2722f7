#!/usr/bin/python3
"""Kill -9 a Porthole command at each of its system calls, and see what is left a second later.

Usage: sweep.py --step S --program EXE --pid PID [--before CMD] [--after CMD] [--kit] CMD...
For N = 1, 1+S, ... up to the last point that CMD's processes come to together, whichever of them comes
to the Nth is killed at it; with S = 1 that is as at each of their system calls (killat). Then host and target PID must be as before within a second:
mounts, processes, cgroups, loop devices, the entries of / and /dev and when they changed.
  --before CMD  run by the shell before each, itself not killed
  --after CMD   run after each; host and target must be as before after it
  --fresh CMD   prints the pid of a new target for each, which is killed afterwards
  --mark NAME   processes that run a file of this name are left-overs
  --kit         before --after, there is either nothing or a complete visible kit
EXE is a copy of porthole that nobody else runs. Prints "N of N clean"; lists what is not, and then
exits with 1.
"""
import argparse
import os
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from kill9 import patience

KILLAT = os.path.join(os.environ["PT_TOOLS"], "killat")


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read().decode(errors="replace")
    except OSError:
        return ""


def link(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""


def entries(root, path):
    """Entries of a directory with mode, owner, inode; and when the directory changed."""
    top = root + path
    if os.path.islink(top.rstrip("/")) and path != "/":
        return []
    try:
        out = ["%s changed %d" % (path, os.stat(top).st_mtime_ns)]
        for name in os.listdir(top):
            st = os.lstat(os.path.join(top, name))
            out.append("%s%s %o %d:%d %d" % (path, name, st.st_mode, st.st_uid, st.st_gid, st.st_ino))
        return out
    except OSError:
        return []


def cgroups_of(pid):
    """Where sessions make theirs: of version 2 at the top, else below the caller's own."""
    dirs = ["/sys/fs/cgroup"]
    for line in read("/proc/%s/cgroup" % pid).splitlines():
        _, names, path = line.split(":", 2)
        for top in (names, names.replace("name=", ""), "unified" if not names else names):
            d = os.path.join("/sys/fs/cgroup", top) + path
            if os.path.isdir(d):
                dirs.append(d)
                break
    return dirs


def below(dirs):
    """Of sessions: the host's other cgroups come and go."""
    return sorted(os.path.join(d, sub) for d in dirs for sub in next(os.walk(d), (0, []))[1]
                  if sub.startswith("porthole-"))


class Sweep:
    def __init__(self, a):
        self.a = a
        self.exe = os.path.realpath(a.program)
        self.home = os.path.dirname(self.exe)
        self.pid = a.pid
        self.pid_ns = self.mnt_ns = None
        self.report = os.path.join(self.home, "report.%d" % os.getpid())
        self.bad = []

    def look(self):
        """What a run must leave as it was."""
        out = ["host mount " + l for l in read("/proc/self/mountinfo").splitlines()
               if self.home in l or (" porthole " in l and not l.split()[4].startswith(("/tmp/pt.", "/tmp/bats-run-")))]
        for d in os.listdir("/proc"):
            if not d.isdigit():
                continue
            p = "/proc/" + d
            exe = link(p + "/exe").split(" (")[0]
            if not exe:
                continue  # a zombie, or the kernel's own
            if exe == self.exe or os.path.basename(exe) == self.a.mark:
                out.append("process of ours %s %s" % (d, read(p + "/cmdline").replace("\0", " ")))
            elif link(p + "/ns/pid") == self.pid_ns or link(p + "/ns/mnt") == self.mnt_ns:
                out.append("process of the target %s %s" % (d, read(p + "/cmdline").replace("\0", " ")))
        for n in os.listdir("/sys/block"):
            f = read("/sys/block/%s/loop/backing_file" % n)
            if self.home in f or "memfd:" in f:
                out.append("loop device %s %s" % (n, f))
        out += below(cgroups_of("self"))
        out += [l for l in entries("", "/dev") if "/loop" not in l and "changed" not in l]
        # /run/porthole is of those that run by themselves, which none of these do
        out += ["/run " + n for n in os.listdir("/run") + os.listdir("/dev/shm") if "porthole" in n and n != "porthole"]
        if self.pid:
            root = "/proc/%d/root" % self.pid
            out += ["target mount " + l for l in read("/proc/%d/mountinfo" % self.pid).splitlines()]
            out += below(cgroups_of(self.pid)) + entries(root, "/") + entries(root, "/dev/")
        return sorted(out)

    def await_same(self, before, what):
        start = time.monotonic()
        while True:
            after = self.look()
            if after == before:
                return True
            if time.monotonic() - start > 1 and time.monotonic() - start > patience():
                diff = ["-" + l for l in before if l not in after] + ["+" + l for l in after if l not in before]
                self.bad.append("%s: %s" % (what, "; ".join(diff[:6])))
                return False
            time.sleep(0.005)

    def kit_state(self, what):
        """Nothing, or a kit whose programs are there."""
        rows = [l for l in read("/proc/%d/mountinfo" % self.pid).splitlines() if " porthole " in l]
        at = "/proc/%d/root/dev/p" % self.pid
        start = time.monotonic()
        while time.monotonic() - start < patience():
            rows = [l for l in read("/proc/%d/mountinfo" % self.pid).splitlines() if " porthole " in l]
            if len(rows) == 0 and not os.path.lexists(at):
                return True
            if len(rows) == 1 and os.path.isdir(at + "/b") and "ro,nosuid,nodev" in rows[0]:
                return True
            time.sleep(0.005)
        self.bad.append("%s: half a kit: %s %s" % (what, rows, os.path.lexists(at)))
        return False

    def shell(self, cmd):
        if cmd:
            r = subprocess.run(cmd, shell=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
            if r.returncode:
                sys.exit("sweep: %s: exit %d: %s" % (cmd, r.returncode, r.stderr.decode()))
            return r.stdout.decode()

    def take_target(self):
        if self.a.fresh:
            self.pid = int(self.shell(self.a.fresh))
        if self.pid:
            self.pid_ns = link("/proc/%d/ns/pid" % self.pid)
            self.mnt_ns = link("/proc/%d/ns/mnt" % self.pid)
            if self.pid_ns == link("/proc/self/ns/pid"):
                self.pid_ns = None

    def one(self, n):
        """One run, killed at call n. True: killed. False: it ended before."""
        self.take_target()
        before = self.look()
        self.shell(self.a.before)
        cmd = [w.replace("@PID@", str(self.pid)) for w in self.a.cmd]
        try:
            os.unlink(self.report)
        except OSError:
            pass
        p = subprocess.Popen([KILLAT, str(n), self.exe, self.report, "--"] + cmd, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        what = "point %d" % n
        clean = True
        try:
            p.wait(120)
        except subprocess.TimeoutExpired:
            self.bad.append(what + ": hangs")
            os.killpg(p.pid, signal.SIGKILL)
            clean = False
        said = read(self.report).split()
        if said[:1] == ["killed"]:
            what += " (number %s)" % said[2]
        clean = clean and (not self.a.kit or self.kit_state(what))
        self.shell(self.a.after)
        if self.a.fresh:
            self.end_target()
        else:
            clean = self.await_same(before, what) and clean
        return said[:1] == ["killed"], clean, said

    def end_target(self):
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        # the numbers of its namespaces may be another's by now
        self.pid, self.pid_ns, self.mnt_ns = 0, None, None

    def run(self):
        killed, clean_ones, n = 0, 0, 1
        if self.a.fresh:
            empty = self.look()
        while True:
            was_killed, clean, said = self.one(n)
            if self.a.fresh:
                clean = self.await_same(empty, "point %d" % n) and clean
            if not was_killed:
                break
            killed += 1
            clean_ones += clean
            if len(self.bad) > 20:
                break
            n += self.a.step
        for line in self.bad:
            print(line)
        print("%d of %d clean, of %s points in %s system calls" % (clean_ones, killed, *(said[1:] or "??")))
        return 0 if clean_ones == killed and clean and killed else 1


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--step", type=int, default=1)
    p.add_argument("--program", required=True)
    p.add_argument("--pid", type=int, default=0)
    p.add_argument("--mark")
    p.add_argument("--before")
    p.add_argument("--after")
    p.add_argument("--fresh")
    p.add_argument("--kit", action="store_true")
    p.add_argument("cmd", nargs=argparse.REMAINDER)
    return Sweep(p.parse_args()).run()


if __name__ == "__main__":
    sys.exit(main())
