"""Runs the tests of this folder in namespaces of their own: Envoy Gateway's ports are fixed, Envoy finds it by a name, and Envoy's
certificates are in /certs, whatever is configured."""

import ctypes
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

NEW_MOUNTS, NEW_USER, NEW_NETWORK = 0x00020000, 0x10000000, 0x40000000
BIND, BELOW, PRIVATE = 0x1000, 0x4000, 0x40000
SET_FLAGS, UP = 0x8914, 0x1
# Where Envoy asks for configuration and for modules.
HOSTS = "127.0.0.1 localhost envoy-gateway.envoy-gateway-system.svc.cluster.local\n"

libc = ctypes.CDLL(None, use_errno=True)


def check(result):
    if result:
        error = ctypes.get_errno()
        sys.exit(
            f"these tests need namespaces of their own, which this machine refuses: {os.strerror(error)} "
            "(run them as root, or allow user namespaces: sysctl kernel.unprivileged_userns_clone=1)"
        )


def mount(source, target, kind=None, flags=0):
    check(libc.mount(source.encode(), str(target).encode(), kind, flags, None))


def enter():
    """From here on: loopback alone, all ports are free, and /certs and /etc/hosts are ours. Nothing of this is seen outside."""
    user, group = os.getuid(), os.getgid()
    check(libc.unshare(NEW_MOUNTS | NEW_NETWORK | (NEW_USER if user else 0)))
    if user:
        for file, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
            Path("/proc/self", file).write_text(text)
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sh14x", b"lo", UP))
    mount("none", "/", flags=PRIVATE | BELOW)
    here, root = os.getcwd(), Path(__file__).resolve().parents[2] / "target/envoy-gateway/root"
    root.mkdir(parents=True, exist_ok=True)
    mount("none", root, b"tmpfs")
    for entry in Path("/").iterdir():
        place = root / entry.name
        if entry.is_symlink():
            place.symlink_to(entry.readlink())
        elif entry.is_dir():
            place.mkdir()
            mount(str(entry), place, flags=BIND | BELOW)
    (root / "certs").mkdir(exist_ok=True)
    (root / "hosts").write_text(HOSTS)
    mount(str(root / "hosts"), root / "etc/hosts", flags=BIND)
    os.chroot(root)
    os.chdir(here)


if __name__ == "__main__":
    enter()
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
