"""Messages between the grader and the process that runs a student's code.

Both sides import it; it imports only ``emu.lab.kit``.
"""
