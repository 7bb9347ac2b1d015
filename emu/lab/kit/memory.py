"""Physical memory, as a lab's code sees it."""

from __future__ import annotations

from emu.lab.kit.port import Port, calling_place
from emu.machine.pte import PAGE_MASK, PAGE_SHIFT, PAGE_SIZE


class OutsideMemory(Exception):
    """There is no physical memory at ``address``, or it is not aligned for the access."""

    def __init__(self, address: int, why: str) -> None:
        super().__init__(why)
        self.address = address


class Memory:
    """The bytes in [``base``, ``end``); frame ``n`` is the 4,096 bytes at ``n << 12``.

    A write is visible in this process at once, and in the machine when the function returns.
    """

    def __init__(self, port: Port, content: memoryview, base: int) -> None:
        self.base = base
        self.end = base + len(content)
        self._port = port
        self._bytes = content
        self._words = content.cast("Q")
        self._new: dict[int, bytearray] = {}
        """Frames that were written since the commands were last sent to the machine."""

    def load(self, address: int) -> int:
        """Returns the 64-bit word at ``address``, such as a PTE. Raises :class:`OutsideMemory`."""
        self._check(address, 8)
        written = self._new.get(address >> PAGE_SHIFT)
        if written is None:
            return self._words[address - self.base >> 3]
        at = address & PAGE_MASK
        return int.from_bytes(written[at : at + 8], "little")

    def store(self, address: int, value: int) -> None:
        """Writes the 64-bit word at ``address``, such as a PTE. Raises :class:`OutsideMemory`."""
        self._check(address, 8)
        if not 0 <= value < 1 << 64:
            raise ValueError(f"{value:#x} is not a 64-bit word")
        at = address & PAGE_MASK
        self._frame(address >> PAGE_SHIFT)[at : at + 8] = value.to_bytes(8, "little")
        self._port.send_command("store", address, value, calling_place())

    def table(self, frame: int) -> list[int]:
        """Returns the 512 words of a page table."""
        self._check(frame << PAGE_SHIFT, PAGE_SIZE)
        return memoryview(self._content(frame)).cast("Q").tolist()

    def read(self, address: int, count: int) -> bytes:
        """Returns ``count`` bytes at ``address``. Raises :class:`OutsideMemory`."""
        self._check_range(address, count)
        parts = []
        while count > 0:
            at = address & PAGE_MASK
            size = min(count, PAGE_SIZE - at)
            parts.append(bytes(self._content(address >> PAGE_SHIFT)[at : at + size]))
            address, count = address + size, count - size
        return b"".join(parts)

    def write(self, address: int, data: bytes) -> None:
        """Writes bytes at ``address``, within one frame. Raises :class:`OutsideMemory`."""
        self._check_range(address, len(data))
        at = address & PAGE_MASK
        if at + len(data) > PAGE_SIZE:
            raise OutsideMemory(
                address,
                f"{len(data)} bytes at {address:#x} reach into the next frame: the next page of "
                "the process is in another frame",
            )
        self._frame(address >> PAGE_SHIFT)[at : at + len(data)] = data
        self._port.send_command("write", address, bytes(data).hex(), calling_place())

    def copy_frame(self, source: int, target: int) -> None:
        """Copies the 4,096 bytes of frame ``source`` to frame ``target``."""
        for frame in (source, target):
            self._check(frame << PAGE_SHIFT, PAGE_SIZE)
        self._new[target] = bytearray(self._content(source))
        self._port.send_command("copy", source, target, calling_place())

    def zero_frame(self, frame: int) -> None:
        """Sets the 4,096 bytes of a frame to zero."""
        self._check(frame << PAGE_SHIFT, PAGE_SIZE)
        self._new[frame] = bytearray(PAGE_SIZE)
        self._port.send_command("zero", frame, calling_place())

    def _content(self, frame: int) -> bytearray | memoryview:
        written = self._new.get(frame)
        if written is not None:
            return written
        start = (frame << PAGE_SHIFT) - self.base
        return self._bytes[start : start + PAGE_SIZE]

    def _frame(self, frame: int) -> bytearray:
        written = self._new.get(frame)
        if written is None:
            written = self._new[frame] = bytearray(self._content(frame))
        return written

    def _forget_writes(self) -> None:
        """Called when the machine has all that was written."""
        self._new.clear()

    def _check(self, address: int, size: int) -> None:
        if address & (size - 1):
            raise OutsideMemory(address, f"{address:#x} is not aligned to {size} bytes")
        self._check_range(address, size)

    def _check_range(self, address: int, count: int) -> None:
        if count < 0 or not self.base <= address <= self.end - count:
            raise OutsideMemory(
                address,
                f"there is no memory at {address:#x}: memory is {self.base:#x} to {self.end:#x} "
                f"(a frame's address is its number << {PAGE_SHIFT})",
            )
