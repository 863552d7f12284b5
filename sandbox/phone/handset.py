"""The page: phones and their texts, and a box to answer with. What the network itself does on STOP, START, HELP."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox.phone.behaviour import Behaviour
from sandbox.phone.config import PhoneConfig
from sandbox.phone.exchange import Exchange
from sandbox.phone.webhooks import Webhooks

# The single words on which Twilio itself acts (requirements SMS-03, SMS-05).
STOP_WORDS = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})
START_WORDS = frozenset({"START", "YES", "UNSTOP"})
HELP_WORDS = frozenset({"HELP", "INFO"})


def opt_out_type(body: str) -> str | None:
    """STOP, START or HELP when the whole text is one of the network's words, else None."""
    word = body.strip().upper()
    if word in STOP_WORDS:
        return "STOP"
    if word in START_WORDS:
        return "START"
    return "HELP" if word in HELP_WORDS else None


class Handset:
    def __init__(self, config: PhoneConfig, exchange: Exchange, behaviour: Behaviour, webhooks: Webhooks) -> None:
        self._config, self._exchange, self._behaviour, self._webhooks = config, exchange, behaviour, webhooks

    def blueprint(self) -> Blueprint:
        made = Blueprint("handset", __name__)
        made.add_url_rule("/", view_func=self.page)
        made.add_url_rule("/reply", view_func=self.reply, methods=["POST"])
        made.add_url_rule("/texts", view_func=self.texts)
        made.add_url_rule("/sandbox/behaviour", view_func=self.behave, methods=["POST"])
        return made

    def page(self) -> str:
        threads: dict[str, list[dict[str, Any]]] = {}
        for row in self._exchange.rows("SELECT * FROM message ORDER BY id"):
            mine = row["direction"] == "inbound"
            at = datetime.fromtimestamp(row["created"], tz=UTC).strftime("%d %b %Y, %H:%M UTC")
            shown = {"body": row["body"], "mine": mine, "at": at, "status": row["status"], "error": row["error"]}
            threads.setdefault(row["from"] if mine else row["to"], []).append(shown)
        stopped = {row["number"] for row in self._exchange.rows("SELECT number FROM stopped")}
        return render_template("phone.html", threads=threads, stopped=stopped, program=self._config.program)

    def reply(self) -> AnyResponse:
        """A person texts: `from` is their number, `body` the words. The webhook follows in the background."""
        number = re.sub(r"[^\d+]", "", request.form.get("from", ""))
        words = request.form.get("body", "")
        if not re.fullmatch(r"\+[1-9]\d{6,14}", number) or not words.strip():
            return Response("a number in the form +1… and some words are needed", status=400)
        sid = self.text_in(number, words)
        if request.accept_mimetypes.best == "text/html":
            return redirect(f"/#phone-{number[1:]}", code=303)
        return Response(f'{{"sid": "{sid}"}}', content_type="application/json")

    def text_in(self, number: str, words: str) -> str:
        """File one inbound text, do what the network does on its own words, and queue the webhook."""
        kind = opt_out_type(words) if self._config.opt_out != "off" else None
        now = time.time()
        with self._exchange.change():
            row = self._exchange.add(
                direction="inbound", to=self._config.number, sender=number, body=words, status="received", now=now
            )
            if kind == "STOP":
                self._exchange.run("INSERT OR IGNORE INTO stopped VALUES (?)", number)
            elif kind == "START":
                self._exchange.run("DELETE FROM stopped WHERE number = ?", number)
            if kind:
                self._network_answers(number, kind, now)
            self._webhooks.plan_inbound(row, kind if self._config.opt_out == "advanced" else None, now)
        self._webhooks.wake()
        return str(row["sid"])

    def _network_answers(self, number: str, kind: str, now: float) -> None:
        program, contact = self._config.program, self._config.help_contact
        words = {
            "STOP": f"{program}: You will get no more texts from us. Reply START to get them again.",
            "START": f"{program}: You will get texts again. Reply HELP for help, STOP to stop.",
            "HELP": f"{program}: Questions? Call {contact}. Reply STOP to stop. Msg & data rates may apply.",
        }[kind]
        self._exchange.add(
            direction="outbound-reply",
            to=number,
            sender=self._config.number,
            service=self._config.messaging_service_sid,
            body=words,
            status="delivered",
            now=now,
        )

    def texts(self) -> dict[str, Any]:
        """All texts as JSON, oldest first; `?to=` and `?from=` narrow; with the webhooks delivered and waiting."""
        rows = self._exchange.rows("SELECT * FROM message ORDER BY id")
        for name in ("to", "from"):
            if wanted := request.args.get(name):
                rows = [row for row in rows if row[name] == wanted or row[name] == "+" + wanted.strip()]
        return {
            "texts": [dict(row) for row in rows],
            "delivered": [dict(row) for row in self._exchange.rows("SELECT * FROM delivered ORDER BY id")],
            "waiting": len(self._exchange.rows("SELECT 1 FROM step")),
        }

    def behave(self) -> dict[str, Any]:
        sent = request.get_json(silent=True)
        self._behaviour.change(sent if isinstance(sent, dict) else {})
        return vars(self._behaviour)
