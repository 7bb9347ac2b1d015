"""A run as one HTML file that needs no network: ``emu report``."""
