"""Call frame information: how a caller's registers are found at an address."""
