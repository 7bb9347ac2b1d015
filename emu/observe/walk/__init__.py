"""Drawings of page-table walks."""
