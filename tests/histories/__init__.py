"""Histories of decisions by the hundred thousand, in every order and with every repeat: what stands is never wider."""
