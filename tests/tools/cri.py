"""The smallest CRI client: protocol buffers by hand, gRPC by python3-grpcio.

Usage: cri.py SOCKET run NAME IMAGE NAMESPACE CMD...   prints "SANDBOX-ID CONTAINER-ID" (pod NAME-pod)
       cri.py SOCKET rm SANDBOX-ID                     stops and removes the pod and its containers
       cri.py SOCKET status CONTAINER-ID               prints the verbose info JSON
       cri.py SOCKET stop CONTAINER-ID                 stops that container only
"""
import os
import sys

import grpc

UID = "3a3b1e62-7a3c-4a55-9c6f-000000000001"


def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out) + bytes([n])


def field(number, value):
    """One field: int, str, bytes, or a list for a repeated field."""
    if isinstance(value, list):
        return b"".join(field(number, v) for v in value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def message(fields):
    return b"".join(field(n, v) for n, v in fields)


def parse(data):
    """{field number: [values]} of a message; only varint and length-delimited fields."""
    out, at = {}, 0

    def number():
        nonlocal at
        n = shift = 0
        while True:
            b = data[at]
            at += 1
            n |= (b & 0x7F) << shift
            shift += 7
            if b < 0x80:
                return n
    while at < len(data):
        key = number()
        value = number()
        if key & 7 == 2:
            value, at = data[at:at + value], at + value
        out.setdefault(key >> 3, []).append(value)
    return out


class Cri:
    def __init__(self, socket):
        self.socket = socket
        self.channel = grpc.insecure_channel("unix://" + socket)

    def call(self, name, fields):
        same = bytes
        method = self.channel.unary_unary("/runtime.v1.RuntimeService/" + name, same, same)
        return parse(method(message(fields), timeout=30))


def labels(number, pairs):
    return [(number, message([(1, k), (2, v)])) for k, v in pairs.items()]


def run(cri, name, image, namespace, *cmd):
    pod = {"io.kubernetes.pod.name": name + "-pod", "io.kubernetes.pod.namespace": namespace,
           "io.kubernetes.pod.uid": UID}
    own_pid = message([(2, 1)])  # NamespaceOption: pid=CONTAINER, the rest the pod's
    linux = message([(1, "/kubepods/besteffort/pod" + UID), (2, message([(1, own_pid)]))])
    sandbox = message([(1, message([(1, name + "-pod"), (2, UID), (3, namespace), (4, 0)])),
                       (2, name + "-host"), (3, os.path.dirname(cri.socket))] + labels(6, pod) + [(8, linux)])
    pod_id = cri.call("RunPodSandbox", [(1, sandbox)])[1][0].decode()
    config = message([(1, message([(1, name), (2, 0)])), (2, message([(1, image)])),
                      (3, list(cmd))] +
                     labels(9, dict(pod, **{"io.kubernetes.container.name": name})) +
                     [(11, name + ".log"), (15, message([(2, message([(3, own_pid)]))]))])
    ctr_id = cri.call("CreateContainer", [(1, pod_id), (2, config), (3, sandbox)])[1][0].decode()
    cri.call("StartContainer", [(1, ctr_id)])
    print(pod_id, ctr_id)


def rm(cri, pod_id):
    cri.call("StopPodSandbox", [(1, pod_id)])
    cri.call("RemovePodSandbox", [(1, pod_id)])


def status(cri, ctr_id):
    for pair in cri.call("ContainerStatus", [(1, ctr_id), (2, 1)]).get(2, []):
        print(parse(pair)[2][0].decode())


def stop(cri, ctr_id):
    cri.call("StopContainer", [(1, ctr_id), (2, 0)])


def main():
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    cri = Cri(sys.argv[1])
    {"run": run, "rm": rm, "status": status, "stop": stop}[sys.argv[2]](cri, *sys.argv[3:])


main()
