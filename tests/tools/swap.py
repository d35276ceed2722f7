#!/usr/bin/env python3
"""swap.py DIR OUTSIDE: until it is killed, makes of what is in DIR something else as fast as it can:
directories become links that lead to OUTSIDE, files become FIFOs, devices and links. What it makes itself
says "inside"."""
import os
import sys

top, outside = sys.argv[1:3]
os.makedirs(top + '/x/deep', exist_ok=True)
os.makedirs(top + '/parts', exist_ok=True)
for name in ('x/marker', 'x/deep/marker', 'f'):
    with open(f'{top}/{name}', 'w') as f:
        f.write('inside\n')
up = '../' * 40 + outside.lstrip('/')
parts = top + '/parts/'
for name, target in (('abs', outside), ('up', up), ('file', outside + '/marker')):
    os.symlink(target, parts + name)
os.mkfifo(parts + 'fifo')
os.mknod(parts + 'dev', 0o20666, os.makedev(1, 5))
print('ready', flush=True)
kinds = ('abs', 'up')
files = ('fifo', 'dev', 'file', 'up')
n = 0
while True:
    n += 1
    # the directory is away, a link is in its place; and back
    for dir_name in ('x', 'x/deep'):
        try:
            os.rename(f'{top}/{dir_name}', parts + 'away')
            os.rename(parts + kinds[n % 2], f'{top}/{dir_name}')
            os.rename(f'{top}/{dir_name}', parts + kinds[n % 2])
            os.rename(parts + 'away', f'{top}/{dir_name}')
        except OSError:
            for a, b in ((parts + 'away', f'{top}/{dir_name}'),):
                if os.path.lexists(a):
                    if os.path.islink(b):
                        os.unlink(b)
                    try:
                        os.rename(a, b)
                    except OSError:
                        pass
            for name, target in (('abs', outside), ('up', up)):
                if not os.path.lexists(parts + name):
                    os.symlink(target, parts + name)
    kind = parts + files[n % 4]
    try:
        os.rename(f'{top}/f', parts + 'saved')
        os.link(kind, f'{top}/f', follow_symlinks=False)
        os.unlink(f'{top}/f')
        os.rename(parts + 'saved', f'{top}/f')
    except OSError:
        if os.path.lexists(parts + 'saved'):
            os.rename(parts + 'saved', f'{top}/f')
