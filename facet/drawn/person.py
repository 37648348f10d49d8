"""The person in a picture: (seed, index) -> a Person, whose attributes follow from the values it is drawn with.

Traits belong to the identity (skull, sex, age, skin, eyes, natural hair, habits), a Moment to one picture (pose, light,
expression, glasses, hat, make-up, background). Only uniform draws of PCG64 are used, whose stream NumPy keeps
stable."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Final, TypeVar

import numpy as np

from facet.drawn.shapes import Colour

ATTRIBUTES: Final[tuple[str, ...]] = (
    "Bald", "Bangs", "Black_Hair", "Blond_Hair", "Brown_Hair", "Bushy_Eyebrows", "Eyeglasses", "Goatee", "Gray_Hair",
    "Heavy_Makeup", "Male", "Mouth_Slightly_Open", "Mustache", "No_Beard", "Pale_Skin", "Smiling", "Wavy_Hair",
    "Wearing_Hat", "Wearing_Lipstick", "Young")

# Real-valued attributes of `sample_graded`, and the attributes that each replaces.
GRADES: Final[dict[str, tuple[str, ...]]] = {
    "Ageing": ("Young",), "Hair_Lightness": ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair"),
    "Mouth_Opening": ("Mouth_Slightly_Open",), "Skin_Lightness": ("Pale_Skin",), "Smile": ("Smiling",), "Turn": ()}

PICTURES: Final = (4, 2, 6, 3, 5)               # numbers of pictures of consecutive identities, repeated
_CYCLE: Final = sum(PICTURES)

SHORT_STYLES: Final = ("bald", "fringe", "buzz", "short", "quiff", "receding", "updo")
LONG_STYLES: Final = ("bob", "long")            # visible below any hat
SERIOUS, GRIN = 0.1, 0.72                       # only `sample_graded` draws smiles between them

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Traits:
    """Values shared by all pictures of an identity. Lengths in pixels of the 178x218 frame, colours RGB in [0, 1]."""

    male: bool
    age: float                                  # years; only `sample_graded` draws 40 to 54
    pale: bool
    skin: Colour
    blush: float                                # 0..1
    face_width: float                           # half width at the cheekbones
    chin: float                                 # eyes to chin
    jaw: float                                  # 0 pointed .. 1 square
    eye_rgb: Colour
    eye_width: float                            # half width of an eye
    eye_height: float                           # half height of an open eye
    eye_tilt: float                             # outer corner up, in pixels
    eye_distance: float                         # half distance between the pupils
    bushy: bool
    brow_width: float
    brow_arch: float
    nose_width: float
    nose_length: float
    lip_fullness: float
    mouth_width: float
    hair: str                                   # black, brown, blond, gray, auburn
    hair_rgb: Colour
    style: str                                  # one of SHORT_STYLES or LONG_STYLES
    wavy: bool
    volume: float                               # height of the hair over the skull
    parting: float                              # -1..1
    beard: str                                  # none, mustache, goatee, full: his usual beard
    likes_glasses: float                        # probability of glasses in a picture
    likes_hats: float
    likes_makeup: float
    likes_bangs: float
    smiles: float

    @property
    def young(self) -> bool:
        """The CelebA attribute."""
        return self.age < 45

    @property
    def old(self) -> float:
        """Visible ageing: 0 up to 40 years, 0.55 at 54, 1 at 80."""
        return 0.55 * max(self.age - 40, 0.0) / 14 if self.age < 54 else 0.55 + 0.45 * (self.age - 54) / 26


@dataclasses.dataclass(frozen=True, kw_only=True)
class Moment:
    """Values of one picture only. Angles in radians, lengths in pixels, colours RGB in [0, 1]."""

    yaw: float                                  # positive turns the nose to the right of the picture
    pitch: float                                # positive looks down
    roll: float                                 # clockwise
    scale: float
    du: float
    dv: float
    light: tuple[float, float, float]           # unit vector to the light: right, down, towards us
    tint: Colour                                # of the light
    exposure: float
    contrast: float                             # depth of the shadows, 0..1
    background: tuple[Colour, Colour]
    background_angle: float
    blobs: tuple[tuple[float, float, float, float], ...]    # u, v, radius, brightness
    cloth: Colour
    collar: str                                 # crew, v, shirt
    smile: float                                # -0.7 (sad) .. 1; 0.6 and more is a smile
    opening: float                              # 0 closed; 0.45 and more is open
    gaze: float                                 # -1..1, left to right
    beard: str
    bangs: str                                  # "", full, side
    hat: str                                    # "", cap, beanie, brim
    hat_rgb: Colour
    glasses: str                                # "", round, square, aviator
    rim: float                                  # thickness
    rim_rgb: Colour
    dark: bool                                  # sunglasses
    makeup: bool
    shadow_rgb: Colour                          # eyeshadow
    lipstick: bool
    lipstick_rgb: Colour
    grain: tuple[int, int]                      # corner of the film noise
    strand: float                               # start of the strand pattern


@dataclasses.dataclass(frozen=True, kw_only=True)
class Person:
    """A person in one picture: `draw` paints it, `attributes` lists what it shows."""

    identity: int
    traits: Traits
    moment: Moment

    @property
    def hair_seen(self) -> bool:
        return self.traits.style in LONG_STYLES if self.moment.hat else self.traits.style != "bald"

    @property
    def grades(self) -> dict[str, float]:
        """Every name of GRADES -> the value it is drawn with: `old`, lightness of hair and skin 0..1, `opening`,
        `smile`, `yaw`; NaN if it is not visible."""
        t, m = self.traits, self.moment
        hair = _lightness(t.hair_rgb) if self.hair_seen else math.nan
        grades = (t.old, hair, m.opening, _lightness(t.skin), m.smile, m.yaw)
        return dict(zip(GRADES, grades, strict=True))

    @property
    def attributes(self) -> dict[str, int]:
        """Every name of ATTRIBUTES -> +1 if it is visible in the picture, -1 if not."""
        t, m, hair_seen = self.traits, self.moment, self.hair_seen
        bare = t.style in ("bald", "fringe") and not m.hat
        seen = {
            "Bald": bare,
            "Bangs": bool(m.bangs) and not m.hat,
            "Black_Hair": hair_seen and t.hair == "black",
            "Blond_Hair": hair_seen and t.hair == "blond",
            "Brown_Hair": hair_seen and t.hair == "brown",
            "Bushy_Eyebrows": t.bushy,
            "Eyeglasses": bool(m.glasses),
            "Goatee": m.beard == "goatee",
            "Gray_Hair": hair_seen and t.hair == "gray",
            "Heavy_Makeup": m.makeup and not m.dark,
            "Male": t.male,
            "Mouth_Slightly_Open": m.opening > 0,
            "Mustache": m.beard in ("mustache", "full"),
            "No_Beard": m.beard == "none",
            "Pale_Skin": t.pale,
            "Smiling": m.smile > 0.5,
            "Wavy_Hair": t.wavy and hair_seen,
            "Wearing_Hat": bool(m.hat),
            "Wearing_Lipstick": m.lipstick,
            "Young": t.young,
        }
        return {name: 1 if seen[name] else -1 for name in ATTRIBUTES}


class _Dice:
    """Random draws from a stream of uniform numbers that depends on `key`."""

    def __init__(self, *key: int):
        self.stream = iter(np.random.Generator(np.random.PCG64(key)).random(128).tolist())

    def chance(self, probability: float) -> bool:
        return next(self.stream) < probability

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * next(self.stream)

    def about(self, mean: float, spread: float) -> float:
        """A bell of three uniforms: within mean +- 1.5 * spread, standard deviation spread / 2."""
        return mean + spread * (next(self.stream) + next(self.stream) + next(self.stream) - 1.5)

    def pick(self, options: dict[T, float]) -> T:
        """An option with probability proportional to its weight."""
        left = next(self.stream) * sum(options.values())
        for option, weight in options.items():
            left -= weight
            if left < 0:
                return option
        return option


def identity_of(index: int) -> int:
    """Picture index -> identity; identities have 2 to 6 consecutive pictures."""
    cycle, place = divmod(index, _CYCLE)
    identity = 0
    while place >= PICTURES[identity]:
        place -= PICTURES[identity]
        identity += 1
    return cycle * len(PICTURES) + identity


def sample(seed: int, index: int) -> Person:
    """Seed and picture index (both >= 0) -> the person in the picture; a pure function of the two."""
    if seed < 0 or index < 0:
        raise ValueError(f"seed {seed} and index {index} must not be negative")
    identity = identity_of(index)
    traits = _traits(seed, identity)
    return Person(identity=identity, traits=traits, moment=_moment(traits, _Dice(seed, 2, index)))


def sample_graded(seed: int, index: int) -> Person:
    """The person of `sample` with every value of GRADES drawn from its whole range, independently of the others and of
    the attributes."""
    person = sample(seed, index)
    lasting, passing = _Dice(seed, 3, person.identity), _Dice(seed, 4, index)
    old, skin, hair = lasting.between(0, 1), lasting.between(0, 1), lasting.between(0, 1)
    age = 40 + 14 * old / 0.55 if old < 0.55 else 54 + 26 * (old - 0.55) / 0.45
    colour = _along(_HAIR_RAMP, hair)
    greyed = _mix(colour, (_lightness(colour),) * 3, old)       # with the same lightness
    traits = dataclasses.replace(
        person.traits, age=age, pale=False, skin=_along(_SKINS, skin), hair="brown", hair_rgb=greyed)
    moment = dataclasses.replace(
        person.moment, smile=passing.between(-0.7, 1), opening=passing.between(0, 1), yaw=passing.between(-1.1, 1.1))
    return dataclasses.replace(person, traits=traits, moment=moment)


def _lightness(colour: Colour) -> float:
    """Luma of an RGB colour, 0..1."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def _along(ramp: tuple[int, ...], place: float) -> Colour:
    """The colour at a place 0..1 of a ramp."""
    step = min(int(place * (len(ramp) - 1)), len(ramp) - 2)
    return _mix(_rgb(ramp[step]), _rgb(ramp[step + 1]), place * (len(ramp) - 1) - step)


