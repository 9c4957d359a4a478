"""Encryption: which values are sealed, with which key, and where the keys live."""
