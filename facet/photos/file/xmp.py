"""XMP packets: declare that a trained model edited a photo (IPTC Photo Metadata 2025.1), and remove GPS positions.

Everything else in a packet stays."""

from collections.abc import Mapping
from typing import Any
from xml.dom import minidom
from xml.parsers.expat import ExpatError

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
EXIF = "http://ns.adobe.com/exif/1.0/"
XMLNS = "http://www.w3.org/2000/xmlns/"
EDITED = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
EMPTY = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"/></x:xmpmeta>'
HEAD, TAIL = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>', '<?xpacket end="w"?>'
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

    def strip_gps(self) -> None:
        """Remove the GPS position."""
        self._remove(EXIF, ("GPS",))

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

    def to_bytes(self, padding: int = PADDING) -> bytes:
        """The packet as UTF-8, followed by `padding` spaces."""
        body = "".join(
            node.toxml() for node in self._document.childNodes if node.nodeType != node.PROCESSING_INSTRUCTION_NODE
        )
        return f"{HEAD}{body}\n{' ' * padding}\n{TAIL}".encode()
