"""Acting for somebody, as the portal does it: representatives, invited helpers, a death that is reported."""
