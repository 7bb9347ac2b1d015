"""Physical memory: frames, runs of frames for huge pages, zero pages, the pool of huge pages.

Imports ``kernel.base`` and the machine's PTEs and RAM.
"""
