"""A tiny Llama with random weights and a tokenizer trained on the spot, as one GGUF file.

It can say nothing sensible, which is what makes it a test: whatever order there is in its
replies, the server has enforced.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CONTEXT = 8192
HIDDEN, LAYERS, HEADS, INNER = 64, 2, 4, 128
MERGES = 250
TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
CORPUS = (
    "Which of the two answers is the better one? Answer A is correct and answer B is not. "
    "The verdict is a tie, since both answers are equally good, or both of them are bad. "
    'The reply is written as {"verdict": "A"}, {"verdict": "B"} or [[A]], [[B]], [[C]]. '
) * 8

_NORMAL, _CONTROL = 1, 3
_UINT32, _FLOAT32, _STRING, _ARRAY, _INT32 = 4, 6, 8, 9, 5
_ALIGNMENT = 32


def byte_signs() -> list[str]:
    """Each byte as one printable sign, as byte-level tokenizers write it."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(others)) for byte in range(256)]


def train_merges(text: str, count: int) -> list[tuple[str, str]]:
    """Byte-pair encoding: the most frequent neighbours become one token, again and again."""
    signs = byte_signs()
    split = text.replace(" ", "\0 ").split("\0")
    words = Counter(tuple(signs[byte] for byte in word.encode()) for word in split)
    merges: list[tuple[str, str]] = []
    while len(merges) < count:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, times in words.items():
            for pair in pairwise(word):
                pairs[pair] += times
        if not pairs:
            break
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        words = Counter({_merged(word, best): times for word, times in words.items()})
    return merges


def _merged(word: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    out: list[str] = []
    for sign in word:
        if out and (out[-1], sign) == pair:
            out[-1] += sign
        else:
            out.append(sign)
    return tuple(out)


def write_model(path: Path, seed: int = 0) -> None:
    """Write the model; the same seed gives the same file."""
    merges = train_merges(CORPUS, MERGES)
    specials = ["<|begin|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
    tokens = [*byte_signs(), *(a + b for a, b in merges)]
    tokens = list(dict.fromkeys(tokens)) + specials
    types = [_CONTROL if token in specials else _NORMAL for token in tokens]
    about: dict[str, Any] = {
        "general.architecture": "llama",
        "general.name": "tiny",
        "llama.context_length": CONTEXT,
        "llama.embedding_length": HIDDEN,
        "llama.block_count": LAYERS,
        "llama.feed_forward_length": INNER,
        "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": HIDDEN // HEADS,
        "llama.vocab_size": len(tokens),
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "llama-bpe",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.merges": [f"{a} {b}" for a, b in merges],
        "tokenizer.ggml.bos_token_id": tokens.index("<|begin|>"),
        "tokenizer.ggml.eos_token_id": tokens.index("<|end|>"),
        "tokenizer.chat_template": TEMPLATE,
    }
    path.write_bytes(_gguf(about, _weights(len(tokens), seed)))


def _weights(vocabulary: int, seed: int) -> dict[str, NDArray[np.float32]]:
    chance = np.random.default_rng(seed)

    def matrix(out: int, into: int) -> NDArray[np.float32]:
        return chance.normal(0, into**-0.5, (out, into)).astype(np.float32)

    ones = np.ones(HIDDEN, np.float32)
    weights = {
        "token_embd.weight": matrix(vocabulary, HIDDEN),
        "output_norm.weight": ones,
        "output.weight": matrix(vocabulary, HIDDEN),
    }
    for layer in range(LAYERS):
        shapes = {
            "attn_q": (HIDDEN, HIDDEN),
            "attn_k": (HIDDEN, HIDDEN),
            "attn_v": (HIDDEN, HIDDEN),
            "attn_output": (HIDDEN, HIDDEN),
            "ffn_gate": (INNER, HIDDEN),
            "ffn_up": (INNER, HIDDEN),
            "ffn_down": (HIDDEN, INNER),
        }
        weights |= {f"blk.{layer}.{name}.weight": matrix(*shape) for name, shape in shapes.items()}
        weights |= {f"blk.{layer}.{name}.weight": ones for name in ("attn_norm", "ffn_norm")}
    return weights


def _gguf(about: dict[str, Any], weights: dict[str, NDArray[np.float32]]) -> bytes:
    """Version 3 of the format: a header, what is said of the model, its tensors, their data."""
    head = bytearray(b"GGUF" + struct.pack("<IQQ", 3, len(weights), len(about)))
    for key, value in about.items():
        head += _string(key) + _value(value)
    data = bytearray()
    for name, weight in weights.items():
        sizes = weight.shape[::-1]  # the fastest dimension first
        head += _string(name) + struct.pack("<I", len(sizes))
        head += struct.pack(f"<{len(sizes)}QIQ", *sizes, 0, len(data))
        data += weight.tobytes()
        data += bytes(-len(data) % _ALIGNMENT)
    return bytes(head) + bytes(-len(head) % _ALIGNMENT) + bytes(data)


def _string(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _value(value: int | float | str | Sequence[Any]) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + _string(value)
    if isinstance(value, int):
        return struct.pack("<II", _UINT32, value)
    if isinstance(value, float):
        return struct.pack("<If", _FLOAT32, value)
    of_texts = isinstance(value[0], str)
    head = struct.pack("<IIQ", _ARRAY, _STRING if of_texts else _INT32, len(value))
    items = map(_string, value) if of_texts else (struct.pack("<i", one) for one in value)
    return head + b"".join(items)
