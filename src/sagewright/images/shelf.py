"""The shelf of environments: implements `core.seams.Images` for one server.

`cli/assembly.py` makes one `Shelf` and puts it into `World.parts["images"]`; `sagemaker` asks `resolve` when a job or
model is created, the engine asks `ready` and `build` when it starts. `resolve` and `ready` are dictionary look-ups
after the first time; only `build` takes time.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from sagewright.core.config import Config
from sagewright.core.seams import Built, Image
from sagewright.images import build as builder
from sagewright.images import catalogue, choose, indexes, interpreters, kit, lock, uris


def cache_of(config: Config) -> Path:
    """Where environments are kept: SAGEWRIGHT_ENV_CACHE, which several servers may share, or the data directory."""
    return Path(os.environ.get("SAGEWRIGHT_ENV_CACHE") or config.data_dir / "envs").expanduser().absolute()


class Shelf:
    """Image URI -> environment, on this machine and under this policy."""

    def __init__(self, cache: Path, policy: str = "nearest",
                 environments: tuple[catalogue.Environment, ...] = catalogue.ENVIRONMENTS) -> None:
        if policy not in choose.POLICIES:
            raise ValueError(f"image policy {policy!r} is none of {', '.join(choose.POLICIES)}")
        self.cache = cache.expanduser().absolute()
        self.policy = policy
        self.environments = environments
        self._images: dict[str, Image] = {}
        self._built: dict[str, Built] = {}
        self._choices: dict[str, choose.Choice] = {}
        self._kit_lock = threading.Lock()

    # -- the seam -----------------------------------------------------------------------------------------------
    def resolve(self, uri: str) -> Image:
        """Which environment that URI stands for; ValidationException in AWS's words where there is none."""
        image = self._images.get(uri)
        if image is None:
            image = self._resolve(uri)
            if len(self._images) > 10_000:      # a client that sends ever new tags must not fill the memory
                self._images.clear()
            self._images[uri] = image
        return image

    def ready(self, image: Image) -> Built | None:
        """The environment if it is built."""
        built = self._built.get(image.environment)
        if built is not None and Path(built.python).exists():
            return built
        built = builder.load(self.cache, self.recipe(image.environment))
        return self._keep(image.environment, built) if built is not None else None

    def build(self, image: Image, say: Callable[[str], None]) -> Built:
        """Build it unless it is there, telling what happens; raises Failed with the reason."""
        there = self.ready(image)
        if there is not None:
            return there
        if image.note:
            say(image.note)
        return self._keep(image.environment, builder.build(self.cache, self.recipe(image.environment), say))

    def packages(self, image: Image) -> dict[str, str]:
        """Distribution -> version inside the built environment; empty before it is built."""
        built = self.ready(image)
        return builder.packages(Path(built.prefix)) if built is not None else {}

    # -- what the command line uses ---------------------------------------------------------------------------------
    def image_of(self, name: str) -> Image:
        """An environment by name, as if an image had asked for it."""
        choice = self.choice(name)
        return Image(name, "environment", name.split("-")[0], "", choice.environment.name, choice.note)

    def choice(self, wanted: str) -> choose.Choice:
        """What serves the wanted environment here; decided once a name, as the machine does not change under us."""
        if wanted not in self._choices:
            self._choices[wanted] = choose.choose(wanted, self.environments, self.machine, self.policy)
        return self._choices[wanted]

    def recipe(self, name: str) -> builder.Recipe:
        """What the named environment is made of here."""
        environment = next(one for one in self.environments if one.name == name)
        choice = choose.usable(environment, self.machine)
        if choice is None:
            choose.choose(name, [environment], self.machine, "exact")     # raises with the reason
            raise AssertionError("unreachable")
        text = lock.read(environment, choice.python)
        locks = (lock.cpu(text), text) if choice.cpu_torch else self._with_indexes(environment, text)
        return builder.Recipe(name, choice.python, self.interpreters[choice.python], locks,
                            catalogue.MODULES.get(environment.library, environment.library))

    def prune(self) -> list[str]:
        """Remove environments that nothing in the catalogue can ask for any more."""
        usable = [one.name for one in self.environments if choose.usable(one, self.machine) is not None]
        return builder.prune(self.cache, {self.recipe(name).directory for name in usable})

    @cached_property
    def interpreters(self) -> dict[str, str]:
        """Minor version -> path, looked for once."""
        return interpreters.find()

    @cached_property
    def machine(self) -> choose.Machine:
        """What choices depend on, looked at once."""
        return choose.Machine(tuple(self.interpreters), indexes.wheels_at_hand(indexes.pip_settings()))

    def _resolve(self, uri: str) -> Image:
        reference = uris.parse(uri)
        if not uris.is_aws(reference):
            raise uris.no_repository(reference)
        if reference.repository not in catalogue.PREFIXES:
            uris.check_tag(reference)
            return Image(uri, "unavailable", reference.repository, reference.tag,
                         note=choose.unavailable(reference.repository, catalogue.PREFIXES))
        if reference.digest:
            raise uris.not_found(reference)     # digests of AWS's images are not known here
        found = uris.identify(reference)
        if found.python == "py2":
            raise uris.not_found(reference)
        choice = self.choice(catalogue.named(found.repository, found.version))
        notes = [choice.note] if choice.note else []
        if found.processor == "gpu":
            notes.append("The GPU image runs in the environment of the CPU image.")
        if found.arm:
            notes.append("The arm64 image runs on this machine's own architecture.")
        return Image(uri, "environment", found.repository, reference.tag, choice.environment.name, " ".join(notes),
                     catalogue.CAPABILITIES.get(found.repository, ()))

    def _with_indexes(self, environment: catalogue.Environment, text: str) -> tuple[str, ...]:
        """For PyTorch on a machine whose owner configured further indexes, try those for a CPU build first."""
        if environment.library == "torch" and any("://" in index and not index.startswith("file:")
                                                  for index in indexes.pip_settings().extra):
            return (lock.cpu(text, keep_vision=True), text)
        return (text,)

    def _keep(self, name: str, built: Built) -> Built:
        """Remember it, with today's kit inside."""
        with self._kit_lock:
            if self._built.get(name) != built:
                kit.refresh(Path(built.prefix))
                self._built[name] = built
        return built
