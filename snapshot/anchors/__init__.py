"""Places outside the store that keep checkpoints: one module for each kind."""
