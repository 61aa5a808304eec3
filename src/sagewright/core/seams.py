"""The Protocols through which rooms meet without importing one another (`World.parts` holds what implements them).

| part         | Protocol    | implemented in   | used by                                   |
|--------------|-------------|------------------|-------------------------------------------|
| identities   | Identities  | aws/iam          | gateway (SigV4), sagemaker, engine        |
| images       | Images      | images           | sagemaker (admit), engine (environments)  |
| engine       | Engine      | engine           | sagemaker controllers                     |
| router       | Router      | gateway          | sagemaker/endpoints controller            |

Plans and outcomes are plain JSON-able data, because the agent that carries a plan out is another process and may
outlive this one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sagewright.core.call import Principal


# -- identities -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Credentials:
    """Temporary credentials; `expires` in seconds since the epoch."""

    access_key: str
    secret_key: str
    token: str
    expires: float


class Identities(Protocol):
    """Who is behind an access key, and temporary credentials for roles."""

    def lookup(self, access_key: str) -> tuple[str, Principal, Credentials | None] | None:
        """Secret, principal and, for temporary keys, the credentials (token and expiry); None for an unknown key."""

    def assume(self, role_arn: str, session_name: str, seconds: int = 3600, service: str = "") -> Credentials:
        """Credentials of a role for a service principal such as sagemaker.amazonaws.com.

        Raises ValidationException "Could not assume role ..." if the role is missing or does not trust it.
        """

    def issue(self, principal: Principal, seconds: int) -> Credentials:
        """Temporary credentials for a principal that the caller (STS) has already authorised."""

    def used(self, access_key: str, service: str, region: str) -> None:
        """Record that a key signed a request, for GetAccessKeyLastUsed; cheap, called after authentication."""


# -- images ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Image:
    """What an image URI stands for.

    kind: "environment" (managed, built by uv), "oci" (an unpacked or engine-held image) or "unavailable" (one of AWS's
    that nothing here can run yet: models and jobs may name it, the engine refuses the plan with `note`).
    family: "xgboost", "sagemaker-scikit-learn", "pytorch-training", ... repository name without account.
    tag: as asked. environment: name of the locked list, e.g. "xgboost-1.7". note: said in logs and Describe when the
    environment is not exactly what the tag names. capabilities: labels such as "multi-models", "accept-bind-to-port".
    """

    uri: str
    kind: str
    family: str
    tag: str
    environment: str = ""
    note: str = ""
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True)
class Built:
    """An environment on disk. `prefix` is the venv; `binds` are the host directories a sandbox must see read-only at
    the same path (the venv, its interpreter); `env` are variables to set (PATH is derived from prefix)."""

    prefix: str
    python: str
    binds: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


class Images(Protocol):
    """Image URI -> environment."""

    def resolve(self, uri: str) -> Image:
        """Which image that is; AwsError ValidationException if neither ECR nor AWS's own images answer to it."""

    def ready(self, image: Image) -> Built | None:
        """The built environment, or None if it has yet to be built."""

    def build(self, image: Image, say: Callable[[str], None]) -> Built:
        """Build it (once, whoever asks), reporting progress lines; raises Failed with the reason."""


# -- engine ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Plan:
    """What one job or one server replica needs, in full: written to disk and carried out by an agent per host.

    arn, attempt: the deterministic name of this run (submitting it twice starts it once).
    kind: "training", "processing", "transform" or "hosting". name: job name or endpoint/variant/replica.
    instance_type, instance_count: what to reserve. image: see `Image`. command: argv after the entrypoint rules,
    e.g. ["train"], ["serve"]. environment: variables of the container. files: text files to write before start, by
    absolute path inside the container. inputs: dicts {"name", "path", "source": <AWS DataSource dict>, "mode",
    "distribution", "compression", ...}; "extract": True for model.tar.gz. outputs: dicts {"path", "s3_uri",
    "archive": "tar.gz" | "", "when_empty": bool, "when_failed": bool}. role_arn: whose credentials the agent and the
    job use.
    log_group, log_stream: stream is `log_stream.format(host=...)`. metrics: [{"Name","Regex"}]; metric_dimension.
    max_runtime, stop_grace: seconds. isolated: no network but peers. port: container port for servers.
    health: {"startup_timeout": s} for servers. region, account.
    """

    arn: str
    attempt: int
    kind: str
    name: str
    account: str
    region: str
    role_arn: str
    image: Image
    instance_type: str
    instance_count: int = 1
    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    inputs: Sequence[Mapping[str, Any]] = ()
    outputs: Sequence[Mapping[str, Any]] = ()
    log_group: str = ""
    log_stream: str = ""
    metrics: Sequence[Mapping[str, str]] = ()
    metric_namespace: str = ""
    metric_dimensions: Mapping[str, str] = field(default_factory=dict)
    max_runtime: float = 86400.0
    stop_grace: float = 120.0
    isolated: bool = False
    volume_gb: int = 30
    port: int = 8080
    health: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What became of a plan so far.

    phase: "queued", "starting", "downloading", "running", "ready" (servers), "uploading", "stopping", "exited".
    phases: every phase entered, as (phase, at, message). exit_codes by host ("algo-1": 0).
    failure: text of /opt/ml/output/failure, or the reason why the platform failed it; blame: "" (none), "algorithm",
    "client" or "platform". ended_by: "" | "stop" | "max_runtime". started, ended: seconds since the epoch, 0 if not.
    final_metrics: [{"MetricName","Value","Timestamp"}]. last_lines: tail of the log, for FailureReason.
    address: for servers, {"unix": path} and/or {"host", "port"} that the router can dial.
    """

    phase: str
    phases: Sequence[tuple[str, float, str]] = ()
    exit_codes: Mapping[str, int] = field(default_factory=dict)
    failure: str = ""
    blame: str = ""
    ended_by: str = ""
    started: float = 0.0
    ended: float = 0.0
    final_metrics: Sequence[Mapping[str, Any]] = ()
    last_lines: Sequence[str] = ()
    address: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    @property
    def exited(self) -> bool:
        return self.phase == "exited"


class Engine(Protocol):
    """Turns plans into running sandboxes and says what became of them. Handles are text and survive restarts."""

    def submit(self, plan: Plan) -> str:
        """Start (or queue) the plan; the same (arn, attempt) gives the same handle and starts it once."""

    def observe(self, handle: str) -> Outcome:
        """What is known now. Cheap; never blocks on the job."""

    def stop(self, handle: str, grace: float | None = None) -> None:
        """Ask it to end: SIGTERM, the plan's grace, SIGKILL. Returns at once; doing it twice does it once."""

    def release(self, handle: str) -> None:
        """Forget an ended plan and remove what it left on disk."""

    def watch(self, changed: Callable[[str], None]) -> None:
        """Have `changed(arn)` called whenever a plan's outcome may have changed."""


# -- endpoint router ------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Target:
    """One replica that can take requests."""

    replica: str
    address: Mapping[str, Any]
    concurrency: int = 1


@dataclass(frozen=True)
class Variant:
    """A production variant as the router sees it."""

    name: str
    weight: float
    targets: Sequence[Target]
    strategy: str = "RANDOM"
    container: str = "primary"


class Router(Protocol):
    """Sends InvokeEndpoint to replicas."""

    def set(self, endpoint_arn: str, variants: Sequence[Variant]) -> None:
        """Route that endpoint to these variants from now on; requests under way finish where they are."""

    def remove(self, endpoint_arn: str) -> None:
        """Take the endpoint out; its requests under way finish."""

    def busy(self, endpoint_arn: str, replica: str) -> int:
        """How many requests that replica is answering now (to drain before stopping it)."""
