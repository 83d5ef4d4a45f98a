import torch

from pose2mesh.networks.critic import DomainCritic


def test_the_critic_scores_each_sample_by_itself():
    torch.manual_seed(0)
    critic = DomainCritic(8, 16, dropout=0).train()
    features = torch.randn(5, 8)
    torch.testing.assert_close(critic(features)[2:3], critic(features[2:3]))
