"""The test endpoint of a warehouse, a FHIR server or a stream, for `portal stores certify`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from consent.store_config import Kind, Store
from consent.store_kind import read_endpoint, read_login, read_secrets
from patient_portal.settings import Settings
from vocabulary.config_file import ConfigError, ConfigTable


def native_store(settings: Settings, store: Store, endpoint: str | None, secret_names: tuple[str, ...]) -> Store:
    """The store at its test endpoint. None of these has a test door that could say what it is, so the endpoint has to
    be named, and may not be the one to which real decisions go."""
    if endpoint is None:
        raise click.UsageError(f"{store.id} is of kind {store.kind.value}: name its test endpoint by --endpoint")
    if endpoint.rstrip("/").casefold() == store.endpoint.rstrip("/").casefold():
        raise click.UsageError("this is the store's own endpoint: invented people would stand among real ones there")
    values: dict[str, Any] = {"endpoint": endpoint}
    if secret_names:
        values["secrets"] = list(secret_names)
    table = ConfigTable("certify", store.id, 1, values, {})
    try:
        place = read_endpoint(table, store.kind, store.network, settings.production)
        if store.kind is Kind.SQL and not secret_names:
            raise click.UsageError("name the DSN of the test warehouse by --secret")
        signing = read_secrets(table, store.kind, Path(), os.environ) if secret_names else store.secrets
        signs_in = store.login
        if store.kind is Kind.SQL:
            signs_in = read_login(table, store.kind, place, Path(), os.environ)
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    return replace(store, endpoint=place, secrets=signing, login=signs_in)
