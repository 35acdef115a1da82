"""The settings of the service: one class, read from the environment, a sentence under every field."""

import datetime as dt
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from serving.bundle.store import MODEL_NAME
from serving.errors import SettingsError


class ServingSettings(BaseSettings):
    """What an operator may change; every variable but `REDIS_URL` starts with `KEEPGROW_`."""

    model_config = SettingsConfigDict(
        env_prefix="KEEPGROW_",
        env_ignore_empty=True,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    redis_url: str = Field(default="redis://127.0.0.1:6379/0", validation_alias="REDIS_URL", repr=False)
    """Address of the online store: `redis://[[user]:password@]host:port/db` (or `rediss://`, `unix://`),
    `redis+sentinel://host:port,host:port/master/db` or `redis+cluster://host:port,host:port`."""

    model: str = MODEL_NAME
    """Tag of the bundle to serve, as the BentoML model store knows it. `keepgrow` alone is the champion, the bundle
    that was promoted last; while there is none, the latest, with a warning in the log."""

    catalogue: Path | None = None
    """File with plans and actions; without it the packaged catalogue is used."""

    policy: Path | None = None
    """File with the rules that every action must pass; without it the packaged policy is used."""

    playbooks: Path | None = None
    """File with triggers and the workflows that they start; without it the packaged ones are used, as far as catalogue
    and features have what they speak of."""

    verification: Path | None = None
    """File with checks of predictions; without it the packaged ones are used, as far as the features have what they
    read."""

    clock_start: dt.datetime | None = None
    """Time (ISO 8601, UTC if it names no zone) at which the service's clock starts, for demonstrations on
    data that ends in the past; unset, it is the machine's time. Answers then say so."""

    ledger_url: str = Field(
        default_factory=lambda: f"sqlite:///{Path('.keepgrow', 'ledger.db').resolve()}",
        validation_alias="LEDGER_URL",
        repr=False,
    )
    """Where decisions and outcomes are recorded: `sqlite:///FILE` or `postgresql://[user[:password]@]host[:port]/db`."""

    ledger_sync: Literal["normal", "full"] = "normal"
    """What a record in SQLite survives: `normal` the end of the process however it comes, `full` also that of power,
    at the price of a write to the disk for each commit. PostgreSQL has a setting of its own."""

    ledger_timeout_seconds: float = Field(default=1.0, gt=0, le=60)
    """Longest time that a decision waits for its record; after it the decision is refused with 503."""

    rejection_days: int = Field(default=90, ge=0)
    """Days for which an action that an account rejected is not proposed to it again."""

    outbox: str = "log"
    """Where the effects of actions go, apart by commas: `log`, `file:PATH` for lines of JSON, and addresses of
    webhooks (`https://...`)."""

    webhook_secret: SecretStr | None = None
    """What webhooks are signed with: `whsec_` and the base64 of 24 random bytes or more; two apart by a space while
    the first replaces the second."""

    outbox_attempts: int = Field(default=10, ge=1, le=100)
    """How often an effect is tried before it is given up, to be retried by `keepgrow outbox retry` only."""

    host: str = "127.0.0.1"
    """Address to listen on when the app is run without BentoML."""

    port: int = Field(default=3000, ge=1, le=65535)
    """Port to listen on when the app is run without BentoML."""

    workers: int = Field(default=1, ge=1, le=256)
    """Worker processes that BentoML starts."""

    max_accounts: int = Field(default=500, ge=1, le=10_000)
    """Most accounts that one request may name."""

    max_body_bytes: int = Field(default=1 << 20, ge=1024)
    """Largest request body that is read; a larger one is answered with 413."""

    body_timeout_seconds: float = Field(default=1.5, gt=0)
    """Longest time that a client may take to send a body."""

    redis_timeout_seconds: float = Field(default=0.2, gt=0, le=60)
    """Longest time that one read of the online store may take, connecting included."""

    request_timeout_seconds: float = Field(default=2.0, gt=0, le=60)
    """Longest time that a request for several accounts, or for exact reasons, may be worked on or wait for its
    turn; after it the request is answered with 503 and its read of the store is given up. A question about one
    account is one read, which `KEEPGROW_REDIS_TIMEOUT_SECONDS` bounds."""

    retry_after_seconds: int = Field(default=1, ge=1)
    """What `Retry-After` says when the store is gone or too many requests are in flight."""

    max_in_flight: int = Field(default=256, ge=1)
    """Most requests that a worker works on at once; more are answered with 503 at once."""

    access_log_ratio: float = Field(default=0.01, ge=0, le=1)
    """Share of requests that are logged one by one. An unforeseen failure always is; of refusals (503) there is a
    line each second that says why and how many."""

    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    """Least severe log line that is written."""

    @field_validator("clock_start")
    @classmethod
    def _in_utc(cls, value: dt.datetime | None) -> dt.datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


def load_settings() -> ServingSettings:
    """Return the settings that the environment gives.

    Raises:
        SettingsError: A variable has a value that can't be used.
    """
    try:
        return ServingSettings()
    except ValidationError as error:
        faults = []
        for fault in error.errors(include_url=False, include_input=False):
            name = str(fault["loc"][0]) if fault["loc"] else "settings"
            variable = (
                name.upper() if name.lower() in {"redis_url", "ledger_url"} else f"KEEPGROW_{name.upper()}"
            )
            faults.append(f"{variable}: {fault['msg']}")
        raise SettingsError("; ".join(faults)) from error
