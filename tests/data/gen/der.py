# SPDX-License-Identifier: LGPL-2.1-or-later
"""A DER encoder that can be told to do it wrong (X.690).

A Node is an element with a label; its content is bytes or more Nodes. `spoil()` finds a node by its label and changes one
thing about it, before anything around it is encoded or signed: so a wrong message is still well signed.
"""

import datetime

NOW = datetime.datetime(2030, 6, 15, 12, 0, 0)
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def instant(text):
    """'+3d', '-90s', '0s' relative to NOW; or 20300615120000 as it stands."""
    if text[-1] in UNITS:
        return NOW + datetime.timedelta(seconds=int(text[:-1]) * UNITS[text[-1]])
    return datetime.datetime.strptime(text, "%Y%m%d%H%M%S")


def length_of(size):
    if size < 0x80:
        return bytes([size])
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(digits)]) + digits


def long_length_of(size):
    """One byte longer than it may be."""
    digits = size.to_bytes((size.bit_length() + 7) // 8 or 1, "big")
    if size >= 0x80:
        digits = b"\0" + digits
    return bytes([0x80 | len(digits)]) + digits


class Node:
    def __init__(self, label, tag, content=b""):
        self.label, self.tag, self.content = label, tag, content
        self.form = "definite"
        self.before, self.after, self.tail = b"", b"", b""
        self.times = 1

    def cut(self, count):
        """The encoding ends too early: its header promises more."""
        whole = self.encode()
        self.encode = lambda: whole[:-count]

    def body(self):
        inside = self.content if isinstance(self.content, bytes) else b"".join(n.encode() for n in self.content)
        return inside + self.tail

    def encode(self):
        body = self.body()
        if self.form == "indefinite":
            whole = bytes([self.tag, 0x80]) + body + b"\0\0"
        else:
            header = long_length_of if self.form == "long" else length_of
            whole = bytes([self.tag]) + header(len(body)) + body
        return (self.before + whole + self.after) * self.times

    def walk(self):
        yield self
        if not isinstance(self.content, bytes):
            for node in self.content:
                yield from node.walk()

    def drop(self, label):
        if isinstance(self.content, bytes):
            return False
        kept = [n for n in self.content if n.label != label]
        found = len(kept) != len(self.content)
        self.content = kept
        return any([found] + [n.drop(label) for n in self.content])


class Raw(Node):
    """Bytes that are an element already."""

    def __init__(self, label, encoded):
        super().__init__(label, 0, encoded)

    def encode(self):
        return self.before + (self.content + self.after) * self.times


def _body_bytes(node, change):
    node.content = change(node.body())


SPOILS = {
    "long": lambda n, _: setattr(n, "form", "long"),
    "indefinite": lambda n, _: setattr(n, "form", "indefinite"),
    "tag": lambda n, arg: setattr(n, "tag", int(arg, 16)),
    "content": lambda n, arg: setattr(n, "content", bytes.fromhex(arg)),
    "text": lambda n, arg: setattr(n, "content", arg.encode()),
    "append": lambda n, arg: setattr(n, "tail", n.tail + bytes.fromhex(arg)),
    "before": lambda n, arg: setattr(n, "before", bytes.fromhex(arg)),
    "after": lambda n, arg: setattr(n, "after", bytes.fromhex(arg)),
    "twice": lambda n, _: setattr(n, "times", 2),
    "cut": lambda n, arg: n.cut(int(arg)),
    "truncate": lambda n, arg: _body_bytes(n, lambda body: body[: -int(arg)]),
    "flip": lambda n, arg: _body_bytes(n, lambda b: b[: int(arg)] + bytes([b[int(arg)] ^ 1]) + b[int(arg) + 1:]),
}


def spoil(tree, label, how):
    """Apply 'op' or 'op=argument' to the first node with this label. A label that is not there is an error of the table."""
    op, _, arg = how.partition("=")
    if op == "drop":
        if not tree.drop(label):
            raise ValueError(f"nothing is labelled {label}")
        return
    for node in tree.walk():
        if node.label == label:
            SPOILS[op](node, arg)
            return
    raise ValueError(f"nothing is labelled {label}")


def seq(label, *nodes):
    return Node(label, 0x30, list(nodes))


def set_of(label, *nodes):
    return Node(label, 0x31, list(nodes))


def context(label, number, *nodes):
    return Node(label, 0xA0 | number, list(nodes))


def integer(label, value):
    return Node(label, 0x02, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def octets(label, content):
    return Node(label, 0x04, content if isinstance(content, bytes) else [content])


def bits(label, content, unused=0):
    return Node(label, 0x03, bytes([unused]) + content)


def boolean(label, value):
    return Node(label, 0x01, b"\xff" if value else b"\0")


def null(label="null"):
    return Node(label, 0x05)


def oid(label, dotted):
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    out = b""
    for arc in [first * 40 + second] + rest:
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(0x80 | (arc & 0x7F))
        out += bytes(reversed(digits))
    return Node(label, 0x06, out)


def generalized_time(label, at):
    return Node(label, 0x18, at.strftime("%Y%m%d%H%M%SZ").encode())


def utc_time(label, at):
    return Node(label, 0x17, at.strftime("%y%m%d%H%M%SZ").encode())


def name(label, common_name):
    attribute = seq("attribute", oid("type", "2.5.4.3"), Node("value", 0x0C, common_name.encode()))
    organisation = seq("attribute", oid("type", "2.5.4.10"), Node("value", 0x0C, b"Clinch Test"))
    return seq(label, set_of("rdn", organisation), set_of("rdn", attribute))


def extension(label, dotted, value, critical=None):
    """critical None: left out, as DER wants of the default; False: written out all the same."""
    nodes = [oid(label + ".oid", dotted)]
    if critical is not None:
        nodes.append(boolean(label + ".critical", critical))
    return seq(label, *nodes, octets(label + ".value", value))
