"""The fault matrix of the store: what is broken on purpose, how often, and who judges it."""
