"""SVG files as parts of an HTML page: the ids of several files do not clash, and nothing is loaded from elsewhere."""

import re
import xml.etree.ElementTree as ET

DROPPED = ("metadata", "title", "desc", "script")  # they hold addresses, the caption, or a program

NAMES = ("weights", "chatter", "strength", "boundary")  # of the figures of a page, without .svg


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
