"""The version of the package, and of whatever writes a trace."""

VERSION = "0.1.0"
