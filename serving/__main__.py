"""`python -m serving`: the app under uvicorn, in one process, with the limits that uvicorn by itself lacks.

BentoML (`serving.service`) is the way to several workers; this is for those who bring their own process manager.
"""

from __future__ import annotations

import argparse

import uvicorn

from serving.errors import SettingsError
from serving.guarded_http import GuardedProtocol
from serving.settings import load_settings


def main() -> None:
    """Serve until SIGTERM or SIGINT, then answer what is under way and end."""
    try:
        settings = load_settings()
    except SettingsError as error:
        raise SystemExit(f"error: {error}") from None
    parser = argparse.ArgumentParser(prog="python -m serving", description="Serve without BentoML.")
    parser.add_argument("--host", default=settings.host, help="address to listen on (KEEPGROW_HOST)")
    parser.add_argument("--port", type=int, default=settings.port, help="port to listen on (KEEPGROW_PORT)")
    given = parser.parse_args()
    uvicorn.run(
        "serving.app:create_app",
        factory=True,
        host=given.host,
        port=given.port,
        http=GuardedProtocol,
        access_log=False,  # the app writes its own, sampled
        log_level="warning",
    )


if __name__ == "__main__":
    main()
