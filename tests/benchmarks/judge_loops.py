"""Loops that ask a server: ``python -m tests.benchmarks.judge_loops KIND URL AT_ONCE COUNT STUDY``.

``ours`` lets a study's judge work; ``aiohttp`` and ``openai`` ask as often with nothing around it
and store nothing, nor does ``lm-eval``; ``fastchat`` adds lines to a file. Each prints one line of
JSON: calls a second, CPU milliseconds a call, and the peak memory in MiB.

``ours`` runs on the loop that judges run on; another does with ``+uvloop`` after its name.
"""

from __future__ import annotations

import asyncio
import io
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
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


async def fastchat(url: str, at_once: int, count: int, _: str) -> Callable[[], Awaitable[Any]]:
    """FastChat's judging of MT-bench, ``gen_judgment --parallel``; in a Python that has it."""
    # It imports the models that it could run itself, and another vendor's client: not asked here.
    models = ModuleType("fastchat.model.model_adapter")
    vars(models)["OPENAI_MODEL_LIST"] = vars(models)["ANTHROPIC_MODEL_LIST"] = ("gpt-4",)
    sys.modules[models.__name__] = models
    sys.modules["anthropic"] = ModuleType("anthropic")
    import openai
    from fastchat.conversation import get_conv_template

    vars(models)["get_conversation_template"] = lambda _: get_conv_template("chatgpt")
    from fastchat.llm_judge.common import Judge, MatchPair, play_a_match_pair

    vars(openai).update(api_base=url, api_key="none")
    told = MESSAGES[1]["content"]
    template = {
        "type": "pairwise",
        "name": "pair-v2",
        "system_prompt": MESSAGES[0]["content"],
        "prompt_template": "{question}{answer_a}{answer_b}",
        "output_format": "[[A]]",
    }
    answer = {"choices": [{"turns": [told[: len(told) // 2]]}]}
    matches = [
        MatchPair(
            {"question_id": number, "turns": [""]},
            "m",
            "n",
            answer,
            answer,
            Judge("gpt-4", template),
        )
        for number in range(count // 2)
    ]

    async def run() -> None:
        def judge_all() -> list[Any]:
            with TemporaryDirectory() as folder, ThreadPoolExecutor(at_once) as executor:
                judged = f"{folder}/judgments/one.jsonl"
                return list(executor.map(lambda one: play_a_match_pair(one, judged), matches))

        with redirect_stdout(io.StringIO()):
            given = await asyncio.to_thread(judge_all)
        assert [one["g2_winner"] for one in given] == ["model_2"] * len(matches)

    return run


KINDS = {
    "ours": ours,
    "aiohttp": bare_aiohttp,
    "openai": bare_openai,
    "lm-eval": lm_eval,
    "fastchat": fastchat,
}


async def main(kind: str, url: str, at_once: str, count: str, study: str) -> None:
    run = await KINDS[kind](url, int(at_once), int(count), study)
    began, used = time.perf_counter(), time.process_time()
    await run()
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    print(json.dumps([int(count) / seconds, cpu / int(count) * 1000, peak()]))


def peak() -> float:
    """The most memory that this process has had, in MiB.

    What ``getrusage`` says includes, on Linux, what its parent had when it was started.
    """
    try:
        said = Path("/proc/self/status").read_text("ascii", "replace")
        return int(said.partition("VmHWM:")[2].split()[0]) / 1024
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    name, _, loop = sys.argv[1].partition("+")
    job = main(name, *sys.argv[2:])
    if name == "ours" or loop:
        from judges.loops import run

        run(job)
    else:
        asyncio.run(job)
