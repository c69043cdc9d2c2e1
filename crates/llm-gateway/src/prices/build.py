#!/usr/bin/env python3
"""Builds catalogue.tsv from two MIT-licensed price lists, and says where they disagree.

    python3 build.py LITELLM.json GENAI.json catalogue.tsv disagreements.md
    python3 build.py --test

LITELLM.json is LiteLLM's model_prices_and_context_window.json: USD per token, current prices only.
GENAI.json is pydantic's genai-prices data: USD per million tokens, some prices with the day from which they hold.

Who wins: LiteLLM gives the current price where it knows the model, because it is corrected more often and knows both
cache lifetimes and limits; genai-prices gives the earlier prices of dated models and every model LiteLLM lacks. A
disagreement is never averaged: it is listed, and docs/prices.md says how to override a price.

Every unit is converted in `pico` and nowhere else.
"""

import json
import re
import sys
from decimal import Decimal

PICO_PER_USD = {"token": Decimal(10) ** 12, "million": Decimal(10) ** 6}
# Dearer than a cent a token is a unit mix-up, not a price.
PICO_MAX = 10_000_000_000

# LiteLLM's provider -> (our kind, the prefix its model names carry).
LITELLM_KINDS = {
    "openai": ("openai", "openai/"),
    "text-completion-openai": ("openai", ""),
    "azure": ("azure-openai", "azure/"),
    "azure_ai": ("azure-openai", "azure_ai/"),
    "anthropic": ("anthropic", "anthropic/"),
    "gemini": ("gemini", "gemini/"),
    "vertex_ai": ("vertex", "vertex_ai/"),
    "vertex_ai-language-models": ("vertex", "vertex_ai/"),
    "vertex_ai-anthropic_models": ("vertex", "vertex_ai/"),
    "vertex_ai-mistral_models": ("vertex", "vertex_ai/"),
    "vertex_ai-llama_models": ("vertex", "vertex_ai/"),
    "vertex_ai-embedding-models": ("vertex", "vertex_ai/"),
    "bedrock": ("bedrock", "bedrock/"),
    "bedrock_converse": ("bedrock", "bedrock/"),
    "cohere": ("cohere", "cohere/"),
    "cohere_chat": ("cohere", "cohere/"),
    "mistral": ("mistral", "mistral/"),
    "groq": ("groq", "groq/"),
    "deepseek": ("deepseek", "deepseek/"),
    "xai": ("xai", "xai/"),
    "openrouter": ("openrouter", "openrouter/"),
    "together_ai": ("together", "together_ai/"),
    "fireworks_ai": ("fireworks", "fireworks_ai/"),
    "fireworks_ai-embedding-models": ("fireworks", "fireworks_ai/"),
    "perplexity": ("perplexity", "perplexity/"),
    "cerebras": ("cerebras", "cerebras/"),
    "nvidia_nim": ("nvidia", "nvidia_nim/"),
    "moonshot": ("moonshot", "moonshot/"),
    "zai": ("zai", "zai/"),
    "sambanova": ("sambanova", "sambanova/"),
}

GENAI_KINDS = {
    "openai": "openai",
    "azure": "azure-openai",
    "anthropic": "anthropic",
    "google": "gemini",
    "aws": "bedrock",
    "cohere": "cohere",
    "mistral": "mistral",
    "groq": "groq",
    "deepseek": "deepseek",
    "x-ai": "xai",
    "openrouter": "openrouter",
    "together": "together",
    "fireworks": "fireworks",
    "perplexity": "perplexity",
    "cerebras": "cerebras",
    "moonshotai": "moonshot",
    "zhipuai": "zai",
}

# Kinds whose model names have a slash of their own; elsewhere a slash left over is a region or an image size.
SLASHED = {"openrouter", "together", "fireworks", "nvidia", "huggingface", "groq", "cerebras", "perplexity"}

LITELLM_RATES = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
    "reasoning": "output_cost_per_reasoning_token",
    "input_audio": "input_cost_per_audio_token",
    "output_audio": "output_cost_per_audio_token",
    "input_image": "input_cost_per_image_token",
    "output_image": "output_cost_per_image_token",
}

# Our service tier -> the ending of LiteLLM's fields.
LITELLM_CLASSES = {"batch": "_batches", "flex": "_flex", "priority": "_priority"}

GENAI_RATES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "input_audio": "input_audio_mtok",
    "output_audio": "output_audio_mtok",
}


def pico(usd, per):
    """USD per `token` or per `million` tokens -> whole pico-dollars a token."""
    value = (Decimal(str(usd)) * PICO_PER_USD[per]).to_integral_value()
    if not 0 <= value <= PICO_MAX:
        raise ValueError(f"{usd} USD per {per} is not a price")
    return int(value)


