"""The tables about spending: what they take, and every mistake in them with its line."""

from pathlib import Path

import pytest

from gw.config.load import ConfigError, parse
from gw.config.model import Config

HASH = "0123456789abcdef" * 4
HEAD = f"""\
[[customer]]
name = "acme"
[[team]]
name = "platform"
customer = "acme"
[[upstream]]
name = "main"
api_key = "literal-key"
[[key]]
name = "ci"
secret_hash = "{HASH}"
"""
BUDGET = '[[budget]]\nname = "b"\nteam = "platform"\nlimit_usd = "10"\n'
LIMIT = '[[limit]]\nname = "l"\nteam = "platform"\n'
LINES = HEAD.count("\n")
VALUE = "sk-ant-api03-do-not-show"


def config_of(text: str) -> Config:
    return parse(HEAD + text, "config.toml", Path("/base"), {}).config


def complaints(text: str) -> list[str]:
    """With lines counted from the end of HEAD."""
    with pytest.raises(ConfigError) as caught:
        config_of(text)
    return [f"{(problem.line or 0) - LINES}: {problem.key}: {problem.message}" for problem in caught.value.problems]


# --- what is right --------------------------------------------------------------------------------------------------------


def test_budget_has_its_defaults():
    (budget,) = config_of(BUDGET).budget
    assert (budget.name, budget.team, budget.limit_usd, budget.window, budget.time_zone) == (
        "b",
        "platform",
        "10",
        "month",
        "UTC",
    )
    assert (budget.mode, budget.reserve, budget.warn_at, budget.each) == ("hard", "typical", (0.5, 0.8, 0.95), False)
    assert (budget.anchor, budget.contact, budget.increase, budget.session) == ("", "", (), "")


@pytest.mark.parametrize("written", ["10", '"10"', '"0.000000001"', '"0"', '"1000000000"'])
def test_amount_is_text_or_a_whole_number(written):
    assert config_of(BUDGET.replace('"10"', written)).budget[0].limit_usd == written.strip('"')


@pytest.mark.parametrize(
    ("window", "anchor", "kept"),
    [
        ("month", "15", "15"),
        ("month", '"31"', "31"),
        ("week", "7", "7"),
        ("year", '"04-01"', "04-01"),
        ("30d", "2027-01-31", "2027-01-31"),
        ("5h", "2027-01-31T08:30:00", "2027-01-31 08:30:00"),
        ("1Y", '"2027-01-31T08:30"', "2027-01-31T08:30"),
    ],
)
def test_anchor_is_a_number_a_date_or_text(window, anchor, kept):
    budget = config_of(f'{BUDGET}window = "{window}"\nanchor = {anchor}\ntime_zone = "Europe/Berlin"\n').budget[0]
    assert (budget.window, budget.anchor, budget.time_zone) == (window, kept, "Europe/Berlin")


def test_increases_belong_to_the_budget_above():
    more = '[[budget.increase]]\nlimit_usd = 5\nuntil = 2027-01-31\nreason = "spring"\n'
    second = BUDGET.replace('"b"', '"c"')
    config = config_of(f"{BUDGET}{more}{more}{second}{more}".replace("spring", "release week"))
    assert [len(budget.increase) for budget in config.budget] == [2, 1]
    assert config.budget[0].increase[0].reason == "release week"


def test_patterns_need_no_reference_and_clients_name_their_own():
    scopes = [
        'customer = "a*"',
        'team = "*"',
        'key = "database-*"',
        'upstream = "?"',
        'model = "x"',
        'project = "x"',
        'session = "*"',
    ]
    text = "".join(f'[[budget]]\nname = "b{at}"\n{scope}\nlimit_usd = 1\n' for at, scope in enumerate(scopes))
    assert len(config_of(text).budget) == 7


def test_key_has_its_own_bounds():
    key = config_of('max_cost_usd = "2.50"\nmax_tokens = 32000\nsession_limit_usd = 25\n').key[0]
    assert (key.max_cost_usd, key.max_tokens, key.session_limit_usd) == ("2.50", 32_000, "25")
    assert (config_of("").key[0].max_cost_usd, config_of("").key[0].max_tokens, config_of("").key[0].session_limit_usd) == (
        "",
        0,
        "",
    )


def test_failing_open_is_asked_for_in_words():
    assert config_of("").budgets.unreadable == "refuse"
    assert config_of('[budgets]\nunreadable = "allow"\ncontact = "#ai"\n').budgets.contact == "#ai"


# --- what is wrong ----------------------------------------------------------------------------------------------------------

