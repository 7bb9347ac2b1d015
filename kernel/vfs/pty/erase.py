"""Erasing in the line that is being edited: VERASE, VWERASE, VKILL (termios(3))."""

from __future__ import annotations

from kernel.vfs.pty.echo import Echo
from kernel.vfs.pty.input_queue import InputQueue
from kernel.vfs.pty.settings import (
    ECHOCTL,
    ECHOE,
    ECHOK,
    ECHOKE,
    ECHOPRT,
    VERASE,
    VKILL,
    VWERASE,
    Settings,
    is_control,
)

_TAB = ord("\t")


def erase(char: int, queue: InputQueue, echo: Echo, settings: Settings) -> None:
    """Erases a character, a word or the line, and echoes that."""
    if not queue.edited:
        return
    is_erase = char == settings.characters[VERASE]
    by_word = not is_erase and char == settings.characters[VWERASE]
    if not is_erase and not by_word and not _shows_kill(settings):
        queue.drop_last(queue.edited)
        if settings.echoes:
            echo.finish_erasing(settings)
            echo.shown(settings.characters[VKILL], settings)
            if settings.lflag & ECHOK:
                echo.raw(b"\n", settings)
        return
    in_word = False
    while queue.edited:
        last = _last_character(queue, settings)
        if not last:
            break
        if by_word:
            if _is_of_word(last[0]):
                in_word = True
            elif in_word:
                break
        queue.drop_last(len(last))
        if settings.echoes:
            _echo_erasure(last, is_erase, queue, echo, settings)
        if is_erase:
            break
    if not queue.edited and settings.echoes:
        echo.finish_erasing(settings)


def _shows_kill(settings: Settings) -> bool:
    shown = ECHOK | ECHOKE | ECHOE
    return settings.echoes and settings.lflag & shown == shown


def _last_character(queue: InputQueue, settings: Settings) -> bytes:
    """Its bytes; none if the line has only a part of it."""
    at = len(queue) - 1
    while settings.is_continuation(queue.at(at)) and at > queue.complete:
        at -= 1
    if settings.is_continuation(queue.at(at)):
        return b""
    return bytes(queue.at(index) for index in range(at, len(queue)))


def _is_of_word(char: int) -> bool:
    """True for letters and digits of Latin-1, and the underscore."""
    letter = char >= 0xC0 and char not in (0xD7, 0xF7)
    return letter or char == ord("_") or (char < 128 and chr(char).isalnum())


def _echo_erasure(
    erased: bytes, by_character: bool, queue: InputQueue, echo: Echo, settings: Settings
) -> None:
    char = erased[0]
    if settings.lflag & ECHOPRT:
        if not echo.erasing:
            echo.raw(b"\\", settings)
            echo.erasing = True
        echo.shown(char, settings)
        for more in erased[1:]:
            echo.raw(bytes((more,)), settings)
            echo.move_back()
    elif by_character and not settings.lflag & ECHOE:
        echo.shown(settings.characters[VERASE], settings)
    elif char == _TAB:
        echo.erase_tab(*_width_before(queue, settings))
    else:
        shown_as_two = is_control(char) and settings.lflag & ECHOCTL
        if shown_as_two:
            echo.raw(b"\b \b", settings)
        if not is_control(char) or shown_as_two:
            echo.raw(b"\b \b", settings)


def _width_before(queue: InputQueue, settings: Settings) -> tuple[int, bool]:
    """Columns since the last tab, or since the line's beginning; and whether there was a tab."""
    width = 0
    for index in range(len(queue) - 1, queue.complete - 1, -1):
        char = queue.at(index)
        if char == _TAB:
            return width, True
        if is_control(char):
            width += 2 if settings.lflag & ECHOCTL else 0
        elif not settings.is_continuation(char):
            width += 1
    return width, False
