"""The bugs of `python -m tests.mutants`: 23 that an audit planted and no test noticed, and others of their kinds."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """A text that stands once in a file, what takes its place, and the tests that have to notice."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


_ADVERSARIAL = "pose2mesh/adaptation/adversarial.py"
_DOMAINS = "pose2mesh/losses/domains.py"
_DAPA = "pose2mesh/adaptation/dapa.py"
_RUN = "pose2mesh/adaptation/run.py"
_PARAMETERS = "pose2mesh/losses/parameters.py"
_TERMS = "pose2mesh/losses/terms.py"
_OPTIMIZATION = "pose2mesh/training/optimization.py"
_IMAGES = "pose2mesh/losses/images.py"
_PRIOR = "pose2mesh/losses/pose_prior.py"
_CAMERA = "pose2mesh/fitting/camera.py"
_FIT = "pose2mesh/fitting/optimize.py"
_LOOP = "pose2mesh/training/run_loop.py"
_FOLDER = "pose2mesh/training/run_folder.py"
_PATHS = "pose2mesh/paths.py"

_OF_ADVERSARIAL = ("tests/adaptation/test_adversarial.py",)
_OF_DAPA = ("tests/adaptation/test_dapa.py",)
_RUNS = "tests/adaptation/test_run_adaptation.py::test_"
_OF_RUN = (f"{_RUNS}the_backbone_ends_with_the_weights_of_the_smallest_error", f"{_RUNS}early_stopping")
_OF_OBJECTIVES = ("tests/losses/test_objective_values.py",)
_OF_OPTIMIZATION = ("tests/training/test_optimization.py",)
_OF_IMAGES = ("tests/losses/test_image_losses.py",)
_OF_PRIOR = ("tests/training/test_pose_prior_training.py",)
_OF_CAMERA = ("tests/fitting/test_camera.py",)
_OF_FIT = ("tests/fitting/test_optimize.py",)
_OF_FOLDER = ("tests/training/test_run_folder.py",)
_OF_LOOP = ("tests/training/test_run_loop.py",)

