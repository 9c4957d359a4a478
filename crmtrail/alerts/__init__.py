"""Tell people of incidents: what to tell is decided in pure functions, then sent and noted."""
