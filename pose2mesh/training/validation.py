"""What a run is measured on while it trains: recorded motion, gestures of a hand, or people of annotation datasets."""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import torch

from pose2mesh.checkpoints.build import BodyNetwork
from pose2mesh.datasets.sample import Sample
from pose2mesh.errors import InputError
from pose2mesh.evaluation.config import TestConfig, TestData
from pose2mesh.evaluation.evaluator import evaluate
from pose2mesh.evaluation.protocols import DatasetProtocol
from pose2mesh.training.config import StageConfig, TrainConfig, ValidationSource
from pose2mesh.training.samplers import Sampler

# {"clean": {measure: millimetres}, ...} of one entry of `validation`, and what the entry is
Results = Iterator[tuple[dict[str, str], dict[str, dict[str, Any]]]]


class SyntheticValidation:
    """Short measurements on what a sampler makes of motion, of families of gestures, of sequences of a mesh."""

    def __init__(self, sampler: Sampler, names: list[str]):
        self.sampler, self.names = sampler, names

    def results(self, network: BodyNetwork, stage: StageConfig, device: torch.device) -> Results:
        """One for each name, whatever the stage trains."""
        for name in self.names:
            yield {"motion": name}, evaluate(network, self.sampler.protocol(name), device=device)


class AnnotatedValidation:
    """Some people of each dataset named, read and checked once, measured by the release's rules for that dataset."""

    def __init__(self, config: TrainConfig):
        """Raises MissingFileError, FormatError, and InputError for people that this network cannot be measured on."""
        self.input: Literal["detections", "truth"] = "truth" if config.data.exact_input else "detections"
        self.parts = [self._read(source, config) for source in config.validation if not isinstance(source, str)]

    def _read(self, source: ValidationSource, config: TrainConfig) -> tuple[str, DatasetProtocol, list[Sample]]:
        name = "3dpw" if source.dataset == "pw3d" else source.dataset
        test = TestConfig(protocol=name, input=self.input, data=TestData(folder=source.folder), batch_size=16)
        protocol = DatasetProtocol(test, config.network.joint_set, needs_joints=True, in_sequence=False)
        people = list(protocol.samples(source.split))
        if not people:
            raise InputError(
                f"validation: {source.dataset} {source.split} in {source.folder} has nobody in it; see docs/data.md"
            )
        spread = np.linspace(0, len(people) - 1, min(source.people, len(people))).round().astype(int)
        chosen = [people[i] for i in spread]
        next(protocol.people_of.batches(chosen[:1], 1, None))  # what is missing is better known now than in an hour
        return f"{source.dataset} {source.split}", protocol, chosen

    def results(self, network: BodyNetwork, stage: StageConfig, device: torch.device) -> Results:
        """Errors of the lifted joints in stages that train nothing else, of the mesh in the others."""
        for name, protocol, people in self.parts:
            values = protocol.measure(network, device, people, lifts_only=stage.lifting_only)
            yield {"dataset": name}, {self.input: values}
