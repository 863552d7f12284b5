"""The time zones a person chooses from, in words; the zone decides which hours are too early or too late to text."""

from __future__ import annotations

from vocabulary.phrase import Phrase, phrase

ZONES: dict[str, Phrase] = {
    "": phrase("I am not sure"),
    "America/New_York": phrase("Eastern time (New York)"),
    "America/Chicago": phrase("Central time (Chicago)"),
    "America/Denver": phrase("Mountain time (Denver)"),
    "America/Phoenix": phrase("Arizona (Phoenix)"),
    "America/Los_Angeles": phrase("Pacific time (Los Angeles)"),
    "America/Anchorage": phrase("Alaska (Anchorage)"),
    "Pacific/Honolulu": phrase("Hawaii (Honolulu)"),
    "America/Puerto_Rico": phrase("Puerto Rico and the Virgin Islands"),
    "Pacific/Guam": phrase("Guam and the Northern Mariana Islands"),
    "Pacific/Pago_Pago": phrase("American Samoa"),
}
UNKNOWN = "Pacific/Honolulu"
"""Where the zone is not known, nine in the morning here is a decent hour all over the country."""
