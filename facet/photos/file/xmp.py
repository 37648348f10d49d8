"""XMP packets: what says that a photo was edited by a trained model (IPTC Photo Metadata 2025.1), and what says where
it was taken. Everything else in a packet stays."""

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
PADDING = 2048  # bytes that editors may write into


class Packet:
    """An XMP packet; ValueError where the bytes hold none."""

    def __init__(self, data: bytes | None):
        text = EMPTY if data is None else data.decode("utf-8-sig", "strict").strip("\0 \t\r\n")
        if "<!DOCTYPE" in text:  # no XMP has one, and its entities can grow without end
            raise ValueError("it declares a document type")
        try:
            self._document = minidom.parseString(text)
        except ExpatError as error:
            raise ValueError(str(error)) from error
        found = self._document.getElementsByTagNameNS(RDF, "RDF")
        if not found:
            raise ValueError("it holds no rdf:RDF")
        self._rdf = found[0]

    def set_iptc(self, properties: Mapping[str, str]) -> None:
        """Set properties of the IPTC extension, in the place of those of the same name."""
        self._remove(IPTC, tuple(properties))
        described = self._document.createElementNS(RDF, self._name("Description"))
        described.setAttributeNS(RDF, self._name("about"), "")
        described.setAttributeNS(XMLNS, "xmlns:Iptc4xmpExt", IPTC)
        for name, value in properties.items():
            described.setAttributeNS(IPTC, f"Iptc4xmpExt:{name}", value)
        self._rdf.appendChild(described)

    def iptc(self, name: str) -> str | None:
        """A property of the IPTC extension."""
        for described in self._described():
            if described.hasAttributeNS(IPTC, name):
                return str(described.getAttributeNS(IPTC, name))
            for child in described.getElementsByTagNameNS(IPTC, name):
                return "".join(node.data for node in child.childNodes if node.nodeType == node.TEXT_NODE)
        return None

    def strip_gps(self) -> None:
        """Take out where the photo was taken."""
        self._remove(EXIF, ("GPS",))

    def _name(self, local: str) -> str:
        return f"{self._rdf.prefix}:{local}" if self._rdf.prefix else local

    def _described(self) -> list[Any]:
        return [node for node in self._rdf.childNodes if node.nodeType == node.ELEMENT_NODE]

    def _remove(self, namespace: str, heads: tuple[str, ...]) -> None:
        """Properties of a namespace whose names begin so."""
        for described in self._described():
            for attribute in list(described.attributes.values()):
                if attribute.namespaceURI == namespace and attribute.localName.startswith(heads):
                    described.removeAttributeNode(attribute)
            for child in list(described.childNodes):
                mine = child.nodeType == child.ELEMENT_NODE and child.namespaceURI == namespace
                if mine and child.localName.startswith(heads):
                    described.removeChild(child)

    def to_bytes(self, padding: int = PADDING) -> bytes:
        body = "".join(
            node.toxml() for node in self._document.childNodes if node.nodeType != node.PROCESSING_INSTRUCTION_NODE
        )
        return f"{HEAD}{body}\n{' ' * padding}\n{TAIL}".encode()
