"""Error numbers of riscv64 Linux (asm-generic/errno.h), and their conversion from the host's.

The host's numbers may differ (macOS), so the kernel never uses those of Python's ``errno``.
"""

from __future__ import annotations

import errno as _host
import os

(
    EPERM, ENOENT, ESRCH, EINTR, EIO, ENXIO, E2BIG, ENOEXEC, EBADF, ECHILD, EAGAIN, ENOMEM, EACCES,
    EFAULT, ENOTBLK, EBUSY, EEXIST, EXDEV, ENODEV, ENOTDIR, EISDIR, EINVAL, ENFILE, EMFILE, ENOTTY,
    ETXTBSY, EFBIG, ENOSPC, ESPIPE, EROFS, EMLINK, EPIPE, EDOM, ERANGE, EDEADLK, ENAMETOOLONG,
    ENOLCK, ENOSYS, ENOTEMPTY, ELOOP,
) = range(1, 41)  # fmt: skip
(
    ENOMSG, EIDRM, ECHRNG, EL2NSYNC, EL3HLT, EL3RST, ELNRNG, EUNATCH, ENOCSI, EL2HLT, EBADE, EBADR,
    EXFULL, ENOANO, EBADRQC, EBADSLT,
) = range(42, 58)  # fmt: skip
(
    EBFONT, ENOSTR, ENODATA, ETIME, ENOSR, ENONET, ENOPKG, EREMOTE, ENOLINK, EADV, ESRMNT, ECOMM,
    EPROTO, EMULTIHOP, EDOTDOT, EBADMSG, EOVERFLOW, ENOTUNIQ, EBADFD, EREMCHG, ELIBACC, ELIBBAD,
    ELIBSCN, ELIBMAX, ELIBEXEC, EILSEQ, ERESTART, ESTRPIPE, EUSERS, ENOTSOCK, EDESTADDRREQ,
    EMSGSIZE, EPROTOTYPE, ENOPROTOOPT, EPROTONOSUPPORT, ESOCKTNOSUPPORT, EOPNOTSUPP, EPFNOSUPPORT,
    EAFNOSUPPORT, EADDRINUSE, EADDRNOTAVAIL, ENETDOWN, ENETUNREACH, ENETRESET, ECONNABORTED,
    ECONNRESET, ENOBUFS, EISCONN, ENOTCONN, ESHUTDOWN, ETOOMANYREFS, ETIMEDOUT, ECONNREFUSED,
    EHOSTDOWN, EHOSTUNREACH, EALREADY, EINPROGRESS, ESTALE, EUCLEAN, ENOTNAM, ENAVAIL, EISNAM,
    EREMOTEIO, EDQUOT, ENOMEDIUM, EMEDIUMTYPE, ECANCELED, ENOKEY, EKEYEXPIRED, EKEYREVOKED,
    EKEYREJECTED, EOWNERDEAD, ENOTRECOVERABLE, ERFKILL, EHWPOISON,
) = range(59, 134)  # fmt: skip

NAMES = {value: name for name, value in globals().items() if name.startswith("E")}
"""Name of each error number."""


def host_numbers(host: object) -> dict[int, int]:
    """Maps the error numbers of ``host``, a module like Python's ``errno``, to Linux's."""
    return {getattr(host, name): number for number, name in NAMES.items() if hasattr(host, name)}


_FROM_HOST = host_numbers(_host)
_TO_HOST = {number: host for host, number in _FROM_HOST.items()}


def from_host(number: int | None) -> int:
    """Linux's number of the host's error ``number``; EIO when Linux has no error of that name."""
    return _FROM_HOST.get(number or 0, EIO)


def error_text(number: int) -> str:
    """Text of Linux's error ``number``, as strerror(3) of the host words it."""
    host = _TO_HOST.get(number)
    return f"Unknown error {number}" if host is None else os.strerror(host)
