from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates
from torch import Tensor

from ablate.errors import InputError
from ablate.methods.catalog import DATASETS, DataInfo
from ablate.methods.recipe_config import AUGMENTATION, FINITE_VIEWS
from ablate.training import colour
from ablate.training.views import Draw, all_views, draw, plain, render, view_index

CIFAR, DIGITS = DATASETS["cifar100"], DATASETS["digits"]
AUGMENTATIONS = AUGMENTATION.allowed.values
#: Normalising by these leaves values in 0..1, so that views can be compared with pixels.
UNIT = replace(CIFAR, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def some_images(n: int, info: DataInfo, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    shape = (n, info.channels, info.size, info.size)
    return torch.randint(256, shape, dtype=torch.uint8, generator=random)


def smooth_images(n: int, info: DataInfo) -> Tensor:
    small = torch.rand(n, info.channels, 5, 5, generator=torch.Generator().manual_seed(0))
    large = torch.nn.functional.interpolate(small, (info.size, info.size), mode="bicubic")
    return large.clamp(0, 1).mul(255).byte()


def tensors(parameters: Draw) -> dict[str, Tensor]:
    values = {f.name: getattr(parameters, f.name) for f in fields(parameters)}
    return {name: value for name, value in values.items() if isinstance(value, Tensor)}


infos = st.builds(
    lambda size, padding, flip, channels: DataInfo(
        *("x", "x", channels, 10, size, 0, 0, padding, flip),
        *((0.3, 0.4, 0.5)[:channels], (0.2, 0.3, 0.4)[:channels]),
    ),
    st.integers(4, 12),
    st.integers(0, 3),
    st.booleans(),
    st.sampled_from([1, 3]),
)


# Draws


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_a_draw_is_a_function_of_seed_view_and_epoch(augmentation):
    def key(seed: int, view: str, epoch: int) -> dict[str, Tensor]:
        return tensors(draw(augmentation, CIFAR, 500, seed, view, epoch, "cpu"))

    first, again = key(1, "q", 1), key(1, "q", 1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    for other in (key(2, "q", 1), key(1, "k", 1), key(1, "q", 2)):
        same = [name for name in first if torch.equal(first[name], other[name])]
        assert same == (["index"] if augmentation == "none" else [])


def test_variants_share_the_ingredients_that_they_have_in_common():
    draws = {name: tensors(draw(str(name), CIFAR, 50, 1, "q", 1, "cpu")) for name in AUGMENTATIONS}
    everything = draws["crop-flip-jitter-blur"]
    for name in ("crop-flip", "crop-flip-jitter", "crop-flip-blur"):
        assert all(torch.equal(t, everything[part]) for part, t in draws[name].items())
    assert torch.equal(draws["random-resized-crop"]["index"], everything["index"])


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_indexing_a_draw_indexes_all_its_parameters(augmentation):
    images = some_images(40, CIFAR)
    epoch = draw(augmentation, CIFAR, 40, 1, "q", 1, "cpu")
    batch = torch.tensor([7, 3, 3, 39])
    whole, part = render(images, epoch, CIFAR), render(images[batch], epoch[batch], CIFAR)
    assert torch.allclose(whole[batch], part, atol=1e-5)
    if augmentation in FINITE_VIEWS:
        assert torch.equal(whole[batch], part)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_rendering_keeps_shape_and_input_and_ignores_autocast(augmentation):
    images = some_images(6, CIFAR)
    before = images.clone()
    parameters = draw(augmentation, CIFAR, 6, 1, "q", 1, "cpu")
    view = render(images, parameters, CIFAR)
    assert view.shape == images.shape
    assert view.dtype == torch.float32
    assert view.is_contiguous()
    assert torch.equal(images, before)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(render(images, parameters, CIFAR), view)


def test_an_unknown_augmentation_is_refused():
    with pytest.raises(ValueError, match="crop-flip"):
        draw("crop-flop", CIFAR, 1, 1, "q", 1, "cpu")


def test_jitter_without_colours_is_refused():
    with pytest.raises(InputError, match="three channels"):
        draw("crop-flip-jitter", DIGITS, 1, 1, "q", 1, "cpu")


@pytest.mark.gpu
@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_devices_see_the_same_views(augmentation):
    images = some_images(64, CIFAR)
    cpu, gpu = (draw(augmentation, CIFAR, 64, 1, "q", 1, device) for device in ("cpu", "cuda"))
    assert all(torch.equal(t, tensors(gpu)[name].cpu()) for name, t in tensors(cpu).items())
    view = render(images.cuda(), gpu, CIFAR)
    assert torch.allclose(view.cpu(), render(images, cpu, CIFAR), atol=1e-4)
    assert torch.equal(view, render(images.cuda(), gpu, CIFAR))


# Crop and flip


def slow_crop_flip(image: np.ndarray, index: int, info: DataInfo) -> np.ndarray:
    """One image, pixel by pixel, by the definition of a view's index."""
    positions = 2 * info.padding + 1
    mirrored = info.flip and index % 2 == 1
    crop = index // 2 if info.flip else index
    top, left = crop // positions - info.padding, crop % positions - info.padding
    result = np.zeros(image.shape)
    for y in range(info.size):
        for x in range(info.size):
            from_y, from_x = y + top, (info.size - 1 - x if mirrored else x) + left
            if 0 <= from_y < info.size and 0 <= from_x < info.size:
                result[:, y, x] = image[:, from_y, from_x] / 255
    return (result - np.array(info.mean)[:, None, None]) / np.array(info.std)[:, None, None]


@settings(max_examples=30)
@given(infos, st.integers(0, 10**9))
def test_crop_flip_equals_a_slow_rendering(info, seed):
    images = some_images(5, info, seed)
    parameters = draw("crop-flip", info, 5, seed, "q", 1, "cpu")
    view = render(images, parameters, info)
    for i in range(5):
        expected = slow_crop_flip(images[i].numpy(), int(view_index(parameters)[i]), info)
        assert np.abs(view[i].numpy() - expected).max() < 1e-5


@settings(max_examples=30)
@given(infos, st.integers(0, 10**9), st.sampled_from(sorted(FINITE_VIEWS)))
def test_all_views_hold_every_rendered_view_to_the_bit(info, seed, augmentation):
    images = some_images(6, info, seed)
    parameters = draw(augmentation, info, 6, seed, "q", 1, "cpu")
    views = dict(all_views(images, info, augmentation))
    assert list(views) == list(range(info.crop_views if augmentation == "crop-flip" else 1))
    chosen = torch.stack([views[int(index)][i] for i, index in enumerate(view_index(parameters))])
    assert torch.equal(render(images, parameters, info), chosen)
    assert all(view.is_contiguous() for view in views.values())


def test_all_crops_and_flips_are_equally_likely():
    counts = draw("crop-flip", CIFAR, 162_000, 1, "q", 1, "cpu").index.bincount()
    assert len(counts) == 162
    chi_square = ((counts - 1000.0) ** 2 / 1000).sum()
    assert 161 - 4 * 322**0.5 < chi_square < 161 + 4 * 322**0.5


def test_padding_is_black_before_normalising():
    white = torch.full((162, 3, 32, 32), 255, dtype=torch.uint8)
    corner = Draw("crop-flip", torch.arange(162))
    view = render(white, corner, CIFAR)
    black = -torch.tensor(CIFAR.mean) / torch.tensor(CIFAR.std)
    assert torch.allclose(view[0, :, 0, 0], black)
    values = view[:, 0].unique()
    assert len(values) == 2  # black and white, nothing between


def test_digits_are_never_mirrored():
    ramp = torch.arange(8, dtype=torch.uint8).mul(30).expand(500, 1, 8, 8).contiguous()
    for augmentation in ("crop-flip", "crop-flip-blur", "random-resized-crop"):
        parameters = draw(augmentation, DIGITS, 500, 1, "q", 1, "cpu")
        view = render(ramp, parameters, DIGITS)[..., 1:-1]  # the edges may be padding
        assert (view.diff(dim=3) > 0).float().mean() > 0.9
        assert parameters.index.max() < 9


def test_colour_images_are_mirrored_half_of_the_time():
    ramp = torch.arange(32, dtype=torch.uint8).mul(8).expand(2000, 3, 32, 32).contiguous()
    for augmentation in ("crop-flip", "random-resized-crop"):
        view = render(ramp, draw(augmentation, CIFAR, 2000, 1, "q", 1, "cpu"), CIFAR)
        mirrored = view[:, 0, 16, 10] > view[:, 0, 16, 22]
        assert 0.45 < mirrored.float().mean() < 0.55


def test_without_augmentation_a_view_is_the_plain_image():
    images = some_images(9, CIFAR)
    parameters = draw("none", CIFAR, 9, 1, "q", 1, "cpu")
    assert torch.equal(render(images, parameters, CIFAR), plain(images, CIFAR))
    assert view_index(parameters).tolist() == [0] * 9
    mean, std = (torch.tensor(x)[:, None, None] for x in (CIFAR.mean, CIFAR.std))
    assert torch.allclose(plain(images, CIFAR), (images / 255 - mean) / std, atol=1e-5)


@pytest.mark.parametrize("augmentation", sorted(set(AUGMENTATIONS) - FINITE_VIEWS))
def test_views_without_number_have_no_index(augmentation):
    with pytest.raises(ValueError, match="without number"):
        view_index(draw(augmentation, CIFAR, 2, 1, "q", 1, "cpu"))
    with pytest.raises(ValueError, match="without number"):
        next(iter(all_views(some_images(2, CIFAR), CIFAR, augmentation)))


# Random-resized crop


def slow_resized_crop(image: np.ndarray, box: list[float], mirrored: bool) -> np.ndarray:
    """One image, by coordinates in pixels and another library's interpolation."""
    size = image.shape[-1]
    x, y, width, height = box
    left, top = (x - width + 1) / 2 * size, (y - height + 1) / 2 * size
    columns = left + (np.arange(size) + 0.5) * width - 0.5
    rows = top + (np.arange(size) + 0.5) * height - 0.5
    grid = np.meshgrid(rows, columns[::-1] if mirrored else columns, indexing="ij")
    return np.stack([map_coordinates(c / 255, grid, order=1, mode="nearest") for c in image])


def test_a_resized_crop_equals_another_librarys():
    images = some_images(30, UNIT)
    parameters = draw("random-resized-crop", UNIT, 30, 1, "q", 1, "cpu")
    view = render(images, parameters, UNIT)
    assert parameters.box is not None
    for i in range(30):
        mirrored = int(parameters.index[i]) % 2 == 1
        expected = slow_resized_crop(
            images[i].numpy().astype(float), parameters.box[i].tolist(), mirrored
        )
        assert np.abs(view[i].numpy() - expected).max() < 1e-3


def test_the_whole_image_as_a_box_is_the_image():
    images = some_images(4, CIFAR)
    box = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(4, 4)
    whole = Draw("random-resized-crop", torch.tensor([0, 0, 1, 1]), box)
    view, expected = render(images, whole, CIFAR), plain(images, CIFAR)
    assert torch.allclose(view[:2], expected[:2], atol=1e-3)
    assert torch.allclose(view[2:], expected[2:].flip(-1), atol=1e-3)


def test_boxes_have_the_promised_areas_and_ratios_and_stay_inside():
    box = draw("random-resized-crop", CIFAR, 20_000, 1, "q", 1, "cpu").box
    assert box is not None
    centre, size = box[:, :2], box[:, 2:]
    assert (centre.abs() + size <= 1 + 1e-6).all()
    area, ratio = size.prod(1), size[:, 0] / size[:, 1]
    assert 0.2 <= area.min() < 0.21
    assert 0.95 < area.max() <= 1
    assert 3 / 4 <= ratio.min() + 1e-6 < 0.76
    assert 1.32 < ratio.max() - 1e-6 <= 4 / 3
    assert abs(centre.mean()) < 0.01


# Colour


def test_each_step_of_the_jitter_equals_torchvisions():
    from torchvision.transforms import functional as tv

    images = smooth_images(40, UNIT) / 255
    one = torch.ones(40)
    factor = torch.linspace(0.6, 1.4, 40)
    off = torch.stack([one, one, one, 0 * one, one, 0 * one], dim=1)
    steps = (
        (0, factor, tv.adjust_brightness),
        (1, factor, tv.adjust_contrast),
        (2, factor, tv.adjust_saturation),
        (3, (factor - 1) / 4, tv.adjust_hue),
    )
    for column, values, reference in steps:
        parameters = off.clone()
        parameters[:, column] = values
        changed = colour.jitter(images, parameters)
        expected = [reference(images[i], float(values[i])) for i in range(40)]
        assert torch.allclose(changed, torch.stack(expected), atol=1e-3), reference
    grey = off.clone()
    grey[:, 5] = 1
    expected_grey = tv.rgb_to_grayscale(images, num_output_channels=3)
    assert torch.allclose(
        colour.jitter(images, grey).expand(-1, 3, -1, -1), expected_grey, atol=1e-3
    )


def test_jitter_stays_in_range_and_leaves_some_images_alone():
    images = some_images(300, UNIT)
    parameters = draw("crop-flip-jitter", UNIT, 300, 1, "q", 1, "cpu")
    view = render(images, parameters, UNIT)
    assert view.isfinite().all()
    assert view.min() >= -1e-6
    assert view.max() <= 1 + 1e-6
    jitter = parameters.jitter
    assert jitter is not None
    alone = (jitter[:, 4] == 0) & (jitter[:, 5] == 0)
    plainly = render(images, Draw("crop-flip", parameters.index), UNIT)
    same = (view - plainly).abs().amax((1, 2, 3)) < 1e-6
    assert torch.equal(same, alone)
    colourless = (view.amax(1) - view.amin(1)).amax((1, 2)) < 1e-6
    assert torch.equal(colourless, jitter[:, 5] > 0)


def test_jitter_is_as_likely_and_as_strong_as_promised():
    jitter = draw("crop-flip-jitter", CIFAR, 50_000, 1, "q", 1, "cpu").jitter
    assert jitter is not None
    low, high = jitter.amin(0).tolist(), jitter.amax(0).tolist()
    assert low[:4] == pytest.approx([0.6, 0.6, 0.6, -0.1], abs=1e-3)
    assert high[:4] == pytest.approx([1.4, 1.4, 1.4, 0.1], abs=1e-3)
    assert jitter[:, 4:].mean(0).tolist() == pytest.approx([0.8, 0.2], abs=0.01)
    correlation = torch.corrcoef(jitter.T) - torch.eye(6)
    assert correlation.abs().max() < 0.03


# Blur


@pytest.mark.parametrize(("size", "kernel"), [(8, 3), (28, 3), (32, 3), (64, 7), (224, 23)])
def test_blur_equals_torchvisions(size, kernel):
    from torchvision.transforms import functional as tv

    images = some_images(3, replace(UNIT, size=size)) / 255
    sigma = torch.tensor([0.1, 0.7, 2.0])
    blurred = colour.blur(images, sigma)
    for i in range(3):
        expected = tv.gaussian_blur(images[i], [kernel, kernel], [float(sigma[i])] * 2)
        assert torch.allclose(blurred[i], expected, atol=1e-5)


def test_blur_keeps_a_constant_image_and_what_is_not_blurred():
    constant = torch.full((4, 1, 8, 8), 0.37)
    assert torch.allclose(colour.blur(constant, torch.tensor([0.0, 0.1, 1.0, 2.0])), constant)
    images = some_images(2, UNIT).float()
    blurred = colour.blur(images, torch.tensor([0.0, 1.0]))
    assert torch.equal(blurred[0], images[0])
    assert blurred[1].std() < 0.6 * images[1].std()


def test_half_of_the_images_are_blurred():
    sigma = draw("crop-flip-blur", DIGITS, 20_000, 1, "q", 1, "cpu").sigma
    assert sigma is not None
    some = sigma[sigma > 0]
    assert len(some) / 20_000 == pytest.approx(0.5, abs=0.015)
    assert 0.1 <= some.min() < 0.11
    assert 1.99 < some.max() <= 2
