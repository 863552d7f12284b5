"""Makes the web application: extensions, blueprints, hooks. What each part does stands in its own file."""

from __future__ import annotations

from pathlib import Path

from flask import Flask
from flask_babel import Babel
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix
from whitenoise import WhiteNoise

from database.jobs import job_app
from patient_portal.edge import page_context
from patient_portal.edge.body_limits import limit_bodies
from patient_portal.edge.errors import translate_errors
from patient_portal.edge.framing import allow_frames
from patient_portal.edge.security_headers import add_headers, on_files
from patient_portal.edge.times import zone_name
from patient_portal.family.standing import watch_standing
from patient_portal.gates import refuse_undeclared, stand_at_the_gate
from patient_portal.jobs import JOBS
from patient_portal.pages import BLUEPRINTS, SIGNED_BLUEPRINTS
from patient_portal.signing_in.session_actor import resolve_actor
from patient_portal.signing_in.web_session import SessionStore
from patient_portal.wiring import Wiring
from patient_portal.words import catalogs

ROOT = Path(__file__).resolve().parent.parent
MAX_BODY = 2 * 1024 * 1024


def create_app(wiring: Wiring) -> Flask:
    """The web application for one installation; raises when a route has no gate."""
    settings = wiring.settings
    app = Flask(
        "patient_portal", template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "patient_portal/static")
    )
    _configure(app, wiring)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions["wiring"] = wiring
    app.extensions["jobs"] = job_app(settings.database_url, JOBS)
    app.session_interface = SessionStore(wiring.database, wiring.keyring, secure=settings.production)
    resolve_actor(app)
    watch_standing(app)
    allow_frames(app)
    stand_at_the_gate(app)
    limit_bodies(app)
    forms = CSRFProtect(app)
    add_headers(app, https=settings.production)
    translate_errors(app)
    catalogs.compile_if_older()
    Babel(
        app, locale_selector=page_context.language_code, timezone_selector=zone_name,
        default_translation_directories=str(catalogs.FOLDER),
    )  # fmt: skip
    page_context.add_context(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    for blueprint in SIGNED_BLUEPRINTS:
        forms.exempt(blueprint)
    refuse_undeclared(app)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]  # as Flask's own docs wrap it
    _serve_files(app, https=settings.production)
    return app


def _configure(app: Flask, wiring: Wiring) -> None:
    app.config.update(
        SECRET_KEY=wiring.settings.secret_key,
        WTF_CSRF_SECRET_KEY=wiring.keyring.blind_index("csrf", "forms").hex(),
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
        MAX_CONTENT_LENGTH=MAX_BODY,
        MAX_FORM_MEMORY_SIZE=500_000,
        PREFERRED_URL_SCHEME="https" if wiring.settings.production else "http",
    )


def _serve_files(app: Flask, *, https: bool) -> None:
    files = WhiteNoise(
        app.wsgi_app, root=app.static_folder, prefix="static/", max_age=31_536_000, autorefresh=False,
        allow_all_origins=False, add_headers_function=on_files(https=https),
    )  # fmt: skip
    app.wsgi_app = files  # type: ignore[method-assign]  # as Flask's own docs wrap it
