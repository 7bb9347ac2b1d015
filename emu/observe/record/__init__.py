"""Recording of runs: the kernel's events become raw events, and raw events become trace records.

Imported by ``emu.cli`` and by the packages that read records. It imports ``emu.observe``'s
``model``, ``symbols``, ``dwarf``, ``unwind`` and ``heap``, and the kernel; not ``analysis``,
``formats``, ``report`` or ``walk``.
"""
