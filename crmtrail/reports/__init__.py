"""What leaves crmtrail for people: exports and reports."""