AUDIT = (
    Mutant(
        "critic of wgan with the other sign",
        _DOMAINS,
        "return fake.mean() - real.mean() +",
        "return real.mean() - fake.mean() +",
        _OF_ADVERSARIAL,
    ),
    Mutant("extractor with the other sign", _DOMAINS, "return -fake", "return fake", _OF_ADVERSARIAL),
    Mutant(
        "best weights of an adaptation not restored",
        _RUN,
        "    def end(self) -> None:\n        self.outcome.restore()",
        "    def end(self) -> None:\n        pass",
        _OF_RUN,
    ),
    Mutant(
        "every stream has the same annotated batch",
        "pose2mesh/synthesis/annotated.py",
        "seeded_generator(self.seed, step, self.stream)",
        "seeded_generator(self.seed, step, 0)",
        ("tests/datasets/test_annotated_targets.py",),
    ),
    Mutant(
        "averaged weights not handed to the next stage",
        "pose2mesh/training/trainer.py",
        "self.network.load_state_dict(self.average.weights)  # the",
        "pass  # the",
        ("tests/training/test_trainer.py",),
    ),
    Mutant(
        "gradients not clipped",
        _OPTIMIZATION,
        "nn.utils.clip_grad_norm_(weights, clip_norm)",
        "nn.utils.get_total_norm([p.grad for p in weights if p.grad is not None])",
        _OF_OPTIMIZATION,
    ),
    Mutant(
        "normal loss times nothing",
        _TERMS,
        "return normal_loss(predicted.vertices, true.vertices, true.faces)",
        "return 0 * normal_loss(predicted.vertices, true.vertices, true.faces)",
        _OF_OBJECTIVES,
    ),
    Mutant(
        "coarse loss summed over levels",
        _TERMS,
        "torch.stack(errors).mean()",
        "torch.stack(errors).sum()",
        _OF_OBJECTIVES,
    ),
    Mutant(
        "vertices of hands not turned upright",
        "pose2mesh/networks/compact_hand.py",
        'for name in ("keypoints", "joints", "vertices")}',
        'for name in ("keypoints", "joints")}',
        _OF_OBJECTIVES,
    ),
    Mutant(
        "rotation loss squared",
        _TERMS,
        "else (predicted - true).abs().mean()",
        "else (predicted - true).square().mean()",
        _OF_OBJECTIVES,
    ),
    Mutant("weights of limbs not normalised", _PARAMETERS, "share / share.mean()", "share", _OF_OBJECTIVES),
    Mutant(
        "offset of exact keypoints not taken off", _DAPA, "offset = seen[0] - clean[0]", "offset = seen[0]", _OF_DAPA
    ),
    Mutant(
        "no gradient to the scale of a graph layer",
        "pose2mesh/ops/chebyshev/layer.py",
        "self.weight * self.scale[:, None]",
        "self.weight * self.scale.detach()[:, None]",
        ("tests/ops/test_chebyshev_cpu.py",),
    ),
    Mutant(
        "rotations of left hands with the signs of right ones",
        "pose2mesh/fitting/people.py",
        'arrays["rotations"] * _MIRROR',
        'arrays["rotations"]',
        ("tests/fitting/test_people.py", "tests/test_hands.py"),
    ),
    Mutant(
        "hand turned the other way to the body's ray",
        "pose2mesh/body_with_hands.py",
        "hand.vertices @ turn.T",
        "hand.vertices @ turn",
        ("tests/test_body_with_hands.py",),
    ),
    Mutant(
        "confidence ignored in the camera's start",
        _CAMERA,
        "share = (weights / weights.sum(1, keepdims=True))[..., None]",
        "share = (seen / seen.sum(1, keepdims=True))[..., None]",
        _OF_CAMERA,
    ),
    Mutant(
        "confidence ignored in the camera's refinement",
        _CAMERA,
        "robust = weights * np.minimum",
        "robust = np.minimum",
        _OF_CAMERA,
    ),
    Mutant(
        "no shape prior in a fit",
        _FIT,
        "+ settings.shape * free.betas.square().sum(1)",
        "+ 0 * free.betas.square().sum(1)",
        _OF_FIT,
    ),
    Mutant("no anchor in a fit", _FIT, "+ settings.anchor * turned", "+ 0 * turned", _OF_FIT),
    Mutant(
        "no penalty on coarse faces that look away",
        "pose2mesh/hierarchy/upsampling.py",
        "_dot(missed, missed) + size * np.minimum(agreement, 0.0) ** 2",
        "_dot(missed, missed)",
        ("tests/hierarchy/test_upsampling.py",),
    ),
    Mutant(
        "a lost frame counts as consecutive",
        "pose2mesh/evaluation/protocols/sequences.py",
        "numbers[2:] - numbers[:-2] == 2",
        "numbers[2:] - numbers[:-2] <= 3",
        ("tests/evaluation/test_sequences.py",),
    ),
    Mutant(
        "inversions as far off as misses",
        "pose2mesh/augmentation/release_noise.py",
        "_draw(on_other, place, zero, middle, None, generator)",
        "_draw(on_other, place, zero, far, None, generator)",
        ("tests/augmentation/test_posefix_noise.py",),
    ),
    Mutant(
        "another least confidence",
        "pose2mesh/networks/key2mesh.py",
        "LEAST_CONFIDENCE = 0.1",
        "LEAST_CONFIDENCE = 0.2",
        ("tests/networks/test_key2mesh.py",),
    ),
)

