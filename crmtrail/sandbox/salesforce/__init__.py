"""A Salesforce org over its REST and SOAP wire formats, strict by the vendor's documentation."""
