"""Kills without warning while people decide, and a checker that shares nothing with the product."""
