"""The words that the prompt coach looks for. Data only."""

import re


def _any(words: str) -> re.Pattern[str]:
    """Any of these as whole words; several words of one entry are joined by _."""
    found = sorted((re.escape(word).replace("_", r"\s+") for word in words.split()), key=len, reverse=True)
    return re.compile(rf"(?i)\b(?:{'|'.join(found)})\b")


VAGUE = _any(
    "something anything stuff things nice good great cool interesting better best appropriate suitable proper "
    "properly somehow somewhat a_bit kind_of sort_of etc and_so_on whatever a_few several a_couple_of a_lot_of "
    "high-quality engaging compelling creative professional modern various relevant"
)
ENGLISH = _any("the and of to is in for with this that it you me my a an don't not never be about")
TASKS = _any(
    "write explain describe list summarise summarize translate rewrite compare classify extract give create generate "
    "make draft outline find fix correct improve shorten simplify answer tell say show suggest propose name define "
    "calculate compute convert plan design review check analyse analyze evaluate rank sort continue complete replace "
    "turn help choose recommend discuss argue invent imagine act play format add remove reply"
)
WRITING = _any(
    "write explain describe summarise summarize compare create generate draft outline suggest propose plan design "
    "review analyse analyze discuss give tell recommend evaluate list"
)
FORMATS = _any(
    "list lists bullet bullets table tables json yaml csv xml html markdown code function script paragraph paragraphs "
    "sentence sentences heading headings section sections steps step-by-step numbered email e-mail letter essay poem "
    "haiku sonnet story dialogue tweet headline title titles slogan slogans outline line lines column columns "
    "one_word yes_or_no checklist recipe report article post script song lyrics quiz questions points rows speech "
    "summary abstract caption captions names commit_message regex query sql reply begin begins start starts first"
)
LENGTHS = re.compile(
    r"(?i)\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|a dozen)\s+(?:\w+\s+)?"
    r"(?:words?|sentences?|lines?|paragraphs?|pages?|points?|items?|ideas?|examples?|steps?|stanzas?)\b"
    r"|\b(?:an?|single|one)\s+(?:short\s+)?(?:word|sentence|line|paragraph|page|haiku|sonnet|tweet|headline|title)\b"
    r"|\b(?:short|brief|briefly|concise|long|detailed|in detail|in short|comprehensive|in depth|at length)\b"
)
EXAMPLES = re.compile(
    r"(?i)\bfor (?:example|instance)\b|\be\.g\.|\bexamples?\b|\bsuch as\b|\blike this\b|→|->|=>|\binput\s*:"
)
PATTERNED = re.compile(
    r"(?i)\b(?:classify|categori[sz]e|label|tag|in the (?:style|format|form) of|same (?:style|format)|"
    r"convert (?:it|them|each|these|the)|rename|naming scheme|score each)\b"
)
AUDIENCE = re.compile(
    r"(?i)\bto (?:an?|my|the|some(?:one|body)|me|us|people|children|beginners|experts)\b"
    r"|\bfor (?:an?|my|the|some(?:one|body)|people|children|kids|beginners|experts|students|readers|developers)\b"
    r"|\blike i'?m\b|\bas if\b|\b(?:i|we)(?: am|'m| are|'re| know)\b|\bbeginner|\bexpert|\blayperson|\baudience"
)
NEGATIVE = re.compile(
    r"(?i)\b(?:do not|don'?t|never|avoid|must not|mustn'?t|should not|shouldn'?t|no longer|without|stop)\b|^\s*no\b"
)
_NOUNS = (
    r"(?:text|article|code|email|e-mail|letter|paragraph|essay|document|passage|data|table|list|poem|story|function|"
    r"message|sentences?|notes|transcript)"
)
REFERS = re.compile(
    rf"(?i)\b(?:the|this|these|my|following|attached)\s+(?:\w+\s+)?{_NOUNS}\s+(?:below|above|here)\b"
    rf"|\b(?:this|the following|the attached|the given|these)\s+{_NOUNS}\b"
)

_BRIEF = r"\b(?:short|brief|briefly|concise|succinct|in short)\b"
_FULL = r"\b(?:detailed|in detail|comprehensive|exhaustive|thorough|in depth|long|everything about|complete overview)\b"
CONFLICTS = tuple(
    (re.compile(f"(?i){left}"), re.compile(f"(?i){right}"), proposal)
    for left, right, proposal in (
        (_BRIEF, _FULL, "Keep one, or give a number: “in 150 words, with the three most important details”."),
        (
            r"\b(?:simple|simply|plain|for (?:children|kids|beginners))\b",
            r"\b(?:technical|academic|scientific|expert-level|sophisticated)\b",
            "Say who reads it: “technically right, in words that a beginner knows”.",
        ),
        (
            r"\b(?:formal|professional)\b",
            r"\b(?:informal|casual|slangy?|chatty|funny)\b",
            "Keep one, or say where each belongs: “a formal letter with one light remark at the end”.",
        ),
        (
            r"\b(?:only|nothing but) (?:the )?(?:json|code|csv|yaml|list|table)\b",
            r"\b(?:explain|describe|justify|comment on|discuss)\b",
            "Ask for the explanation inside the form (a field “reason”), or drop one of the two.",
        ),
        (
            r"\bin (?:just |only )?(?:one|a single|1) (?:sentence|word|line)\b(?! each| per| for)",
            r"\b(?:list|table|paragraphs|sections|essay|step by step)\b",
            "Keep one of the two forms.",
        ),
        (
            r"\bword for word\b|\bverbatim\b|\bexactly as (?:it|they)\b|\bwithout changing anything\b",
            r"\b(?:rewrite|rephrase|paraphrase|improve|simplify|shorten)\b",
            "Say which parts stay as they are and which may change.",
        ),
    )
)
