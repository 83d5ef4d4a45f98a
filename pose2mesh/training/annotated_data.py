"""Stages that train on annotation datasets: the readers' samples as columns, the bodies they name, and the schedule."""

import math
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import torch

from pose2mesh.body_models import load_body_model
from pose2mesh.datasets.annotated import read_samples
from pose2mesh.datasets.annotated.meshes import BodySurfaces
from pose2mesh.datasets.annotated.table import SampleTable, collect
from pose2mesh.datasets.annotated.targets import MEASURED_SETS, TARGET_SETS, make_targets
from pose2mesh.errors import InputError
from pose2mesh.plugins import find
from pose2mesh.synthesis.annotated import AnnotatedSamples, Recipe
from pose2mesh.training.config import SourceConfig, StageConfig, TrainConfig, ValidationSource
from pose2mesh.training.stage_data import StageData

_JUDGED = 256  # people of each dataset whose fits are judged before training


@dataclass(frozen=True)
class AnnotatedMaterial:
    """What all stages of a run draw from."""

    tables: list[SampleTable]  # one for each of data.sources
    surfaces: BodySurfaces
    faces: np.ndarray  # [F, 3]
    joint_regressor: np.ndarray  # [J, V] of the joints that the mesh is compared in
    fits: dict[str, float]  # share of fitted bodies that agree with what was measured, of each dataset that has a rule

    def describe_fits(self) -> str:
        """One line, for a share much smaller than the reader expects tells of wrong files."""
        shares = ", ".join(f"{name} {100 * share:.0f} %" for name, share in self.fits.items())
        return f"fitted bodies that agree with the measured joints or labels: {shares}" if shares else ""

    def stage(self, config: TrainConfig, index: int) -> StageData:
        """The samples of stage `index`, which no other stage sees."""
        stage, data = config.stages[index], config.data
        recipe = Recipe(
            input_set=config.network.joint_set,
            batch_size=stage.batch_size,
            needs_mesh=not stage.lifting_only,
            flips=stage.flips,
            exact=data.exact_input,
            edges_from=math.ceil(stage.edges_from * stage.steps),
        )
        shares = [source.share for source in data.sources]
        samples = AnnotatedSamples(self.tables, shares, self.surfaces, recipe, seed=1000 * config.seed + index)
        return StageData(samples, [], self.faces, self.joint_regressor)

    def with_steps(self, config: TrainConfig) -> TrainConfig:
        """The configuration with the steps that each stage's epochs amount to."""
        people = len(self.tables) * max(map(len, self.tables))  # in an epoch, as the release counts

        def counted(stage: StageConfig) -> StageConfig:
            steps = stage.epochs * math.ceil(people / (stage.batch_size * config.streams))
            return stage.model_copy(update={"steps": steps, "epochs": 0}) if stage.epochs else stage

        return config.model_copy(update={"stages": tuple(map(counted, config.stages))})


def check_sources(config: TrainConfig) -> None:
    """Raise InputError where network and sources do not fit, before anything large is read or built."""
    network = config.network
    if network.kind != "classic":
        raise InputError(
            f"data.sources: annotation datasets train the classic network, not network.kind={network.kind}"
        )
    if network.joint_set not in TARGET_SETS:
        known = ", ".join(TARGET_SETS)
        raise InputError(f"network.joint_set: with data.sources it is one of {known}, not {network.joint_set!r}")
    if not network.body.startswith(("smpl-", "mano-")):
        raise InputError(f"network.body: annotation datasets hold SMPL or MANO parameters, not those of {network.body}")
    if any(stage.batch_size < 2 for stage in config.stages):
        raise InputError("stages: the classic network's batch norms need a batch_size of at least 2")
    is_hand = network.joint_set == "hand21"
    for source in (*config.data.sources, *config.validation):
        if isinstance(source, str):
            raise InputError(
                f"validation: {source} is motion, which is put on anny-body only; with data.sources name datasets, "
                "validation='[{dataset: pw3d, folder: data/PW3D, split: validation}]', or none, validation=[]"
            )
        if find("dataset", source.dataset).is_hand != is_hand or network.body.startswith("mano-") != is_hand:
            where = "validation" if isinstance(source, ValidationSource) else "data.sources"
            raise InputError(
                f"{where}: {source.dataset} does not go with network.body={network.body} and "
                f"network.joint_set={network.joint_set}"
            )