KINDS = "customer, team, key, upstream, model, project, session"
COUNTS = "requests, input_tokens, output_tokens, tokens, usd, parallel"
INCREASE = f'{BUDGET}[[budget.increase]]\nlimit_usd = 5\nuntil = 2027-01-31\nreason = "x"\n'

BROKEN: list[tuple[str, str]] = [
    # scopes
    (BUDGET.replace('team = "platform"\n', ""), f'1: budget: budget "b" is about nobody; give one of {KINDS}'),
    (f'{BUDGET}key = "ci"', '1: budget: budget "b" has team and key; keep one, and write another budget for the other'),
    (
        f'{LIMIT}requests = 1\nmodel = "x"',
        '1: limit: limit "l" has team and model; keep one, and write another limit for the other',
    ),
    (BUDGET.replace("platform", "platfrom"), '3: budget.team: there is no team "platfrom"; did you mean "platform"?'),
    (
        BUDGET.replace('team = "platform"', 'customer = "acmee"'),
        '3: budget.customer: there is no customer "acmee"; did you mean "acme"?',
    ),
    (BUDGET.replace('team = "platform"', 'upstream = "x"'), '3: budget.upstream: there is no upstream "x"'),
    (
        BUDGET.replace('team = "platform"', 'key = "cii"'),
        '3: budget.key: there is no key "cii" in this file; did you mean "ci"? (one of the database '
        'is found by a pattern: "cii*")',
    ),
    (f"{LIMIT.replace('platform', 'x')}requests = 1", '3: limit.team: there is no team "x"'),
    (
        BUDGET.replace("platform", "opus[1m]"),
        '3: budget.team: pattern "opus[1m]": only * and ? are special, brackets are not supported',
    ),
    # names
    (BUDGET + BUDGET, f'6: budget.name: duplicate name "b", also at config.toml:{LINES + 2}'),
    (f"{LIMIT}requests = 1\n{LIMIT}requests = 1", f'6: limit.name: duplicate name "l", also at config.toml:{LINES + 2}'),
    (BUDGET.replace('name = "b"\n', ""), "1: budget.name: is required"),
    # amounts
    (BUDGET.replace('limit_usd = "10"\n', ""), "1: budget.limit_usd: is required"),
    (BUDGET.replace('"10"', '""'), '4: budget.limit_usd: must be an amount, such as "2500"'),
    (
        BUDGET.replace('"10"', "10.5"),
        '4: budget.limit_usd: must be written in quotes, "10.5": a bare TOML float is not exact',
    ),
    (BUDGET.replace('"10"', '"-1"'), '4: budget.limit_usd: must be 0 to 1000000000 USD, not "-1"'),
    (BUDGET.replace('"10"', '"1000000001"'), '4: budget.limit_usd: must be 0 to 1000000000 USD, not "1000000001"'),
    (BUDGET.replace('"10"', '"0.0000000001"'), "4: budget.limit_usd: has more than 9 decimals"),
    ('max_cost_usd = "0.0000000001"', "1: key.max_cost_usd: has more than 9 decimals"),
    ("max_tokens = -1", "1: key.max_tokens: must be 0 to 10000000 tokens, not -1"),
    # windows
    (f'{BUDGET}window = "monthly"', '5: budget.window: "monthly" is no window; did you mean "month"?'),
    (f"{BUDGET}window = 5", "5: budget.window: must be text in quotes, not 5"),
    (
        f'{BUDGET}time_zone = "Europe/Berln"',
        '5: budget.time_zone: there is no time zone "Europe/Berln"; did you mean "Europe/Berlin"?',
    ),
    (f"{BUDGET}anchor = 32", '5: budget.anchor: of a month must be its first day, 1 to 31, not "32"'),
    (f'{BUDGET}window = "day"\nanchor = 1', '6: budget.anchor: has no meaning for "day"; leave it empty'),
    (
        f'{BUDGET}anchor = "first"',
        '5: budget.anchor: must be a day, or a date and time without offset, not "first"',
    ),
    (
        f'{BUDGET}window = "5h"\nanchor = 2027-01-31T08:00:00Z',
        "6: budget.anchor: must be a day, or a date and time without offset, not 2027-01-31 08:00:00+00:00",
    ),
    (
        f'{BUDGET}window = "{VALUE}"',
        '5: budget.window: must be hour, day, week, month, year, lifetime, or a number with m, h, d, w, M or Y, not "********"',
    ),
    # modes and warnings
    (f'{BUDGET}mode = "block"', '5: budget.mode: must be one of "hard", "soft", "shadow", not "block"'),
    (f"{BUDGET}warn_at = 0.5", "5: budget.warn_at: must be a list of numbers such as [0.5, 0.8], not 0.5"),
    (f"{BUDGET}warn_at = [0.5, 80]", "5: budget.warn_at: must hold numbers above 0 and at most 1, not 80"),
    (f"{BUDGET}warn_at = [nan]", "5: budget.warn_at: must hold numbers above 0 and at most 1, not nan"),
    (f"{BUDGET}warn_at = [true]", "5: budget.warn_at: must hold numbers above 0 and at most 1, not true"),
    (f"{BUDGET}warn_at = [0.12345]", "5: budget.warn_at: has more than 4 decimals: 0.12345"),
    (f"{BUDGET}warn_at = [0.8, 0.5]", "5: budget.warn_at: must rise from one to the next"),
    (f'[budgets]\nunreadable = "open"\n{BUDGET}', '2: budgets.unreadable: must be one of "refuse", "allow", not "open"'),
    # increases
    (INCREASE.replace("until = 2027-01-31\n", ""), "5: budget.increase.until: is required"),
    (
        INCREASE.replace("2027-01-31", '""'),
        "7: budget.increase.until: must be a date such as 2027-01-31: an increase without an end is a higher limit",
    ),
    (INCREASE.replace('"x"', '" "'), "8: budget.increase.reason: must say why"),
    (INCREASE.replace("= 5", "= 0"), "6: budget.increase.limit_usd: must be more than 0"),
    (INCREASE.replace("= 5", "= -5"), "6: budget.increase.limit_usd: must be 0 to 1000000000 USD, not -5"),
    # limits
    (LIMIT, f'1: limit: limit "l" limits nothing; give one of {COUNTS}'),
    (f'{LIMIT}requests = 1\nusd = "1"', '1: limit: limit "l" has requests and usd; keep one'),
    (f"{LIMIT}requests = -1", "4: limit.requests: must be 0 to 100000000000, not -1"),
    (f'{LIMIT}usd = "0"', "4: limit.usd: must be more than 0 and at most 1000000 USD"),
    (f'{LIMIT}usd = "1000001"', "4: limit.usd: must be more than 0 and at most 1000000 USD"),
    (f'{LIMIT}requests = 1\nper = "minute"', '5: limit.per: must be a number with s, m, h, d or w, such as "1m", not "minute"'),
    (f'{LIMIT}requests = 1\nper = "2Y"', '5: limit.per: must be a number with s, m, h, d or w, such as "1m", not "2Y"'),
    (f'{LIMIT}requests = 1\nper = "53w"', '5: limit.per: must be at most a year, not "53w"'),
    (f"{LIMIT}requests = 1\nburst = 0", "5: limit.burst: must be more than 0, not 0"),
    (f'{LIMIT}requests = 1\nburst = "1.5"', "5: limit.burst: must be a whole number"),
    (f'{LIMIT}usd = 1\nburst = "0.0000000001"', "5: limit.burst: must have at most 9 decimals"),
    (f'{LIMIT}usd = 1\nburst = "1000001"', "5: limit.burst: is more than a limit can count"),
    (f"{LIMIT}parallel = 1\nburst = 5", "5: limit.burst: has no meaning for parallel calls"),
    # too many
    (
        "".join(BUDGET.replace('"b"', f'"b{at}"').replace("platform", "*") for at in range(25)),
        "1: budget: one call could fall under more than 24 budgets and limits of parallel calls",
    ),
    (
        "".join(LIMIT.replace('"l"', f'"l{at}"') + "requests = 1\n" for at in range(25)),
        "1: limit: one call could fall under more than 24 limits",
    ),
]


@pytest.mark.parametrize(("text", "message"), BROKEN, ids=[message[:60] for _, message in BROKEN])
def test_mistake_is_named_with_its_line_and_nothing_else_is(text, message):
    assert complaints(text) == [message]


def test_reference_to_a_name_that_was_itself_refused_is_no_second_mistake():
    text = f"[[team]]\nname = 'a*'\n{BUDGET.replace('platform', 'other')}"
    assert [message.split(": ")[1] for message in complaints(text)] == ["team.name"]


def test_all_mistakes_of_one_table_are_named_at_once():
    text = BUDGET.replace('"10"', "1.5") + 'window = "x"\nmode = "y"\nwarn_at = 1\nkey = "ci"\n[[budget.increase]]\nuntil = ""\n'
    assert [message.split(": ")[1] for message in complaints(text)] == [
        "budget.limit_usd",
        "budget.window",
        "budget.mode",
        "budget.warn_at",
        "budget.increase.limit_usd",
        "budget.increase.reason",
        "budget.increase.until",
    ]
