"""Contrast and distance of the colours, computed from the style sheet itself, in both themes."""

from __future__ import annotations

import math
import re
from itertools import combinations
from pathlib import Path

import pytest

CSS = (Path(__file__).resolve().parents[2] / "static" / "app.css").read_text()
Rgb = tuple[float, float, float]
Matrix = tuple[Rgb, Rgb, Rgb]
THEMES = ("light", "dark")
GROUNDS = ("bg", "surface", "sunk", "hover", "raise", "accent-soft")
SERIES = ("c1", "c2", "c3", "c4", "c5", "c6")
# Machado 2009, severity 1, in linear RGB.
SIGHTS: dict[str, Matrix] = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
}


def token(name: str, theme: str) -> Rgb:
    """The token in linear sRGB, clipped to what a screen shows."""
    found = re.search(rf"--{name}: light-dark\((#\w+|oklch\([^)]*\)), (#\w+|oklch\([^)]*\))\)", CSS)
    assert found, f"--{name} is not a pair of colours"
    value = found.group(THEMES.index(theme) + 1)
    if value.startswith("#"):
        digits = value[1:] if len(value) == 7 else "".join(2 * digit for digit in value[1:])
        red, green, blue = (linear(int(digits[i : i + 2], 16) / 255) for i in (0, 2, 4))
        return red, green, blue
    lightness, chroma, hue = (float(part) for part in value[6:-1].split())
    return oklch_to_linear(lightness, chroma, math.radians(hue))


def linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def oklch_to_linear(lightness: float, chroma: float, hue: float) -> Rgb:
    a, b = chroma * math.cos(hue), chroma * math.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return clipped(
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )


def clipped(red: float, green: float, blue: float) -> Rgb:
    return min(1, max(0, red)), min(1, max(0, green)), min(1, max(0, blue))


def contrast(one: Rgb, other: Rgb) -> float:
    bright, dark = sorted((0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (one, other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def seen(colour: Rgb, sight: str) -> Rgb:
    red, green, blue = (sum(m * c for m, c in zip(row, colour, strict=True)) for row in SIGHTS[sight])
    return clipped(red, green, blue)


def lab(colour: Rgb) -> Rgb:
    r, g, b = colour
    xyz = (
        (0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047,
        0.2126729 * r + 0.7151522 * g + 0.0721750 * b,
        (0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883,
    )
    x, y, z = (v ** (1 / 3) if v > 216 / 24389 else (24389 / 27 * v + 16) / 116 for v in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(one: Rgb, other: Rgb) -> float:
    """Delta E 2000 (Sharma, Wu, Dalal 2005)."""
    (l1, a1, b1), (l2, a2, b2) = lab(one), lab(other)
    mean = (math.hypot(a1, b1) + math.hypot(a2, b2)) / 2
    g = 0.5 * (1 - math.sqrt(mean**7 / (mean**7 + 25**7)))
    c1, c2 = math.hypot(a1 * (1 + g), b1), math.hypot(a2 * (1 + g), b2)
    h1, h2 = (math.degrees(math.atan2(b, a * (1 + g))) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = (h2 - h1 + 180) % 360 - 180 if c1 * c2 else 0
    hue = (h1 + turn / 2) % 360 if c1 * c2 else h1 + h2
    light, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    t = sum(
        factor * math.cos(math.radians(angle))
        for factor, angle in ((-0.17, hue - 30), (0.24, 2 * hue), (0.32, 3 * hue + 6), (-0.2, 4 * hue - 63))
    )
    s_l = 1 + 0.015 * (light - 50) ** 2 / math.sqrt(20 + (light - 50) ** 2)
    s_c, s_h = 1 + 0.045 * chroma, 1 + 0.015 * chroma * (1 + t)
    r_t = (
        -2
        * math.sqrt(chroma**7 / (chroma**7 + 25**7))
        * math.sin(math.radians(60 * math.exp(-(((hue - 275) / 25) ** 2))))
    )
    dl, dc = (l2 - l1) / s_l, (c2 - c1) / s_c
    dh = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(turn / 2)) / s_h
    return math.sqrt(dl**2 + dc**2 + dh**2 + r_t * dc * dh)


def test_distance__pair_of_the_paper__is_its_value() -> None:
    black, white = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)

    assert distance(black, white) == pytest.approx(100, abs=0.1)
    assert distance(white, white) == 0


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("text", ["text", "text-2", "text-3", "accent", "ok", "warn", "crit", "info"])
def test_text__on_every_ground__reaches_4_5(text: str, theme: str) -> None:
    grounds = GROUNDS if text.startswith("text") else ("bg", "surface", "sunk", f"{text}-soft")

    worst = min(grounds, key=lambda ground: contrast(token(text, theme), token(ground, theme)))

    assert contrast(token(text, theme), token(worst, theme)) >= 4.5, worst


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    ("ink", "ground"),
    [("accent-ink", "accent"), ("ok-ink", "ok"), ("crit-ink", "crit"), ("ink-1", "c1"), ("ink-dark", "c2"),
     ("ink-light", "c3"), ("ink-light", "c4"), ("ink-light", "c5"), ("ink-dark", "c6"), ("text", "add"),
     ("text", "del"), ("code-key", "add"), ("code-key", "del"), ("code-number", "add-strong"),
     ("code-number", "del-strong"), ("code-string", "add"), ("code-string", "del"), ("text-2", "warn-soft"),
     ("text-2", "crit-soft"), ("text-2", "info-soft"), ("text-2", "ok-soft")],
)  # fmt: skip
def test_ink__on_its_ground__reaches_4_5(ink: str, ground: str, theme: str) -> None:
    assert contrast(token(ink, theme), token(ground, theme)) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", [*SERIES, "control", "accent"])
def test_shape__on_a_card__reaches_3(name: str, theme: str) -> None:
    assert contrast(token(name, theme), token("surface", theme)) >= 3


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("sight", SIGHTS)
def test_backend_colours__any_two_in_any_sight__are_19_apart(sight: str, theme: str) -> None:
    colours = {name: seen(token(name, theme), sight) for name in SERIES}

    nearest = min(combinations(SERIES, 2), key=lambda pair: distance(colours[pair[0]], colours[pair[1]]))

    assert round(distance(colours[nearest[0]], colours[nearest[1]])) >= 19, nearest


def test_layers__every_one__stands_by_itself_and_ends() -> None:
    """A brace that is lost puts the rest into a layer inside of a layer, where everything outside of it wins."""
    depth, inside = 0, []
    for line in CSS.splitlines():
        if line.startswith("@layer") and line.endswith("{") and depth:
            inside.append(line)
        depth += line.count("{") - line.count("}")

    assert (inside, depth) == ([], 0)
