"""The products of the drawn catalogue: one small drawing for each article type.

`vary` keeps two products of a type from being the same; the `Sketch` adds pose, pattern and
light. Coordinates are explained in `sketch`.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image

from fashion_rir.data.drawn.sketch import (
    BLACK,
    GOLD,
    GREY,
    PAPER,
    SILVER,
    TAN,
    WHITE,
    Look,
    Points,
    Sketch,
    edge,
    mirrored,
    mixed,
    oval,
)

SLEEVES = {  # the right one: shoulder, cuff (each corner twice: sharp), armpit
    "short": [(44, 0), (62, 3), (100, 56), (100, 56), (72, 78), (72, 78), (48, 60)],
    "long": [(44, 0), (62, 3), (84, 70), (96, 152), (96, 152), (68, 158), (68, 158), (46, 60)],
    "cap": [(34, 0), (46, 2), (68, 34), (68, 34), (48, 48), (48, 48), (40, 40)],
}


def draw(
    article_type: str, look: Look, generator: np.random.Generator, *, is_large: bool = False
) -> Image.Image:
    """Draw one product on white.

    Args:
        article_type: a name in `DRAWINGS`.
        look: colours, pattern and cut.
        generator: of the small differences between two products of a type.
        is_large: as it was drawn, 240 x 320 pixels.

    Returns:
        An RGB picture of 60 x 80 pixels, the size of a photo of the real catalogue.
    """
    sketch = Sketch(look, generator)
    DRAWINGS[article_type](sketch)
    return sketch.picture if is_large else sketch.photo()


def _tshirt(sketch: Sketch) -> None:
    hem = 266 + sketch.vary(-10, 8)
    waist = sketch.vary(42, 46) if sketch.look.is_fitted else sketch.vary(54, 58)
    depth = sketch.vary(74, 92) if sketch.look.is_fitted else sketch.vary(66, 72)
    is_long = sketch.look.is_warm and sketch.vary(0, 2) == 0
    _sleeves(sketch, "long" if is_long else "short", top=56)
    side = [(62, 58), (57, 112), (waist, 180), (waist + 8, hem), (waist + 8, hem), (0, hem + 4)]
    _front(sketch, side, neck=(30, 48), depth=depth)
    sketch.line(mirrored([(waist + 7, hem - 9), (0, hem - 5)])[::-1], width=2)
    _folds(sketch, 190, hem - 14, waist - 16)


def _shirt(sketch: Sketch) -> None:
    hem = 264 + sketch.vary(-6, 8)
    waist = sketch.vary(43, 47) if sketch.look.is_fitted else sketch.vary(52, 57)
    _sleeves(sketch, "long" if sketch.look.is_warm else "short", top=58)
    side = [(62, 60), (57, 112), (waist, 180), (waist + 8, hem - 24), (waist - 14, hem), (0, hem)]
    _front(sketch, side, neck=(24, 48), depth=74)
    sketch.line([(-6, 76), (-6, hem - 3)], width=4)
    for button in range(94, hem - 14, 28):
        sketch.part(oval(1, button, 4, 4), WHITE, rounds=1)
    sketch.pair([(20, 40), (27, 54), (24, 90), (0, 74)], rounds=0)
    if not sketch.look.is_fitted:
        sketch.part([(20, 112), (46, 112), (46, 136), (33, 142), (20, 136)], rounds=0)


def _top(sketch: Sketch) -> None:
    hem = 240 + sketch.vary(-14, 12)
    flare, strap = sketch.vary(50, 72), sketch.vary(26, 38)
    side = [(strap + 14, 54), (strap + 10, 86), (51, 104), (42, 160), (flare, hem), (flare, hem)]
    _front(sketch, [*side, (0, hem + 10)], neck=(strap, 52), depth=sketch.vary(86, 104))
    sketch.line([(-42, 160), (0, 166), (42, 160)], width=4)
    _folds(sketch, 172, hem - 2, flare - 20)


def _kurta(sketch: Sketch) -> None:
    hem = 300 + sketch.vary(-14, 4)
    waist = sketch.vary(40, 44) if sketch.look.is_fitted else sketch.vary(48, 52)
    flare = waist + sketch.vary(10, 18)
    _sleeves(sketch, "long", top=38)
    side = [(58, 41), (54, 92), (waist, 150), (flare, hem), (flare, hem), (0, hem)]
    _front(sketch, side, neck=(20, 30), depth=54)
    if sketch.look.is_fitted:
        band = [(flare - 2, hem - 26), (flare - 1, hem - 8)]
        sketch.part(mirrored(band), sketch.look.accent, rounds=0)
    sketch.part(mirrored([(9, 52), (9, 128), (0, 138)]), sketch.look.accent, rounds=0)
    sketch.pair([(20, 26), (25, 32), (8, 62), (0, 52)], sketch.look.accent, rounds=0)
    for button in (76, 94, 112):
        sketch.part(oval(0, button, 4, 4), GOLD, rounds=1)
    sketch.line_pair([(waist - 4, 210), (waist + 2, hem)])


def _dress(sketch: Sketch) -> None:
    hem, flare, strap = 282 + sketch.vary(-44, 10), sketch.vary(62, 94), sketch.vary(24, 34)
    if sketch.look.is_warm:
        _sleeves(sketch, "cap", top=34)
    skirt = [(0, 134), (31, 134), (50, 180), (flare, hem), (flare, hem), (0, hem + 12)]
    sketch.part(mirrored(skirt), rounds=1)
    _folds(sketch, 160, hem + 2, flare - 18)
    bodice = [(strap + 14, 34), (strap + 10, 62), (43, 84), (32, 140), (0, 142)]
    _front(sketch, bodice, neck=(strap, 32), depth=sketch.vary(62, 82))
    sketch.part(mirrored([(34, 132), (34, 146)]), sketch.look.accent, rounds=0)


def _jeans(sketch: Sketch) -> None:
    hem = 298 + sketch.vary(-4, 6)
    half_ankle, apart = sketch.vary(16, 23), sketch.vary(26, 32)
    hems = [(apart + half_ankle, hem), (apart - half_ankle, hem)]
    _legs(sketch, hems, top=26, crotch=104)
    sketch.line_pair([(34, 100), (apart + 2, 180)], mixed(sketch.look.colour, WHITE, 16), width=12)
    sketch.line_pair([(apart - half_ankle, hem - 9), (apart + half_ankle, hem - 9)], TAN)
    sketch.line_pair([(22, 41), (30, 58), (48, 64)], TAN)
    sketch.line([(8, 41), (7, 76), (0, 84)], TAN)


def _shorts(sketch: Sketch) -> None:
    hem, flare = 196 + sketch.vary(-14, 20), sketch.vary(68, 76)
    _legs(sketch, [(flare, hem), (12, hem + 4)], top=76, crotch=138)
    sketch.line_pair([(11, hem - 7), (flare, hem - 11)])
    sketch.line_pair([(24, 91), (32, 110), (50, 118)])
    sketch.line_pair([(5, 84), (9, 112)], WHITE, width=4)


def _skirt(sketch: Sketch) -> None:
    hem, flare = 226 + sketch.vary(-30, 34), sketch.vary(66, 96)
    panel = [(38, 72), (52, 112), (flare, hem), (flare, hem), (0, hem + 14)]
    sketch.part(mirrored(panel), rounds=1)
    for step in range(-3, 4):
        sketch.line([(step * 10, 92), (step * flare // 4, hem + 6 - abs(step))])
    sketch.part(mirrored([(40, 66), (41, 84)]), sketch.look.accent, rounds=0)


def _casual_shoe(sketch: Sketch) -> None:
    sketch.shadow(226, 98)
    ankle, toe = 124 + sketch.vary(-16, 6), 176 + sketch.vary(-6, 6)
    back = [(-98, 208), (-96, 160), (-94, ankle), (-86, ankle - 2), (-54, ankle + 14)]
    front = [(-16, ankle - 4), (-2, ankle), (40, toe - 10), (86, toe + 4), (102, 208)]
    sketch.part([*back, *front])
    sketch.part([(62, 210), (66, toe + 6), (88, toe + 8), (104, 210)], WHITE)
    for step in range(4):
        x, y = -8 + 13 * step, ankle + 12 + (toe - ankle) * step // 5
        sketch.line([(x, y), (x - 15, y + 13)], WHITE, width=5)
    sketch.line([(-62, ankle + 16), (-56, 206)])
    sole = [(-104, 202), (-104, 202), (106, 202), (106, 202), (102, 224), (-100, 224)]
    sketch.part(sole, WHITE, rounds=1)
    sketch.line([(-100, 214), (102, 214)], sketch.look.accent)


def _sports_shoe(sketch: Sketch) -> None:
    accent = sketch.look.accent
    sketch.shadow(228, 104)
    ankle, toe = 116 + sketch.vary(-6, 8), 178 + sketch.vary(-6, 4)
    back = [(-100, 206), (-92, 150), (-106, ankle - 2), (-88, ankle), (-56, ankle + 22)]
    front = [(-18, ankle - 8), (-2, ankle), (38, toe - 14), (92, toe), (106, 206)]
    sketch.part([*back, *front])
    sketch.part([(70, 208), (76, toe + 2), (96, toe + 4), (108, 208)], accent)
    sketch.part([(-100, 206), (-93, 160), (-72, 172), (-64, 206)], accent)
    chevron = [(-50, 158), (-26, 158), (0, 181), (-26, 204), (-50, 204), (-28, 181)]
    sketch.part(chevron, accent, rounds=0)
    for step in range(4):
        x, y = -8 + 12 * step, ankle + 10 + (toe - ankle) * step // 5
        sketch.line([(x, y), (x - 13, y + 11)], WHITE, width=5)
    sole = [(-112, 198), (-50, 206), (20, 202), (112, 194), (110, 218), (76, 228), (-96, 228)]
    sketch.part(sole, WHITE)
    for x in range(-84, 96, 22):
        sketch.line([(x, 217), (x + 5, 227)], GREY, width=4)


def _heel(sketch: Sketch) -> None:
    sketch.shadow(236, 98)
    ankle, width = 132 + sketch.vary(-14, 10), sketch.vary(8, 18)
    tip = [(-84 + width, 236), (-84 + width, 236), (-86, 236), (-86, 236)]
    sketch.part([(-96, 168), (-96, 168), (-52, 184), *tip], edge(sketch.look.colour), rounds=1)
    sole = [(-98, 176), (-40, 182), (20, 218), (108, 224), (106, 236), (18, 234), (-44, 200)]
    sketch.part(sole, TAN)
    back = [(-98, 182), (-100, 150), (-90, ankle), (-72, ankle + 10), (-46, 170), (4, 198)]
    front = [(38, 190), (86, 206), (108, 226), (60, 228), (16, 220), (-42, 188)]
    sketch.part([*back, *front])
    if sketch.vary(0, 1):
        sketch.line([(-84, ankle + 6), (-46, ankle - 6), (-24, ankle + 14), (-44, 170)], width=6)
    if sketch.vary(0, 1):
        sketch.part(oval(50, 200, 14, 8), sketch.look.accent)


def _sandal(sketch: Sketch) -> None:
    sketch.shadow(230, 100)
    heel, arch = 200 + sketch.vary(-8, 4), 142 + sketch.vary(-10, 6)
    back = [(-98, heel + 4), (-94, arch), (-94, arch), (-78, arch), (6, 168), (6, 168)]
    sketch.part([*back, (2, 184), (-74, arch + 20), (-82, heel + 4)], rounds=1)
    for x, top in ((-26, 158), (34, 168)):
        sketch.part([(x, 218), (x + 8, top), (x + 8, top), (x + 42, top + 4), (x + 58, 218)])
        hole = [(x + 18, 218), (x + 22, top + 30), (x + 32, top + 30), (x + 38, 218)]
        sketch.part(hole, PAPER, rounds=1)
    sketch.part(oval(-44, arch + 22, 9, 9), GOLD, rounds=1)
    sole = [(-104, heel), (-30, 208), (30, 212), (106, 206), (108, 220), (94, 230), (-100, 230)]
    sketch.part(sole, mixed(TAN, sketch.look.colour, 25))
    sketch.line([(-98, 222), (98, 222)], width=5)


def _flip_flops(sketch: Sketch) -> None:
    x = 50 + sketch.vary(0, 6)
    half_sole = [(0, 50), (34, 70), (40, 130), (28, 190), (30, 250), (0, 282)]
    sketch.pair([(x + dx, y) for dx, y in mirrored(half_sole)])
    strap = [(x - 34, 176), (x - 36, 160), (x, 92), (x + 36, 160), (x + 34, 176), (x, 116)]
    sketch.pair(strap, sketch.look.accent, rounds=1)
    sketch.pair(oval(x, 96, 7, 7), sketch.look.accent, rounds=1)


def _socks(sketch: Sketch) -> None:
    top = 46 + sketch.vary(-10, 50)
    for x in (-36, -94):
        leg = [(x, top), (x, top), (x + 58, top), (x + 58, top), (x + 60, 190), (x + 106, 232)]
        foot = [(x + 124, 256), (x + 104, 280), (x + 66, 268), (x + 6, 222), (x + 2, 180)]
        sketch.part([*leg, *foot])
        cuff = [(x - 2, top), (x + 60, top), (x + 60, top + 22), (x - 2, top + 22)]
        sketch.part(cuff, sketch.look.accent, rounds=0)
        sketch.line([(x + 4, 214), (x + 26, 206), (x + 44, 250)])
        sketch.line([(x + 84, 274), (x + 94, 248), (x + 116, 244)])


def _handbag(sketch: Sketch) -> None:
    sketch.shadow(258, 84)
    top, half = 148 + sketch.vary(-14, 12), 78 + sketch.vary(-6, 12)
    rise = top - sketch.vary(64, 92)
    handle = [(44, top + 4), (40, (top + rise) // 2), (24, rise), (0, rise)]
    sketch.part(mirrored(handle[::-1]), edge(sketch.look.colour))
    opening = [(0, rise + 12), (18, rise + 12), (31, (top + rise) // 2 + 6), (34, top + 4)]
    sketch.part(mirrored(opening), PAPER)
    body = [(0, top), (half - 22, top), (half - 16, top), (half, 250), (half - 8, 258), (0, 258)]
    sketch.part(mirrored(body), rounds=1)
    flap = [(half - 17, top), (half - 12, top + 34), (0, top + 48 + sketch.vary(0, 16))]
    sketch.part(mirrored(flap))
    sketch.pair(oval(39, top + 8, 7, 7), GOLD, rounds=1)
    sketch.part(mirrored([(9, top + 38), (9, top + 58)]), GOLD, rounds=0)


def _backpack(sketch: Sketch) -> None:
    sketch.shadow(280, 78)
    shoulder, half = 84 + sketch.vary(-10, 14), 72 + sketch.vary(-4, 8)
    dark = edge(sketch.look.colour)
    sketch.part(mirrored([(0, 18), (22, 22), (18, 50)]), dark)
    sketch.part(mirrored([(0, 29), (13, 32), (11, 50)]), PAPER)
    sketch.pair([(half - 14, 160), (half + 8, 170), (half + 10, 250), (half - 10, 262)], dark)
    body = [(0, 38), (44, 38), (half - 4, shoulder), (half, 180), (half, 274), (half - 8, 282)]
    sketch.part(mirrored(body))
    sketch.line([(10 - half, 128), (0, 112), (half - 10, 128)], width=6)
    pocket = [(half - 20, 176), (half - 14, 184), (half - 14, 262), (half - 22, 268), (0, 268)]
    sketch.part(mirrored(pocket), mixed(sketch.look.colour, sketch.look.accent, 35), rounds=1)
    sketch.line([(24 - half, 194), (half - 24, 194)], GREY, width=5)


def _watch(sketch: Sketch) -> None:
    half, strap = 64 + sketch.vary(-8, 8), sketch.vary(30, 40)
    if sketch.look.is_fitted:
        half, strap = half - 12, strap - 14
    sketch.part(mirrored([(strap - 6, 14), (strap, 120), (strap, 200), (strap - 6, 306)]), rounds=0)
    for y in (40, 64, 256, 280):
        sketch.line([(7 - strap, y), (strap - 7, y)], width=4)
    sketch.part(mirrored([(half + 8, 152), (half + 8, 168)]), GREY, rounds=0)
    case = (SILVER, GOLD, GREY)[sketch.vary(0, 2)]
    dial = (WHITE, BLACK, sketch.look.accent)[sketch.vary(0, 2)]
    is_round, inner = sketch.vary(0, 3) > 0, half - 12
    for paint, size in ((case, half), (dial, inner)):
        square = mirrored([(size - 6, 160 - size), (size - 6, 160 + size)])
        sketch.part(oval(0, 160, size, size) if is_round else square, paint, rounds=2 * is_round)
    ink, reach = edge(dial), inner - 8
    for x, y in ((0, -reach), (reach, 0), (0, reach), (-reach, 0)):
        sketch.line([(x, 160 + y), (x * 3 // 4, 160 + y * 3 // 4)], ink, width=7)
    sketch.line([(-20, 146), (0, 160), (reach * 2 // 3, 160 - reach // 2)], ink, width=6)


def _sunglasses(sketch: Sketch) -> None:
    half, height = 44 + sketch.vary(-3, 6), 30 + sketch.vary(-7, 9)
    droop = sketch.vary(0, 12)
    lens = mixed(sketch.look.accent, BLACK, 75)
    temple = [(98, 150), (108, 132), (96, 118), (90, 124), (100, 136)]
    sketch.pair(temple, edge(sketch.look.colour))
    for inset, paint in ((0, None), (8, lens)):
        left, right, top = 53 - half + inset, 53 + half - inset, 160 - height + inset
        bottom = 160 + height + droop - inset
        rim = [(left, top), (right, top), (right, 164), (53 + droop, bottom), (left, 164)]
        sketch.pair(rim, paint)
    for x in (-53, 53):
        sketch.line([(x - 18, 170), (x + 2, 146)], mixed(lens, WHITE, 50), width=6)
    sketch.part([(-14, 150), (14, 150), (14, 158), (-14, 158)], rounds=1)


def _belt(sketch: Sketch) -> None:
    height = sketch.vary(26, 36)
    sketch.part(oval(0, 140, 104, 38), edge(sketch.look.colour))
    sketch.part(oval(0, 144, 98, 30), TAN)
    sketch.part(oval(0, 136 + height // 3, 90, 28), PAPER)
    front = [(0, 178), (60, 172), (104, 140), (104, 140)]
    below = [(x, y + height) for x, y in reversed(front)]
    sketch.part(mirrored([*front, *below]))
    metal, bottom = (SILVER, GOLD)[sketch.vary(0, 1)], 178 + height
    sketch.part(mirrored([(22, 172), (22, bottom)]), metal, rounds=1)
    sketch.part(mirrored([(14, 180), (14, bottom - 8)]), rounds=0)
    sketch.line([(-14, 175 + height // 2), (18, 175 + height // 2)], metal, width=5)


def _cap(sketch: Sketch) -> None:
    crown = 92 + sketch.vary(-12, 12)
    dome = [(-76, 150), (-54, crown + 8), (0, crown - 8), (46, crown + 16), (60, 196)]
    sketch.part([(-76, 196), (-76, 196), *dome, (60, 196)])
    sketch.line([(2, crown), (-8, 140), (-4, 194)])
    sketch.line([(-36, crown + 6), (-54, 150), (-56, 194)])
    sketch.part(oval(-2, crown + 2, 9, 5), sketch.look.accent, rounds=1)
    visor = [(-8, 190), (60, 184), (104, 204), (112, 222), (70, 212), (10, 206), (-58, 206)]
    sketch.part(visor, sketch.look.accent)


def _tie(sketch: Sketch) -> None:
    half, end = sketch.vary(20, 29), 300 + sketch.vary(-14, 4)
    sketch.part(mirrored([(0, 14), (24, 18), (30, 34), (14, 52)]), edge(sketch.look.colour))
    sketch.part(mirrored([(10, 64), (half, end - 30), (0, end)]), rounds=0)
    sketch.part(mirrored([(18, 36), (11, 70), (0, 72)]), rounds=0)


def _nail_polish(sketch: Sketch) -> None:
    sketch.shadow(252, 50)
    top, half = 50 + sketch.vary(-16, 16), sketch.vary(34, 46)
    sketch.part(mirrored([(18, top), (22, 156)]), (BLACK, SILVER)[sketch.vary(0, 1)], rounds=0)
    bottle = [(0, 156), (22, 156), (half, 178), (half, 244), (half - 8, 252), (0, 252)]
    sketch.part(mirrored(bottle), rounds=1)
    shine = mixed(sketch.look.colour, WHITE, 60)
    sketch.line([(12 - half, 184), (12 - half, 238)], shine, width=8)


def _lipstick(sketch: Sketch) -> None:
    sketch.shadow(262, 44)
    tip = 62 + sketch.vary(-8, 20)
    case, ring = ((BLACK, GOLD), (SILVER, GREY), (GOLD, BLACK))[sketch.vary(0, 2)]
    sketch.part([(-20, 150), (-20, tip + 34), (4, tip), (18, tip + 6), (20, 150)], rounds=1)
    sketch.part(mirrored([(24, 140), (24, 186)]), ring, rounds=0)
    sketch.part(mirrored([(32, 182), (32, 262)]), case, rounds=0)
    sketch.line([(-22, 192), (-22, 252)], mixed(case, WHITE, 60), width=7)


def _umbrella(sketch: Sketch) -> None:
    sketch.line([(0, 44), (0, 268), (4, 280), (16, 284), (28, 278), (30, 264)], BLACK, width=8)
    dome = [(0, 54), (40, 62), (90, 96), (110, 160), (110, 160)]
    scallops = [(90, 148), (50, 160), (50, 160), (25, 148)]
    sketch.part(mirrored([*dome, *scallops]))
    sketch.line_pair([(0, 56), (25, 92), (50, 158)])


def _basketball(sketch: Sketch) -> None:
    sketch.shadow(256, 70)
    sketch.part(oval(0, 160, 96, 96), rounds=3)
    sketch.line([(-96, 160), (96, 160)], BLACK, width=5)
    sketch.line([(0, 64), (0, 256)], BLACK, width=5)
    sketch.line_pair([(66, 92), (46, 116), (38, 160), (46, 204), (66, 228)], BLACK, width=5)


DRAWINGS: dict[str, Callable[[Sketch], None]] = {
    "Tshirts": _tshirt,
    "Shirts": _shirt,
    "Casual Shoes": _casual_shoe,
    "Watches": _watch,
    "Sports Shoes": _sports_shoe,
    "Kurtas": _kurta,
    "Tops": _top,
    "Handbags": _handbag,
    "Heels": _heel,
    "Sunglasses": _sunglasses,
    "Sandals": _sandal,
    "Flip Flops": _flip_flops,
    "Belts": _belt,
    "Backpacks": _backpack,
    "Socks": _socks,
    "Jeans": _jeans,
    "Shorts": _shorts,
    "Dresses": _dress,
    "Caps": _cap,
    "Ties": _tie,
    "Skirts": _skirt,
    "Nail Polish": _nail_polish,
    "Lipstick": _lipstick,
    "Umbrellas": _umbrella,
    "Basketballs": _basketball,
}


def _front(sketch: Sketch, side: Points, *, neck: tuple[int, int], depth: int) -> None:
    """The inside of the back, and the front.

    Args:
        sketch: where to draw.
        side: the right outline, from the shoulder's end to the hem.
        neck: where shoulder and neckline meet on the right.
        depth: lowest point of the neckline.
    """
    x, y = neck
    inside = [(0, y + 7), (x, y), (x - 2, y + 12), (0, depth + 6)]
    sketch.part(mirrored(inside), edge(sketch.look.colour), rounds=0)
    neckline = [(0, depth), (x * 3 // 4, (y + depth * 2) // 3), (x, y), (x, y)]
    sketch.part(mirrored([*neckline, *side]), rounds=1)


def _sleeves(sketch: Sketch, length: str, *, top: int) -> None:
    """Both sleeves; `length` is a name in `SLEEVES`, `top` the shoulder's height."""
    sketch.pair([(x, top + y) for x, y in SLEEVES[length]], rounds=1)


def _folds(sketch: Sketch, top: int, bottom: int, half_width: int) -> None:
    """Three folds that spread towards the bottom."""
    for side in (-1, 0, 1):
        start = side * half_width // 2 + sketch.vary(-5, 5)
        end = side * half_width + sketch.vary(-6, 6)
        sketch.line([(start, top + sketch.vary(0, 24)), (end, bottom)], width=2)


def _legs(sketch: Sketch, hems: Points, *, top: int, crotch: int) -> None:
    """Trousers with a waistband at `top`; `hems` are a leg's outer and inner end."""
    hip, waist = (54, 38) if sketch.look.is_fitted else (51, 46)
    sketch.pair([(0, top), (waist, top), (hip, top + 56), *hems, (0, crotch)], rounds=0)
    sketch.line([(8, top + 15), (7, crotch - 28), (0, crotch - 20)])
    sketch.part(mirrored([(waist, top), (waist + 3, top + 15)]), rounds=0)