def litellm_rates(entry, suffix=""):
    """{tokens above which it holds: {rate: pico}}; 0 is the price below every edge."""
    tiers = {0: {}}
    for rate, field in LITELLM_RATES.items():
        if entry.get(field + suffix) is not None:
            tiers[0][rate] = pico(entry[field + suffix], "token")
        for key in entry:
            edge = re.fullmatch(re.escape(field) + r"_above_(\d+)k_tokens" + suffix, key)
            if edge and entry[key] is not None:
                tiers.setdefault(int(edge[1]) * 1000, {})[rate] = pico(entry[key], "token")
    return tiers


def litellm_classes(entry):
    """{service tier: its rates}, for tiers that name input and output."""
    classes = {word: litellm_rates(entry, suffix) for word, suffix in LITELLM_CLASSES.items()}
    return {word: tiers for word, tiers in classes.items() if {"input", "output"} <= set(tiers[0])}


def genai_rates(prices):
    """The same from one genai-prices record."""
    tiers = {0: {}}
    for rate, field in GENAI_RATES.items():
        value = prices.get(field)
        if isinstance(value, dict):
            tiers[0][rate] = pico(value["base"], "million")
            for tier in value["tiers"]:
                tiers.setdefault(tier["start"], {})[rate] = pico(tier["price"], "million")
        elif value is not None:
            tiers[0][rate] = pico(value, "million")
    if set(tiers[0]) == {"input"}:
        tiers[0]["output"] = 0  # vectors: there is no output to pay for
    return tiers


def is_priced(kind, model, tiers):
    """A row of zeros means "nobody wrote a price down", except where free of charge is what is sold."""
    known = "input" in tiers[0] and "output" in tiers[0]
    free = kind == "openrouter" and model.endswith(":free")
    return known and (free or any(tiers[0].values()))


def read_litellm(data, problems):
    rows = {}
    for name, entry in data.items():
        kind, prefix = LITELLM_KINDS.get(entry.get("litellm_provider"), (None, None))
        if kind is None:
            continue
        model = name.removeprefix(prefix).lower()
        if ("/" in model and kind not in SLASHED) or re.search(r"\s", model):
            continue
        try:
            tiers, classes = litellm_rates(entry), litellm_classes(entry)
        except ValueError as error:
            problems.append(f"LiteLLM {name}: {error}")
            continue
        if entry.get("mode") == "embedding":
            tiers[0].setdefault("output", 0)
        if is_priced(kind, model, tiers):
            limits = [entry.get(key) for key in ("max_input_tokens", "max_output_tokens")]
            # The plain name wins over the one with a provider prefix when a list has both.
            if (kind, model) not in rows or name == model:
                rows[kind, model] = (tiers, classes, [v if isinstance(v, int) and v > 0 else None for v in limits])
    return rows


def names_of(model):
    """The id of a genai-prices model and the names its rule matches in whole or from the start."""
    names, rules = {model["id"]}, [model["match"]]
    while rules:
        rule = rules.pop()
        names.update(rule[key] for key in ("equals", "starts_with") if key in rule)
        rules.extend(rule.get("or", []))
    return {name.lower().rstrip("-:@") for name in names if not re.search(r"\s", name)}


def read_genai(data, problems):
    """{(kind, model): ([(day from which, tiers)], limits)}, days ascending, "" first."""
    rows = {}
    for provider in data:
        kind, suffix = GENAI_KINDS.get(provider["id"]), ""
        if provider["id"].startswith("huggingface_"):
            kind, suffix = "huggingface", ":" + provider["id"].removeprefix("huggingface_")
        if kind is None:
            continue
        for model in provider["models"]:
            records = model["prices"] if isinstance(model["prices"], list) else [{"prices": model["prices"]}]
            try:
                history = {}
                for record in records:
                    constraint = record.get("constraint") or {}
                    if "start_time" in constraint:
                        # Hours of the day: the dearer price holds all day, so a bill is never too low.
                        day, tiers = "", genai_rates(record["prices"])
                        if tiers[0].get("input", 0) < history.get("", tiers)[0].get("input", 0):
                            continue
                    else:
                        day, tiers = constraint.get("start_date", ""), genai_rates(record["prices"])
                    history[day] = tiers
            except ValueError as error:
                problems.append(f"genai-prices {provider['id']}/{model['id']}: {error}")
                continue
            for name in names_of(model):
                name += suffix
                if "/" in name and kind not in SLASHED:
                    continue
                if all(is_priced(kind, name, tiers) for tiers in history.values()):
                    rows.setdefault((kind, name), (sorted(history.items()), [model.get("context_window"), None]))
    return rows


