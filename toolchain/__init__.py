"""Finds and runs the GCC cross compiler; fills a root directory with Debian programs.

Imports only the standard library: ``toolchain.system`` prepares the virtual environment.
"""
