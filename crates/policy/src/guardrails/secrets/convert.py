#!/usr/bin/env python3
"""Turns the gitleaks rules (JSON: id, regex, entropy, keywords) into rules.tsv.

    python3 convert.py gitleaks_rules.json > rules.tsv

A rule is tried where one of its anchors stands: the literals its pattern can begin with, found here by reading the pattern.
The filler before a keyword (`[\\w.-]{0,50}?`) is cut off, since a match exists without it whenever one exists with it.
Columns: id, anchors (lower-case, JSON), how many bytes before an anchor a match begins ("0" or "least-most"), entropy, pattern.
"""
import json
import re
import sys
import warnings
from re import _constants as op
from re import _parser as parser

warnings.simplefilter("ignore")
FILLER = "(?i)[\\w.-]{0,50}?"
ASSIGNED = (
    r"""(?:[ \t\w.-]{0,20})[\s'"]{0,3}(?:=|>|:{1,3}=|\|\||:|=>|\?=|,)[\x60'"\s=]{0,5}"""
)
END = r"""(?:[\x60'"\s;]|\\[nr]|$)"""

# Rules whose pattern does not begin with a literal: (anchors, distance, pattern), the pattern cut or split where needed.
PLACED = {
    "azure-ad-client-secret": [(["q~"], "4-5", None)],
    "facebook-access-token": [(["|", "%"], "15-16", None)],
    "hashicorp-tf-api-token": [([".atlasv1."], "14", None)],
    "maxmind-license-key": [(["_mmk"], "36", None)],
    "sourcegraph-access-token": [
        (["sgp_"], "0", r"(?i)\b(sgp_(?:[a-f0-9]{16}_|local_)?[a-f0-9]{40})\b"),
        (["sourcegraph"], "0", "(?i)sourcegraph" + ASSIGNED + "([a-f0-9]{40})" + END),
    ],
}

# Rules of our own, for forms gitleaks does not know.
OWN = [
    ("private-key", ["-----begin"], "0", None,
     r"(?i)-----BEGIN[ A-Z0-9_-]{0,100}PRIVATE KEY(?: BLOCK)?-----[A-Z0-9+/=\s\\]{64,}"),
    ("basic-auth-url", ["://"], "0", None,
     r"""://[^\s:/?#@'"<>\[\]{}$%*]{1,64}:([^\s:/?#@'"<>\[\]{}$%*]{3,64})@[\w.-]"""),
    ("discord-bot-token", ["md", "mt", "mj", "mz", "nd", "nt", "nj", "nz", "od", "ot"], "0", 4,
     r"\b([MNO][DTjz][A-Za-z0-9_-]{21,24}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38})(?:[^\w-]|$)"),
    ("npm-registry-token", [":_authtoken"], "0", None,
     r":_authToken\s{0,3}=\s{0,3}(npm_[A-Za-z0-9]{10,}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})"),
    ("mailchimp-key", ["-us"], "32", 3, r"\b([0-9a-f]{32}-us[0-9]{1,2})\b"),
    ("telegram-bot-token", [":aa"], "8-10", 4, r"\b([0-9]{8,10}:AA[A-Za-z0-9_-]{33})(?:[^\w-]|$)"),
    ("pypi-test-token", ["pypi-agendgvzdc5wexbplm9yzw"], "0", 3, r"pypi-AgENdGVzdC5weXBpLm9yZw[\w-]{70,1000}"),
    ("openai-api-key", ["sk-proj-"], "0", 3, r"\b(sk-proj-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20})\b"),
    ("gitlab-cicd-job-token", ["glcbt-"], "0", 3, r"(glcbt-[\w-]{20})(?:[^\w-]|$)"),
]


def python(pattern):
    """The pattern as Python's parser takes it; flags do not matter for literals, which are lowered."""
    for flag in ("(?i)", ):
        pattern = pattern.replace(flag, "")
    pattern = re.sub(r"\(\?(?:-i|i|s):", "(?:", pattern)
    return pattern.replace("\\z", "\\Z").replace("[[:alnum:]]", "[a-zA-Z0-9]")


def beginnings(tree):
    """The literals a pattern can begin with, and whether they are all of it."""
    out = {""}
    for code, value in tree:
        whole = True
        if code == op.AT:
            continue
        if code == op.LITERAL:
            step = {chr(value).lower()}
        elif code == op.IN and len(value) <= 6 and all(kind == op.LITERAL for kind, _ in value):
            step = {chr(char).lower() for _, char in value}
        elif code == op.SUBPATTERN:
            step, whole = beginnings(value[3])
        elif code == op.BRANCH:
            branches = [beginnings(branch) for branch in value[1]]
            step, whole = set().union(*(b for b, _ in branches)), all(w for _, w in branches)
        elif code in (op.MAX_REPEAT, op.MIN_REPEAT) and value[1] == 1:
            step, whole = beginnings(value[2])
            if value[0] == 0 and not whole:
                return out, False
            step = step | {""} if value[0] == 0 else step
        else:
            return out, False
        longer = {head + tail for head in out for tail in step}
        if len(longer) > 30:
            return out, False
        out = longer
        if not whole:
            return out, False
    return out, True


def tightened(rule, pattern):
    """The pattern with what we know better."""
    # GitLab's tokens have a length: one that goes on is something else.
    if rule.startswith("gitlab-") and not pattern.startswith((r"\b", "_")):
        return f"({pattern.replace('{50}', '{50,255}')})(?:[^\\w-]|$)"
    # Counted stretches of anything make machines of many states; the longest match of these rules is bounded instead.
    for counted in (r"(?s:.){0,200}?", r"(?s:.){0,100}?"):
        pattern = pattern.replace(counted, r"(?s:.)*?")
    for counted in (r"(?:.*?|.*?(?:[\r\n]{1,2}.*?){1,5})", r"(?:.*|.*(?:[\r\n]{1,2}.*){1,5})"):
        pattern = pattern.replace(counted, r"(?s:.)*?")
    # Shorter ones are cut off: the smallest token has more.
    return pattern.replace("{50,1000}", "{70,1000}") if rule == "pypi-upload-token" else pattern


def rows(rules):
    for rule in rules:
        name, pattern = rule["id"], rule["regex"]
        if not pattern:
            continue
        if pattern.startswith(FILLER):
            pattern = "(?i)" + pattern[len(FILLER):]
        pattern = pattern.removeprefix("[\\w.-]{0,50}?").replace("(?i:[\\w.-]{0,50}?", "(?i:", 1)
        pattern = tightened(name, pattern)
        placed = PLACED.get(name)
        if placed is None:
            found, _ = beginnings(parser.parse(python(pattern)))
            anchors = sorted(a for a in found if not any(a != b and a.startswith(b) for b in found))
            placed = [(anchors, "0", None)]
        for anchors, distance, own in placed:
            assert anchors and all(anchors), name
            yield name, anchors, distance, rule["entropy"], own or pattern
    yield from OWN


def main():
    print("# Made by convert.py from the rules of gitleaks (https://github.com/gitleaks/gitleaks), MIT License,")
    print("# see LICENSE-gitleaks; the last rows are our own. id, anchors, distance, entropy, pattern.")
    for name, anchors, distance, entropy, pattern in rows(json.load(open(sys.argv[1]))):
        assert "\t" not in pattern and "\n" not in pattern, name
        print(name, json.dumps(anchors), distance, entropy or "", pattern, sep="\t")


main()