MORE = (
    Mutant("gradient penalty left out", _DOMAINS, "+ penalty *", "+ 0 *", _OF_ADVERSARIAL),
    Mutant(
        "features not held to the source",
        _ADVERSARIAL,
        "(self.backbone.features(source_points).float() - frozen).square().mean()",
        "(self.backbone.features(source_points).float() - frozen).mean()",
        _OF_ADVERSARIAL,
    ),
    Mutant(
        "target samples count as real",
        _DOMAINS,
        "real, fake = critic(source), critic(target)",
        "fake, real = critic(source), critic(target)",
        _OF_ADVERSARIAL,
    ),
    Mutant(
        "gradient penalty about zero",
        _DOMAINS,
        ".sqrt() - 1).square()",
        ".sqrt() - 0).square()",
        ("tests/losses/test_domain_losses.py",),
    ),
    Mutant("patience never ends", _RUN, "return self.outcome.stale >= self.config.patience", "return False", _OF_RUN),
    Mutant("the worst weights are kept", _RUN, "if error < self.best[1]:", "if error > self.best[1]:", _OF_RUN),
    Mutant(
        "deviation of exact keypoints not taken off",
        _DAPA,
        "(seen[1] - clean[1]).clamp(min=0).sqrt()",
        "seen[1].sqrt()",
        _OF_DAPA,
    ),
    Mutant(
        "finest vertices count as coarse",
        _TERMS,
        "zip(predicted.coarse, true.coarse, strict=True)",
        "zip((*predicted.coarse, predicted.vertices), (*true.coarse, true.vertices), strict=True)",
        _OF_OBJECTIVES,
    ),
    Mutant(
        "edges of the target instead of the prediction",
        _TERMS,
        "return edge_loss(predicted.vertices, true.vertices, true.faces)",
        "return edge_loss(true.vertices, true.vertices, true.faces)",
        _OF_OBJECTIVES,
    ),
    Mutant(
        "shape loss squared",
        _TERMS,
        "_difference(predicted.betas, true.betas)",
        "_difference(predicted.betas**2, true.betas**2)",
        _OF_OBJECTIVES,
    ),
    Mutant(
        "pose of pictures not compared",
        _IMAGES,
        "weights.pose * (found.parameters.rotations - truth.rotations)",
        "0 * (found.parameters.rotations - truth.rotations)",
        _OF_IMAGES,
    ),
    Mutant(
        "distances in the crop not squared",
        _IMAGES,
        "weights.joints_2d * points.square().sum(-1).mean()",
        "weights.joints_2d * points.norm(dim=-1).mean()",
        _OF_IMAGES,
    ),
    Mutant(
        "world rotations not compared by the prior",
        _PRIOR,
        "(1 - world_share) * relative + world_share * world",
        "relative",
        _OF_PRIOR,
    ),
    Mutant("divergence not weighted", _PRIOR, "+ kl_weight * divergence", "+ divergence", _OF_PRIOR),
    Mutant(
        "average moves at every step",
        _OPTIMIZATION,
        "if self.decay and step % passed:",
        "if False:",
        _OF_OPTIMIZATION,
    ),
    Mutant("a bad step is taken all the same", _OPTIMIZATION, "largest(not bool", "largest(0 * bool", _OF_OPTIMIZATION),
    Mutant(
        "a bad step in a row is forgotten",
        _LOOP,
        "self._bad = 0 if parts is not None else self._bad + 1",
        "self._bad = 0 if parts is not None else 1",
        _OF_LOOP,
    ),
    Mutant(
        "random numbers alike in all processes", _LOOP, "index, step, self.group.rank)", "index, step, 0)", _OF_LOOP
    ),
    Mutant("other settings resume", _FOLDER, "if not overwrite:", "if False:", _OF_FOLDER),
    Mutant(
        "finished runs are overwritten",
        _FOLDER,
        "if state.is_file() or weights.is_file():",
        "if False:",
        ("tests/training/test_resume.py",),
    ),
    Mutant("two runs in one folder", _PATHS, "        own.acquire()\n", "        pass\n", _OF_FOLDER),
    Mutant(
        "robust errors of a fit without their limit", _FIT, "limit * squared / (squared + limit)", "squared", _OF_FIT
    ),
)

MUTANTS = AUDIT + MORE
