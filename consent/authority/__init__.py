"""Who may act for somebody else: representatives, invited helpers, and what a death changes (HIP-15, HIP-16)."""
