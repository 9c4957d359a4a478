"""When what runs, and who may run it."""
