"""Where the simulator listens, whom it tells, and the secrets it shares with the application."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class Settings:
    port: int = 8010
    host: str = "127.0.0.1"
    app_url: str = "http://127.0.0.1:8000"
    app_secret: str = "local-app-secret"  # noqa: S105 - the published secret of a local demonstration
    verify_token: str = "local-verify-token"  # noqa: S105
    version: str = "v25.0"
    state_path: Path | None = None
    seed_path: Path | None = None  # talk from before our time, as `POST /control/history` takes it
    clock_url: str = ""  # told {offset_s}, how far the simulated clock is ahead, when it moves; asked what is due next
    traffic: bool = False
    connections: int = 8  # webhooks under way at once
    retry_s: float = 0.5  # wait before the second try of a webhook; doubles up to a minute
    review_s: float = 4.0  # how long Meta's review of a template takes

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        state = environment.get("SIMULATOR_STATE")
        if state is None and environment.get("DATA_DIR"):
            state = str(Path(environment["DATA_DIR"]) / "simulator.json")
        return cls(
            port=int(environment.get("SIMULATOR_PORT") or cls.port),
            host=environment.get("SIMULATOR_HOST") or cls.host,
            app_url=(environment.get("APP_URL") or environment.get("BASE_URL") or cls.app_url).rstrip("/"),
            app_secret=environment.get("META_APP_SECRET") or cls.app_secret,
            verify_token=environment.get("META_VERIFY_TOKEN") or cls.verify_token,
            version=environment.get("GRAPH_API_VERSION") or cls.version,
            state_path=Path(state) if state else None,
            seed_path=_seed_path(environment),
            clock_url=environment.get("APP_CLOCK_URL", ""),
            traffic=environment.get("SIMULATOR_TRAFFIC", "on").lower() not in {"off", "0", "false", "no"},
            connections=int(environment.get("SIMULATOR_CONNECTIONS") or cls.connections),
            retry_s=float(environment.get("SIMULATOR_RETRY_S") or cls.retry_s),
            review_s=float(environment.get("SIMULATOR_REVIEW_S") or cls.review_s),
        )

    @property
    def webhook_url(self) -> str:
        return f"{self.app_url}/webhooks/whatsapp/"


def _seed_path(environment: Mapping[str, str]) -> Path | None:
    """SIMULATOR_SEED (empty: none), else where `load_demo` puts it."""
    given, data_dir = environment.get("SIMULATOR_SEED"), environment.get("DATA_DIR")
    if given is None and data_dir:
        return Path(data_dir) / "simulator-seed.json"
    return Path(given) if given else None
