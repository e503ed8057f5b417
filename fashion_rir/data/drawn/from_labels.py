"""A small drawing in the place of a photo that is not there, made from a product's labels."""

import zlib
from collections.abc import Mapping

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from fashion_rir.data.drawn.drawing import DRAWINGS, draw
from fashion_rir.data.drawn.shop import COLD_SEASONS, COLOURS
from fashion_rir.data.drawn.sketch import PAPER, SIZE, Look, edge

# The real catalogue's other colours.
MORE_COLOURS = {
    "Steel": (150, 158, 168), "Charcoal": (66, 70, 78), "Off White": (240, 236, 224),
    "Skin": (232, 194, 164), "Grey Melange": (170, 172, 176), "Khaki": (158, 146, 98),
    "Mustard": (206, 160, 44), "Bronze": (150, 106, 60), "Copper": (184, 112, 70),
    "Rust": (168, 80, 40), "Burgundy": (108, 24, 50), "Metallic": (168, 172, 178),
    "Coffee Brown": (82, 56, 40), "Mauve": (178, 140, 172), "Sea Green": (54, 148, 116),
    "Rose": (214, 96, 120), "Nude": (226, 196, 174), "Mushroom Brown": (148, 128, 112),
    "Taupe": (136, 122, 110), "Lime Green": (148, 204, 58), "Fluorescent Green": (122, 232, 60),
}  # fmt: skip

UNKNOWN_COLOUR = (200, 200, 204)

# Types that are drawn as another one, whose outline is near.
DRAWN_AS = {
    "Formal Shoes": "Casual Shoes", "Flats": "Casual Shoes", "Booties": "Casual Shoes",
    "Sports Sandals": "Sandals", "Trousers": "Jeans", "Track Pants": "Jeans", "Leggings": "Jeans",
    "Capris": "Shorts", "Jeggings": "Jeans", "Lounge Pants": "Jeans", "Churidar": "Jeans",
    "Salwar": "Jeans", "Patiala": "Jeans", "Tights": "Jeans", "Lounge Shorts": "Shorts",
    "Boxers": "Shorts", "Trunk": "Shorts", "Kurtis": "Kurtas", "Tunics": "Kurtas",
    "Sweatshirts": "Tshirts", "Sweaters": "Tshirts", "Lounge Tshirts": "Tshirts",
    "Jackets": "Shirts", "Blazers": "Shirts", "Rain Jacket": "Shirts", "Nehru Jackets": "Shirts",
    "Innerwear Vests": "Tops", "Camisoles": "Tops", "Nightdress": "Dresses", "Hat": "Caps",
    "Jumpsuit": "Dresses", "Clutches": "Handbags", "Laptop Bag": "Handbags",
    "Messenger Bag": "Handbags", "Duffel Bag": "Handbags", "Rucksacks": "Backpacks",
    "Footballs": "Basketballs", "Lip Gloss": "Lipstick",
}  # fmt: skip

# In a warm cut: long sleeves.
WARM = ("Sweatshirts", "Sweaters", "Jackets", "Blazers", "Rain Jacket", "Nehru Jackets")


def drawing_of(labels: Mapping[str, object]) -> Image.Image:
    """Draw a product by its type, colour and gender; the same labels give the same drawing.

    Args:
        labels: `articleType`, `baseColour`, `gender` and `season`; each may be missing. A type
            that has no drawing becomes a tag in the product's colour with its name.

    Returns:
        An RGB picture of 240 x 320 pixels.
    """
    known = {name: str(value) for name, value in labels.items() if pd.notna(value)}
    kind, gender = known.get("articleType", ""), known.get("gender", "Unisex")
    colour = (COLOURS | MORE_COLOURS).get(known.get("baseColour", ""), UNKNOWN_COLOUR)
    drawn_as = DRAWN_AS.get(kind, kind)
    if drawn_as not in DRAWINGS:
        return _tag(kind or "unknown", colour)
    is_warm = kind in WARM or known.get("season") in COLD_SEASONS
    accent = COLOURS["White"] if sum(colour) < 400 else COLOURS["Black"]
    look = Look(colour, accent, "plain", gender, is_warm)
    text = "|".join((kind, gender, known.get("baseColour", ""), str(is_warm)))
    return draw(drawn_as, look, np.random.default_rng(zlib.crc32(text.encode())), is_large=True)


def _tag(text: str, colour: tuple[int, int, int]) -> Image.Image:
    """A price tag with a word on it."""
    image = Image.new("RGB", SIZE, PAPER)
    pen = ImageDraw.Draw(image)
    outline = [(60, 90), (120, 40), (180, 90), (180, 270), (60, 270)]
    pen.polygon(outline, fill=colour)
    pen.line([*outline, outline[0]], fill=edge(colour), width=3)
    pen.ellipse((111, 66, 129, 84), fill=PAPER, outline=edge(colour))
    ink = (255, 255, 255) if sum(colour) < 400 else (30, 30, 30)
    font = ImageFont.load_default(18)
    words = text.split()
    for number, word in enumerate(words):
        place = (SIZE[0] // 2, 180 + 22 * (number - (len(words) - 1) / 2))
        pen.text(place, word, fill=ink, font=font, anchor="mm")
    return image
