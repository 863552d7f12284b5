"""Safe Harbor by allow-list: what is not listed here by name does not leave (45 CFR 164.514(b)(2); HIP-20…23)."""
