"""Files in memory (tmpfs(5)), and read-only nodes made by the kernel."""
