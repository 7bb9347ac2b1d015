"""Folders of the host that the guest was granted, and overlays over them."""
