"""Loops that ask a server: ``python -m tests.benchmarks.judge_loops KIND URL AT_ONCE COUNT STUDY``.

``ours`` lets a study's judge work; ``aiohttp`` and ``openai`` ask as often with nothing around it
and store nothing, nor does ``lm-eval``. Each prints one line of JSON: calls a second, CPU
milliseconds a call, and the peak memory in MiB.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

MESSAGES = [
    {"role": "system", "content": "You compare two answers. " * 20},
    {"role": "user", "content": "The answer goes on about what was asked. " * 85},
]


async def ours(url: str, at_once: int, count: int, study: str) -> Callable[[], Awaitable[Any]]:
    """The judge ``bench`` of the study."""
    import aiohttp  # noqa: F401 - the others' imports are not counted either

    from db.store import Store
    from tui.judge_desk import Order
    from tui.judging import work

    with Store(Path(study)) as store:
        record = store.judging.judge("bench")

    async def run() -> None:
        recorded = await work(Path(study), record, Order(at_once, limit=count))
        assert recorded == count, f"{recorded} verdicts of {count}"

    return run


async def bare_aiohttp(url: str, at_once: int, count: int, _: str) -> Callable[[], Awaitable[Any]]:
    """Aiohttp alone."""
    import aiohttp

    async def run() -> None:
        left = iter(range(count))
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def ask() -> None:
                for _ in left:
                    body = {"model": "m", "messages": MESSAGES, "max_tokens": 512}
                    async with session.post(f"{url}/chat/completions", json=body) as response:
                        reply = await response.json()
                    assert reply["choices"][0]["message"]["content"]

            await asyncio.gather(*(ask() for _ in range(at_once)))

    return run


async def bare_openai(url: str, at_once: int, count: int, _: str) -> Callable[[], Awaitable[Any]]:
    """The openai client on aiohttp."""
    import openai

    async def run() -> None:
        left = iter(range(count))
        async with openai.AsyncOpenAI(
            api_key="none",
            base_url=url,
            max_retries=0,
            http_client=openai.DefaultAioHttpClient(),
        ) as client:

            async def ask() -> None:
                for _ in left:
                    reply = await client.chat.completions.create(
                        model="m",
                        messages=MESSAGES,  # type: ignore[arg-type]
                        max_tokens=512,
                    )
                    assert reply.choices[0].message.content

            await asyncio.gather(*(ask() for _ in range(at_once)))

    return run


async def lm_eval(url: str, at_once: int, count: int, _: str) -> Callable[[], Awaitable[Any]]:
    """lm-evaluation-harness, which keeps what it gets in memory; in a Python that has it."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.api_models import JsonChatStr
    from lm_eval.models.openai_completions import LocalChatCompletion

    model = LocalChatCompletion(
        base_url=f"{url}/chat/completions", model="m", num_concurrent=at_once, max_retries=1
    )
    told = {"max_gen_toks": 512, "until": []}
    asked = [
        Instance("generate_until", {}, (JsonChatStr(json.dumps(MESSAGES)), dict(told)), number)
        for number in range(count)
    ]

    async def run() -> None:
        replies = await asyncio.to_thread(model.generate_until, asked, disable_tqdm=True)
        assert len(replies) == count
        assert all(replies)

    return run


KINDS = {"ours": ours, "aiohttp": bare_aiohttp, "openai": bare_openai, "lm-eval": lm_eval}


async def main(kind: str, url: str, at_once: str, count: str, study: str) -> None:
    run = await KINDS[kind](url, int(at_once), int(count), study)
    began, used = time.perf_counter(), time.process_time()
    await run()
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([int(count) / seconds, cpu / int(count) * 1000, peak]))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
