"""Key2Mesh's adaptation (Uguz et al. 2024): target features made to look like source features to a critic.

The training code was never published. Read from the released configuration: a critic on the features, ten steps of it
for one of the extractor, gradient penalty 50, hence WGAN-GP; the adapted extractor minimizes
0.1 · adversarial + 20 · mean square between its features and the frozen extractor's on source samples +
10 · re-projection error of confident target joints. The head stays frozen.
"""

import torch
from torch import Tensor

from pose2mesh.adaptation.backbones import Backbone
from pose2mesh.adaptation.config import AdaptConfig
from pose2mesh.adaptation.method import make_adam, reprojection_loss
from pose2mesh.adaptation.target import TargetSet
from pose2mesh.losses.domains import critic_loss, domain_loss
from pose2mesh.losses.targets import Batch
from pose2mesh.networks.critic import DomainCritic
from pose2mesh.synthesis.bodies import seeded_generator
from pose2mesh.training.optimization import descend
from pose2mesh.training.run_folder import Stateful


class AdversarialAdaptation:
    """The critic and the steps of critic and extractor."""

    def __init__(self, backbone: Backbone, target: TargetSet, config: AdaptConfig):
        self.backbone, self.target, self.config, self.settings = backbone, target, config, config.key2mesh
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.critic = DomainCritic(backbone.width, self.settings.hidden, self.settings.dropout).to(backbone.device)
        self.optimizer = make_adam(backbone.trainable(), config.learning_rate)
        self.critic_optimizer = make_adam(list(self.critic.parameters()), self.settings.critic_learning_rate)

    def step(self, index: int, source: Batch, target: Tensor) -> dict[str, float] | None:
        """`source` is labeled, `target` [B,J,3] are keypoints in the network's joint set and focal lengths."""
        source_points = self.backbone.keypoints_of(source)
        frozen = self.backbone.source_features(source_points).float()  # [B, C]
        distance = 0.0
        if self.settings.critic in ("wgan_gp", "bce"):
            found = self._critic_steps(index, frozen, target)
            if found is None:
                return None
            distance = found
        adapted = self.backbone.features(target).float()  # [B, C]
        weights = self.target.confident(target)
        parts = {
            "domain": domain_loss(self.settings.critic, self.critic, frozen, adapted),
            "reprojection": reprojection_loss(self.backbone, adapted, target, weights),
            "features": (self.backbone.features(source_points).float() - frozen).square().mean(),
        }
        if self.settings.supervision:
            parts["supervision"] = self.backbone.supervised(self.backbone.features(source_points).float(), source)
        loss = sum((getattr(self.settings, name) * value for name, value in parts.items()), torch.zeros(()))
        shown = {name: float(value.detach()) for name, value in parts.items()}
        optimizers = [self.optimizer]
        if self.settings.critic == "gradient_reversal":  # the critic descends on the same loss
            optimizers.append(self.critic_optimizer)
        if not descend(loss, optimizers, self.config.clip_norm):
            return None
        return {"critic": distance, **shown}

    def parts(self) -> dict[str, Stateful]:
        return {"critic": self.critic, "optimizer": self.optimizer, "critic_optimizer": self.critic_optimizer}

    def _critic_steps(self, index: int, frozen: Tensor, target: Tensor) -> float | None:
        """Train the critic on features without their gradients; returns its distance, None if it was not finite.

        The first step looks at the batch that the extractor is about to see, the others at new target samples.
        """
        distance, generator = 0.0, seeded_generator(self.config.seed, 11, index)
        for turn in range(self.settings.critic_steps):
            fresh = target if turn == 0 else self.target.draw(len(target), self.config.seed + 1, 1000 * index + turn)
            with torch.no_grad():
                adapted = self.backbone.features(fresh.to(self.backbone.device)).float()
            settings = self.settings.critic, self.critic, frozen, adapted, self.settings.gradient_penalty
            loss, distance = critic_loss(*settings, generator)
            if not descend(loss, [self.critic_optimizer], self.config.clip_norm):
                return None
        return distance
