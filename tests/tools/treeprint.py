"""treeprint.py DIR: one line for each name below DIR: kind, mode, owner, size, links, time, extended
attributes, what it holds. Other file systems are named and not entered. Directories' sizes are their
file system's own affair. Never follows a link."""
import hashlib
import os
import stat
import sys


def attributes(path):
    """Extended attributes, without those of an overlay, which no container sees."""
    found = []
    for name in sorted(os.listxattr(path, follow_symlinks=False)):
        if not name.startswith("trusted.overlay."):
            found.append(name + "=" + os.getxattr(path, name, follow_symlinks=False).hex())
    return ",".join(found) or "-"


def content(path, st):
    if stat.S_ISLNK(st.st_mode):
        return os.readlink(path)
    if not stat.S_ISREG(st.st_mode):
        return "-"
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def show(path, name):
    st = os.lstat(path)
    is_dir = stat.S_ISDIR(st.st_mode)
    if is_dir and name != "." and os.path.ismount(path):
        print(repr(name), "a mount")
        return
    print(repr(name), oct(st.st_mode), st.st_uid, st.st_gid, "-" if is_dir else st.st_size,
          st.st_rdev, "-" if is_dir else st.st_nlink, st.st_mtime_ns, attributes(path), repr(content(path, st)))
    if is_dir:
        for entry in sorted(os.listdir(path)):
            show(os.path.join(path, entry), os.path.normpath(os.path.join(name, entry)))


show(os.path.join(sys.argv[1], "."), ".")
