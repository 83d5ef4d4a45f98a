"""The table of the controlled domain gap: every way to adapt, several seeds, measured against the hidden truth."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from pose2mesh.adaptation.backbones import Backbone, load_backbone
from pose2mesh.adaptation.config import AdaptConfig
from pose2mesh.adaptation.materials import Keypoints, source_samples
from pose2mesh.adaptation.method import Method, make_adam
from pose2mesh.adaptation.run import make_methods, run_adaptation
from pose2mesh.adaptation.target import split_target
from pose2mesh.body_models import load_anny_body
from pose2mesh.body_models.reduced import ReducedBody
from pose2mesh.checkpoints.image_backbone import is_image_backbone
from pose2mesh.errors import InputError
from pose2mesh.evaluation.evaluator import PROTOCOL_JOINTS, measure
from pose2mesh.losses.targets import Batch
from pose2mesh.metrics import MetricAccumulator
from pose2mesh.settings import Strict
from pose2mesh.skeletons import PELVIS_ROW
from pose2mesh.synthesis.bodies import SyntheticBodies, seeded_generator
from pose2mesh.training.distributed import pick_device
from pose2mesh.training.optimization import descend
from pose2mesh.training.run_folder import Stateful
from tools.studies.domain_gap import DomainGap, GapPart, draw_gap, kinds_of_gap
from tools.studies.image_bench import ImageGapBench
from tools.studies.label_bench import LabelBench, depth_errors, label_shares

SOURCE_ONLY, ORACLE = "source", "oracle"
MEASURES = ("pa_mpjpe", "mpjpe", "pa_mpvpe", "mpvpe")
DIRECTIONS = ("across_mpjpe", "depth_mpjpe")


class RowConfig(Strict):
    """One row of the table: a method, and what it changes in `adapt`."""

    name: str
    method: str  # source: nothing is adapted; oracle: the target's labels are used; else as `adapt --method`
    adapt: dict[str, Any] = Field(default_factory=dict)


class StudyConfig(Strict):
    """The domain gap and the rows of its table, whose names differ."""

    protocol: Literal["domain_gap"] = "domain_gap"
    weights: tuple[str, ...] = Field(min_length=1)  # one table each
    labels: str | None = None  # adapt to this keypoint file and measure on its other pictures, instead of the gap
    gap: DomainGap = DomainGap()
    kinds: tuple[Literal["all", "performers", "poses", "cameras", "joints", "detector"], ...] = ("all",)
    rows: tuple[RowConfig, ...] = Field(min_length=1)
    seeds: tuple[int, ...] = Field(default=(0, 1, 2), min_length=1)
    adapt: AdaptConfig = AdaptConfig()
    test_people: int = Field(default=400, ge=8)


@dataclass(frozen=True)
class StudyRow:
    """Errors in millimetres, one for each seed; `reprojection` is the held-out error, sizes of the person."""

    weights: str
    kind: str
    name: str
    values: dict[str, list[float]]


def run_study(
    config: StudyConfig,
    say: Callable[[str], object] = print,
    done: list[StudyRow] | None = None,
    keep: Callable[[list[StudyRow]], object] = lambda rows: None,
) -> list[StudyRow]:
    """All rows; what is random in an adaptation follows from its seed, the target is the same for all.

    Rows that are `done` are not measured again; `keep` is given all that are there after each one. Raises InputError
    for a row whose settings are wrong, before anything is computed.
    """
    plans = [(row, [_row_config(config, row, seed) for seed in _seeds(config, row)]) for row in config.rows]
    device = pick_device(config.adapt.device)
    if config.adapt.threads:
        torch.set_num_threads(config.adapt.threads)
    results = list(done or [])
    for weights in config.weights:
        for kind in config.kinds if config.labels is None else (config.labels,):
            there = {row.name for row in results if (row.weights, row.kind) == (weights, kind)}
            missing = [(row, configs) for row, configs in plans if row.name not in there]
            bench = _bench(config, weights, kind, device) if missing else None
            for row, configs in missing:
                measured = [bench.measure_row(row.method, each) for each in configs]  # pyright: ignore[reportOptionalMemberAccess]
                values = {name: [one[name] for one in measured] for name in measured[0]}
                results.append(StudyRow(weights, kind, row.name, values))
                keep(results)
                say(table([results[-1]]).splitlines()[-1])
    return results


def _bench(config: StudyConfig, weights: str, kind: str, device: torch.device) -> "Bench":
    """What measures rows on weights: pictures for an image backbone, else keypoints with truth or labels."""
    if is_image_backbone(weights):
        if config.labels is not None:
            raise InputError(f"labels: {weights} is an image backbone, which keypoints alone cannot adapt")
        return ImageGapBench(weights, kinds_of_gap(config.gap)[kind], config.adapt, config.test_people)
    if config.labels is not None:
        return LabelBench(config.labels, weights, config.adapt, device)
    return GapBench(config, weights, kinds_of_gap(config.gap)[kind], device)


class Bench(Protocol):
    """One source network before one target."""

    def measure_row(self, method: str, config: AdaptConfig) -> dict[str, float]:
        """Adapt a copy of the network, then measure it on people whom the adaptation has not seen."""
        ...


class GapBench:
    """One source network before one gap."""

    def __init__(self, config: StudyConfig, weights: str, gap: DomainGap, device: torch.device):
        self.device = device
        body = load_anny_body()
        self.source = load_backbone(weights, device)  # copied for every run, never changed
        self.shared = config.adapt
        self.samples = source_samples(self.source, config.adapt)
        ids = self.source.vertex_ids
        self.labeled = draw_gap(body, gap, "adapt", ids)
        self.target = split_target(
            self.labeled.keypoints, self.labeled.groups, where=gap.motion,
            held_out=config.adapt.target.held_out, least_confidence=config.adapt.target.least_confidence,
        )  # fmt: skip
        test = draw_gap(body, gap, "test", ids[:1])
        rows = np.unique(np.linspace(0, len(test.keypoints) - 1, config.test_people).round().astype(int))
        self.test_keypoints, self.subjects = test.keypoints[rows], [test.subjects[row] for row in rows]
        self.joints = test.truth.joints[rows]
        self.vertices = _whole_mesh(body, test.truth.rotations[rows], test.truth.betas[rows])

    def measure_row(self, method: str, config: AdaptConfig) -> dict[str, float]:
        """Adapt from the source weights, then measure on people whom the adaptation has not seen."""
        backbone = copy.deepcopy(self.source)
        material = Keypoints(backbone, self.target, config, self._samples(config))
        methods: list[Method] = []
        if method == ORACLE:
            methods = [LabeledTarget(backbone, self.labeled, config)]
        elif method != SOURCE_ONLY:
            methods = make_methods(material, method)
        outcome = run_adaptation(material, methods)
        return {**self._errors(backbone), "reprojection": outcome.best[1], "steps": float(outcome.errors[-1][0])}

    def _samples(self, config: AdaptConfig) -> SyntheticBodies | None:
        """The samples of all rows with a row's seed and size; None where the row changes what they are made of."""
        if config.source != self.shared.source:
            return None
        samples = copy.copy(self.samples)
        samples.seed, samples.batch_size = 5000 + config.seed, config.batch_size
        return samples

    @torch.inference_mode()
    def _errors(self, backbone: Backbone) -> dict[str, float]:
        accumulator = MetricAccumulator()
        for rows in torch.arange(len(self.joints)).split(64):
            predicted = backbone.network(backbone.from_coco(self.test_keypoints[rows]).to(self.device))
            joints = self.joints[rows, PROTOCOL_JOINTS].to(self.device)
            errors = measure(predicted, joints, self.vertices[rows].to(self.device))
            errors |= depth_errors(predicted.joints[:, PROTOCOL_JOINTS], joints)
            accumulator.update(errors, [self.subjects[row] for row in rows.tolist()])
        summary = accumulator.summary()
        means = {name: summary[name] for name in (*MEASURES, *DIRECTIONS)}
        return means | label_shares(backbone, backbone.from_coco(self.test_keypoints).to(self.device))


