"""The engine: turns plans into running sandboxes on this machine and says what became of them (`core/seams.Engine`).

Two programs live here. `local.py` runs inside the control plane: it writes a plan down, queues it until the machine has
room, and starts one agent per instance. `host.py` is that agent: a detached process that downloads the inputs, runs the
sandbox, ships logs and metrics, uploads the outputs and keeps its truth in `status.jsonl`. It needs the control plane
for S3, logs and metrics only, waits while that is away, and outlives it.

The agent imports the standard library, `core/signing.py` and this package, nothing else: start latency is its budget.

Covered: training, processing and transform jobs and servers on one host; environments as images in bwrap or process
sandboxes, with or without root; container images by a Docker or Podman engine that already runs; cgroup v1, v2 or
rlimit limits; queueing; stop, time limits, volume limits; crashes of the control plane, of an agent, of the gateway.
Not covered yet: more than one host per job (refused), Pipe mode (refused), FastFile on demand (its files are
downloaded), checkpoints synced while a job runs, container images without an engine, GPUs in containers, Ray.
"""
