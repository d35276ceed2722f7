"""A docker-archive (docker load, podman load, ctr image import) of one directory.

Usage: mkimage.py DIRECTORY NAME:TAG OUTPUT.tar
"""
import hashlib
import io
import json
import os
import sys
import tarfile


def add(tar, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def main():
    root, name, output = sys.argv[1:]
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name_in_root in sorted(os.listdir(root)):
            tar.add(os.path.join(root, name_in_root), arcname=name_in_root)
    layer = layer.getvalue()
    config = json.dumps({
        "architecture": "amd64", "os": "linux", "created": "2024-01-01T00:00:00Z",
        "config": {"Cmd": ["/app"], "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"],
                   "Labels": {"org.porthole.test": name}},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
        "history": [{"created": "2024-01-01T00:00:00Z", "created_by": "mkimage.py"}],
    }).encode()
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(output, "w") as tar:
        add(tar, "manifest.json", json.dumps(manifest).encode())
        add(tar, "config.json", config)
        add(tar, "layer.tar", layer)


main()
