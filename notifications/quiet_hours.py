"""When the service may text of its own accord: never before 8 in the morning nor late at night where the person is.

Source: 47 CFR 64.1200(c)(1) (08:00 to 21:00 local), with the stricter states; requirements SMS-06. Replies,
confirmations and codes that a person asked for go at once and do not ask this rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

OPENS = time(8)
CLOSES = time(21)
STATE_CLOSES = {"FL": time(20), "OK": time(20), "WA": time(20)}
_STRICTEST = min(STATE_CLOSES.values())
# Where the zone is not known, the hour must be right at both ends of the country.
_BOTH_ENDS = ("America/New_York", "Pacific/Honolulu")
_DAYS_AHEAD = 4


def is_zone(name: str) -> bool:
    """Is this an IANA time zone?"""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


@dataclass(frozen=True)
class Hours:
    """From which hour and until which a person wants to hear from us, by their own clock; the law's hours hold too."""

    opens: int = OPENS.hour
    closes: int = CLOSES.hour

    @property
    def are_possible(self) -> bool:
        """At least two hours that are within the strictest law's, so that nothing waits for ever."""
        return OPENS.hour <= self.opens <= min(self.closes, _STRICTEST.hour) - 2 and self.closes <= CLOSES.hour


ANY_HOUR = Hours()


def may_send(now: datetime, zone: str | None, state: str | None = None, hours: Hours = ANY_HOUR) -> bool:
    """May a text that the service starts go out at `now` (aware)?

    `zone` is the person's IANA zone from their profile, None when unknown; `state` the US state they live in. An
    unknown state is held to the strictest one. Where the zone is not known, the person's own hours cannot be kept to
    the minute, and the law's hours at both ends of the country hold.
    """
    closes = STATE_CLOSES.get(state, CLOSES) if state else _STRICTEST
    opens = OPENS
    if zone is not None and is_zone(zone) and hours.are_possible:
        opens, closes = max(opens, time(hours.opens)), min(closes, time(hours.closes))
    return all(opens <= now.astimezone(place).time() < closes for place in _places(zone))


def next_allowed(now: datetime, zone: str | None, state: str | None = None, hours: Hours = ANY_HOUR) -> datetime:
    """The first moment from `now` on at which `may_send` says yes, in UTC. Deferred, never dropped."""
    candidates = [now.astimezone(UTC)]
    for place in _places(zone):
        today = now.astimezone(place).date()
        for days in range(-1, _DAYS_AHEAD):
            for opens in {OPENS, time(hours.opens) if hours.are_possible else OPENS}:
                candidates.append(datetime.combine(today + timedelta(days=days), opens, place).astimezone(UTC))
    return min(moment for moment in candidates if moment >= now and may_send(moment, zone, state, hours))


def _places(zone: str | None) -> tuple[ZoneInfo, ...]:
    if zone is not None and is_zone(zone):
        return (ZoneInfo(zone),)
    return tuple(ZoneInfo(name) for name in _BOTH_ENDS)
