"""What every grammar shares: reasoning set apart, signs made plain, refusals known."""

from __future__ import annotations

import json
import re

_REASONING = re.compile(
    r"<(think|thinking|thought|reasoning|seed:think)>|\[(THINK)\]|◁(think)▷", re.IGNORECASE
)
_REASONING_ENDS = re.compile(
    r"</(?:think|thinking|thought|reasoning|seed:think)>|\[/THINK\]|◁/think▷"
    r"|<\|channel\|>final<\|message\|>",
    re.IGNORECASE,
)
_ENDING = ("</", "[/", "<|", "◁/")
"""How those marks begin: far cheaper to look for."""
_LINE_END = re.compile(r"\r\n?|\n")
_SPECIAL = re.compile(r"(?:<\|\w{1,20}\|>|</s>|<eos>|<end_of_turn>)\Z")
_INVISIBLE = re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_LEADING = re.compile(rf"\A(?:\s|{_INVISIBLE.pattern})+")
_LIKE_ASCII = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {
    ord(sign): plain
    for sign, plain in {
        "【": "[", "】": "]", "〖": "[", "〗": "]", "〔": "[", "〕": "]",
        "⟦": "[[", "⟧": "]]", "〚": "[[", "〛": "]]", "≫": ">>", "≪": "<<", "\u3000": " ",
    }.items()
}  # fmt: skip
_FENCE = re.compile(r"\s*(`{3,}|~{3,})[^`]*\Z")
_BOXED = re.compile(
    r"(?:\\\[ {0,4})?\\boxed ?\{ {0,4}(?:\\(?:text|math)\w{0,9} ?\{ {0,4})?([^{}\n]{1,60}?) {0,4}"
    r"(?:\} {0,4})?\}(?: {0,4}\\\])?"
)
CODE_BLOCK = re.compile(
    r"^[ \t]*(`{3,}|~{3,})[^\n]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE
)
"""A block of code, with what is inside it."""
REFUSAL = re.compile(
    r"\W{0,4}(?:i['’]?m (?:really |very |so )?sorry|i am sorry|sorry\b|i apologi[sz]e"
    r"|i (?:can ?not|can['’]t|won['’]t|am unable|am not able|must decline|decline)"
    r"|i['’]m (?:unable|not able)"
    r"|as an ai|unfortunately, i|es tut mir leid|ich kann (?:dabei|das|diese)|lo siento"
    r"|je suis désolée?|désolée?\b|mi dispiace|sinto muito|desculpe|извините|к сожалению"
    r"|helaas|het spijt me|ik kan (?:deze|dit|niet)|leider|jag kan inte|tyvärr|przepraszam|niestety"
    r"|üzgünüm|maalesef|xin lỗi|rất tiếc|maaf|вибачте|на жаль|λυπάμαι|συγγνώμη|ขออภัย|מצטער|দুঃখিত"
    r"|متأسف|ببخشید|malheureusement|lamentablemente|purtroppo|infelizmente|lamento"
    r"|przykro mi|(?:很|非常|真的)?抱歉|对不起|對不起|很遗憾|我无法"
    r"|申し訳|すみません|죄송|عذر|آسف|क्षमा|माफ)",
    re.IGNORECASE,
)


def split_reasoning(reply: str) -> tuple[str, str, bool]:
    """Set apart what a model thought aloud before it answered.

    Only what opens the reply counts as reasoning, and it ends at the *last* closing mark, so
    that a verdict weighed while thinking is never read as the answer.

    Returns:
        The reasoning, the answer, and whether the reasoning ended.
    """
    reply = _LEADING.sub("", reply)
    if _is_object(reply):
        return "", reply.strip(), True
    opened = _REASONING.match(reply)
    if any(mark in reply for mark in _ENDING) and (
        closing := list(_REASONING_ENDS.finditer(reply))
    ):
        begin = opened.end() if opened else 0
        return reply[begin : closing[-1].start()].strip(), reply[closing[-1].end() :].strip(), True
    if opened:
        return reply[opened.end() :].strip(), "", False
    return "", reply.strip(), True


def _is_object(reply: str) -> bool:
    """Whether a reply opens with a JSON object, in whose texts a mark is only a mark."""
    if not reply.startswith("{"):
        return False
    try:
        _, end = json.JSONDecoder().raw_decode(reply)
    except (ValueError, RecursionError):
        return False
    return _REASONING_ENDS.search(reply, end) is None


def plain(content: str, *, is_json: bool = False) -> str:
    """Nothing invisible, no end-of-turn marks, no fence around it all.

    Args:
        is_json: whether U+0085, U+2028 and their kin are left alone: in JSON they may stand
            inside a string, elsewhere they end a line.
    """
    text = (content if content.isascii() else _INVISIBLE.sub("", content)).rstrip()
    while ended := _SPECIAL.search(text, max(0, len(text) - 24)):
        text = text[: ended.start()].rstrip()
    lines = _LINE_END.split(text.strip()) if is_json else text.strip().splitlines()
    if len(lines) > 1 and (fence := _FENCE.match(lines[0])):
        inside = lines[1:-1]
        if lines[-1].strip() == fence[1] and not any(fence[1] in line for line in inside):
            lines = inside
    return "\n".join(lines).strip()


def signs(text: str) -> str:
    """Full-width and mathematical signs, and LaTeX boxes, as plain brackets and ASCII."""
    text = text.replace("\\[\\[", "[[").replace("\\]\\]", "]]")
    if not text.isascii():
        text = text.translate(_LIKE_ASCII)
    text = text.replace("\\gg", ">>").replace("&gt;", ">")
    return _BOXED.sub(_in_brackets, text) if "boxed" in text else text


def _in_brackets(boxed: re.Match[str]) -> str:
    has = next((count for count in (2, 1) if boxed[1].startswith("[" * count)), 0)
    return "[" * (2 - has) + boxed[1] + "]" * (2 - has)
