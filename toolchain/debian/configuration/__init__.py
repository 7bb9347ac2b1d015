"""Files and links that the scripts of packages and Debian's installer make in a root.

The scripts are read, not run. Imports only ``toolchain.debian.tree`` and the standard library.
"""
