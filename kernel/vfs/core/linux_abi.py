"""Constants of riscv64 Linux (asm-generic) for files; the host's may differ."""

from __future__ import annotations

# open(2)
O_RDONLY, O_WRONLY, O_RDWR, O_ACCMODE = 0, 1, 2, 3
O_CREAT = 0o100
O_EXCL = 0o200
O_NOCTTY = 0o400
O_TRUNC = 0o1000
O_APPEND = 0o2000
O_NONBLOCK = 0o4000
O_ASYNC = 0o20000
O_DSYNC = 0o10000
O_DIRECT = 0o40000
O_LARGEFILE = 0o100000
O_DIRECTORY = 0o200000
O_NOFOLLOW = 0o400000
O_NOATIME = 0o1000000
O_CLOEXEC = 0o2000000
O_SYNC = 0o4010000
O_PATH = 0o10000000
O_TMPFILE = 0o20200000
O_SETTABLE = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME
"""Flags that fcntl(F_SETFL) changes."""

# *at(2)
AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
AT_REMOVEDIR = 0x200
AT_EACCESS = 0x200
AT_SYMLINK_FOLLOW = 0x400
AT_NO_AUTOMOUNT = 0x800
AT_EMPTY_PATH = 0x1000

# lseek(2)
SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE = 0, 1, 2, 3, 4

# poll(2), the same bits as epoll(7)
POLLIN, POLLPRI, POLLOUT, POLLERR, POLLHUP, POLLNVAL = 1, 2, 4, 8, 16, 32
POLLRDNORM, POLLRDBAND, POLLWRNORM, POLLWRBAND, POLLRDHUP = 0x40, 0x80, 0x100, 0x200, 0x2000

# access(2)
R_OK, W_OK, X_OK = 4, 2, 1

# d_type of getdents64(2): the S_IFMT bits shifted down
DT_FIFO, DT_CHR, DT_DIR, DT_BLK, DT_REG, DT_LNK, DT_SOCK = 1, 2, 4, 6, 8, 10, 12

NAME_MAX = 255
PATH_MAX = 4096
MAX_LINKS = 40
MAX_FILE_SIZE = (1 << 63) - 1
MAX_RW = 0x7FFFF000
"""Maximum number of bytes of one read or write, as in Linux."""
CHUNK = 1 << 20
"""Maximum number of bytes that the kernel buffers of one transfer."""

SIGPIPE, SIGXFSZ = 13, 25


def makedev(major: int, minor: int) -> int:
    """Encodes a device number (makedev(3))."""
    return (minor & 0xFF) | ((major & 0xFFF) << 8) | ((minor & ~0xFF) << 12)


def major(dev: int) -> int:
    return (dev >> 8) & 0xFFF


def kernel_device(dev: int) -> int:
    """A device number as Linux has it inside, which /proc/PID/fdinfo shows."""
    return major(dev) << 20 | minor(dev)


def minor(dev: int) -> int:
    return (dev & 0xFF) | ((dev >> 12) & 0xFFF00)
