"""Measure a network on an annotated dataset by one of the protocols."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from pose2mesh.body_models import load_licensed_body
from pose2mesh.datasets.annotated import read_samples
from pose2mesh.errors import InputError
from pose2mesh.metrics import MetricAccumulator
from pose2mesh.paths import write_with
from pose2mesh.training.config import TestConfig
from pose2mesh.training.protocols.errors_of_mesh import MeshErrors
from pose2mesh.training.protocols.people import People, PeopleOf
from pose2mesh.training.protocols.rules import Rules, rules_of
from pose2mesh.training.protocols.sequences import Sequences

_MM = 1000


def evaluate_dataset(
    network: nn.Module,
    config: TestConfig,
    device: torch.device,
    *,
    predictions: Path | None = None,
    progress: bool = False,
) -> dict[str, Any]:
    """{protocol: {measure: mean over people, ..., "count", "groups", "convention", "input"}} in millimetres.

    `predictions`: where to write joints and vertices as FreiHAND's server takes them. Raises InputError for weights of
    another mesh or joint set and for settings that do not belong to the protocol, MissingFileError, FormatError.
    """
    rules = rules_of(config.protocol, config.convention)
    _check(config, rules, predictions)
    run = _Evaluation(network, rules, config, device)
    samples = read_samples(rules.dataset, config.data.folder, "test")
    people_of = PeopleOf(rules, run.body, str(network.joint_set), config.input)
    with torch.inference_mode():
        batches = people_of.batches(samples, config.batch_size, config.limit)
        for people in tqdm(batches, disable=not progress, desc="test", unit="batch"):
            run.add(people)
    if predictions:
        content = json.dumps(run.predicted).encode()
        write_with(predictions, lambda stream: stream.write(content))
    return {config.protocol: run.summary()}


class _Evaluation:
    """Errors, sequences and predictions, collected batch by batch."""

    def __init__(self, network: nn.Module, rules: Rules, config: TestConfig, device: torch.device):
        self.network, self.rules, self.config, self.device = network, rules, config, device
        self.body = load_licensed_body(rules.body)
        self.errors = MeshErrors(rules, self.body, device)
        self.accumulator = MetricAccumulator()
        self.sequences = Sequences(rules.accelerates_by)
        self.predicted: tuple[list, list] = ([], [])  # joints and vertices of everybody, the server's unit

    def add(self, people: People) -> None:
        vertices = self.network(people.keypoints.to(self.device)).vertices  # [B, V, 3]
        self.errors.check(vertices)
        groups = [sample.group for sample in people.samples]
        if self.rules.dataset == "freihand":
            self._add_hands(people, vertices, groups)
            return
        assert people.vertices is not None  # only hands may come without
        true_vertices = people.vertices.to(self.device)
        measured = None if people.joints is None else people.joints.to(self.device)
        self.accumulator.update(self.errors.of_bodies(vertices, true_vertices, measured), groups)
        if self.rules.accelerates:
            joints = self.errors.evaluated_joints(self.errors.joints(vertices))
            true_joints = self.errors.evaluated_joints(self.errors.joints(true_vertices))
            self.sequences.update(people.samples, joints, true_joints)

    def _add_hands(self, people: People, vertices: Tensor, groups: list[str]) -> None:
        scale = _MM if self.rules.server_mm else 1
        for kept, points in zip(self.predicted, (self.errors.joints(vertices), vertices), strict=True):
            kept += [[[round(x, 7) for x in point] for point in one] for one in (scale * points.double()).tolist()]
        if people.vertices is not None and people.joints is not None:
            true_vertices, true_joints = people.vertices.to(self.device), people.joints.to(self.device)
            self.accumulator.update(self.errors.of_hands(vertices, true_vertices, true_joints), groups)

    def summary(self) -> dict[str, Any]:
        values = self.accumulator.summary()
        if self.rules.accelerates and values["count"]:
            smoothing = self.config.smoothing
            values |= self.sequences.summary((smoothing.min_cutoff, smoothing.beta) if smoothing else None)
        settings = {"convention": self.config.convention, "input": self.config.input}
        return {**values, **settings, "expected": self.rules.people}


def _check(config: TestConfig, rules: Rules, predictions: Path | None) -> None:
    if not config.data.folder:
        raise InputError(f"protocol {config.protocol} needs data.folder=FOLDER, the dataset's (docs/data.md)")
    if predictions and rules.dataset != "freihand":
        raise InputError("--predictions writes the file of FreiHAND's server; set protocol=freihand")
    if config.smoothing and not rules.accelerates:
        raise InputError(f"protocol {config.protocol} has no sequences to smooth; leave smoothing out")
