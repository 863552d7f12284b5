"""How `portal requests` shows a request: on lines, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from research.permission import PUBLISHED
from research.requests.process import Standing
from research.requests.rows import Request


def stage_of(stands: Standing) -> str:
    """The stage, and what of agreement and payment is there."""
    done = [word for word, true in (("signed", stands.signed), ("paid", stands.paid)) if true]
    return f"{stands.stage.value} ({', '.join(done)})" if done else stands.stage.value


def as_json_of(request: Request) -> dict[str, Any]:
    """Everything that is known."""
    return {
        "id": request.id,
        "stage": request.stands.stage,
        "signed": request.stands.signed,
        "paid": request.stands.paid,
        "submitted_at": request.submitted_at,
        "content": request.content,
        "history": [
            {"number": one.number, "at": one.at, "kind": one.event.kind, "who": one.event.who,
             "detail": dict(one.event.detail)}
            for one in request.history
        ],
    }  # fmt: skip


def told_to_donors(dataset: str) -> dict[str, str]:
    """What the form in force says of who may have the data, and of later use."""
    form = PUBLISHED.newest(dataset, "en")
    return {part: form.parts[part].strip() for part in ("recipient", "future_use")} if form else {}


def detail_in_words(detail: Mapping[str, Any]) -> str:
    """An event's detail on one line, money in dollars; what an answer asked for anew stands above."""
    shown = {name: value for name, value in detail.items() if name != "content"}
    return plain(
        {name: f"${value / 100:,.2f}" if name in ("cost", "amount") else value for name, value in shown.items()}
    )


def plain(value: Any) -> str:
    """A value in words."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {plain(each)}" for name, each in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)
