"""What all of the kernel needs: errors, clock, timers, waiting, resource limits, the memory
budget.
"""
