"""Are missing system packages installed through apt, or reported in one line?"""

import os
import shutil
import subprocess

import pytest

from toolchain import system
from toolchain.errors import SystemPackageError
from toolchain.system import Need


class FakeSystem:
    """A need, and an apt-get that succeeds from a given call on."""

    def __init__(self, works_from: int) -> None:
        self.calls: list[str] = []
        self.works_from = works_from
        self.installed = False

    def present(self) -> bool:
        return self.installed

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        self.calls.append(command[command.index("apt-get") + 1])
        works = len(self.calls) >= self.works_from
        if self.calls[-1] == "install":
            self.installed = works
        return subprocess.CompletedProcess(command, 0 if works else 100, "reading\nE: no such\n")


def arrange(
    monkeypatch: pytest.MonkeyPatch, works_from: int = 1, apt: bool = True, user: int = 0
) -> FakeSystem:
    fake = FakeSystem(works_from)
    monkeypatch.setitem(system.NEEDS, "thing", Need(fake.present, ("pack",), "install thing"))
    monkeypatch.setattr(system, "_quietly", fake.run)
    found = {"apt-get"} if apt else set()
    monkeypatch.setattr(shutil, "which", lambda name: name if name in found else None)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    return fake


def test_what_is_there_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = arrange(monkeypatch, user=1000)
    fake.installed = True
    system.provide("thing")
    assert fake.calls == []


def test_the_package_list_is_renewed_only_when_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = arrange(monkeypatch)
    system.provide("thing")
    assert fake.calls == ["install"]
    fake = arrange(monkeypatch, works_from=2)
    system.provide("thing")
    assert fake.calls == ["install", "update", "install"]


def test_apts_last_line_when_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    arrange(monkeypatch, works_from=9)
    with pytest.raises(SystemPackageError, match="apt-get install pack: E: no such"):
        system.provide("thing")


def test_a_system_without_apt(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arrange(monkeypatch, apt=False)
    assert system.main(["thing"]) == 1
    assert capsys.readouterr().err == "thing: install thing\n"


def test_a_user_who_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    arrange(monkeypatch, user=1000)
    with pytest.raises(SystemPackageError, match=r"not root.*apt-get install pack"):
        system.provide("thing")
