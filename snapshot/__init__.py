"""The memory: versions, changes, ledger."""
