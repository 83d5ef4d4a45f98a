"""What several answers learn, and what is said of them."""

import pytest
import torch

from tools.studies.lifters import OTHERS, SCORE, TokenLifter, loss_of


def test_the_best_answer_learns_and_the_score_learns_which_it_is():
    true = torch.zeros(1, 2, 3)
    answers = torch.stack([true[0] + 0.3, true[0] + 0.1])[None].requires_grad_()  # [1, 2, 2, 3]
    scores = torch.tensor([[0.0, 0.0]], requires_grad=True)
    loss = loss_of(answers, scores, true)
    far, near = 0.3 * 3**0.5, 0.1 * 3**0.5
    assert loss.item() == pytest.approx(near + OTHERS * (far + near) / 2 + SCORE * torch.log(torch.tensor(2.0)).item())
    loss.backward()
    assert answers.grad is not None and scores.grad is not None
    assert answers.grad[0, 1].norm() > 10 * answers.grad[0, 0].norm()
    assert scores.grad[0, 1] < 0 < scores.grad[0, 0]


def test_joints_that_are_absent_change_no_answer_of_the_transformer():
    lifter = TokenLifter(6, 4).eval()
    keypoints = torch.rand(2, 6, 3)
    keypoints[:, 2, 2] = 0
    other = keypoints.clone()
    other[:, 2, :2] = 9.0
    torch.testing.assert_close(lifter(keypoints)[0], lifter(other)[0])
    assert lifter(keypoints)[0].shape == (2, 1, 4, 3)
