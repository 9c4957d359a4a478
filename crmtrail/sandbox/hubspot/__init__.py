"""The HubSpot side of the sandbox CRM: one portal behind its wire format."""