def write_rates(tiers, classes=None):
    """`input=1 output=2;>200000 input=2;@flex input=1 output=1;@flex>200000 input=1`"""
    order = list(LITELLM_RATES)
    parts = []
    for word, schedule in [("", tiers), *sorted((classes or {}).items())]:
        for edge in sorted(schedule):
            rates = " ".join(f"{rate}={schedule[edge][rate]}" for rate in order if rate in schedule[edge])
            head = (f"@{word}" if word else "") + (f">{edge}" if edge else "")
            if rates:
                parts.append(f"{head} {rates}".lstrip())
    return ";".join(parts)


def differences(ours, theirs):
    """Rates both lists give and give differently."""
    found = []
    for edge in sorted(set(ours) & set(theirs)):
        for rate in LITELLM_RATES:
            pair = ours[edge].get(rate), theirs[edge].get(rate)
            if None not in pair and pair[0] != pair[1]:
                found.append((f"{rate} above {edge}" if edge else rate, *pair))
    return found


def merge(litellm, genai):
    lines, disagreements = [], []
    for key in sorted(set(litellm) | set(genai)):
        kind, model = key
        history, limits = [], [None, None]
        if key in genai:
            past, limits = genai[key]
            history = [(day, tiers, {}, "genai-prices") for day, tiers in past]
        if key in litellm:
            tiers, classes, own_limits = litellm[key]
            limits = [own or other for own, other in zip(own_limits, limits)]
            source = "litellm"
            if history:
                day, current, _, _ = history.pop()
                found = differences(tiers, current)
                source = "litellm (genai-prices differs)" if found else "litellm, genai-prices"
                disagreements += [(kind, model, *difference) for difference in found]
            else:
                day = ""
            history.append((day, tiers, classes, source))
        for day, tiers, classes, source in history:
            limits_text = [str(limit) if limit else "" for limit in limits]
            lines.append("\t".join([kind, model, day, *limits_text, write_rates(tiers, classes), source]))
    return sorted(lines, key=lambda line: line.encode()), disagreements


def write_report(disagreements, problems):
    yield "# Where the price lists disagree\n\n"
    yield "Written by `crates/llm-gateway/src/prices/build.py`. The catalogue takes the LiteLLM column. USD per million tokens.\n\n"
    yield "| kind | model | rate | LiteLLM | genai-prices |\n|---|---|---|---|---|\n"
    for kind, model, rate, ours, theirs in disagreements:
        yield f"| {kind} | {model} | {rate} | {Decimal(ours) / 10**6:f} | {Decimal(theirs) / 10**6:f} |\n"
    if problems:
        yield "\nRefused as no price at all:\n\n"
        yield from (f"- {problem}\n" for problem in problems)


def test():
    assert pico("2.5e-06", "token") == pico("2.5", "million") == 2_500_000
    assert pico(7.5e-08, "token") == 75_000
    for wrong in (250, -1e-6):
        try:
            pico(wrong, "token")
        except ValueError:
            continue
        raise AssertionError(f"{wrong} was taken for a price")
    entry = {"input_cost_per_token": 1e-6, "input_cost_per_token_above_200k_tokens": 2e-6,
             "cache_creation_input_token_cost_above_1hr": 4e-6, "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 8e-6,
             "input_cost_per_token_above_200k_tokens_batches": 1}
    assert litellm_rates(entry) == {0: {"input": 1_000_000, "cache_write_1h": 4_000_000},
                                    200_000: {"input": 2_000_000, "cache_write_1h": 8_000_000}}
    flex = {"input_cost_per_token_flex": 1e-6, "output_cost_per_token_flex": 2e-6, "input_cost_per_token_above_272k_tokens_flex": 2e-6,
            "input_cost_per_token_priority": 9e-6}
    assert litellm_classes(flex) == {"flex": {0: {"input": 1_000_000, "output": 2_000_000}, 272_000: {"input": 2_000_000}}}
    assert write_rates({0: {"input": 3}}, litellm_classes(flex)) == (
        "input=3;@flex input=1000000 output=2000000;@flex>272000 input=2000000")
    assert genai_rates({"input_mtok": {"base": 1, "tiers": [{"start": 200000, "price": 2}]}, "output_mtok": 4}) == {
        0: {"input": 1_000_000, "output": 4_000_000}, 200_000: {"input": 2_000_000}}


def main():
    if sys.argv[1:] == ["--test"]:
        return test()
    litellm_path, genai_path, catalogue_path, report_path = sys.argv[1:]
    with open(litellm_path) as litellm_file, open(genai_path) as genai_file:
        litellm_data, genai_data = json.load(litellm_file), json.load(genai_file)
    problems = []
    lines, disagreements = merge(read_litellm(litellm_data, problems), read_genai(genai_data, problems))
    with open(catalogue_path, "w") as catalogue:
        catalogue.write("".join(line + "\n" for line in lines))
    with open(report_path, "w") as report:
        report.writelines(write_report(disagreements, problems))
    print(f"{len(lines)} rows, {len(disagreements)} disagreements, {len(problems)} refused")


if __name__ == "__main__":
    main()
