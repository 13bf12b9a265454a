"""SVG files as parts of an HTML page: the ids of several files do not clash, and nothing is loaded from elsewhere."""

import re
import xml.etree.ElementTree as ET

DROPPED = ("metadata", "title", "desc", "script")  # they hold addresses, the caption, or a program

# All that the figures of this project have. What has more, such as a program or an image from elsewhere, is none.
SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
ELEMENTS = ("svg", "defs", "style", "g", "path", "use", "clipPath", "rect", "pattern")
ATTRIBUTES = (
    *("id", "style", "transform", "clip-path", "d", "x", "y", "width", "height", "viewBox", "version", "type"),
    *("patternUnits", "fill", f"{XLINK}href"),
)
PROPERTY = re.compile(r"\s*((fill|stroke)(-[a-z]+)?|opacity|clip-path)\s*:[^:]*|\s*")
SHEET = re.compile(r"\s*\*\s*\{[a-z:;\s-]*\}\s*")
VALUE = re.compile(r"[\w\s.,:;#%()+-]*", re.ASCII)
DECLARATION = re.compile(r"<!(ENTITY|ATTLIST|ELEMENT|NOTATION)")  # a bomb, or an attribute that is nowhere to be seen
MOST_DEPTH = 50  # of elements in elements

NAMES = ("weights", "chatter", "strength", "boundary")  # of the figures of a page, without .svg
KINDS = ("svg", "png")
FILES = [f"{name}.{kind}" for name in NAMES for kind in KINDS]  # that `styles` draws


def inline(svg: str, name: str, alt: str) -> str:
    """The <svg> element of a file, every id in it beginning with name; alt is the text for readers who cannot see it.

    Two files may use the same ids, and the style sheet of one would act on the whole page. The page sets the size.
    """
    root = ET.fromstring(svg)
    for parent in list(root.iter()):
        parent.tag = local(parent.tag)
        for child in [child for child in parent if local(child.tag) in DROPPED]:
            parent.remove(child)
        parent.attrib = {local(key): renamed(local(key), value, name) for key, value in parent.attrib.items()}
        if parent.tag == "style" and parent.text:
            parent.text = re.sub(r"(^|})\s*([^{}]+)\{", rf"\1#{name} \2{{", parent.text)
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.attrib |= {"id": name, "role": "img", "aria-label": alt}
    return ET.tostring(root, encoding="unicode")


def is_drawing(svg: str) -> bool:
    """Has it the elements and attributes that the figures have, and no others? Raises ParseError if it is no XML."""
    if DECLARATION.search(svg):
        return False
    root = ET.fromstring(svg)
    level, depth = [root], 0
    while level and depth < MOST_DEPTH and all(map(is_plain, level)):
        level, depth = [child for parent in level for child in parent if child.tag != f"{SVG}metadata"], depth + 1
    return root.tag == f"{SVG}svg" and not level


def is_plain(element: ET.Element) -> bool:
    """Is the element, without those in it, one of a figure?"""
    sheet = element.tag != f"{SVG}style" or SHEET.fullmatch(element.text or "")
    known = element.tag.removeprefix(SVG) in ELEMENTS and element.tag.startswith(SVG)
    return bool(known and sheet) and all(key in ATTRIBUTES and fits(key, v) for key, v in element.attrib.items())


def fits(key: str, value: str) -> bool:
    """Does the attribute refer to nothing but ids of its own file, and style only how something is drawn?"""
    if key == f"{XLINK}href":
        return re.fullmatch(r"#[\w-]+", value) is not None
    if key == "type":
        return value == "text/css"
    styled = key != "style" or all(map(PROPERTY.fullmatch, value.split(";")))
    return bool(styled and VALUE.fullmatch(value) and "url" not in re.sub(r"url\(#[\w-]+\)", "", value))


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
