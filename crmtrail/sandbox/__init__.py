"""The sandbox CRM: both vendors' wire formats over HTTP, a judge of the connectors.

It imports nothing of crmtrail. It is built from the vendors' documented behaviour, keeps its own
journal of the truth, and can be told to fail.
"""
