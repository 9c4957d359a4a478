"""For auditors who trust nobody: `verify.py` here is one file, to be copied and read."""
