"""Errors of the toolchain; the text of each is one line for the user."""


class ToolchainError(Exception):
    """Base of this package's errors."""


class ToolchainNotFoundError(ToolchainError):
    """No RISC-V cross compiler for Linux was found."""


class BuildError(ToolchainError):
    """A program could not be built; `diagnostics` is the compiler's output, unchanged."""

    def __init__(self, message: str, diagnostics: str) -> None:
        super().__init__(message)
        self.diagnostics = diagnostics


class RootError(ToolchainError):
    """A root directory could not be filled with packages."""


class SystemPackageError(ToolchainError):
    """A package of the operating system is missing and could not be installed."""
