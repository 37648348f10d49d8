"""XMP packets: declare that a trained model edited a photo (IPTC Photo Metadata 2025.1), and remove coordinates.

Everything else in a packet stays."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from xml.dom import minidom
from xml.parsers.expat import ExpatError

from facet.photos.file.traces import trace_of_text

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
XMLNS = "http://www.w3.org/2000/xmlns/"
EDITED = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
EMPTY = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"/></x:xmpmeta>'
HEAD, TAIL = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>', '<?xpacket end="w"?>'
PLACES = re.compile(
    r"gps|.*latitud|.*long?t?itud|(?:.*_)?(?:lat|lon|long|lng)(?:_?deg)?$|(?-i:.*[a-z](?:Lat|Lon|Lng)(?:Deg)?$)"
    r"|geo.?(?:tag|lo|la|po|co|uri)|.*coord(?:inate)?s?$|plus_?code$",
    re.IGNORECASE,
)  # names
PADDING = 2048  # bytes for other programs to write into


class Packet:
    """An XMP packet, new if `data` is None; ValueError if the bytes hold none."""

    def __init__(self, data: bytes | None):
        text = EMPTY if data is None else data.decode("utf-8-sig", "strict").strip("\0 \t\r\n")
        if "<!DOCTYPE" in text:  # no XMP has one, and its entities could expand without limit
            raise ValueError("it declares a document type")
        try:
            self._document = minidom.parseString(text)
        except ExpatError as error:
            raise ValueError(str(error)) from error
        roots = self._document.getElementsByTagNameNS(RDF, "RDF")
        if not roots:
            raise ValueError("it holds no rdf:RDF")
        self._rdf = roots[0]

    def set_iptc(self, properties: Mapping[str, str]) -> None:
        """Set properties of the IPTC extension, replacing those of the same name."""
        self._remove(IPTC, tuple(properties))
        description = self._document.createElementNS(RDF, self._name("Description"))
        description.setAttributeNS(RDF, self._name("about"), "")
        description.setAttributeNS(XMLNS, "xmlns:Iptc4xmpExt", IPTC)
        for name, value in properties.items():
            description.setAttributeNS(IPTC, f"Iptc4xmpExt:{name}", value)
        self._rdf.appendChild(description)

    def iptc(self, name: str) -> str | None:
        """A property of the IPTC extension, None if it is not set."""
        for description in self._descriptions():
            if description.hasAttributeNS(IPTC, name):
                return str(description.getAttributeNS(IPTC, name))
            for child in description.getElementsByTagNameNS(IPTC, name):
                return "".join(node.data for node in child.childNodes if node.nodeType == node.TEXT_NODE)
        return None

    def strip_places(self) -> bool:
        """Remove coordinates: properties at any depth whose name or value is one. Returns False if there is none."""
        found = False
        for element in [*self._document.getElementsByTagName("*")]:
            if element.parentNode is None:  # its parent is gone
                continue
            for attribute in list(element.attributes.values()):
                if _is_place(attribute.localName or attribute.name, attribute.value):
                    element.removeAttributeNode(attribute)
                    found = True
            texts = [node for node in element.childNodes if node.nodeType in (node.TEXT_NODE, node.CDATA_SECTION_NODE)]
            if _is_place(element.localName, "".join(node.data for node in texts)) and element is not self._rdf:
                element.parentNode.removeChild(element)
                found = True
        return found

    def drop_claims(self, namespaces: Iterable[str], names: Iterable[str]) -> None:
        """Remove properties of these namespaces, and those of these local names."""
        gone, words = tuple(namespaces), set(names)
        for description in self._descriptions():
            for attribute in list(description.attributes.values()):
                declared = attribute.namespaceURI == XMLNS
                if (
                    attribute.value in gone
                    if declared
                    else attribute.namespaceURI in gone or attribute.localName in words
                ):
                    description.removeAttributeNode(attribute)
            for child in list(description.childNodes):
                if child.nodeType == child.ELEMENT_NODE and (child.namespaceURI in gone or child.localName in words):
                    description.removeChild(child)

    def _name(self, local: str) -> str:
        return f"{self._rdf.prefix}:{local}" if self._rdf.prefix else local

    def _descriptions(self) -> list[Any]:
        return [node for node in self._rdf.childNodes if node.nodeType == node.ELEMENT_NODE]

    def _remove(self, namespace: str, prefixes: tuple[str, ...]) -> None:
        """Remove the properties of a namespace whose names start with one of the prefixes."""
        for description in self._descriptions():
            for attribute in list(description.attributes.values()):
                if attribute.namespaceURI == namespace and attribute.localName.startswith(prefixes):
                    description.removeAttributeNode(attribute)
            for child in list(description.childNodes):
                matches = child.nodeType == child.ELEMENT_NODE and child.namespaceURI == namespace
                if matches and child.localName.startswith(prefixes):
                    description.removeChild(child)

    def to_bytes(self, padding: int = PADDING, *, wrapped: bool = True) -> bytes:
        """The packet as UTF-8, followed by `padding` spaces and, if `wrapped`, in processing instructions, which most
        readers do not need."""
        body = "".join(
            node.toxml() for node in self._document.childNodes if node.nodeType != node.PROCESSING_INSTRUCTION_NODE
        )
        return f"{HEAD}{body}\n{' ' * padding}\n{TAIL}".encode() if wrapped else body.encode()


def _is_place(name: str, value: str) -> bool:
    return PLACES.match(name) is not None or bool(trace_of_text(value.encode("utf-8", "replace")))
