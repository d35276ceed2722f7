#!/usr/bin/python3
"""Sockets for tests of 'porthole forward'. SPEC: tcp:HOST:PORT, udp:HOST:PORT, unix:PATH, abstract:NAME.

ports.py serve SPEC...     echo what comes; at the end of a stream say "bye" and close. Prints "ready".
                           sink+SPEC takes all and answers with the count at the end; mute+SPEC reads nothing;
                           rude+SPEC resets each connection after its first bytes;
                           slow+SPEC echoes, accepts one in 50 ms and queues no more; deaf+SPEC never accepts
ports.py say SPEC TEXT     send TEXT and the end, print what comes back
ports.py exact SPEC MB     random bytes there and back at the same time: the same ones, and "bye" after them?
ports.py hold SPEC N       N connections at once, each answers twice; prints how many did
ports.py rate SPEC MB      MB into a sink, and its count back: prints MB/s
ports.py raw SPEC HEX      send these bytes, print in hex what comes back until the end
"""
import asyncio, hashlib, os, random, resource, socket, struct, sys, threading, time

BLOCK = 1 << 20


def parse(spec):
    mode, _, rest = spec.rpartition("+")
    kind, _, where = rest.partition(":")
    if kind in ("tcp", "udp"):
        host, _, port = where.rpartition(":")
        return mode, kind, (host.strip("[]"), int(port))
    return mode, kind, "\0" + where if kind == "abstract" else where


def make(kind, where):
    if kind in ("unix", "abstract"):
        return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
    return socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)


def connect(spec):
    _, kind, where = parse(spec)
    s = make(kind, where)
    s.settimeout(20)
    s.connect(where)
    return s


def more_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# --- servers: one thread for each mode but echo, which has to hold many ---

async def echo(reader, writer):
    try:
        while data := await reader.read(BLOCK):
            writer.write(data)
            await writer.drain()
        writer.write(b"bye")
        await writer.drain()
    except OSError:
        pass
    writer.close()


def sink(s):
    buf, n = bytearray(BLOCK), 0
    while got := s.recv_into(buf):
        n += got
    s.sendall(str(n).encode())
    s.close()


def rude(s):
    s.recv(1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def slow(s):
    while data := s.recv(BLOCK):
        s.sendall(data)
    s.close()


KEPT = []
MODES = {"sink": sink, "rude": rude, "mute": KEPT.append, "slow": slow}


def accept_for(mode, s):
    while True:
        if mode == "slow":
            time.sleep(0.05)
        c = s.accept()[0]
        threading.Thread(target=MODES[mode], args=(c,), daemon=True).start()


def udp_echo(s):
    while True:
        data, who = s.recvfrom(65536)
        s.sendto(data, who)


async def serve(specs):
    more_files()
    for spec in specs:
        mode, kind, where = parse(spec)
        s = make(kind, where)
        if kind == "tcp":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(where)
        if kind == "unix":
            os.chmod(where, 0o777)
        if kind == "udp":
            threading.Thread(target=udp_echo, args=(s,), daemon=True).start()
            continue
        s.listen(0 if mode in ("slow", "deaf") else 4096)
        if mode == "deaf":
            KEPT.append(s)
        elif mode:
            threading.Thread(target=accept_for, args=(mode, s), daemon=True).start()
        else:
            await asyncio.start_server(echo, sock=s, limit=BLOCK, backlog=4096) if kind == "tcp" else \
                await asyncio.start_unix_server(echo, sock=s, limit=BLOCK, backlog=4096)
    print("ready", flush=True)
    await asyncio.sleep(600)


# --- clients ---

def drain(s):
    out = b""
    while data := s.recv(BLOCK):
        out += data
    return out


def say(spec, text):
    s = connect(spec)
    s.sendall(text.encode())
    if parse(spec)[1] == "udp":
        print(s.recv(65536).decode())
        return
    s.shutdown(socket.SHUT_WR)
    print(drain(s).decode())


def raw(spec, data):
    s = connect(spec)
    s.sendall(bytes.fromhex(data))
    s.settimeout(3)
    try:
        print(drain(s).hex())
    except TimeoutError:
        print("silence")
    except ConnectionResetError:
        print("reset")


def exact(spec, mb):
    s = connect(spec)
    sent, got, state = hashlib.sha256(), hashlib.sha256(), {"left": mb * BLOCK, "tail": b""}

    def read():
        while data := s.recv(BLOCK):
            n = min(len(data), state["left"])
            got.update(data[:n])
            state["left"] -= n
            state["tail"] += data[n:]

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(mb):
        block = random.randbytes(BLOCK)
        sent.update(block)
        s.sendall(block)
    s.shutdown(socket.SHUT_WR)
    reader.join()
    same = sent.digest() == got.digest() and state["tail"] == b"bye" and not state["left"]
    print("exact" if same else f"not the same: {state}")
    return not same


async def hold(spec, n):
    more_files()
    _, kind, where = parse(spec)
    ends, gate = [], asyncio.Semaphore(200)

    async def one():
        async with gate:
            ends.append(await (asyncio.open_unix_connection(where) if kind != "tcp"
                               else asyncio.open_connection(*where)))
            await ask(ends[-1])

    async def ask(end):
        data = random.randbytes(8)
        end[1].write(data)
        return await asyncio.wait_for(end[0].readexactly(8), 60) == data

    await asyncio.gather(*(one() for _ in range(n)))
    good = await asyncio.gather(*(ask(end) for end in ends))
    print(f"{sum(good)} held", flush=True)


def rate(spec, mb):
    s, block = connect(spec), bytes(BLOCK)
    start = time.monotonic()
    for _ in range(mb):
        s.sendall(block)
    s.shutdown(socket.SHUT_WR)
    count = int(drain(s))
    assert count == mb * BLOCK, count
    print(round(mb / (time.monotonic() - start)))


def main(argv):
    verb, args = argv[1], argv[2:]
    if verb == "serve":
        asyncio.run(serve(args))
    elif verb == "hold":
        asyncio.run(hold(args[0], int(args[1])))
    elif verb in ("say", "raw"):
        globals()[verb](*args)
    else:
        return globals()[verb](args[0], int(args[1]))
    return 0


sys.exit(main(sys.argv))
