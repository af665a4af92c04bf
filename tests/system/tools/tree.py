"""Looks at trees for storage.bats.

    tree.py describe DIR           every name below it with everything an archive can carry, one a line
    tree.py getxattr PATH          NAME=VALUE lines
    tree.py setxattr PATH NAME VALUE
"""
import hashlib
import os
import stat
import sys


def xattrs(path):
    return [(n, os.getxattr(path, n, follow_symlinks=False)) for n in sorted(os.listxattr(path, follow_symlinks=False))]


def describe(top):
    for root, dirs, files in os.walk(os.fsencode(top)):
        dirs.sort()
        for name in sorted(dirs + files):
            path = os.path.join(root, name)
            st = os.lstat(path)
            content = b""
            if stat.S_ISREG(st.st_mode):
                with open(path, "rb") as file:
                    content = hashlib.sha256(file.read()).hexdigest().encode()
            elif stat.S_ISLNK(st.st_mode):
                content = os.readlink(path)
            # A directory's link count counts its children, and they are here themselves.
            links = 0 if stat.S_ISDIR(st.st_mode) else st.st_nlink
            print(os.path.relpath(path, os.fsencode(top)), oct(st.st_mode), st.st_uid, st.st_gid, links, st.st_mtime_ns,
                  st.st_rdev, content, xattrs(path))


verb, path = sys.argv[1:3]
if verb == "describe":
    describe(path)
elif verb == "getxattr":
    for name, value in xattrs(path):
        print(name + "=" + value.decode(errors="replace"))
else:
    os.setxattr(path, sys.argv[3], sys.argv[4].encode())