def _mix(a: Colour, b: Colour, t: float) -> Colour:
    return (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t)


def _rgb(code: int) -> Colour:
    return (code >> 16) / 255, (code >> 8 & 255) / 255, (code & 255) / 255


def _hsv(hue: float, saturation: float, value: float) -> Colour:
    k = [(n + hue * 6) % 6 for n in (5, 3, 1)]
    r, g, b = (value - value * saturation * max(0.0, min(x, 4 - x, 1.0)) for x in k)
    return r, g, b


_SKINS: Final = (0x5A3825, 0x7A4B30, 0x9C6643, 0xBA8159, 0xD39E77, 0xE3B48F, 0xEDC3A2)    # deep to light
_HAIRS: Final = {"black": (0x17151A, 0x2A2426), "brown": (0x5C3920, 0x8A5A34), "blond": (0xD0A04C, 0xF0D48C),
                 "gray": (0x9A9CA2, 0xDCDDE0), "auburn": (0x8E3C1A, 0xB4552A)}
_HAIR_RAMP: Final = (0x17151A, 0x5C3920, 0x8A5A34, 0xD0A04C, 0xF0D48C)
_EYES: Final = {0x4A2C16: 0.4, 0x6B4420: 0.2, 0x5A6B36: 0.12, 0x3F7396: 0.18, 0x6E8894: 0.1}


