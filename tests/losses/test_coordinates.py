import torch

from pose2mesh.losses import mean_absolute


def test_is_the_mean_absolute_error():
    pred, target = torch.randn(3, 5, 3), torch.randn(3, 5, 3)
    torch.testing.assert_close(mean_absolute(pred, target), torch.nn.L1Loss()(pred, target))


def test_invalid_samples_do_not_dilute_the_mean():
    pred, target = torch.randn(4, 5, 3), torch.randn(4, 5, 3)
    valid = torch.tensor([1, 0, 1, 0])
    torch.testing.assert_close(mean_absolute(pred, target, valid), torch.nn.L1Loss()(pred[::2], target[::2]))


def test_single_points_can_be_invalid():
    pred, target = torch.randn(2, 3, 3), torch.randn(2, 3, 3)
    valid = torch.tensor([[True, False, False], [True, True, False]])
    torch.testing.assert_close(mean_absolute(pred, target, valid), (pred - target)[valid].abs().mean())


def test_a_missing_target_gives_no_gradient():
    pred = torch.randn(2, 4, 3, requires_grad=True)
    target = torch.randn(2, 4, 3)
    target[1] = float("nan")
    mean_absolute(pred, target, torch.tensor([True, False])).backward()
    assert pred.grad[0].abs().sum() > 0
    assert (pred.grad[1] == 0).all()


def test_nothing_valid_is_zero():
    pred = torch.randn(2, 4, 3, requires_grad=True)
    value = mean_absolute(pred, torch.randn(2, 4, 3), torch.zeros(2))
    value.backward()
    assert value == 0 and (pred.grad == 0).all()
