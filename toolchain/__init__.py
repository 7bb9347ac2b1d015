"""Finds and drives the GCC cross compiler; fills a root folder with real programs."""