@functools.lru_cache(maxsize=1024)
def _traits(seed: int, identity: int) -> Traits:
    dice = _Dice(seed, 1, identity)
    male = dice.chance(0.48)
    young = dice.chance(0.50 if male else 0.58)
    age = dice.between(18, 40) if young else dice.between(54, 80)
    pale = dice.chance(0.15)
    tone = dice.between(0, 1)
    tone = tone**0.75 * (len(_SKINS) - 1.001)
    skin = _mix(_rgb(_SKINS[int(tone)]), _rgb(_SKINS[int(tone) + 1]), tone - int(tone))
    warm = dice.between(-0.02, 0.02)
    skin = (skin[0] + warm, skin[1], skin[2] - warm)
    if pale:
        skin = _mix(_rgb(0xF9E1D3), _rgb(0xF5D8C9), dice.between(0, 1))
        tone = 9.0

    # Darker skin comes with darker hair and eyes; older people have grey hair more often.
    if young:
        dark_skin = {"black": 0.85, "brown": 0.13, "blond": 0.02, "gray": 0.0, "auburn": 0.0}
        light_skin = {"black": 0.20, "brown": 0.31, "blond": 0.38, "gray": 0.0, "auburn": 0.10}
    else:
        dark_skin = {"black": 0.45, "brown": 0.06, "blond": 0.0, "gray": 0.49, "auburn": 0.0}
        light_skin = {"black": 0.09, "brown": 0.22, "blond": 0.17, "gray": 0.48, "auburn": 0.04}
    hair = dice.pick(dark_skin if tone < 2.2 else light_skin)
    dark, bright = _HAIRS[hair]
    hair_rgb = _mix(_rgb(dark), _rgb(bright), dice.between(0, 1))
    eyes = dice.pick({0x3A2010: 0.7, 0x5A3718: 0.3} if tone < 2.2 else _EYES)

    if male:
        if young:
            styles = {"bald": 0.10, "buzz": 0.12, "short": 0.38, "quiff": 0.22, "bob": 0.10, "long": 0.08}
        else:
            styles = {"bald": 0.20, "fringe": 0.14, "receding": 0.26, "short": 0.30, "quiff": 0.06, "bob": 0.04}
    else:
        if young:
            styles = {"long": 0.58, "bob": 0.24, "updo": 0.14, "quiff": 0.04}
        else:
            styles = {"long": 0.30, "bob": 0.44, "updo": 0.14, "short": 0.12}
    style = dice.pick(styles)
    wavy = dice.chance({"long": 0.56, "bob": 0.5}.get(style, 0.0))
    bushy = dice.chance(0.34 if male else 0.07)
    beards = {"none": 0.37, "mustache": 0.20, "goatee": 0.22, "full": 0.21} if male else {"none": 1.0}
    return Traits(
        male=male, age=age, pale=pale, skin=skin, blush=dice.between(0.2, 0.75),
        face_width=dice.about(40.0 if male else 37.5, 1.8), chin=dice.about(56.5 if male else 53.5, 1.8),
        jaw=dice.about(0.8, 0.2) if male else dice.about(0.22, 0.22),
        eye_rgb=_rgb(eyes), eye_width=dice.about(8.6 if male else 9.4, 0.7),
        eye_height=dice.about(3.9 if male else 4.8, 0.6), eye_tilt=dice.about(0.2 if male else 0.9, 0.9),
        eye_distance=dice.about(19.0, 0.8),
        bushy=bushy, brow_width=dice.between(6.2, 7.6) if bushy else dice.about(3.4 if male else 2.3, 0.5),
        brow_arch=dice.about(1.4 if male else 3.2, 0.9),
        nose_width=dice.about(8.2 if male else 6.8, 1.3), nose_length=dice.about(24.0 if male else 22.0, 1.6),
        lip_fullness=dice.about(0.72 if male else 1.05, 0.25) + (0.22 if tone < 2.2 else 0.0),
        mouth_width=dice.about(13.6 if male else 12.8, 1.0),
        hair=hair, hair_rgb=hair_rgb, style=style, wavy=wavy, volume=dice.between(4, 10),
        parting=dice.between(-1, 1), beard=dice.pick(beards),
        likes_glasses=dice.pick({0.04: 0.66, 0.4: 0.18, 0.92: 0.16}), likes_hats=dice.pick({0.05: 0.7, 0.45: 0.3}),
        likes_makeup=dice.pick({0.06: 0.4, 0.8: 0.6} if young else {0.06: 0.65, 0.7: 0.35}) if not male else 0.01,
        likes_bangs=dice.pick({0.0: 0.55, 0.88: 0.45}), smiles=dice.between(0.25, 0.8))


