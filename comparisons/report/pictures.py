"""SVG files as parts of an HTML page: several of them beside each other, nothing loaded from elsewhere."""

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass

DROPPED = ("metadata", "title", "desc", "script")  # addresses of vocabularies; what the caption says; what would run

# what the figures of comparisons/report/figures.py show, by the name of the file
CAPTIONS = {
    "weights": "How large the weights are in the end, style by style, on a logarithmic scale. The hatched bar counts"
    " weights that are exactly 0; a style without such a bar only makes weights small.",
    "chatter": "One weight that no example moves, as L1 takes it to zero, update by update. A style that stops there"
    " has found its zero; another one steps across zero and back for ever.",
    "strength": "Correctly classified items, and weights that are exactly 0, the stronger L1 is. Each line is a style;"
    " colour, dash and marker tell them apart.",
    "boundary": "The article’s Figure 2, trained: items of two classes, some with the wrong label. Dashed: the true"
    " boundary. Solid: the boundary that the network has learned, without L1 and with it.",
}


@dataclass(frozen=True)
class Picture:
    """A figure of the page."""

    name: str
    svg: str
    caption: str


def picture(name: str, svg: str) -> Picture:
    """The figure of a file's content. Raises ET.ParseError if that is no XML."""
    return Picture(name, inline(svg, name, CAPTIONS[name]), CAPTIONS[name])


def inline(svg: str, name: str, alt: str) -> str:
    """The <svg> element of a file, every id in it beginning with name; alt says it to who cannot see it.

    Figures may use the same ids, and a style sheet in one would reach the whole page. The page gives it its size.
    """
    root = ET.fromstring(svg)
    for parent in list(root.iter()):
        parent.tag = local(parent.tag)
        for child in [child for child in parent if local(child.tag) in DROPPED]:
            parent.remove(child)
        attributes = {local(key): value for key, value in parent.attrib.items()}
        parent.attrib.clear()
        parent.attrib.update({key: renamed(key, value, name) for key, value in attributes.items()})
        if parent.tag == "style" and parent.text:
            parent.text = re.sub(r"(^|})\s*([^{}]+)\{", rf"\1#{name} \2{{", parent.text)
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.attrib |= {"id": name, "role": "img", "aria-label": alt}
    return ET.tostring(root, encoding="unicode")


def local(tag: str) -> str:
    """A tag or an attribute without its namespace, as HTML writes it."""
    return tag.rpartition("}")[2]


def renamed(key: str, value: str, name: str) -> str:
    """An attribute's value, with the ids in it renamed."""
    if key == "id":
        return f"{name}-{value}"
    if key == "href":
        return re.sub(r"^#", f"#{name}-", value)
    return value.replace("url(#", f"url(#{name}-")
