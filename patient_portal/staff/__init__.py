"""The people who work for CancerLinQ: how they sign in, their queue, and what two of them decide together."""
