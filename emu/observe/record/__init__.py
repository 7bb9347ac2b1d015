"""Recording of runs: the kernel's events become raw events, and raw events become trace records.

Imported by ``emu.cli``. It imports ``emu.observe``'s ``model``, ``symbols``, ``dwarf``, ``unwind``
and ``heap``, ``emu.host.child_processes``, ``emu.version``, the kernel and the machine; not
``analysis``, ``formats``, ``instructions``, ``report`` or ``walk``.
"""
