"""Look through a pickle without running it: only opcodes that plain data need, and nothing that grows out of hand.

The unpickler behind it is C code. A file of a hundred bytes can make it allocate by a memo index, overrun its stack
by hashing a deep tuple, or hash forever by nesting one tuple in itself; all of that is visible beforehand.
"""

import io
import pickletools
from collections.abc import Collection
from typing import BinaryIO

_NAMES = """
    PROTO FRAME STOP MARK POP POP_MARK DUP NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4
    FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES
    SHORT_BINBYTES BINBYTES8 BYTEARRAY8 EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST LIST APPEND
    APPENDS EMPTY_DICT DICT SETITEM SETITEMS EMPTY_SET ADDITEMS FROZENSET PUT BINPUT LONG_BINPUT MEMOIZE GET
    BINGET LONG_BINGET GLOBAL STACK_GLOBAL REDUCE NEWOBJ BUILD
"""
_ALLOWED = frozenset(_NAMES.split())
_HASHING = frozenset(("SETITEM", "SETITEMS", "DICT", "ADDITEMS", "FROZENSET"))
_MAX_OPCODES = 500_000  # models take some hundreds; a list of 10,000 numbers 10,000
_MAX_DEPTH = 50  # of nested values
_MAX_HASHED = 10_000_000  # values that are hashed in all, counted as often as they are reached

Weight = tuple[int, int]  # nesting depth of a value, number of values in it counted along every path
_LEAF: Weight = (1, 1)


def check_opcodes(content: bytes | BinaryIO, others: Collection[str] = ()) -> None:
    """Raise ValueError with the reason unless the pickle is harmless to hand to an unpickler.

    A stream is read to the end of the pickle that begins there. `others`: further opcodes that the unpickler knows.
    """
    stream_in = io.BytesIO(content) if isinstance(content, bytes) else content
    stack: list[Weight | None] = []  # None is a mark
    memo: dict[int, Weight] = {}
    hashed = 0
    for count, (opcode, argument, _) in enumerate(pickletools.genops(stream_in)):
        if not (opcode.name in _ALLOWED or opcode.name in others) or count >= _MAX_OPCODES:
            raise ValueError(f"opcode {opcode.name} (number {count}) is none that plain data need")
        if opcode.name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[int(argument or 0)])
        elif opcode.name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            index = len(memo) if opcode.name == "MEMOIZE" else int(argument or 0)
            if index > count:
                raise ValueError(f"memo index {index} with only {count} values so far")
            memo[index] = stack[-1] or _LEAF
        else:
            weight = _apply(opcode, stack)
            hashed += weight[1] if opcode.name in _HASHING else 0
            if weight[0] > _MAX_DEPTH or hashed > _MAX_HASHED:
                raise ValueError("values are nested more deeply than plain data are")


def _apply(opcode: pickletools.OpcodeInfo, stack: list[Weight | None]) -> Weight:
    """Take an opcode's operands off the stack and put its results on it; returns the weight of a result."""
    operands: list[Weight] = []
    before = len(opcode.stack_before)
    if pickletools.markobject in opcode.stack_before:
        while (top := stack.pop()) is not None:
            operands.append(top)
        before = opcode.stack_before.index(pickletools.markobject)
    for _ in range(before):
        operands.append(stack.pop() or _LEAF)
    # Only tuples and frozen sets are hashed through their contents; lists may be filled again and again.
    grown = opcode.name.startswith(("TUPLE", "FROZENSET"))
    depth = max((depth for depth, _ in operands), default=1) + grown
    weight = (depth, min(1 + sum(size for _, size in operands), _MAX_HASHED + 1))
    for result in opcode.stack_after:
        stack.append(None if result is pickletools.markobject else weight)
    return weight
