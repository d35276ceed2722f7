"""Objects of System V and POSIX IPC: `make NAME` makes one of each kind, open to everybody, and prints their numbers;
`try NAME SHM MSG SEM` reads and changes them, and prints what works. For an IPC namespace that ends with them.
"""

import ctypes
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
IPC_CREAT, IPC_RMID, IPC_STAT, SETVAL, GETVAL, SHM_RDONLY = 0o1000, 0, 2, 16, 12, 0o10000


def call(name, *args):
    r = getattr(libc, name)(*args)
    if r in (-1, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), name)
    return r


def make(name):
    os.umask(0)
    mq = call("mq_open", name, os.O_RDWR | os.O_CREAT, 0o666, None)
    call("mq_send", mq, b"x", 1, 0)
    made = [call("shmget", 0, 4096, IPC_CREAT | 0o666), call("msgget", 0, IPC_CREAT | 0o666), call("semget", 0, 1, IPC_CREAT | 0o666)]
    call("msgsnd", made[1], ctypes.create_string_buffer(b"\1\0\0\0\0\0\0\0x"), 1, 0)
    return made


def ways(name, shm, msg, sem):
    room = ctypes.create_string_buffer(65536)
    add = ctypes.create_string_buffer(b"\0\0\1\0\0\0")
    return {
        "read shm": lambda: call("shmat", shm, None, SHM_RDONLY),
        "read msg": lambda: call("msgctl", msg, IPC_STAT, room),
        "read sem": lambda: call("semctl", sem, 0, GETVAL),
        "read mq": lambda: call("mq_open", name, os.O_RDONLY),
        "shmat": lambda: call("shmat", shm, None, 0),
        "shmget": lambda: call("shmctl", call("shmget", 0, 4096, IPC_CREAT | 0o600), IPC_RMID, None),
        "msgsnd": lambda: call("msgsnd", msg, ctypes.create_string_buffer(b"\1\0\0\0\0\0\0\0y"), 1, 0),
        "msgrcv": lambda: call("msgrcv", msg, room, 100, 0, 0),
        "msgget": lambda: call("msgctl", call("msgget", 0, IPC_CREAT | 0o600), IPC_RMID, None),
        "semop": lambda: call("semop", sem, add, 1),
        "setval": lambda: call("semctl", sem, 0, SETVAL, 5),
        "semget": lambda: call("semctl", call("semget", 4711, 1, IPC_CREAT | 0o600), 0, IPC_RMID),
        "mq write": lambda: call("mq_open", name, os.O_WRONLY),
        "mq both": lambda: call("mq_open", name, os.O_RDWR),
        "mq receive": lambda: call("mq_receive", call("mq_open", name, os.O_RDONLY), room, 65536, None),
        "mq make": lambda: call("mq_open", name + b"-new", os.O_RDONLY | os.O_CREAT, 0o600, None),
        "mq file": lambda: os.mknod("/dev/mqueue/" + name.decode().strip("/") + "-file"),
        "mq unlink": lambda: os.unlink("/dev/mqueue" + name.decode() + "-new"),
    }


def attempt(*args):
    for way, do in ways(*args).items():
        try:
            do()
            print(way)
        except OSError:
            pass


args = (sys.argv[2].encode(), *map(int, sys.argv[3:]))
if sys.argv[1] == "make":
    print(*make(*args))
else:
    attempt(*args)
