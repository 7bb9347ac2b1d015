"""Fills a folder with Debian's riscv64 packages, without root rights and without their scripts.

apt finds and verifies the packages; this package unpacks them and does what their scripts would:
accounts, links of alternatives, the cache of libraries. Imports only the standard library.
"""
