"""One CRM a folder behind the port `crmtrail.ports.Connector`; wrappers beside them."""
