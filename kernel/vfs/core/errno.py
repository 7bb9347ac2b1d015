"""Linux's errno numbers as riscv64 has them (asm-generic/errno.h), whatever the host's are."""

from __future__ import annotations

import errno as _host

from kernel.base.errors import Errno

EPERM, ENOENT, ESRCH, EINTR, EIO, ENXIO, E2BIG, ENOEXEC = 1, 2, 3, 4, 5, 6, 7, 8
EBADF, ECHILD, EAGAIN, ENOMEM, EACCES, EFAULT, ENOTBLK, EBUSY = 9, 10, 11, 12, 13, 14, 15, 16
EEXIST, EXDEV, ENODEV, ENOTDIR, EISDIR, EINVAL, ENFILE, EMFILE = 17, 18, 19, 20, 21, 22, 23, 24
ENOTTY, ETXTBSY, EFBIG, ENOSPC, ESPIPE, EROFS, EMLINK, EPIPE = 25, 26, 27, 28, 29, 30, 31, 32
EDOM, ERANGE, EDEADLK, ENAMETOOLONG, ENOLCK, ENOSYS, ENOTEMPTY, ELOOP = (
    33, 34, 35, 36, 37, 38, 39, 40
)  # fmt: skip
ENODATA, EOVERFLOW, EILSEQ, ENOTSOCK, EDESTADDRREQ, EMSGSIZE = 61, 75, 84, 88, 89, 90
EPROTOTYPE, ENOPROTOOPT, EPROTONOSUPPORT, ESOCKTNOSUPPORT, EOPNOTSUPP = 91, 92, 93, 94, 95
EAFNOSUPPORT, EADDRINUSE, EADDRNOTAVAIL, ENOBUFS, EISCONN, ENOTCONN = 97, 98, 99, 105, 106, 107
ESHUTDOWN, ETIMEDOUT, ECONNREFUSED, ECONNRESET, ESTALE, EDQUOT = 108, 110, 111, 104, 116, 122

_BY_NAME = {name: value for name, value in globals().items() if name.startswith("E")}
_FROM_HOST = {
    number: _BY_NAME[name] for number, name in _host.errorcode.items() if name in _BY_NAME
}


def from_host(error: OSError) -> Errno:
    """The host's failure as the guest's: same name, Linux's number, EIO when there is none."""
    return Errno(_FROM_HOST.get(error.errno or 0, EIO))
