#!/usr/bin/python3
"""Kill -9 processes of Porthole sessions at ever later moments, and see what is left.

Usage: kill9.py ROLES FROM TO STEP EXEC-COMMAND...
  ROLES: who is killed, at once: of supervisor,agent,guard (those that exist by then). Supervisor and
  agent together: not between the command's start and the guard's, 5 ms later
  FROM, TO, STEP: moments after the start, in milliseconds
EXEC-COMMAND starts a session that does not end by itself; its first word, or the last of those
before "exec", is a copy of porthole that nobody else runs. It is called with PT_KILL9=... in its
environment and `-e PT_KILL9` after "exec", by which the processes of the session are found.
Looked at, for a second at most (of a machine that has nothing else to do): processes, cgroups below our own, loop devices of files beside the
copy, and the mount table. Prints how many sessions there were and how long the slowest took to go;
fails with a list of what stayed.
"""
import glob
import os
import random
import signal
import subprocess
import sys
import time


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError:
        return b""


def our_cgroups():
    """Directories of the version 1 controllers that limits use, and version 2's top."""
    dirs = []
    for line in read("/proc/self/cgroup").decode().splitlines():
        _, names, path = line.split(":", 2)
        first = names.split(",")[0]
        if first in ("memory", "pids", "cpu"):
            dirs.append("/sys/fs/cgroup/" + names + path)
    return dirs or ["/sys/fs/cgroup"]


def patience():
    """One second, of a machine with a processor for us: longer where more run than there are processors."""
    running = int(read("/proc/loadavg").split()[3].split(b"/")[0])
    return min(max(1.0, running / os.cpu_count()), 10.0)


class Watch:
    def __init__(self, exe):
        self.exe = os.path.realpath(exe)
        self.mark = "PT_KILL9=%d.%d" % (os.getpid(), random.getrandbits(32))
        self.cgroups = our_cgroups()
        self.mounts = self.mount_table()

    @staticmethod
    def mount_table():
        return {l for l in read("/proc/self/mountinfo").splitlines() if b"porthole" in l}

    def processes(self):
        found = []
        for d in os.listdir("/proc"):
            if not d.isdigit() or int(d) == os.getpid():
                continue
            try:
                exe = os.readlink("/proc/%s/exe" % d)
            except OSError:
                continue  # a zombie, or the kernel's own
            if exe.split(" (")[0] == self.exe or self.mark.encode() in read("/proc/%s/environ" % d):
                found.append("process %s: %s" % (d, read("/proc/%s/cmdline" % d).replace(b"\0", b" ")))
        return found

    def left(self):
        found = self.processes()
        for d in self.cgroups:
            # those with somebody in them are other sessions'; ours show as processes
            found += ["cgroup " + c for c in glob.glob(d + "/porthole-*")
                      if not read(c + "/cgroup.procs")]
        for f in glob.glob("/sys/block/loop*/loop/backing_file"):
            if os.path.dirname(self.exe).encode() in read(f):
                found.append("loop device: " + f)
        found += ["mount %s" % l for l in self.mount_table() - self.mounts]
        return found


def fail(why):
    for line in watch.processes(): # not to be in the way of what comes next
        os.kill(int(line.split()[1][:-1]), signal.SIGKILL)
    sys.exit("kill9: " + why)


def children(pid):
    return [int(c) for c in read("/proc/%d/task/%d/children" % (pid, pid)).split()]


def victims(pid, roles):
    """{role: pid} of those that exist now."""
    found = {"supervisor": pid}
    for c in children(pid):
        nspid = [l for l in read("/proc/%d/status" % c).splitlines() if l.startswith(b"NSpid:")]
        if read("/proc/%d/comm" % c).startswith(b"ph-guard"):
            found["guard"] = c
        elif nspid and len(nspid[0].split()) > 2:  # in the target's pid namespace
            found["agent"] = c
    return {r: p for r, p in found.items() if r in roles}


def end(p, goes_on):
    """The supervisor ends by itself when the agent was killed; else when its command was, or it is told to."""
    for _ in range(500):
        try:
            return p.wait(0.01)
        except subprocess.TimeoutExpired:
            if goes_on:
                for command in children(victims(p.pid, ["agent"]).get("agent", 0)):
                    signal_all({0: command}, signal.SIGKILL)
                p.send_signal(signal.SIGTERM)
    fail("the supervisor waits for ever")


def signal_all(found, number):
    for pid in found.values():
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def unguarded(pid):
    """There is a command already, and no guard yet. If not, they stand still, so that it stays so."""
    signal_all(victims(pid, ["supervisor", "agent"]), signal.SIGSTOP)
    found = victims(pid, ["agent", "guard"])
    return "agent" in found and "guard" not in found and children(found["agent"])


def one(cmd, roles, delay):
    env = dict(os.environ)
    name, _, value = watch.mark.partition("=")
    env[name] = value
    start = time.monotonic()
    p = subprocess.Popen(cmd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, start_new_session=True)
    while time.monotonic() - start < delay:
        pass
    while {"supervisor", "agent"} <= set(roles) and unguarded(p.pid):
        signal_all(victims(p.pid, roles), signal.SIGCONT)
    found = victims(p.pid, roles)
    order = list(found.items())
    random.shuffle(order)
    signal_all(dict(order), signal.SIGKILL)
    killed = time.monotonic()
    end(p, not {"supervisor", "agent"} & set(found))
    while True:
        left = watch.left()
        took = time.monotonic() - killed
        if not left:
            return len(found), took
        if took > 1.0 and took > patience():
            fail("%s killed after %.2f ms, and one second later there is\n%s" %
                 (",".join(found) or "supervisor", delay * 1e3, "\n".join(map(str, left))))
        time.sleep(0.002)


def main(argv):
    global watch
    roles, (first, last, step), cmd = argv[1].split(","), map(float, argv[2:5]), argv[5:]
    at = cmd.index("exec")
    watch = Watch(cmd[at - 1])
    cmd[at + 1:at + 1] = ["-e", "PT_KILL9"]
    n, killed, worst, delay = 0, 0, 0.0, first
    while delay <= last:
        found, took = one(cmd, roles, delay / 1e3)
        n, killed, worst, delay = n + 1, killed + found, max(worst, took), delay + step
    print("%d sessions, %d killed, gone within %.0f ms" % (n, killed, worst * 1e3))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
