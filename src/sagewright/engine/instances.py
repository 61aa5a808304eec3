"""The `ml.*` instance types: vCPUs, memory, GPUs. Called by `capacity.py`, `local.py` and whoever shows or prices them.

Most families follow AWS's size rule (large = 2 vCPUs, xlarge = 4, Nxlarge = 4N) with a fixed memory per vCPU; the rest
is listed. Figures are AWS's published ones. Covered: every type in the enums of the SageMaker API except the elastic
inference accelerators (`ml.eia*`, which are no instances) and `ml.geospatial.interactive`. The figures of `ml.g7` and
`ml.p6*` are taken from announcements and may be off. Inferentia, Trainium and Gaudi chips are counted as accelerators,
not as GPUs: no machine here has them, so such jobs run on the processor, with a note.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Instance(NamedTuple):
    """One instance type; memory and GPU memory in GiB, GPU memory per GPU."""

    name: str
    vcpus: int
    memory: float
    gpus: int = 0
    gpu_memory: float = 0
    accelerators: int = 0


_GIB_PER_VCPU = {
    "c4": 1.875, "c5": 2, "c5d": 2, "c5n": 2.625, "c6a": 2, "c6g": 2, "c6gd": 2, "c6gn": 2, "c6i": 2, "c6id": 2,
    "c6in": 2, "c7g": 2, "c7i": 2, "c7i-flex": 2, "c8a": 2, "c8g": 2, "c8i": 2, "c8i-flex": 2,
    "m4": 4, "m5": 4, "m5d": 4, "m6a": 4, "m6g": 4, "m6gd": 4, "m6i": 4, "m6id": 4, "m7g": 4, "m7i": 4, "m7i-flex": 4,
    "m8a": 4, "m8g": 4, "m8i": 4, "m8i-flex": 4,
    "r5": 8, "r5d": 8, "r6g": 8, "r6gd": 8, "r6i": 8, "r6id": 8, "r7gd": 8, "r7i": 8, "r8g": 8, "r8i": 8,
    "r8i-flex": 8, "i3en": 8,
}  # fmt: skip
_VCPUS = {"medium": 1, "large": 2, "xlarge": 4}
_ODD_VCPUS = {"c4.8xlarge": 36}

# (vCPUs, memory GiB, GPUs, GiB per GPU, other accelerators)
_LISTED: dict[str, tuple[float, ...]] = {
    "t2.medium": (2, 4), "t2.large": (2, 8), "t2.xlarge": (4, 16), "t2.2xlarge": (8, 32),
    "t3.micro": (2, 1), "t3.small": (2, 2), "t3.medium": (2, 4), "t3.large": (2, 8), "t3.xlarge": (4, 16),
    "t3.2xlarge": (8, 32),
    "p2.xlarge": (4, 61, 1, 12), "p2.8xlarge": (32, 488, 8, 12), "p2.16xlarge": (64, 732, 16, 12),
    "p3.2xlarge": (8, 61, 1, 16), "p3.8xlarge": (32, 244, 4, 16), "p3.16xlarge": (64, 488, 8, 16),
    "p3dn.24xlarge": (96, 768, 8, 32), "p4d.24xlarge": (96, 1152, 8, 40), "p4de.24xlarge": (96, 1152, 8, 80),
    "p5.4xlarge": (16, 256, 1, 80), "p5.48xlarge": (192, 2048, 8, 80), "p5e.48xlarge": (192, 2048, 8, 141),
    "p5en.48xlarge": (192, 2048, 8, 141), "p6-b200.48xlarge": (192, 2048, 8, 179),
    "p6-b300.48xlarge": (192, 4096, 8, 268), "p6e-gb200.36xlarge": (144, 960, 4, 185),
    "g4dn.xlarge": (4, 16, 1, 16), "g4dn.2xlarge": (8, 32, 1, 16), "g4dn.4xlarge": (16, 64, 1, 16),
    "g4dn.8xlarge": (32, 128, 1, 16), "g4dn.12xlarge": (48, 192, 4, 16), "g4dn.16xlarge": (64, 256, 1, 16),
    "g5.xlarge": (4, 16, 1, 24), "g5.2xlarge": (8, 32, 1, 24), "g5.4xlarge": (16, 64, 1, 24),
    "g5.8xlarge": (32, 128, 1, 24), "g5.12xlarge": (48, 192, 4, 24), "g5.16xlarge": (64, 256, 1, 24),
    "g5.24xlarge": (96, 384, 4, 24), "g5.48xlarge": (192, 768, 8, 24),
    "g6.xlarge": (4, 16, 1, 24), "g6.2xlarge": (8, 32, 1, 24), "g6.4xlarge": (16, 64, 1, 24),
    "g6.8xlarge": (32, 128, 1, 24), "g6.12xlarge": (48, 192, 4, 24), "g6.16xlarge": (64, 256, 1, 24),
    "g6.24xlarge": (96, 384, 4, 24), "g6.48xlarge": (192, 768, 8, 24),
    "g6e.xlarge": (4, 32, 1, 48), "g6e.2xlarge": (8, 64, 1, 48), "g6e.4xlarge": (16, 128, 1, 48),
    "g6e.8xlarge": (32, 256, 1, 48), "g6e.12xlarge": (48, 384, 4, 48), "g6e.16xlarge": (64, 512, 1, 48),
    "g6e.24xlarge": (96, 768, 4, 48), "g6e.48xlarge": (192, 1536, 8, 48),
    "gr6.4xlarge": (16, 128, 1, 24), "gr6.8xlarge": (32, 256, 1, 24),
    "g7.2xlarge": (8, 32, 1, 32), "g7.4xlarge": (16, 64, 1, 32), "g7.8xlarge": (32, 128, 1, 32),
    "g7.12xlarge": (48, 192, 2, 32), "g7.24xlarge": (96, 384, 4, 32), "g7.48xlarge": (192, 768, 8, 32),
    "g7e.2xlarge": (8, 64, 1, 96), "g7e.4xlarge": (16, 128, 1, 96), "g7e.8xlarge": (32, 256, 1, 96),
    "g7e.12xlarge": (48, 512, 2, 96), "g7e.24xlarge": (96, 1024, 4, 96), "g7e.48xlarge": (192, 2048, 8, 96),
    "inf1.xlarge": (4, 8, 0, 0, 1), "inf1.2xlarge": (8, 16, 0, 0, 1), "inf1.6xlarge": (24, 48, 0, 0, 4),
    "inf1.24xlarge": (96, 192, 0, 0, 16), "inf2.xlarge": (4, 16, 0, 0, 1), "inf2.8xlarge": (32, 128, 0, 0, 1),
    "inf2.24xlarge": (96, 384, 0, 0, 6), "inf2.48xlarge": (192, 768, 0, 0, 12),
    "trn1.2xlarge": (8, 32, 0, 0, 1), "trn1.32xlarge": (128, 512, 0, 0, 16), "trn1n.32xlarge": (128, 512, 0, 0, 16),
    "trn2.3xlarge": (12, 128, 0, 0, 1), "trn2.48xlarge": (192, 2048, 0, 0, 16), "dl1.24xlarge": (96, 768, 0, 0, 8),
}  # fmt: skip


def find(name: str) -> Instance | None:
    """The instance type of that name, or None if there is none."""
    match = re.fullmatch(r"ml\.([a-z0-9-]+)\.([a-z0-9]+)", name)
    if not match:
        return None
    family, size = match.groups()
    if listed := _LISTED.get(f"{family}.{size}"):
        vcpus, memory, gpus, gpu_memory, others = (*listed, 0, 0, 0)[:5]
        return Instance(name, int(vcpus), memory, int(gpus), gpu_memory, int(others))
    if family not in _GIB_PER_VCPU:
        return None
    vcpus = _ODD_VCPUS.get(f"{family}.{size}") or _vcpus(size)
    if not vcpus:
        return None
    memory = 60 if name == "ml.c4.8xlarge" else vcpus * _GIB_PER_VCPU[family]
    return Instance(name, vcpus, memory)


def _vcpus(size: str) -> int:
    if size in _VCPUS:
        return _VCPUS[size]
    times = re.fullmatch(r"([1-9][0-9]?)xlarge", size)
    return 4 * int(times.group(1)) if times else 0
