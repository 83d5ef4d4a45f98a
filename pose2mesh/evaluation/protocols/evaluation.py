"""Measure a network on an annotated dataset by one of the protocols."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from pose2mesh.body_models import load_licensed_body
from pose2mesh.datasets.annotated import read_samples
from pose2mesh.datasets.annotated.freihand import check_truth
from pose2mesh.datasets.sample import Sample
from pose2mesh.errors import InputError
from pose2mesh.evaluation.config import TestConfig
from pose2mesh.evaluation.protocols.errors import JointErrors, MeshErrors
from pose2mesh.evaluation.protocols.people import People, PeopleOf
from pose2mesh.evaluation.protocols.rules import Rules, rules_of
from pose2mesh.evaluation.protocols.sequences import Sequences
from pose2mesh.metrics import MetricAccumulator
from pose2mesh.paths import write_json

_MM = 1000


class DatasetProtocol:
    """The people of a dataset, and what of them is compared by which rules. Made once, it can measure many networks."""

    def __init__(self, config: TestConfig, input_set: str, *, needs_joints: bool = False, in_sequence: bool = True):
        """`input_set`: the joints that the network takes; `needs_joints`: whether lifted joints will be compared.

        `in_sequence`: whether the people to measure will be whole videos. Raises InputError for settings that do not
        belong to the protocol, MissingFileError without the body's file.
        """
        rules = rules_of(config.protocol, config.convention)
        self.config, self.rules = config, replace(rules, accelerates=rules.accelerates and in_sequence)
        _check(config, self.rules)
        self.body = load_licensed_body(self.rules.body)
        self.people_of = PeopleOf(self.rules, self.body, input_set, config.input, needs_joints=needs_joints)

    def samples(self, split: str = "test", *, needs_truth: bool = True) -> Iterable[Sample]:
        """Those people of a split that the protocol counts. Raises MissingFileError, FormatError.

        `needs_truth`: whether FreiHAND's ground truth, which came out later, has to be there.
        """
        if self.rules.dataset == "freihand" and needs_truth:
            check_truth(self.config.data.folder)
        sees = self.config.input == "detections"
        people = read_samples(self.rules.dataset, self.config.data.folder, split, with_detections=sees)
        return filter(self.rules.wants, people)

    def measure(
        self,
        network: nn.Module,
        device: torch.device,
        samples: Iterable[Sample],
        *,
        lifts_only: bool = False,
        predictions: Path | None = None,
        progress: bool = False,
    ) -> dict[str, Any]:
        """{measure: mean over people, ..., "count", "groups", "convention", "input"} in millimetres.

        `lifts_only`: compare what `network.lift` gives, not the mesh. `predictions`: where to write joints and vertices
        as FreiHAND's server takes them. Raises InputError for weights of another mesh or joint set.
        """
        if lifts_only and (predictions or self.config.smoothing):
            raise InputError("PoseNet alone gives no mesh to write or to smooth; leave --predictions and smoothing out")
        run = _Lifting(network, self, device) if lifts_only else _Meshes(network, self, device)
        batches, is_empty = self.people_of.batches(samples, self.config.batch_size, self.config.limit), True
        known = [count for count in (self.rules.people, self.config.limit) if count]
        bar = tqdm(total=min(known, default=None), disable=not progress, desc="test", unit="person")
        with torch.inference_mode(), bar:
            for people in batches:
                run.add(people)
                bar.update(len(people.samples))
                is_empty = False
        if is_empty:
            where = f"the files of {self.rules.dataset} in {self.config.data.folder}"
            raise InputError(f"{where} hold nobody to measure on; get them again (docs/data.md)")
        if predictions and isinstance(run, _Meshes):
            write_json(predictions, run.predicted, indent=None)
        settings = {"convention": self.config.convention, "input": self.config.input}
        return {**run.summary(), **settings, "expected": self.rules.people}


class _Lifting:
    """Errors of lifted joints, collected batch by batch."""

    def __init__(self, network: nn.Module, protocol: DatasetProtocol, device: torch.device):
        self.lift, self.device = network.lift, device
        self.errors = JointErrors(protocol.rules, protocol.people_of.input_set)
        self.accumulator = MetricAccumulator()

    def add(self, people: People) -> None:
        if people.lifted is None:  # FreiHAND's evaluation pictures without their ground truth
            return
        joints = self.lift(people.keypoints.to(self.device))  # pyright: ignore[reportCallIssue]  # [B, J, 3]
        errors = self.errors(joints, people.lifted.to(self.device))
        self.accumulator.update(errors, [sample.group for sample in people.samples])

    def summary(self) -> dict[str, Any]:
        return self.accumulator.summary()


class _Meshes:
    """Errors, sequences and predictions of meshes, collected batch by batch."""

    def __init__(self, network: nn.Module, protocol: DatasetProtocol, device: torch.device):
        self.network, self.rules, self.device = network, protocol.rules, device
        self.smoothing = protocol.config.smoothing
        self.errors = MeshErrors(protocol.rules, protocol.body, device)
        self.accumulator = MetricAccumulator()
        self.sequences = Sequences(protocol.rules.accelerates_by)
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
            smoothing = (self.smoothing.min_cutoff, self.smoothing.beta) if self.smoothing else None
            values |= self.sequences.summary(smoothing)
        return values


def _check(config: TestConfig, rules: Rules) -> None:
    if not config.data.folder:
        raise InputError(f"protocol {config.protocol} needs data.folder=FOLDER, the dataset's (docs/data.md)")
    if config.smoothing and not rules.accelerates:
        raise InputError(f"protocol {config.protocol} has no sequences to smooth; leave smoothing out")