_HATS: Final = (0xC0392B, 0x2C4F8C, 0x1E8E6A, 0xE0A526, 0x7B3FA0, 0x2B2B30, 0xE8E4DA, 0xD96B9A, 0x3AA6C9, 0x8A5A34,
                0x6B7A3A, 0xE2702D)
_RIMS: Final = {0x16161A: 0.36, 0x22242C: 0.16, 0x4A2818: 0.16, 0x7A1F2B: 0.16, 0x1F3F7A: 0.16}
_LIPS: Final = (0xC2183A, 0xD4145A, 0xA81C4C, 0xE03C54, 0x8E1640)
_SHADES: Final = (0x5B3A8C, 0x2F5FA6, 0x1E7F7A, 0x7A3B2A, 0x4A4A58, 0xA0406E)


def _moment(t: Traits, dice: _Dice) -> Moment:
    azimuth = dice.pick({-1: 0.5, 1: 0.5}) * dice.between(0.1, 0.85)
    elevation = dice.between(0.25, 0.75)
    light = (math.sin(azimuth) * math.cos(elevation), -math.sin(elevation), math.cos(azimuth) * math.cos(elevation))
    warmth = dice.between(-0.045, 0.05)
    hue, saturation, value = dice.between(0, 1), dice.between(0.05, 0.45), dice.between(0.22, 0.88)
    far = _hsv(hue, saturation, value)
    near = _hsv((hue + dice.between(-0.12, 0.12)) % 1, dice.between(0.05, 0.4),
                min(max(value + dice.between(-0.35, 0.25), 0.12), 0.95))
    blobs = tuple((dice.between(-89, 89), dice.between(-111, 60), dice.between(14, 46), dice.between(-0.12, 0.22))
                  for _ in range(4))
    smiling = dice.chance(t.smiles)
    is_open = dice.chance(0.62 if smiling else 0.27)
    hat = dice.pick({"cap": 0.36, "beanie": 0.34, "brim": 0.30}) if dice.chance(t.likes_hats) else ""
    glasses = dice.pick({"round": 0.34, "square": 0.42, "aviator": 0.24}) if dice.chance(t.likes_glasses) else ""
    dark = dice.chance(0.28 if glasses else 0.0)
    makeup = dice.chance(t.likes_makeup) and not dark
    beard = t.beard if not t.male or dice.chance(0.88) else dice.pick({"none": 0.6, "mustache": 0.2, "goatee": 0.2})
    can_bang = t.style in ("bob", "long", "short", "quiff", "updo")
    bangs = dice.pick({"full": 0.62, "side": 0.38}) if dice.chance(t.likes_bangs) and can_bang else ""
    hat_rgb = _mix(_rgb(dice.pick(dict.fromkeys(_HATS, 1.0))), _hsv(dice.between(0, 1), 0.7, 0.7), 0.22)
    return Moment(
        yaw=dice.about(0, 0.75), pitch=dice.about(0, 1.6), roll=dice.about(0, 0.085), scale=dice.about(1.0, 0.05),
        du=dice.about(0, 2.2), dv=dice.about(0, 2.2), light=light,
        tint=(1 + warmth, 1.0, 1 - warmth), exposure=dice.between(0.92, 1.07), contrast=dice.between(0.55, 1.0),
        background=(far, near), background_angle=dice.between(0, 2 * math.pi), blobs=blobs,
        cloth=_hsv(dice.between(0, 1), dice.between(0.05, 0.65), dice.between(0.15, 0.9)),
        collar=dice.pick({"crew": 0.4, "v": 0.3, "shirt": 0.3}),
        smile=dice.between(0.72, 1.0) if smiling else dice.between(-0.18, 0.1),
        opening=dice.between(0.55, 1.0) if is_open else 0.0, gaze=dice.about(0, 0.7),
        beard=beard, bangs=bangs, hat=hat, hat_rgb=hat_rgb,
        glasses=glasses, rim=dice.between(1.7, 2.9), rim_rgb=_rgb(dice.pick(_RIMS)),
        dark=dark, makeup=makeup, shadow_rgb=_rgb(dice.pick(dict.fromkeys(_SHADES, 1.0))),
        lipstick=dice.chance(0.0 if t.male and not makeup else 0.92 if makeup else 0.3),
        lipstick_rgb=_rgb(dice.pick(dict.fromkeys(_LIPS, 1.0))),
        grain=(int(dice.between(0, 512 - 218)), int(dice.between(0, 512 - 178))), strand=dice.between(0, 500))
