"""System calls: the table, dispatch, and a function for each call. May import all but
``kernel.trap``.
"""
