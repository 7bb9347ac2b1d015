"""Report of a run as one HTML file that needs no network: ``emu report``.

Imported by ``emu.cli``; imports ``emu.observe``'s ``model``, ``symbols`` and ``analysis``. It reads
records only: of the kernel it imports the outcomes of page faults, whose texts are its legend,
and ``kernel.base``.
``page/`` has the page's HTML, CSS and JavaScript.
"""
