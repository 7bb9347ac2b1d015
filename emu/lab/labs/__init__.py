"""The labs, one package each: handout, reference solution, graded tests and mutants.

A reference solution imports ``emu.lab.kit`` only, as a student's does; the other files may import
``emu.lab.graded`` and what is below it. No lab imports another.
"""
