"""The way back: select, plan, preflight, apply, receipt."""
