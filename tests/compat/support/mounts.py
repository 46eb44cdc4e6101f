"""Small disks in a mount namespace of their own: nobody else sees them, and they are gone with it.

A process that only waits holds the namespace (unshare --mount). The broker enters it (nsenter); we look into it through /proc/PID/root.
Needs root, and a kernel that mounts tmpfs, ext4 and loop devices for it; where that is not so, Unavailable says what is missing.
"""
import fcntl
import os
import pathlib
import struct
import subprocess

EXT4_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32), in the kernel's fs/ext4/ext4.h
EXT4_GOING_FLAGS_NOLOGFLUSH = 2


class Unavailable(Exception):
    """This machine does not let us do that."""


class Namespace:
    """A mount namespace, and the disks that are mounted in it."""

    def __init__(self, folder):
        if os.geteuid() != 0:
            raise Unavailable("mounting needs root")
        self.folder = folder
        self.keeper = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c", "echo in; exec cat"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.keeper.stdout.readline() != "in\n":
            raise Unavailable(f"unshare: {self.keeper.stderr.read().strip()}")

    @property
    def prefix(self):
        """Words before a command that make it run inside."""
        return ["nsenter", f"--target={self.keeper.pid}", "--mount", "--"]

    def seen(self, path):
        """What is `path` inside, for us outside."""
        return pathlib.Path(f"/proc/{self.keeper.pid}/root{path}")

    def mounts(self):
        """Its /proc/mounts."""
        return pathlib.Path(f"/proc/{self.keeper.pid}/mounts").read_text()

    def try_run(self, *words):
        """Runs a command inside: what it complained of, or an empty text."""
        done = subprocess.run([*self.prefix, *[str(word) for word in words]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False)
        return "" if done.returncode == 0 else f"{words[0]}: exit code {done.returncode}: {done.stdout.strip()}"

    def run(self, *words):
        problem = self.try_run(*words)
        assert not problem, problem

    def tmpfs(self, name, size_mb):
        """Mounts a tmpfs; returns its path."""
        path = self.folder / name
        path.mkdir()
        problem = self.try_run("mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "none", path)
        if problem:
            raise Unavailable(problem)
        return path

    def close(self):
        """The namespace ends with the last process in it, and the mounts with the namespace."""
        self.keeper.stdin.close()
        self.keeper.wait()
        self.keeper.stdout.close()
        self.keeper.stderr.close()


class Ext4:
    """An ext4 file system in a sparse image file, mounted through a loop device.

    Requests to the device are one page each. The loop driver (Linux 6.18) takes a write that was cut short, for want of space under the
    image, for a whole one: no fdatasync tells of it, and nobody could find out. A page is written or not.
    """

    def __init__(self, namespace, image, size_mb):
        self.namespace, self.image = namespace, image
        self.path = namespace.folder / f"{image.stem}-mounted"
        self.path.mkdir()
        problem = (namespace.try_run("truncate", f"--size={size_mb}M", image)
                   or namespace.try_run("mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0", "-J", "size=4", image)
                   or self.try_mount())
        if problem:
            raise Unavailable(problem)

    def try_mount(self):
        problem = self.namespace.try_run("mount", "-o", "loop", self.image, self.path)
        if not problem:
            pathlib.Path("/sys/block", self.device(), "queue/max_sectors_kb").write_text("4\n")
        return problem

    def device(self):
        """The loop device's name."""
        for line in self.namespace.mounts().splitlines():
            device, path, *_ = line.split(" ")
            if path == str(self.path):
                return device.removeprefix("/dev/")
        raise AssertionError(f"{self.path} is not mounted")

    def mount(self):
        problem = self.try_mount()
        assert not problem, problem

    def unmount(self):
        self.namespace.run("umount", self.path)

    def cut_power(self):
        """From here on nothing reaches the image: neither data nor the file system's own journal."""
        fd = os.open(self.namespace.seen(self.path), os.O_RDONLY)
        try:
            fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", EXT4_GOING_FLAGS_NOLOGFLUSH))
        finally:
            os.close(fd)
