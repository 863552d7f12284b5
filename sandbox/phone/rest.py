"""Twilio's Messages REST API, as far as a portal uses it: create, fetch, list, redact.

Source: Twilio's OpenAPI description api_v2010 (paths `/2010-04-01/Accounts/{AccountSid}/Messages…`).
"""

from __future__ import annotations

import hmac
import json
import re
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from flask import Blueprint, Response, request

from sandbox.phone.behaviour import MEANINGS, REFUSED_NUMBERS, UNDELIVERED_NUMBERS, Behaviour
from sandbox.phone.config import PhoneConfig
from sandbox.phone.exchange import Exchange
from sandbox.phone.webhooks import Webhooks

_E164 = re.compile(r"\+[1-9]\d{6,14}")
LONGEST = 1600


def trouble(code: int) -> Response:
    """Twilio's error body for one of its error codes."""
    status, message = MEANINGS[code]
    body = {
        "code": code,
        "message": message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    headers = {"retry-after": "1"} if status == 429 else {}
    return Response(json.dumps(body), status=status, content_type="application/json", headers=headers)


class Rest:
    def __init__(self, config: PhoneConfig, exchange: Exchange, behaviour: Behaviour, webhooks: Webhooks) -> None:
        self._config, self._exchange, self._behaviour, self._webhooks = config, exchange, behaviour, webhooks

    def blueprint(self) -> Blueprint:
        made = Blueprint("rest", __name__, url_prefix="/2010-04-01/Accounts/<account>")
        made.before_request(self.check)
        made.add_url_rule("/Messages.json", view_func=self.create, methods=["POST"])
        made.add_url_rule("/Messages.json", view_func=self.listed, methods=["GET"])
        made.add_url_rule("/Messages/<sid>.json", view_func=self.fetch, methods=["GET"])
        made.add_url_rule("/Messages/<sid>.json", view_func=self.redact, methods=["POST"])
        return made

    def check(self) -> Response | None:
        if self._behaviour.takes("down"):
            return Response("service unavailable", status=503)
        given = request.authorization
        name = (given.username or "") if given else ""
        password = (given.password or "") if given else ""
        genuine = hmac.compare_digest(password.encode(), self._config.auth_token.encode())
        if name != self._config.account_sid or not genuine:
            return trouble(20003)
        if (request.view_args or {}).get("account") != self._config.account_sid:
            return trouble(20404)
        return trouble(20429) if self._behaviour.takes("limited") else None

    def create(self, account: str) -> Response:
        form = request.form
        if (code := self._refusal(form.to_dict())) is not None:
            return trouble(code)
        now = time.time()
        with self._exchange.change():
            row = self._exchange.add(
                direction="outbound-api",
                to=form["To"],
                sender=form.get("From") or None,
                service=form.get("MessagingServiceSid") or None,
                body=form["Body"],
                status="accepted" if form.get("MessagingServiceSid") else "queued",
                callback=form.get("StatusCallback") or None,
                now=now,
            )
            self._webhooks.plan_statuses(row, UNDELIVERED_NUMBERS.get(row["to"]), now)
        self._webhooks.wake()
        if self._behaviour.takes("lost_answers"):
            return Response("internal error", status=500)
        return self._json(self._exchange.as_twilio(row, account), 201)

    def _refusal(self, form: dict[str, str]) -> int | None:
        """The error code with which Twilio would refuse these form fields; None when it takes the text."""
        to, body = form.get("To", ""), form.get("Body", "")
        checks = (
            (not to, 21604),
            (to in REFUSED_NUMBERS, REFUSED_NUMBERS.get(to, 0)),
            (not _E164.fullmatch(to), 21211),
            (not (form.get("From") or form.get("MessagingServiceSid")), 21603),
            (not body, 21602),
            (len(body) > LONGEST, 21617),
            (self._exchange.is_stopped(to), 21610),
        )
        return next((code for wrong, code in checks if wrong), None)

    def fetch(self, account: str, sid: str) -> Response:
        found = self._exchange.message(sid)
        return self._json(self._exchange.as_twilio(found[0], account)) if found else trouble(20404)

    def redact(self, account: str, sid: str) -> Response:
        """An empty Body removes the text's words; nothing else of a text can be changed."""
        if not self._exchange.message(sid):
            return trouble(20404)
        if request.form.get("Body") == "":
            with self._exchange.change():
                self._exchange.run("UPDATE message SET body = '' WHERE sid = ?", sid)
        return self.fetch(account, sid)

    def listed(self, account: str) -> Response:
        """Newest first, filtered by To, From and DateSent (`=`, `<`, `>` as Twilio spells them), in pages."""
        size = min(max(int(request.args.get("PageSize", "50")), 1), 1000)
        page = max(int(request.args.get("Page", "0")), 0)
        wanted = [row for row in self._exchange.rows("SELECT * FROM message ORDER BY id DESC") if self._matches(row)]
        shown = wanted[page * size : (page + 1) * size]
        uri = f"/2010-04-01/Accounts/{account}/Messages.json"
        more = len(wanted) > (page + 1) * size
        return self._json(
            {
                "messages": [self._exchange.as_twilio(row, account) for row in shown],
                "page": page,
                "page_size": size,
                "start": page * size,
                "end": page * size + max(len(shown) - 1, 0),
                "uri": f"{uri}?PageSize={size}&Page={page}",
                "first_page_uri": f"{uri}?PageSize={size}&Page=0",
                "next_page_uri": f"{uri}?PageSize={size}&Page={page + 1}" if more else None,
                "previous_page_uri": f"{uri}?PageSize={size}&Page={page - 1}" if page else None,
            }
        )

    def _matches(self, row: Any) -> bool:
        asked = request.args
        if any(asked.get(name) and row[column] != asked[name] for name, column in (("To", "to"), ("From", "from"))):
            return False
        moment = datetime.fromtimestamp(row["created"], tz=UTC)
        if after := asked.get("DateSent>"):
            return moment >= _moment(after)
        if before := asked.get("DateSent<"):
            return moment <= _moment(before) + timedelta(seconds=1)
        return True

    @staticmethod
    def _json(value: dict[str, Any], status: int = 200) -> Response:
        return Response(json.dumps(value), status=status, content_type="application/json")


def _moment(text: str) -> datetime:
    """A date or a time as the client library writes it."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = parsedate_to_datetime(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
