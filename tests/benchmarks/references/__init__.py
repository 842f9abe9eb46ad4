"""The servers that the service is measured beside."""