def load_material(config: TrainConfig) -> AnnotatedMaterial:
    """Read all sources of a configuration that `check_sources` let through. Raises MissingFileError, FormatError."""
    network, target_set = config.network, TARGET_SETS[config.network.joint_set]
    exact = config.data.exact_input
    measured_set = MEASURED_SETS[network.joint_set]
    tables = [_read(source, network.joint_set, measured_set, exact) for source in config.data.sources]
    names = dict.fromkeys((network.body, *(name for table in tables for name in table.models)))
    bodies = {name: load_body_model(name) for name in names}
    # the sets in which fits are judged come beside those of input and target
    rules = [find("dataset", source.dataset) for source in config.data.sources]
    in_space = any(rule.largest_misfit_m < math.inf for rule in rules)
    in_picture = any(rule.largest_misfit_px < math.inf for rule in rules)
    needed = (network.joint_set, target_set, *[measured_set] * in_space, *["coco17"] * in_picture)
    body = bodies[network.body]
    surfaces = BodySurfaces(bodies, needed)  # pyright: ignore[reportArgumentType] - readers name licensed ones alone
    pairs = zip(config.data.sources, tables, strict=True)
    shares = {source.dataset: _share_of_fits(source, table, surfaces, network.joint_set) for source, table in pairs}
    fits = {name: share for name, share in shares.items() if share is not None}
    return AnnotatedMaterial(tables, surfaces, body.faces.numpy(), body.joint_regressor(target_set), fits)


def _share_of_fits(source: SourceConfig, table: SampleTable, surfaces: BodySurfaces, input_set: str) -> float | None:
    """Of some people of a dataset; None where it has no rule. Raises InputError where not one fit is good."""
    dataset = find("dataset", source.dataset)
    if math.isinf(dataset.largest_misfit_m) and math.isinf(dataset.largest_misfit_px):
        return None
    people = table.rows(torch.linspace(0, len(table) - 1, min(len(table), _JUDGED)).long())
    share = float(make_targets(people, surfaces, input_set, needs_mesh=True).vertices_valid.float().mean())
    if share == 0:
        in_picture = dataset.largest_misfit_px < math.inf
        limit = f"{dataset.largest_misfit_px:g} px (of 64)" if in_picture else f"{1000 * dataset.largest_misfit_m:g} mm"
        raise InputError(
            f"data.sources: of {len(people)} fitted bodies of {source.dataset} in {source.folder} none comes within "
            f"{limit} of what was measured or labeled; are its units or its versions others? (docs/data.md)"
        )
    return share


def _read(source: SourceConfig, input_set: str, measured_set: str, exact: bool) -> SampleTable:
    options = {"subsets": source.subsets} if source.dataset == "amass" else {}
    rule = find("dataset", source.dataset)
    sees = rule.sees_detections and not exact
    samples = read_samples(source.dataset, source.folder, source.split, with_detections=sees, **options)
    first = next(samples, None)
    if first is None:
        raise InputError(
            f"data.sources: the files of {source.dataset} in {source.folder} hold nobody to train on in their split "
            f"{source.split!r}; get them again (docs/data.md)"
        )
    judged = (first.joints, rule.largest_misfit_m, measured_set), (first.labels, rule.largest_misfit_px, "coco17")
    for given, limit, wanted in judged:
        if given is not None and limit < math.inf and given.joint_set != wanted:
            raise InputError(
                f"data.sources: fits of {source.dataset} are judged in {wanted}, but its joints are {given.joint_set}; "
                "give them in that set, or leave its largest misfit out"
            )
    return replace(collect(chain([first], samples), input_set, measured_set), dataset=source.dataset)
