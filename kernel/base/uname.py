"""Names of the system that uname(2) and /proc report."""

HOSTNAME = "emu"
RELEASE = "6.1.0-emu"
