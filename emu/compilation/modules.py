"""The modules that are compiled: those that a page fault, a system call or a fork runs through,
and what a trace records of it.

``kernel.kernel`` and ``kernel.trap.run_loop`` are not: :mod:`emu.host.break_in` looks for their
frames, and compiled functions have none.
"""

from __future__ import annotations

BY_MYPYC = (
    "emu.machine.cause",
    "emu.machine.code_reader",
    "emu.machine.engine",
    "emu.machine.exits",
    "emu.machine.registers",
    "emu.observe.model.trace_fields",
    "emu.observe.record.address_space_pids",
    "emu.observe.record.address_space_recorder",
    "emu.observe.record.code_layouts",
    "emu.observe.record.fork_ranges",
    "emu.observe.record.memory_usage",
    "emu.observe.record.page_watch",
    "emu.observe.record.recorder",
    "emu.observe.record.thread_position",
    "kernel.base.budget",
    "kernel.base.clock",
    "kernel.base.cpu_time",
    "kernel.base.resource_limits",
    "kernel.base.wait",
    "kernel.mm.backing.backing",
    "kernel.mm.backing.file_pages",
    "kernel.mm.backing.shared_memory",
    "kernel.mm.faults.fault_around",
    "kernel.mm.faults.huge_fault",
    "kernel.mm.faults.hugetlb_fault",
    "kernel.mm.faults.user_memory",
    "kernel.mm.forking.fork",
    "kernel.mm.forking.fork_cost",
    "kernel.mm.mappings.free_ranges",
    "kernel.mm.mappings.huge_policy",
    "kernel.mm.page_tables.clear_range",
    "kernel.mm.page_tables.pte_ranges",
    "kernel.process.accounting.resource_usage",
    "kernel.process.attributes",
    "kernel.process.clone",
    "kernel.process.exit",
    "kernel.process.observer",
    "kernel.process.process",
    "kernel.process.scheduler",
    "kernel.process.signal_delivery",
    "kernel.process.state",
    "kernel.syscalls.context",
    "kernel.syscalls.dispatch",
    "kernel.trap.fast_path",
    "kernel.trap.handler",
    "kernel.trap.trap_sampler",
    "kernel.trap.unfinished",
    "kernel.vfs.hostfs.disk",
)
BY_CYTHON = (
    "emu.machine.engine_hooks",
    "emu.machine.hart",
    "emu.machine.pte",
    "emu.machine.ram",
    "emu.machine.sv39",
    "emu.machine.tlb",
    "emu.machine.trap",
    "emu.observe.model.guest_memory",
    "emu.observe.model.row_buffer",
    "emu.observe.record.copied_pages",
    "emu.observe.record.fault_rows",
    "emu.observe.record.sharers",
    "emu.observe.record.usage_loops",
    "emu.observe.unwind.known_backtraces",
    "emu.observe.unwind.stack_memory",
    "kernel.mm.address_space",
    "kernel.mm.faults.cow_break",
    "kernel.mm.faults.fault",
    "kernel.mm.mappings.vma",
    "kernel.mm.mappings.vma_list",
    "kernel.mm.memory_peaks",
    "kernel.mm.page_tables.huge_tables",
    "kernel.mm.page_tables.leaf_tables",
    "kernel.mm.page_tables.page_table",
    "kernel.mm.page_tables.shared_leaf_tables",
    "kernel.mm.page_tables.shared_middle_tables",
    "kernel.mm.physical.frame_runs",
    "kernel.mm.physical.frames",
    "kernel.mm.physical.pte_loops",
    "kernel.mm.physical.table_frames",
    "kernel.mm.resolution",
    "kernel.process.accounting.counters",
)
"""Compiled with the C types that the .pxd file beside the .py file declares; ``engine_hooks`` from
the .pyx file beside it.
"""
WITH_LOOPS = (
    "emu.observe.record.fault_rows",
    "emu.observe.record.usage_loops",
    "kernel.mm.physical.pte_loops",
)
"""Those of them that are worth the compiler's time for loops over many words."""
GROUP = "emu_hot_path"
GROUP_LIBRARY = f"{GROUP}__mypyc"
"""The one library of the modules by mypyc."""
