"""Noticing: pure functions from change sets to operations and findings."""
