"""Where the demo's staff sign in: a small OpenID Connect provider with two invented people."""
