"""System calls on files, directories and descriptors."""