class LabeledTarget:
    """The oracle: the extractor learns from the target's own labels, through the same frozen head."""

    def __init__(self, backbone: Backbone, labeled: GapPart, config: AdaptConfig):
        self.backbone, self.labeled, self.config = backbone, labeled, config
        self.optimizer = make_adam(backbone.trainable(), config.learning_rate)

    def step(self, index: int, source: Batch, target: Tensor) -> dict[str, float] | None:
        """A supervised step on labeled people of the target; `source` and `target` are not looked at."""
        generator = seeded_generator(self.config.seed, index, 31)
        rows = torch.randint(len(self.labeled.keypoints), (self.config.batch_size,), generator=generator)
        batch = Batch(*(tensor[rows].to(target.device) for tensor in self.labeled.truth))
        loss = self.backbone.supervised(self.backbone.features(self.backbone.keypoints_of(batch)).float(), batch)
        is_done = descend(loss, [self.optimizer], self.config.clip_norm)
        return {"supervised": float(loss.detach())} if is_done else None

    def parts(self) -> dict[str, Stateful]:
        return {"optimizer": self.optimizer}


def table(rows: list[StudyRow]) -> str:
    """Markdown; mean ± deviation over the seeds, millimetres; with labels alone, percent of the joints that are met."""
    names = [name for name in (*MEASURES, *DIRECTIONS) if name in rows[0].values]
    names += [name for name in rows[0].values if name.startswith("pck_")] + ["reprojection"]
    titles = [name.upper().replace("_", "-") for name in names[:-1]]
    lines = ["| gap | method | " + " | ".join(titles) + " | held-out 2D |", "|" + "---|" * (len(names) + 2)]
    for row in rows:
        cells = [_cell(row.values[name], 1 if name != "reprojection" else 4) for name in names]
        lines.append(f"| {row.kind} | {row.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(values: list[float], digits: int) -> str:
    mean = f"{np.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1):.{digits}f}"


def _seeds(config: StudyConfig, row: RowConfig) -> tuple[int, ...]:
    return (0,) if row.method == SOURCE_ONLY else config.seeds


def _row_config(config: StudyConfig, row: RowConfig, seed: int) -> AdaptConfig:
    """`adapt` of the study with the changes of the row."""
    merged = _merge(config.adapt.model_dump(mode="json"), {**row.adapt, "seed": seed})
    try:
        return AdaptConfig.model_validate(merged)
    except ValueError as error:
        raise InputError(f"rows: {row.name}: {error}") from error


def _merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Settings with those of `changes` in their place, section by section."""
    out = dict(base)
    for name, value in changes.items():
        both = isinstance(value, dict) and isinstance(out.get(name), dict)
        out[name] = _merge(out[name], value) if both else value
    return out


def _whole_mesh(body: Any, rotations: Tensor, betas: Tensor) -> Tensor:
    """Vertices [N,V,3] m relative to the pelvis, in parts: blended transforms take 0.6 MB a body."""
    reduced = ReducedBody(body, np.arange(len(body.v_template)), "coco19")
    parts = []
    for turned, shape in zip(rotations.split(64), betas.split(64), strict=True):
        groups = body.expand_groups(turned)
        parts.append(reduced.skin(shape, groups) - reduced.joints(shape, groups)[:, PELVIS_ROW, None])
    return torch.cat(parts)
