"""Turns the session into the request's actor, once, before the gate asks."""

from __future__ import annotations

from uuid import UUID

from flask import Flask, g, session

from vocabulary.actor import ANONYMOUS, Actor, ActorKind


def resolve_actor(app: Flask) -> None:
    """Install the hook; it stands before the gate."""

    @app.before_request
    def resolve() -> None:
        unread = getattr(session._get_current_object(), "unread", None)  # type: ignore[attr-defined]  # behind the proxy
        if unread is not None:
            raise unread
        g.actor = actor_of(dict(session)) if session.get("kind") else ANONYMOUS


def actor_of(content: dict[str, object]) -> Actor:
    """The actor a session's content stands for."""
    persons, practices = content.get("persons"), content.get("practices")
    return Actor(
        kind=ActorKind(str(content["kind"])),
        account_id=UUID(str(content["account"])),
        person=UUID(str(content["person"])) if content.get("person") else None,
        persons=tuple(UUID(str(each)) for each in persons) if isinstance(persons, list) else (),
        connection_id=UUID(str(content["connection"])) if content.get("connection") else None,
        provider_id=str(content["provider"]) if content.get("provider") else None,
        practices=tuple(str(each) for each in practices) if isinstance(practices, list) else (),
    )
