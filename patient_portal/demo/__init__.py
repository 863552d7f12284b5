"""`portal demo`: the whole service and the world outside it, on one machine, with invented people.

The world outside (`sandbox`) is started as processes and spoken to over HTTP only, as strangers would be.
"""
