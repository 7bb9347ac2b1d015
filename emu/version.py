"""The version of the package, which is also recorded in traces."""

VERSION = "0.1.0"
