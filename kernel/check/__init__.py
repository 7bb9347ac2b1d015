"""Checks of the kernel's memory: table walks, snapshots, invariants, the audit of the budget.

Imports ``kernel.process`` and what is below it; ``kernel.kernel`` runs the checks.
"""
