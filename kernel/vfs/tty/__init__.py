"""The user's terminal and standard streams as the guest's files."""
