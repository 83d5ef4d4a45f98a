"""Files that run code when a plain unpickler reads them, or that take an unpickler down."""

import os
import pickle
from typing import Any

import numpy as np

PROTOCOLS = range(6)


class Call:
    """Pickled as a call of any function, which need not be importable here."""

    def __init__(self, function: Any, *arguments: Any):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def text(value: str) -> bytes:
    """A string operand that every protocol understands."""
    return b"V" + value.encode("raw_unicode_escape") + b"\n"


def call(module: str, name: str, *operands: bytes) -> bytes:
    """Protocol 0: module.name(*operands), left on the stack."""
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n(" + b"".join(operands) + b"tR"


def stack_global(module: str, name: str, *operands: bytes) -> bytes:
    """Protocol 4: names with dots reach into modules and classes."""
    return text(module) + text(name) + b"\x93(" + b"".join(operands) + b"tR"


def in_dictionary(value: bytes) -> bytes:
    return b"}" + text("v_template") + value + b"s."


def array_of_shape(shape: bytes) -> bytes:
    """A float64 array of any shape without any content."""
    new = call("numpy.core.multiarray", "_reconstruct", b"cnumpy\nndarray\n")
    minus_one = b"J\xff\xff\xff\xff"
    dtype = call("numpy", "dtype", text("f8"), b"K\x00", b"K\x01")
    dtype += b"(K\x03" + text("<") + b"NNN" + 2 * minus_one + b"K\x00tb"
    return new + b"(K\x01(" + shape + b"t" + dtype + b"\x89C\x00tb"


def runnable(canary: str) -> dict[str, bytes]:
    """Files that make the canary file when a plain unpickler reads them."""
    touch = f"touch {canary}"
    code = f"open({canary!r}, 'w').close()"
    system = call("posix", "system", text(touch))
    run_string = call("builtins", "exec", text(code))
    opened = call("builtins", "open", text(canary), text("w"))
    files = {
        "inst": b"(" + text(touch) + b"ios\nsystem\n.",
        "obj": b"(cos\nsystem\n" + text(touch) + b"o.",
        "nested in a list": b"(l((" + system + b"tta.",
        "as a dictionary's value": in_dictionary(system),
        "as a dictionary's key": b"}" + system + b"Ns.",
        "discarded": system + b"0}.",
        "memo": system.replace(b"(", b"p7\n0g7\n(", 1) + b".",
        "exec in latin1": run_string.replace(b"builtins", b"__builtin__") + b".",
        "open": opened + b".",
        "dotted name": b"\x80\x04" + stack_global("os", "path.os.system", text(touch)) + b".",
        "dotted name of numpy": b"\x80\x04"
        + stack_global("numpy.testing._private.utils", "os.system", text(touch)) + b".",
        "getattr chain": call(
            "builtins", "getattr", b"cos\npath\n", text("os")
        ) + b"p1\n0" + call("builtins", "getattr", b"g1\n", text("system")) + b"(" + text(touch) + b"tR.",
        "map": call("builtins", "list", call("builtins", "map", b"cos\nsystem\n", b"(" + text(touch) + b"t")) + b".",
        "timeit": call("timeit", "timeit", text("pass"), text(code)) + b".",
        "subprocess": call("subprocess", "getoutput", text(touch)) + b".",
        "interpreter": call("code", "InteractiveInterpreter") + b"p2\n0"
        + call("operator", "methodcaller", text("runsource"), text(code)) + b"(g2\ntR.",
        "numpy testing": call("numpy.testing", "runstring", text(code), b"}") + b".",
        "numpy f2py": call("numpy.f2py.crackfortran", "myeval", text(f"open({canary!r}, 'w')")) + b".",
        "copyreg": call("copyreg", "__newobj__", call("builtins", "type", system)) + b".",
        "build on a class": b"cbuiltins\nobject\n)\x81" + system + b"0.",
        "two pickles in one": in_dictionary(b"N")[:-1] + system + b"0.",
        "after a real array": pickle.dumps({"v_template": np.zeros(3), "evil": 1}, 2)[:-1] + system + b"0.",
    }  # fmt: skip
    for protocol in PROTOCOLS:
        files[f"os.system, protocol {protocol}"] = pickle.dumps(Call(os.system, touch), protocol)
        files[f"eval, protocol {protocol}"] = pickle.dumps({"f": Call(eval, f"open({canary!r}, 'w')")}, protocol)
    return files


def refused(canary: str) -> dict[str, bytes]:
    """Files that a plain unpickler refuses, hangs or dies on, or whose names stand for nothing here."""
    touch = text(f"touch {canary}")
    class_of_arrays = b"cnumpy\nndarray\n"
    return {
        "chumpy by another name": call("chumpyx", "Ch", touch) + b".",
        "chumpy in capitals": call("Chumpy.ch", "Ch", touch) + b".",
        "chumpy's own os": call("chumpy.os", "system", touch) + b".",
        "chumpy, dotted": b"\x80\x04" + stack_global("chumpy", "os.system", touch) + b".",
        "chumpy.ch.Ch, dotted": b"\x80\x04" + stack_global("chumpy.ch", "Ch.__init__.__globals__") + b".",
        "chumpy in the dictionary": in_dictionary(call("chumpy.utils", "run", touch)),
        "chumpy without content": in_dictionary(call("chumpy.ch", "Ch", touch)),
        "attribute on a class": b"c_codecs\nencode\n(N}" + text("__new__") + b"cnumpy\ndtype\nstb.",
        "state of a class": class_of_arrays + b"}" + text("__setstate__") + b"cnumpy\ndtype\nsb.",
        "ndarray called": in_dictionary(call("numpy", "ndarray", b"(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ft")),
        "object of a function": call("copyreg", "_reconstructor", b"c_codecs\nencode\n", b"N", b"N") + b".",
        "unknown codec": call("_codecs", "encode", touch, text("zip")) + b".",
        "persistent object": b"Pos.system\n.",
        "persistent object, binary": touch + b"Q.",
        "extension 1": b"\x80\x02\x82\x01.",
        "extension 2": b"\x80\x02\x83\x01\x01.",
        "extension 4": b"\x80\x02\x84\x01\x01\x01\x01.",
        "memo of 64 GB": b"Nr\xff\xff\xff\xff.",
        "bytes of 8 EB": b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
        "depth of a million": b"}N" + b"\x85" * 1_000_000 + b"Ns.",
        "tuple doubled 49 times": b"}N" + b"2\x86" * 49 + b"Ns.",
        "tuple of itself": b"}N" + b"".join(b"q%c0h%ch%c\x86" % (i, i, i) for i in range(49)) + b"Ns.",
        "list doubled for ever": b"}N" + b"2(l2a" * 100_000 + b"Ns.",
        "array within itself": (
            b"\x80\x02}" + text("v_template") + b"cchumpy.ch\nCh\n)\x81q\x01}" + text("x") + b"h\x01sbs."
        ),
        "shape of 2^60 numbers": in_dictionary(array_of_shape(b"J\xff\xff\xff\x3f" * 2)),
        "negative shape": in_dictionary(array_of_shape(b"J\xff\xff\xff\xff" * 2)),
        "objects in an array": pickle.dumps({"v_template": np.array([{}, None])}, 2),
        "texts in an array": pickle.dumps({"v_template": np.array(["a"])}, 2),
        "a record array": pickle.dumps({"v_template": np.zeros(2, [("a", "f8")])}, 2),
        "a function": pickle.dumps({"v_template": np.sum}, 2),
        "not a dictionary": pickle.dumps([1.0], 2),
        "another dictionary": pickle.dumps({"weights": np.zeros(3)}, 2),
        "a text": b"solid model\n",
        "an empty file": b"",
    }  # fmt: skip
