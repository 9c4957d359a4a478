"""The hall: the shared language and the front door. Re-exports nothing."""
