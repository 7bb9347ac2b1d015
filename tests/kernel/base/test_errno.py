"""Are error numbers Linux's, whatever numbers the host uses?"""

import errno as python_errno
import os
import platform
from types import SimpleNamespace

import pytest

from kernel.base import errno
from kernel.base.errors import Errno, from_host

MACOS = SimpleNamespace(EPERM=1, EAGAIN=35, EDEADLK=11, ELOOP=62, EOPNOTSUPP=102, EAUTH=80)
"""Some of the numbers in macOS's sys/errno.h."""


@pytest.mark.skipif(platform.system() != "Linux", reason="the host's numbers are not Linux's")
@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="not asm-generic")
def test_are_the_numbers_those_of_linux() -> None:
    host = {name: number for name, number in vars(python_errno).items() if name.startswith("E")}
    aliases = {"ENOTSUP", "EDEADLOCK", "EWOULDBLOCK", "ENOTCAPABLE", "EQFULL", "EFTYPE"}
    expected = {name: number for name, number in host.items() if name not in aliases}
    expected["EHWPOISON"] = 133  # in Python since 3.14, as EFTYPE of later kernels
    assert {name: number for number, name in errno.NAMES.items()} == expected


@pytest.mark.parametrize(
    ("host", "linux"),
    [(1, errno.EPERM), (35, errno.EAGAIN), (11, errno.EDEADLK), (62, errno.ELOOP), (102, 95)],
)
def test_is_an_error_of_another_host_converted_by_its_name(host: int, linux: int) -> None:
    assert errno.host_numbers(MACOS)[host] == linux


def test_is_an_error_that_linux_does_not_have_an_input_output_error() -> None:
    assert MACOS.EAUTH not in errno.host_numbers(MACOS)
    assert from_host(OSError(9999, "")).errno == errno.EIO
    assert from_host(OSError("no number")).errno == errno.EIO


def test_is_a_number_with_two_names_on_the_host_converted() -> None:
    # Python's errno.errorcode names 95 ENOTSUP and 35 EDEADLOCK.
    assert from_host(OSError(python_errno.EOPNOTSUPP, "")).errno == errno.EOPNOTSUPP
    assert from_host(OSError(python_errno.EDEADLK, "")).errno == errno.EDEADLK


def test_do_errors_have_linuxs_names_and_the_hosts_texts() -> None:
    assert str(Errno(errno.EOPNOTSUPP)) == "EOPNOTSUPP"
    assert str(Errno(4095)) == "4095"
    assert errno.error_text(errno.ELOOP) == os.strerror(python_errno.ELOOP)
    assert errno.error_text(4095) == "Unknown error 4095"
