"""Text for reports of the labs: PTEs, and what came from a student."""
