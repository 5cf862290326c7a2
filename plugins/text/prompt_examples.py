"""Prompts and personas that are offered while a person has none of their own. Data only."""

from .prompt_library import Persona, SavedPrompt

EXPLAIN = """\
Explain {{topic}} to {{audience=somebody who has never heard of it}} in {{length=150}} words.
Begin with an example from every day, then say how it works, then name one thing that is often misunderstood.
"""
REPLY = """\
Write a {{tone=friendly}} reply to the message between the lines. Answer every question in it; where I have said
nothing, leave a gap in square brackets.
My answer in short: {{answer}}
---
{{message}}
---
"""
COMPARE = """\
Compare {{first}} and {{second}} for {{purpose}}.
Give a table with one row for each criterion (at most {{rows=6}}), then one sentence that says which you would choose
and why.
"""
IDEAS = """\
Give {{count=10}} different ideas for {{goal}}, one line each. Order them from ordinary to daring. After each, name in
brackets what could make it fail.
"""
PROMPTS = (
    SavedPrompt("Explain", EXPLAIN),
    SavedPrompt("Reply to a letter", REPLY),
    SavedPrompt("Compare", COMPARE),
    SavedPrompt("Ideas", IDEAS),
)

PERSONAS = (
    Persona(
        "Editor",
        "You are a careful editor. You keep the author's voice, shorten what is long, and say in one line at the end "
        "what you changed and why.",
        {"temperature": 0.4},
    ),
    Persona(
        "Tutor",
        "You are a patient tutor. You ask one question at a time that leads to the next step, and say after every "
        "answer what was right in it. You give the whole solution only when you are asked for it twice.",
    ),
    Persona(
        "Storyteller",
        "You tell stories in short, concrete sentences. You show what people do and say, and end every answer where "
        "the listener wants to know more.",
        {"temperature": 1.0},
    ),
)
