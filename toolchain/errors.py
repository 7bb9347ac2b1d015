"""Errors of the toolchain; the text of each is one line for the user."""


class ToolchainError(Exception):
    """Base of this package's errors."""

    status = 2
    """Exit status of a command that it ends."""
    diagnostics = ""
    """The compiler's output, unchanged."""


class ToolchainNotFoundError(ToolchainError):
    """No RISC-V cross compiler for Linux was found."""


class BuildError(ToolchainError):
    """A program could not be built."""

    status = 1

    def __init__(self, message: str, diagnostics: str) -> None:
        super().__init__(message)
        self.diagnostics = diagnostics


class RootError(ToolchainError):
    """A root directory could not be filled with packages."""


class SystemPackageError(ToolchainError):
    """A package of the operating system is missing and could not be installed."""
