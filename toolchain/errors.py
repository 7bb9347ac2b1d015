"""What can go wrong here, as errors whose text is one line for the user."""


class ToolchainError(Exception):
    """Base of this package's errors; str() is one clear line."""


class ToolchainNotFoundError(ToolchainError):
    """No compiler on this machine makes RISC-V Linux programs."""


class BuildError(ToolchainError):
    """The compiler refused a program; `diagnostics` is its own text, unchanged."""

    def __init__(self, message: str, diagnostics: str) -> None:
        super().__init__(message)
        self.diagnostics = diagnostics


class RootError(ToolchainError):
    """A root folder could not be filled with packages."""


class SystemPackageError(ToolchainError):
    """A package of the operating system is missing and could not be installed."""
